-- The controls. All follow one shape: lock the run, check the status, change steps, settle the run, answer.

-- Recount a run whose status and ending the control has chosen, and write it with one trace row. The row is locked.
CREATE OR REPLACE FUNCTION settle(
    r runs, p_kind text, p_position integer, p_detail jsonb, p_was text, p_now timestamptz
) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    c           record;
    run_status  text;
    is_open     boolean;
BEGIN
    SELECT count(*) AS total,
           count(*) FILTER (WHERE s.status = 'pending') AS pending,
           count(*) FILTER (WHERE s.status IN ('ready', 'waiting')) AS queued,
           count(*) FILTER (WHERE s.status = 'in_progress') AS active,
           count(*) FILTER (WHERE s.status = 'completed') AS completed,
           count(*) FILTER (WHERE s.status = 'failed') AS failed,
           count(*) FILTER (WHERE s.status = 'skipped') AS skipped,
           count(*) FILTER (WHERE s.status = 'cancelled') AS cancelled
      INTO c FROM steps s WHERE s.run_id = r.id;
    is_open := c.pending + c.queued + c.active > 0;
    run_status := CASE WHEN NOT is_open THEN coalesce(r.ending, 'completed')
                       WHEN r.ending IS NOT NULL THEN 'cancelling' ELSE r.status END;
    UPDATE runs SET status = run_status, ending = r.ending, version = version + 1, total = c.total, pending = c.pending,
                    queued = c.queued, active = c.active, completed = c.completed, failed = c.failed,
                    skipped = c.skipped, cancelled = c.cancelled, updated_at = p_now,
                    ended_at = CASE WHEN is_open THEN NULL ELSE p_now END
     WHERE id = r.id;
    -- All at once: the keys are locked in their order. A run that is paused would keep others waiting; it asks anew once it is
    -- resumed.
    IF r.gated AND (NOT is_open OR r.ending IS NOT NULL OR p_kind IN ('paused', 'skipped')) THEN
        PERFORM release_locks(r.id, p_position, CASE WHEN NOT is_open THEN 'run'
                                                     WHEN r.ending IS NULL AND p_kind = 'skipped' THEN 'step'
                                                     ELSE 'line' END);
    END IF;
    INSERT INTO trace (run_id, seq, position, kind, run_status, at, detail)
    VALUES (r.id, r.version + 1, p_position, p_kind, nullif(run_status, p_was), p_now, p_detail);
    RETURN jsonb_build_object('status', 'ok', 'run', r.id, 'run_status', run_status, 'version', r.version + 1,
                              'priority', r.priority, 'total', c.total, 'completed', c.completed, 'failed', c.failed, 'skipped', c.skipped);
END $$;

CREATE OR REPLACE FUNCTION refuse(r runs) RETURNS jsonb LANGUAGE sql AS $$
    SELECT CASE WHEN r.id IS NULL THEN jsonb_build_object('status', 'unknown_run')
                ELSE jsonb_build_object('status', 'illegal', 'run_status', r.status) END
$$;

-- Nothing new is claimed; steps in flight finish and release into held.
CREATE OR REPLACE FUNCTION pause_run(p_public text, p_detail jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE r runs;
BEGIN
    SELECT * INTO r FROM runs WHERE public_id = p_public FOR NO KEY UPDATE;
    IF r.status IS DISTINCT FROM 'running' THEN
        RETURN refuse(r);
    END IF;
    UPDATE steps SET held = true WHERE run_id = r.id AND status IN ('pending', 'ready', 'waiting', 'in_progress');
    r.status := 'paused';
    RETURN settle(r, 'paused', NULL, p_detail, 'running', clock_now());
END $$;

CREATE OR REPLACE FUNCTION resume_run(p_public text, p_detail jsonb, p_resend real) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    r       runs;
    moment  timestamptz;
BEGIN
    SELECT * INTO r FROM runs WHERE public_id = p_public FOR NO KEY UPDATE;
    IF r.status IS DISTINCT FROM 'paused' THEN
        RETURN refuse(r);
    END IF;
    moment := clock_now();
    UPDATE steps SET held = false, sends = 0, status = CASE WHEN waiting_for = 'lock' THEN 'ready' ELSE status END,
                     waiting_for = nullif(waiting_for, 'lock'),
                     due_at = CASE WHEN status = 'ready' OR waiting_for = 'lock'
                                   THEN moment + make_interval(secs => p_resend) ELSE due_at END
     WHERE run_id = r.id AND held;
    r.status := 'running';
    RETURN settle(r, 'resumed', NULL, p_detail, 'paused', moment)
           || jsonb_build_object('ready', ready_steps(r.id, moment));
END $$;

CREATE OR REPLACE FUNCTION stop_run(p_public text, p_detail jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    r       runs;
    moment  timestamptz;
    was     text;
BEGIN
    SELECT * INTO r FROM runs WHERE public_id = p_public FOR NO KEY UPDATE;
    IF r.status = 'cancelling' THEN
        RETURN jsonb_build_object('status', 'ok', 'run', r.id, 'run_status', r.status, 'version', r.version);
    ELSIF r.id IS NULL OR r.ended_at IS NOT NULL THEN
        RETURN refuse(r);
    END IF;
    moment := clock_now();
    was := r.status;
    PERFORM cancel_open_steps(r.id, moment);
    r.ending := 'cancelled';
    RETURN settle(r, 'stop_requested', NULL, p_detail, was, moment);
END $$;

-- Skip a step that has not begun. In a finished run, a step that failed is skipped and the run goes on behind it.
CREATE OR REPLACE FUNCTION skip_step(p_public text, p_key text, p_detail jsonb, p_resend real)
RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    r       runs;
    s       steps;
    moment  timestamptz;
    freed   record;
BEGIN
    SELECT * INTO r FROM runs WHERE public_id = p_public FOR NO KEY UPDATE;
    IF r.id IS NULL OR r.status = 'cancelling' THEN
        RETURN refuse(r);
    END IF;
    SELECT * INTO s FROM steps WHERE run_id = r.id AND key = p_key FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN jsonb_build_object('status', 'unknown_step');
    END IF;
    moment := clock_now();
    IF r.ended_at IS NOT NULL THEN
        IF s.released OR r.status = 'completed' THEN
            RETURN refuse(r) || jsonb_build_object('step_status', s.status);
        END IF;
        RETURN reset_steps(r, s.position, true, p_detail, p_resend, moment);
    ELSIF s.status NOT IN ('pending', 'ready', 'waiting') THEN
        RETURN refuse(r) || jsonb_build_object('step_status', s.status);
    END IF;
    UPDATE steps SET status = 'skipped', released = true, ended_at = moment, due_at = NULL, waiting_for = NULL
     WHERE run_id = r.id AND position = s.position;
    SELECT * INTO freed FROM free_dependents(r.id, s.dependents, p_resend, moment);
    RETURN settle(r, 'skipped', s.position, p_detail, r.status, moment) || jsonb_build_object('ready', freed.ready);
END $$;

-- Give a step its signal: the row first, then the step if it already waits.
CREATE OR REPLACE FUNCTION signal_step(p_public text, p_key text, p_payload jsonb, p_by text, p_resend real)
RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    r       runs;
    s       steps;
    woken   steps;
    moment  timestamptz;
BEGIN
    SELECT * INTO r FROM runs WHERE public_id = p_public FOR NO KEY UPDATE;
    IF r.id IS NULL OR r.ended_at IS NOT NULL OR r.status = 'cancelling' THEN
        RETURN refuse(r);
    END IF;
    SELECT * INTO s FROM steps WHERE run_id = r.id AND key = p_key FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN jsonb_build_object('status', 'unknown_step');
    ELSIF s.ended_at IS NOT NULL THEN
        RETURN refuse(r) || jsonb_build_object('step_status', s.status);
    END IF;
    moment := clock_now();
    INSERT INTO signals VALUES (r.id, s.position, p_payload, p_by, moment) ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        RETURN refuse(r) || jsonb_build_object('step_status', s.status, 'already', true);
    END IF;
    UPDATE steps SET status = 'ready', waiting_for = NULL, sends = 0, due_at = moment + make_interval(secs => p_resend)
     WHERE run_id = r.id AND position = s.position AND status = 'waiting' AND waiting_for = 'signal'
    RETURNING * INTO woken;
    -- No counter changes, so nothing is recounted: signals come as often as steps, in runs as long as any.
    UPDATE runs SET version = version + 1, updated_at = moment WHERE id = r.id;
    INSERT INTO trace (run_id, seq, position, kind, at, detail)
    VALUES (r.id, r.version + 1, s.position, 'signalled', moment, jsonb_build_object('by', p_by));
    RETURN jsonb_build_object(
        'status', 'ok', 'run', r.id, 'run_status', r.status, 'version', r.version + 1, 'priority', r.priority,
        'total', r.total, 'completed', r.completed, 'failed', r.failed, 'skipped', r.skipped,
        'ready', CASE WHEN woken.status = 'ready' AND NOT woken.held
                      THEN jsonb_build_array(jsonb_build_array(woken.position, woken.action, woken.queue)) ELSE '[]' END);
END $$;

-- Run a finished run again from a step (from all that failed when `p_key` is null).
CREATE OR REPLACE FUNCTION retry_run(p_public text, p_key text, p_detail jsonb, p_resend real)
RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    r     runs;
    seed  integer;
BEGIN
    SELECT * INTO r FROM runs WHERE public_id = p_public FOR NO KEY UPDATE;
    IF r.id IS NULL OR r.ended_at IS NULL OR (r.status = 'completed' AND p_key IS NULL) THEN
        RETURN refuse(r);
    END IF;
    IF p_key IS NOT NULL THEN
        SELECT s.position INTO seed FROM steps s WHERE s.run_id = r.id AND s.key = p_key;
        IF NOT FOUND THEN
            RETURN jsonb_build_object('status', 'unknown_step');
        END IF;
        PERFORM 1 FROM steps s WHERE s.run_id = r.id AND s.position = seed AND s.disabled;
        IF FOUND THEN
            RETURN refuse(r) || jsonb_build_object('step_status', 'skipped');
        END IF;
    END IF;
    RETURN reset_steps(r, seed, false, p_detail, p_resend, clock_now());
END $$;

-- A step, everything that was not satisfied, and all that depends on them. A disabled step is named, for its count of
-- needs, but nothing behind it depends on them. The subquery is a walk along the primary key: a join may be planned as
-- one reading of the run for every level of it.
CREATE OR REPLACE FUNCTION steps_behind(p_run bigint, p_seed integer) RETURNS integer[] LANGUAGE sql AS $$
    WITH RECURSIVE behind(position) AS (
        SELECT s.position FROM steps s WHERE s.run_id = p_run AND (s.position = p_seed OR NOT s.released)
        UNION
        SELECT n FROM behind b CROSS JOIN LATERAL unnest((
            SELECT s.dependents FROM steps s WHERE s.run_id = p_run AND s.position = b.position AND NOT s.disabled)) n
    )
    SELECT coalesce(array_agg(position), '{}') FROM behind
$$;

-- What these steps added to the run, and what was added by that in turn. What adds comes before what it adds.
CREATE OR REPLACE FUNCTION steps_made_by(r runs, p_makers integer[]) RETURNS integer[] LANGUAGE plpgsql AS $$
DECLARE
    gone   boolean[] := array_fill(false, ARRAY[r.next_position], ARRAY[0]);
    found  integer[] := '{}';
    maker  integer;
    made   record;
BEGIN
    FOREACH maker IN ARRAY p_makers LOOP
        gone[maker] := true;
    END LOOP;
    FOR made IN SELECT s.position, s.made_by FROM steps s
                 WHERE s.run_id = r.id AND s.made_by IS NOT NULL ORDER BY s.position LOOP
        IF gone[made.made_by] THEN
            gone[made.position] := true;
            found := found || made.position;
        END IF;
    END LOOP;
    RETURN found;
END $$;

-- Reset a step, everything that was not satisfied, and all that depends on them. Attempts are kept: they are fences.
-- The sets may be as long as the run, which the planner does not know: without nested loops they are hashed, and the
-- cost stays in proportion to the run. The same is why `open` is looked up in a FILTER, where it is hashed once.
CREATE OR REPLACE FUNCTION reset_steps(
    r runs, p_seed integer, p_skip boolean, p_detail jsonb, p_resend real, p_now timestamptz
) RETURNS jsonb LANGUAGE plpgsql SET enable_nestloop = off AS $$
DECLARE
    touched  integer[] := steps_behind(r.id, p_seed);
    removed  integer[] := steps_made_by(r, touched);
    open     integer[];
    was      text := r.status;
BEGIN
    -- What an expansion added goes when the step that made it runs again.
    DELETE FROM steps WHERE run_id = r.id AND position IN (SELECT unnest(removed));
    DELETE FROM step_documents WHERE run_id = r.id AND position IN (SELECT unnest(removed));
    DELETE FROM checkpoints c
     WHERE c.run_id = r.id AND c.position IN (SELECT unnest(touched))
       AND NOT EXISTS (SELECT FROM steps s
                        WHERE s.run_id = r.id AND s.position = c.position AND s.status <> 'completed');
    -- A text is taken up where a worker was lost, not where a person asks for another. What was completed and only depends
    -- on what is asked for again stands until it is written anew, which it need not be if that brings nothing new.
    DELETE FROM texts t
     WHERE t.run_id = r.id AND t.position IN (SELECT unnest(touched || removed))
       AND (t.position IS NOT DISTINCT FROM p_seed
            OR NOT EXISTS (SELECT FROM steps s
                            WHERE s.run_id = r.id AND s.position = t.position AND s.status = 'completed'));
    DELETE FROM progress WHERE run_id = r.id AND position IN (SELECT unnest(touched || removed));
    DELETE FROM signals WHERE run_id = r.id AND position IN (SELECT unnest(touched || removed));

    -- Only these are not satisfied from now on: whoever needs them is blocked by them.
    SELECT coalesce(array_agg(s.position), '{}') INTO open
      FROM steps s JOIN unnest(touched) t ON s.position = t
     WHERE s.run_id = r.id AND NOT s.disabled AND NOT (p_skip AND s.position = p_seed);
    UPDATE steps s
       SET needs = c.needs, blocked_by = c.blocked,
           status = CASE WHEN c.is_skipped THEN 'skipped' WHEN c.blocked > 0 THEN 'pending' ELSE 'ready' END,
           released = c.is_skipped, failures = 0, losses = 0, sends = 0, held = false, started_at = NULL, began_at = NULL,
           waiting_on = NULL, came_from = NULL, rank = NULL,
           due_at = CASE WHEN NOT c.is_skipped AND c.blocked = 0 THEN p_now + make_interval(secs => p_resend) END,
           ended_at = CASE WHEN c.is_skipped THEN p_now END
      FROM (
        SELECT s.position, s.disabled OR (p_skip AND s.position = p_seed) AS is_skipped,
               ARRAY(SELECT n FROM unnest(s.needs) n WHERE n NOT IN (SELECT unnest(removed))) AS needs,
               (SELECT count(*) FILTER (WHERE n IN (SELECT unnest(open))) FROM unnest(s.needs) n)::integer AS blocked
          FROM steps s JOIN unnest(touched) t ON s.position = t
         WHERE s.run_id = r.id
      ) c
     WHERE s.run_id = r.id AND s.position = c.position;
    UPDATE run_documents SET error = NULL, archived_at = NULL WHERE run_id = r.id;
    r.status := 'running';
    r.ending := NULL;
    RETURN settle(r, CASE WHEN p_skip THEN 'skipped' ELSE 'retried' END, p_seed, p_detail, was, p_now)
           || jsonb_build_object('ready', ready_steps(r.id, p_now));
END $$;
