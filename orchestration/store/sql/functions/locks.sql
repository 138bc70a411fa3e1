-- Locks and places: what at most one step (or so many) may hold at once.
--
-- A request is a row, held or in line. What an attempt asks for it gets all together or not at all, so nobody holds one
-- thing while it waits for another; only what is held for a whole run can make a circle, which is looked for. The line is
-- ordered by rank: the time of asking less a head start for each level of priority, so that what waits grows older
-- than what comes later with more priority, and nothing starves.
--
-- Who releases what others wait for leaves a row in `lock_wakes`, in the same transaction. `wake_line` makes the heads of
-- those lines due, and their own claims ask again; so a wake-up that is lost on the way is found by the next sweep.
-- The order of locks is run, step, keys (sorted); `wake_line` begins with a key and waits for nothing.

-- Longest that one whose turn it is may take to come, before others go ahead: then `woken_at` is '-infinity'.
CREATE OR REPLACE FUNCTION turn_lasts() RETURNS interval LANGUAGE sql IMMUTABLE AS $$ SELECT interval '10 seconds' $$;

CREATE OR REPLACE FUNCTION lock_keys(p_keys text[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE h integer;
BEGIN
    FOR h IN SELECT DISTINCT hashtext(k) FROM unnest(p_keys) k ORDER BY 1 LOOP
        PERFORM pg_advisory_xact_lock(20251122, h);
    END LOOP;
END $$;

-- Whether what is held of a key keeps a request out, leaving aside what its own run holds for its whole length.
CREATE OR REPLACE FUNCTION is_kept_out(q lock_requests) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF q.mode = 'place' THEN
        RETURN (SELECT count(*) FROM lock_requests h
                 WHERE h.key = q.key AND h.held AND NOT (h.run_id = q.run_id AND h.position = q.position)) >= q.capacity;
    END IF;
    RETURN EXISTS (SELECT FROM lock_requests h
                    WHERE h.key = q.key AND h.held AND NOT (h.run_id = q.run_id AND (h.for_run OR h.position = q.position))
                      AND (q.mode = 'exclusive' OR h.mode = 'exclusive'));
END $$;

-- Whether somebody in line goes first. One whose turn came and who did not come lets others go ahead.
CREATE OR REPLACE FUNCTION is_behind(q lock_requests) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF q.mode = 'place' THEN
        RETURN (SELECT count(*) FROM lock_requests h WHERE h.key = q.key AND h.held)
             + (SELECT count(*) FROM (
                    SELECT FROM lock_requests w
                     WHERE w.key = q.key AND NOT w.held AND (w.rank, w.run_id, w.position) < (q.rank, q.run_id, q.position)
                       AND w.woken_at IS DISTINCT FROM '-infinity' LIMIT q.capacity) x) >= q.capacity;
    END IF;
    RETURN EXISTS (SELECT FROM lock_requests w
                    WHERE w.key = q.key AND NOT w.held AND (w.rank, w.run_id, w.position) < (q.rank, q.run_id, q.position)
                      AND (q.mode = 'exclusive' OR w.mode = 'exclusive')
                      AND w.woken_at IS DISTINCT FROM '-infinity');
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
    wanted     lock_requests[] := '{}';
    obstacle   text;
    circle     text;
    answer     jsonb;
BEGIN
    SELECT * INTO r FROM runs WHERE id = p_run FOR NO KEY UPDATE;
    SELECT * INTO s FROM steps
     WHERE run_id = p_run AND position = p_position AND status = 'in_progress' AND attempt = p_attempt
       FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN jsonb_build_object('status', 'lease_lost');
    END IF;
    PERFORM lock_keys(ARRAY(SELECT e.key FROM jsonb_to_recordset(p_requests) AS e(key text)));
    moment := clock_now();
    SELECT min(asked_at) INTO since FROM lock_requests WHERE run_id = p_run AND position = p_position AND NOT held;
    since := coalesce(since, moment);

    FOR q IN
        SELECT e.key, p_run, p_position, e.mode, e.capacity, coalesce(e.for_run, false), false,
               extract(epoch FROM since) - r.priority * p_head_start_s, since, NULL, NULL
          FROM jsonb_to_recordset(p_requests) AS e(key text, mode text, capacity integer, for_run boolean)
         WHERE NOT EXISTS (  -- what its run holds for its whole length it need not ask for
               SELECT FROM lock_requests h
                WHERE h.key = e.key AND h.run_id = p_run AND h.held AND h.for_run AND (h.mode = e.mode OR h.mode = 'exclusive'))
         ORDER BY e.key
    LOOP
        wanted := wanted || q;
        IF obstacle IS NULL AND (is_kept_out(q) OR is_behind(q)) THEN
            obstacle := q.key;
        END IF;
    END LOOP;

    IF obstacle IS NULL THEN
        INSERT INTO lock_requests
        SELECT w.key, w.run_id, w.position, w.mode, w.capacity, w.for_run, true, w.rank, w.asked_at, moment, NULL
          FROM unnest(wanted) w
            ON CONFLICT (key, run_id, position) DO UPDATE SET held = true, held_at = moment, mode = excluded.mode,
                        capacity = excluded.capacity, for_run = excluded.for_run, woken_at = NULL;
        UPDATE runs SET gated = true WHERE id = p_run AND NOT gated;
        -- What the run holds from now on is free to its other steps, wherever they stand in line.
        WITH free AS (
            UPDATE lock_requests o SET woken_at = moment
              FROM unnest(wanted) w WHERE w.for_run AND o.key = w.key AND o.run_id = p_run AND NOT o.held
            RETURNING o.position)
        UPDATE steps SET due_at = moment
         WHERE run_id = p_run AND position IN (SELECT f.position FROM free f) AND status = 'waiting' AND waiting_for = 'lock';
        PERFORM count_waits(wanted, moment - since, false) WHERE since < moment;
        RETURN jsonb_build_object('status', 'held', 'waited_s', extract(epoch FROM moment - since));
    END IF;

    IF p_wait_s IS NOT NULL AND moment >= since + make_interval(secs => p_wait_s) THEN
        answer := jsonb_build_object('status', 'timeout', 'on', obstacle, 'holders', lock_holders(obstacle, 5));
        PERFORM count_waits(wanted, moment - since, true);
        PERFORM release_locks(p_run, p_position, false);
        RETURN answer;
    END IF;
    circle := find_circle(p_run, ARRAY(SELECT w.key FROM unnest(wanted) w));
    IF circle IS NOT NULL THEN
        PERFORM release_locks(p_run, p_position, false);
        RETURN jsonb_build_object('status', 'deadlock', 'on', obstacle, 'circle', circle);
    END IF;

    UPDATE runs SET gated = true WHERE id = p_run AND NOT gated;
    answer := finish(p_run, p_position, p_attempt, jsonb_build_object(
        'verb', 'wait', 'outcome', 'waiting', 'reason', 'lock', 'on', obstacle,
        'until', since + make_interval(secs => p_wait_s)), p_resend);
    -- A step of a paused run stands in no line; one of a run that is stopping was cancelled.
    IF answer ->> 'step_status' = 'waiting' AND NOT s.held THEN
        INSERT INTO lock_requests SELECT w.* FROM unnest(wanted) w
            ON CONFLICT (key, run_id, position) DO UPDATE SET woken_at = NULL, mode = excluded.mode,
                        capacity = excluded.capacity, for_run = excluded.for_run;
    END IF;
    RETURN answer || jsonb_build_object('status', 'waiting', 'on', obstacle, 'holders', lock_holders(obstacle, 5));
END $$;

-- Give up what a step holds and stands in line for (`p_position`), or all that its run does: what is held for the run's
-- whole length only when it has ended. Answers whether somebody may go on. The run row is locked by the caller.
-- With `p_keeps_rank` requests in line stay, and let all others go ahead until they are made again.
CREATE OR REPLACE FUNCTION release_locks(
    p_run bigint, p_position integer, p_is_over boolean, p_keeps_rank boolean DEFAULT false
) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    given_up  text[];
    is_asked  boolean;
    moment    timestamptz := clock_now();
BEGIN
    given_up := ARRAY(SELECT key FROM lock_requests
                       WHERE run_id = p_run AND (p_position IS NULL OR position = p_position OR p_is_over)
                         AND (p_is_over OR NOT held OR (NOT for_run AND p_position IS NOT NULL)));
    IF given_up = '{}' THEN
        RETURN false;
    END IF;
    PERFORM lock_keys(given_up);
    IF p_keeps_rank THEN
        UPDATE lock_requests SET woken_at = '-infinity' WHERE run_id = p_run AND position = p_position AND NOT held;
    END IF;
    DELETE FROM lock_requests
     WHERE run_id = p_run AND (p_position IS NULL OR position = p_position OR p_is_over)
       AND (p_is_over OR (NOT held AND NOT p_keeps_rank) OR (held AND NOT for_run AND p_position IS NOT NULL));
    WITH asked AS (
        INSERT INTO lock_wakes (key, at)
        SELECT DISTINCT k, moment FROM unnest(given_up) k
         WHERE EXISTS (SELECT FROM lock_requests q WHERE q.key = k AND NOT q.held)
            ON CONFLICT (key) DO UPDATE SET at = least(lock_wakes.at, excluded.at)
        RETURNING key)
    SELECT count(*) > 0 INTO is_asked FROM asked;
    RETURN is_asked;
END $$;

-- Make due whose turn has come, at the head of the lines that somebody released.
CREATE OR REPLACE FUNCTION wake_line(p_limit integer) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    moment      timestamptz := clock_now();
    line        text;
    q           lock_requests;
    room        integer;
    called      integer;
    is_waiting  boolean;
BEGIN
    FOR line IN SELECT key FROM lock_wakes WHERE at <= moment ORDER BY at LIMIT p_limit LOOP
        CONTINUE WHEN NOT pg_try_advisory_xact_lock(20251122, hashtext(line));
        called := 0;
        room := NULL;
        FOR q IN SELECT * FROM lock_requests WHERE key = line AND NOT held ORDER BY rank, run_id, position LOOP
            is_waiting := EXISTS (SELECT FROM steps s WHERE s.run_id = q.run_id AND s.position = q.position
                                     AND s.status = 'waiting' AND s.waiting_for = 'lock' AND NOT s.held);
            CONTINUE WHEN q.woken_at = '-infinity' AND NOT is_waiting;
            IF room IS NULL THEN
                room := CASE WHEN q.mode = 'place' THEN q.capacity - (
                    SELECT count(*)::integer FROM lock_requests h WHERE h.key = line AND h.held) ELSE p_limit END;
            END IF;
            -- As many as there is room for, and no exclusive one behind others.
            EXIT WHEN room <= called OR (q.mode = 'exclusive' AND called > 0) OR is_kept_out(q);
            called := called + 1;
            -- Not if something else that it asks for is held: it only stands before others. Each asks for itself.
            IF coalesce(q.woken_at, '-infinity') = '-infinity' AND NOT EXISTS (
                SELECT FROM lock_requests o WHERE o.run_id = q.run_id AND o.position = q.position AND NOT o.held
                   AND o.key <> line AND is_kept_out(o)) THEN
                UPDATE lock_requests SET woken_at = moment
                 WHERE run_id = q.run_id AND position = q.position AND NOT held;
                -- Not waited for. Whoever holds the row may change nothing; then its turn lapses, and it is called again.
                PERFORM 1 FROM steps s WHERE s.run_id = q.run_id AND s.position = q.position AND s.status = 'waiting'
                    AND s.waiting_for = 'lock' FOR NO KEY UPDATE SKIP LOCKED;
                IF FOUND THEN
                    UPDATE steps SET due_at = moment WHERE run_id = q.run_id AND position = q.position;
                END IF;
            END IF;
            EXIT WHEN q.mode = 'exclusive';
        END LOOP;
        -- Of a line that is longer the rest comes with the next sweep.
        DELETE FROM lock_wakes WHERE key = line AND called < p_limit;
    END LOOP;
END $$;

-- A circle of runs that wait for what the next one holds for its whole length, as text; NULL for none. Only who holds
-- something for so long can close one. Two that close it at once would not see each other, so they take turns.
CREATE OR REPLACE FUNCTION find_circle(p_run bigint, p_keys text[]) RETURNS text LANGUAGE plpgsql AS $$
DECLARE found_path text;
BEGIN
    IF NOT EXISTS (SELECT FROM lock_requests WHERE run_id = p_run AND held AND for_run) THEN
        RETURN NULL;
    END IF;
    PERFORM pg_advisory_xact_lock(20251123);
    WITH RECURSIVE chain(run_id, path, depth) AS (
        SELECT h.run_id, r.public_id || ' holds ' || h.key, 1
          FROM lock_requests h JOIN runs r ON r.id = h.run_id
         WHERE h.key = ANY (p_keys) AND h.held AND h.for_run AND h.run_id <> p_run
        UNION
        SELECT h.run_id, c.path || ' and waits for ' || w.key || '; ' || r.public_id || ' holds ' || h.key, c.depth + 1
          FROM chain c
          JOIN lock_requests w ON w.run_id = c.run_id AND NOT w.held
          JOIN lock_requests h ON h.key = w.key AND h.held AND h.for_run AND h.run_id <> w.run_id
          JOIN runs r ON r.id = h.run_id
         WHERE c.run_id <> p_run AND c.depth < 20)
    SELECT c.path INTO found_path FROM chain c WHERE c.run_id = p_run LIMIT 1;
    RETURN found_path;
END $$;

-- Who holds a key, for whoever asks why it waits.
CREATE OR REPLACE FUNCTION lock_holders(p_key text, p_limit integer) RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT coalesce(jsonb_agg(jsonb_build_object('workflow_id', x.public_id, 'step', x.key, 'since', x.held_at,
                                                 'for_run', x.for_run)), '[]')
      FROM (SELECT r.public_id, s.key, h.held_at, h.for_run
              FROM lock_requests h JOIN runs r ON r.id = h.run_id
              JOIN steps s ON s.run_id = h.run_id AND s.position = h.position
             WHERE h.key = p_key AND h.held ORDER BY h.held_at LIMIT p_limit) x
$$;

-- Note how long was waited for keys, by the hour.
CREATE OR REPLACE FUNCTION count_waits(p_requests lock_requests[], p_waited interval, p_timed_out boolean) RETURNS void
LANGUAGE sql AS $$
    INSERT INTO lock_contention (key, hour, waits, timeouts, waited_s)
    SELECT q.key, date_trunc('hour', clock_now(), 'UTC'), 1, p_timed_out::integer, extract(epoch FROM p_waited)
      FROM unnest(p_requests) q
        ON CONFLICT (key, hour) DO UPDATE SET waits = lock_contention.waits + 1,
                    timeouts = lock_contention.timeouts + excluded.timeouts,
                    waited_s = lock_contention.waited_s + excluded.waited_s
$$;

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
         WHERE (q.key, q.run_id, q.position) = (l.key, l.run_id, l.position) RETURNING q.key)
    INSERT INTO lock_wakes SELECT DISTINCT l.key, moment FROM lapsed l ORDER BY 1 ON CONFLICT DO NOTHING;
END $$;

-- The same, and send what is due now; see `sweep_due`.
CREATE OR REPLACE FUNCTION wake_line_and_sweep(p_limit integer, p_resend real) RETURNS jsonb LANGUAGE plpgsql AS $$
BEGIN
    PERFORM lapse_turns(p_limit);
    PERFORM wake_line(p_limit);
    RETURN sweep_due(p_limit, p_resend);
END $$;

-- Wake the next that wait for something else: a breaker that closed, a host that has room again. Which have waited
-- longest, each a row of its own; what is locked is changing anyway.
CREATE OR REPLACE FUNCTION wake_waiting(p_on text, p_count integer, p_limit integer, p_resend real) RETURNS jsonb
LANGUAGE plpgsql AS $$
BEGIN
    UPDATE steps s SET due_at = clock_now()
      FROM (SELECT run_id, position FROM steps
             WHERE waiting_on = p_on AND waiting_for IN ('breaker', 'throttled') AND NOT held
             ORDER BY due_at LIMIT p_count FOR NO KEY UPDATE SKIP LOCKED) d
     WHERE s.run_id = d.run_id AND s.position = d.position;
    RETURN CASE WHEN FOUND THEN sweep_due(p_limit, p_resend) ELSE '[]' END;
END $$;
