-- Locks and places: what at most one step (or so many) may hold at once.
--
-- A request is a row, held or in line. What an attempt asks for it gets all together or not at all, so nobody holds one
-- thing while it waits for another; only what is held for a whole run can make a circle, which is looked for. The line is
-- ordered by rank: the time of asking less a head start for each level of priority, so that what waits grows older
-- than what comes later with more priority.
--
-- Whoever changes who may go on leaves a row for each such line in `lock_wakes`, in the same transaction. `wake_lines` makes due
-- whom nothing keeps out, and their own claims ask again; a wake-up that is lost on the way is found by the next sweep.
-- The order of locks is run, step, keys (sorted, all at once); `wake_lines` begins with a key and waits for nothing.

-- Longest that one whose turn it is may take to come, before others go ahead: then `woken_at` is '-infinity'.
CREATE OR REPLACE FUNCTION turn_lasts() RETURNS interval LANGUAGE sql IMMUTABLE AS $$ SELECT interval '10 seconds' $$;

CREATE OR REPLACE FUNCTION lock_keys(p_keys text[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE h integer;
BEGIN
    FOR h IN SELECT DISTINCT hashtext(k) FROM unnest(p_keys) k ORDER BY 1 LOOP
        PERFORM pg_advisory_xact_lock(20251122, h);
    END LOOP;
END $$;

-- How many places of a key are taken, and how many there are: as many as was said last.
CREATE OR REPLACE FUNCTION free_places(p_key text, p_run bigint, p_position integer) RETURNS integer
LANGUAGE sql STABLE AS $$
    SELECT (SELECT p.capacity FROM lock_places p WHERE p.key = p_key)
         - (SELECT count(*)::integer FROM lock_requests h
             WHERE h.key = p_key AND h.held AND NOT (h.run_id = p_run AND h.position = p_position))
$$;

-- Whether what is held of a key keeps a request out, leaving aside what its own run holds for its whole length.
CREATE OR REPLACE FUNCTION is_kept_out(q lock_requests) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF q.mode = 'place' THEN
        RETURN free_places(q.key, q.run_id, q.position) <= 0;
    END IF;
    RETURN EXISTS (SELECT FROM lock_requests h
                    WHERE h.key = q.key AND h.held AND NOT (h.run_id = q.run_id AND (h.for_run OR h.position = q.position))
                      AND (q.mode = 'exclusive' OR h.mode = 'exclusive'));
END $$;

-- Another of its keys that keeps a request out; NULL when it could go on but for this one. One that could not stands in
-- nobody's way: it may be waiting for hours, or for the very run that stands behind it.
CREATE OR REPLACE FUNCTION kept_out_elsewhere(w lock_requests) RETURNS text LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF w.keys = 1 THEN
        RETURN NULL;
    END IF;
    RETURN (SELECT o.key FROM lock_requests o
             WHERE o.run_id = w.run_id AND o.position = w.position AND o.key <> w.key AND NOT o.held AND is_kept_out(o)
             LIMIT 1);
END $$;

-- For how many seconds a request stood in line; not while another key or gate kept its step back, or after it was called.
CREATE OR REPLACE FUNCTION time_in_line(q lock_requests, p_now timestamptz) RETURNS double precision
LANGUAGE sql IMMUTABLE AS $$
    SELECT coalesce(q.waited_s, 0) + coalesce(extract(epoch FROM p_now - q.in_line_since)::double precision, 0)
$$;

-- Have a step stand in the line of one of its keys alone, which keeps it out: those in the other lines need not pass over
-- it. False when somebody else is at it; that waits for nobody.
CREATE OR REPLACE FUNCTION wait_at(q lock_requests, p_key text, p_now timestamptz) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    IF NOT lock_requests_of(q) THEN
        RETURN false;
    END IF;
    UPDATE lock_requests o
       SET kept_out_by = p_key, waited_s = time_in_line(o, p_now), in_line_since = CASE WHEN o.key = p_key THEN p_now END
     WHERE o.run_id = q.run_id AND o.position = q.position AND NOT o.held AND o.woken_at IS NULL;
    RETURN true;
END $$;

-- Lock the rows of a step that stands in line, all or none, without waiting. Rows that are locked stay so until the end
-- of the transaction.
CREATE OR REPLACE FUNCTION lock_requests_of(q lock_requests) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE rows integer;
BEGIN
    PERFORM 1 FROM lock_requests o
      WHERE o.run_id = q.run_id AND o.position = q.position AND NOT o.held FOR NO KEY UPDATE SKIP LOCKED;
    GET DIAGNOSTICS rows = ROW_COUNT;
    RETURN rows >= (SELECT count(*) FROM lock_requests o
                     WHERE o.run_id = q.run_id AND o.position = q.position AND NOT o.held);
END $$;

-- Whether somebody in line goes first.
CREATE OR REPLACE FUNCTION is_behind(q lock_requests) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
DECLARE
    w     lock_requests;
    room  integer := CASE WHEN q.mode = 'place' THEN free_places(q.key, q.run_id, q.position) ELSE 1 END;
BEGIN
    FOR w IN SELECT * FROM lock_requests a
              WHERE a.key = q.key AND NOT a.held AND (a.kept_out_by IS NULL OR a.kept_out_by = a.key) AND (a.rank, a.run_id, a.position) < (q.rank, q.run_id, q.position)
                AND a.woken_at IS DISTINCT FROM '-infinity' AND (a.mode <> 'shared' OR q.mode <> 'shared')
              ORDER BY a.rank, a.run_id, a.position LOOP
        -- Whom the own run keeps out for its whole length cannot go first.
        IF kept_out_elsewhere(w) IS NULL AND NOT EXISTS (
            SELECT FROM lock_requests h WHERE h.key = q.key AND h.run_id = q.run_id AND h.held AND h.for_run
               AND w.run_id <> q.run_id AND (w.mode = 'exclusive' OR h.mode = 'exclusive')) THEN
            room := room - 1;
            EXIT WHEN room <= 0;
        END IF;
    END LOOP;
    RETURN room <= 0;
END $$;

-- Give an attempt all it asks for, or end it: the step then waits in line, holding nothing.
-- `p_requests` [{key, mode, capacity, for_run}]; `p_wait_s` how long it may wait in all; `p_head_start_s` what a level of
-- priority is worth.
CREATE OR REPLACE FUNCTION acquire_locks(
    p_run bigint, p_position integer, p_attempt integer, p_requests jsonb, p_wait_s real, p_head_start_s real,
    p_resend real
) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    r          runs;
    s          steps;
    q          lock_requests;
    moment     timestamptz;
    since      timestamptz;
    waited     double precision;
    asked      text[] := ARRAY(SELECT e.key FROM jsonb_to_recordset(p_requests) AS e(key text));
    earlier    text[];
    wanted     lock_requests[] := '{}';
    obstacle   text;
    keeps_out  text;
    circle     text;
    answer     jsonb;
BEGIN
    SELECT * INTO r FROM runs WHERE id = p_run FOR NO KEY UPDATE;
    SELECT * INTO s FROM steps
     WHERE run_id = p_run AND position = p_position AND status = 'in_progress' AND attempt = p_attempt
       FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN jsonb_build_object('status', 'lease_lost');
    ELSIF r.ending IS NOT NULL THEN
        RETURN jsonb_build_object('status', 'stopping');
    END IF;
    earlier := ARRAY(SELECT key FROM lock_requests WHERE run_id = p_run AND position = p_position);
    PERFORM lock_keys(asked || earlier);
    moment := clock_now();
    SELECT min(o.asked_at), sum(time_in_line(o, moment)) INTO since, waited
      FROM lock_requests o WHERE o.run_id = p_run AND o.position = p_position AND NOT o.held;
    since := coalesce(since, moment);
    waited := coalesce(waited, 0);
    -- Its names may be others than before, since they may be results of other steps.
    IF EXISTS (SELECT FROM unnest(earlier) e WHERE NOT e = ANY (asked)) THEN
        DELETE FROM lock_requests WHERE run_id = p_run AND position = p_position AND NOT held AND NOT key = ANY (asked);
        PERFORM wake_those_in_line(earlier);
    END IF;
    INSERT INTO lock_places (key, capacity)
    SELECT e.key, e.capacity FROM jsonb_to_recordset(p_requests) AS e(key text, mode text, capacity integer)
     WHERE e.mode = 'place'
        ON CONFLICT (key) DO UPDATE SET capacity = excluded.capacity WHERE lock_places.capacity <> excluded.capacity;
    IF FOUND THEN
        PERFORM wake_those_in_line(asked);
    END IF;

    FOR q IN
        SELECT e.key, p_run, p_position, e.mode, coalesce(e.for_run, false), false,
               extract(epoch FROM since) - r.priority * p_head_start_s, since, NULL, NULL, cardinality(asked),
               (SELECT time_in_line(o, moment) FROM lock_requests o
                 WHERE o.key = e.key AND o.run_id = p_run AND o.position = p_position AND NOT o.held), NULL, NULL
          FROM jsonb_to_recordset(p_requests) AS e(key text, mode text, for_run boolean)
         WHERE NOT EXISTS (  -- what its run holds for its whole length it need not ask for, unless a sibling holds it alone
               SELECT FROM lock_requests h
                WHERE h.key = e.key AND h.run_id = p_run AND h.held AND h.for_run AND h.mode IN (e.mode, 'exclusive'))
            OR EXISTS (
               SELECT FROM lock_requests h
                WHERE h.key = e.key AND h.run_id = p_run AND h.position <> p_position AND h.held AND NOT h.for_run
                  AND h.mode = 'exclusive')
         ORDER BY e.key
    LOOP
        wanted := wanted || q;
        IF keeps_out IS NULL AND is_kept_out(q) THEN
            keeps_out := q.key;
        END IF;
    END LOOP;
    obstacle := keeps_out;
    IF obstacle IS NULL THEN
        FOREACH q IN ARRAY wanted LOOP
            IF is_behind(q) THEN
                obstacle := q.key;
                EXIT;
            END IF;
        END LOOP;
    END IF;

    IF obstacle IS NULL THEN
        INSERT INTO lock_requests
        SELECT w.key, w.run_id, w.position, w.mode, w.for_run, true, w.rank, w.asked_at, moment, NULL, w.keys,
               w.waited_s, NULL, NULL
          FROM unnest(wanted) w
            ON CONFLICT (key, run_id, position) DO UPDATE SET held = true, held_at = moment, mode = excluded.mode,
                        for_run = excluded.for_run, keys = excluded.keys, woken_at = NULL, in_line_since = NULL,
                        kept_out_by = NULL;
        UPDATE runs SET gated = true WHERE id = p_run AND NOT gated;
        -- Who asks for one of these and for others as well stands in nobody's way from now on.
        INSERT INTO lock_wakes (key)
        SELECT o.key FROM lock_requests m
          JOIN lock_requests o ON o.run_id = m.run_id AND o.position = m.position AND o.key <> m.key AND NOT o.held
         WHERE m.key = ANY (asked) AND NOT m.held AND m.keys > 1 AND m.kept_out_by IS NULL
         UNION SELECT l FROM unnest(asked) a, LATERAL lines_of_those_kept_out_at(a) l;
        IF EXISTS (SELECT FROM unnest(wanted) w WHERE w.for_run) THEN
            -- What the run holds from now on is free to its other steps, and may close a circle: they look for themselves.
            UPDATE steps SET due_at = moment WHERE run_id = p_run AND status = 'waiting' AND waiting_for = 'lock';
            UPDATE run_documents d
               SET run_locks = coalesce(d.run_locks, '{}') || (
                   SELECT jsonb_object_agg(w.key, w.mode) FROM unnest(wanted) w WHERE w.for_run)
             WHERE d.run_id = p_run;
        END IF;
        PERFORM count_waits(wanted, false);
        RETURN jsonb_build_object('status', 'held', 'waited_s', waited);
    END IF;

    -- A sum of seconds may be a little short of the time it was waited for.
    IF p_wait_s IS NOT NULL AND waited > 0 AND waited + 0.001 >= p_wait_s THEN
        answer := jsonb_build_object('status', 'timeout', 'on', obstacle, 'holders', lock_holders(obstacle, 5));
        PERFORM count_waits(wanted, true);
        PERFORM release_locks(p_run, p_position, 'step');
        RETURN answer;
    END IF;
    circle := find_circle(p_run, ARRAY(SELECT w.key FROM unnest(wanted) w));
    IF circle IS NOT NULL THEN
        PERFORM release_locks(p_run, p_position, 'step');
        RETURN jsonb_build_object('status', 'deadlock', 'on', obstacle, 'circle', circle);
    END IF;

    UPDATE runs SET gated = true WHERE id = p_run AND NOT gated;
    answer := finish(p_run, p_position, p_attempt, jsonb_build_object(
        'verb', 'wait', 'outcome', 'waiting', 'reason', 'lock', 'on', obstacle,
        'until', moment + make_interval(secs => p_wait_s - waited)), p_resend);
    -- A step of a paused run stands in no line; one of a run that is stopping was cancelled.
    IF answer ->> 'step_status' = 'waiting' AND NOT s.held THEN
        INSERT INTO lock_requests
        SELECT w.key, w.run_id, w.position, w.mode, w.for_run, false, w.rank, w.asked_at, NULL, NULL, w.keys, w.waited_s,
               CASE WHEN w.key = obstacle THEN moment END, keeps_out
          FROM unnest(wanted) w
            ON CONFLICT (key, run_id, position) DO UPDATE SET woken_at = NULL, mode = excluded.mode,
                        for_run = excluded.for_run, keys = excluded.keys, waited_s = excluded.waited_s,
                        in_line_since = excluded.in_line_since, kept_out_by = excluded.kept_out_by;
        -- It was called, perhaps, and cannot go: then others may.
        IF cardinality(asked) > 1 AND cardinality(earlier) > 0 THEN
            PERFORM wake_those_in_line(asked);
        END IF;
    END IF;
    RETURN answer || jsonb_build_object('status', 'waiting', 'on', obstacle, 'holders', lock_holders(obstacle, 5));
END $$;

-- In which other lines those stand who ask for a key: they are found without passing over all who do.
CREATE OR REPLACE FUNCTION lines_of_those_kept_out_at(p_key text) RETURNS SETOF text LANGUAGE plpgsql STABLE AS $$
DECLARE line text := '';  -- nobody stands in a line of those whom another gate keeps back
BEGIN
    LOOP
        SELECT q.kept_out_by INTO line FROM lock_requests q
         WHERE q.key = p_key AND NOT q.held AND q.keys > 1 AND q.kept_out_by > line ORDER BY q.kept_out_by LIMIT 1;
        EXIT WHEN NOT FOUND;
        IF line <> p_key THEN
            RETURN NEXT line;
        END IF;
    END LOOP;
END $$;

-- Have the lines of these keys looked at. Appended, not updated, so that it never waits for another.
CREATE OR REPLACE FUNCTION wake_those_in_line(p_keys text[]) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO lock_wakes (key)
    SELECT DISTINCT k FROM unnest(p_keys) k WHERE EXISTS (SELECT FROM lock_requests q WHERE q.key = k AND NOT q.held);
    RETURN FOUND;
END $$;

-- Give up what is no longer wanted. `p_what` step: what it holds for itself and stands in line for; line: all that its run
-- stands in line for as well; run: all of the run. Answers whether somebody may go on. The run row is locked by the caller.
-- With `p_keeps_rank` requests in line stay, and let all others go ahead until they are made again.
CREATE OR REPLACE FUNCTION release_locks(
    p_run bigint, p_position integer, p_what text, p_keeps_rank boolean DEFAULT false
) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    given_up  lock_requests[];
    keys      text[];
BEGIN
    SELECT array_agg(q) INTO given_up FROM lock_requests q
     WHERE q.run_id = p_run AND CASE WHEN q.held THEN p_what = 'run' OR (q.position = p_position AND NOT q.for_run)
                                     ELSE p_what <> 'step' OR q.position = p_position END;
    IF given_up IS NULL THEN
        RETURN false;
    END IF;
    keys := ARRAY(SELECT g.key FROM unnest(given_up) g);
    PERFORM lock_keys(keys);
    IF p_keeps_rank THEN
        UPDATE lock_requests q
           SET woken_at = '-infinity', kept_out_by = '', waited_s = time_in_line(q, clock_now()), in_line_since = NULL
         WHERE q.run_id = p_run AND q.position = p_position AND NOT q.held;
    END IF;
    DELETE FROM lock_requests q USING unnest(given_up) g
     WHERE q.key = g.key AND q.run_id = g.run_id AND q.position = g.position AND (q.held OR NOT p_keeps_rank);
    DELETE FROM lock_places p
     WHERE p.key = ANY (keys) AND NOT EXISTS (SELECT FROM lock_requests q WHERE q.key = p.key);
    RETURN wake_those_in_line(keys);
END $$;

-- Make due whom nothing keeps out, in the lines that changed. Waits for nothing: what is locked is looked at next time.
CREATE OR REPLACE FUNCTION wake_lines(p_limit integer) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    moment   timestamptz := clock_now();
    seen     bigint[];
    line     text;
    q        lock_requests;
    room     integer;
    ahead    integer;
    called   integer;
    moved    integer;
    alone    bigint;
    h        lock_requests;
    other    text;
    is_busy  boolean;
BEGIN
    FOR line, seen IN
        SELECT w.key, array_agg(w.id) FROM (
            SELECT id, key FROM lock_wakes ORDER BY id LIMIT p_limit FOR UPDATE SKIP LOCKED) w GROUP BY w.key
    LOOP
        CONTINUE WHEN NOT pg_try_advisory_xact_lock(20251122, hashtext(line));
        ahead := 0;
        called := 0;
        moved := 0;
        is_busy := false;
        room := NULL;
        -- Who holds a key alone keeps all others out; its run's own steps only if it holds it for its whole length.
        SELECT * INTO h FROM lock_requests WHERE key = line AND held AND mode = 'exclusive';
        IF FOUND AND NOT h.for_run THEN
            DELETE FROM lock_wakes WHERE id = ANY (seen);
            CONTINUE;
        END IF;
        alone := h.run_id;
        FOR q IN SELECT * FROM lock_requests
                  WHERE key = line AND NOT held AND (kept_out_by IS NULL OR kept_out_by = key)
                    AND (alone IS NULL OR run_id = alone) ORDER BY rank, run_id, position LOOP
            IF room IS NULL THEN
                room := CASE WHEN q.mode = 'place' THEN free_places(line, 0, 0) ELSE 2147483647 END;
            END IF;
            EXIT WHEN ahead >= room OR called >= p_limit OR (q.mode = 'exclusive' AND ahead > 0);
            other := kept_out_elsewhere(q);
            IF is_kept_out(q) THEN
                IF q.keys > 1 AND q.kept_out_by IS NULL AND q.woken_at IS NULL AND moved < p_limit
                   AND wait_at(q, line, moment) THEN
                    moved := moved + 1;
                END IF;
                -- Behind it there may still be a step of the run that holds the key for its whole length.
                EXIT WHEN other IS NULL AND (q.mode = 'place' OR NOT EXISTS (
                    SELECT FROM lock_requests r WHERE r.key = line AND r.held AND r.for_run));
                CONTINUE;
            END IF;
            IF other IS NOT NULL THEN
                -- That line is looked at as well: what keeps it out there may be given up in this very moment.
                IF q.woken_at IS NULL AND moved < p_limit AND wait_at(q, other, moment) THEN
                    INSERT INTO lock_wakes (key) VALUES (other);
                    moved := moved + 1;
                END IF;
                CONTINUE;
            END IF;
            IF q.woken_at = '-infinity' AND NOT EXISTS (
                SELECT FROM steps s WHERE s.run_id = q.run_id AND s.position = q.position AND s.status = 'waiting'
                   AND s.waiting_for = 'lock' AND NOT s.held) THEN
                CONTINUE;  -- late, or kept by another gate; it asks again by itself
            END IF;
            ahead := ahead + 1;
            IF coalesce(q.woken_at, '-infinity') = '-infinity' THEN
                PERFORM 1 FROM steps s WHERE s.run_id = q.run_id AND s.position = q.position FOR NO KEY UPDATE SKIP LOCKED;
                IF NOT FOUND OR NOT lock_requests_of(q) THEN
                    is_busy := true;
                ELSE
                    UPDATE lock_requests o
                       SET woken_at = moment, kept_out_by = NULL, waited_s = time_in_line(o, moment), in_line_since = NULL
                     WHERE o.run_id = q.run_id AND o.position = q.position AND NOT o.held;
                    UPDATE steps SET due_at = moment WHERE run_id = q.run_id AND position = q.position
                       AND status = 'waiting' AND waiting_for = 'lock';
                    called := called + 1;
                END IF;
            END IF;
            EXIT WHEN q.mode = 'exclusive';
        END LOOP;
        IF NOT is_busy AND called < p_limit THEN
            DELETE FROM lock_wakes WHERE id = ANY (seen);
        END IF;
    END LOOP;
END $$;

-- Whoever was called and did not come lets others go ahead, in all the lines it stands in.
CREATE OR REPLACE FUNCTION lapse_turns(p_limit integer) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    moment  timestamptz := clock_now();
BEGIN
    WITH late AS (
        SELECT key, run_id, position FROM lock_requests
         WHERE woken_at > '-infinity' AND woken_at <= moment - turn_lasts() AND NOT held
         ORDER BY woken_at LIMIT p_limit FOR NO KEY UPDATE SKIP LOCKED),
    lapsed AS (
        UPDATE lock_requests q SET woken_at = '-infinity' FROM late l
         WHERE q.key = l.key AND q.run_id = l.run_id AND q.position = l.position RETURNING q.key)
    INSERT INTO lock_wakes (key) SELECT DISTINCT l.key FROM lapsed l;
END $$;

-- The same, and send what is due now; see `sweep_due`.
CREATE OR REPLACE FUNCTION wake_lines_and_sweep(p_limit integer, p_resend real) RETURNS jsonb LANGUAGE plpgsql AS $$
BEGIN
    PERFORM lapse_turns(p_limit);
    PERFORM wake_lines(p_limit);
    RETURN sweep_due(p_limit, p_resend);
END $$;

-- A circle of runs that wait for what the next one holds for its whole length, as text; NULL for none. Only who holds
-- something for so long can close one. Two that close it at once would not see each other, so they take turns.
-- A breadth-first walk over runs; each is visited once.
CREATE OR REPLACE FUNCTION find_circle(p_run bigint, p_keys text[]) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    visited   bigint[] := ARRAY[p_run];
    frontier  bigint[];
    via       jsonb := '{}';  -- run -> what led to it
    step      record;
    at        bigint;
    told      text;
BEGIN
    IF NOT EXISTS (SELECT FROM lock_requests WHERE run_id = p_run AND held AND for_run) THEN
        RETURN NULL;
    END IF;
    PERFORM pg_advisory_xact_lock(20251123);
    FOR step IN SELECT DISTINCT ON (h.run_id) h.run_id, h.key FROM lock_requests h
                 WHERE h.key = ANY (p_keys) AND h.held AND h.for_run AND h.run_id <> p_run LOOP
        via := via || jsonb_build_object(step.run_id::text, jsonb_build_array(p_run, step.key));
        visited := visited || step.run_id;
        frontier := frontier || step.run_id;
    END LOOP;
    WHILE cardinality(frontier) > 0 AND cardinality(visited) < 1000 LOOP
        at := frontier[1];
        frontier := frontier[2:];
        FOR step IN SELECT DISTINCT ON (h.run_id) h.run_id, h.key
                      FROM lock_requests w JOIN lock_requests h ON h.key = w.key AND h.held AND h.for_run
                     WHERE w.run_id = at AND NOT w.held AND h.run_id <> at LOOP
            IF step.run_id = p_run THEN
                told := tell_wait(at, step.key, p_run);
                WHILE at <> p_run LOOP
                    told := tell_wait((via -> at::text ->> 0)::bigint, via -> at::text ->> 1, at) || '; ' || told;
                    at := (via -> at::text ->> 0)::bigint;
                END LOOP;
                RETURN told;
            ELSIF NOT step.run_id = ANY (visited) THEN
                via := via || jsonb_build_object(step.run_id::text, jsonb_build_array(at, step.key));
                visited := visited || step.run_id;
                frontier := frontier || step.run_id;
            END IF;
        END LOOP;
    END LOOP;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION tell_wait(p_waits bigint, p_key text, p_holds bigint) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT format('%s waits for %s, held by %s', w.public_id, p_key, h.public_id)
      FROM runs w, runs h WHERE w.id = p_waits AND h.id = p_holds
$$;

-- Who holds a key, for whoever asks why it waits.
CREATE OR REPLACE FUNCTION lock_holders(p_key text, p_limit integer) RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT coalesce(jsonb_agg(jsonb_build_object('workflow_id', x.public_id, 'step', x.key, 'since', x.held_at,
                                                 'for_run', x.for_run)), '[]')
      FROM (SELECT r.public_id, s.key, h.held_at, h.for_run
              FROM lock_requests h JOIN runs r ON r.id = h.run_id
              JOIN steps s ON s.run_id = h.run_id AND s.position = h.position
             WHERE h.key = p_key AND h.held ORDER BY h.held_at LIMIT p_limit) x
$$;

-- Note how long was waited in the lines of keys, by the hour.
CREATE OR REPLACE FUNCTION count_waits(p_requests lock_requests[], p_timed_out boolean) RETURNS void
LANGUAGE sql AS $$
    INSERT INTO lock_contention (key, hour, waits, timeouts, waited_s)
    SELECT q.key, date_trunc('hour', clock_now(), 'UTC'), 1, p_timed_out::integer, q.waited_s
      FROM unnest(p_requests) q WHERE q.waited_s > 0 ORDER BY q.key
        ON CONFLICT (key, hour) DO UPDATE SET waits = lock_contention.waits + 1,
                    timeouts = lock_contention.timeouts + excluded.timeouts,
                    waited_s = lock_contention.waited_s + excluded.waited_s
$$;
