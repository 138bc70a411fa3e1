-- Take a ready step for an attempt and answer all that the attempt needs, in one round trip.
CREATE OR REPLACE FUNCTION claim(p_public text, p_position integer, p_owner text, p_lease real)
RETURNS json LANGUAGE plpgsql AS $$
DECLARE
    r       runs;
    s       steps;
    number  bigint;
    moment  timestamptz;
BEGIN
    -- A look without any lock: duplicates of a message are refused cheaply.
    -- Only a running run has a step that is ready and not held; asking for its status as well may be planned as a look
    -- at all running runs.
    SELECT run_id INTO number FROM steps
      WHERE run_id = (SELECT id FROM runs WHERE public_id = p_public) AND position = p_position
        AND status = 'ready' AND NOT held;
    IF number IS NULL THEN
        RETURN json_build_object('status', 'refused');
    END IF;

    SELECT * INTO r FROM runs WHERE id = number FOR NO KEY UPDATE;
    IF r.status IS DISTINCT FROM 'running' THEN
        RETURN json_build_object('status', 'refused');
    END IF;
    -- The clock is read once the lock is held: a wait must not eat into the lease.
    moment := clock_now();
    UPDATE steps
       SET status = 'in_progress', attempt = attempt + 1, owner = p_owner,
           lease_until = moment + make_interval(secs => p_lease), started_at = moment, due_at = NULL, sends = 0,
           began_at = coalesce(began_at, moment), stop_requested = false
     WHERE run_id = number AND position = p_position AND status = 'ready' AND NOT held
    RETURNING * INTO s;
    IF NOT FOUND THEN
        RETURN json_build_object('status', 'refused');
    END IF;
    r.early := let_go_early(r);
    UPDATE runs SET queued = queued - 1, active = active + 1, version = version + 1, updated_at = moment, early = r.early,
                    started_at = coalesce(started_at, moment)
     WHERE id = number;
    IF is_traced(s.attempt) THEN
        INSERT INTO trace (run_id, seq, position, attempt, kind, at)
        VALUES (number, r.version + 1, p_position, s.attempt, 'claimed', moment);
    END IF;

    RETURN (
        SELECT json_build_object(
            'status', 'claimed', 'early', r.early, 'run', number, 'version', r.version + 1, 'priority', r.priority,
            'run_name', d.name, 'run_params', d.params, 'ssh', d.ssh, 'kind', d.kind, 'concurrency', d.concurrency,
            -- A run that was retried has to get again what it held for its whole length.
            'run_locks', CASE WHEN r.gated AND d.run_locks IS NOT NULL AND NOT EXISTS (
                SELECT FROM lock_requests h WHERE h.run_id = number AND h.held AND h.for_run) THEN d.run_locks END,
            'created_by', d.created_by, 'created_role', d.created_role, 'step', describe_claim(s, moment))
          FROM run_documents d WHERE d.run_id = number);
END $$;

-- Whether this transition lets go of the run's row before its commit is on disk, as it does when others of the run may be
-- waiting for the row: they would wait for each flush in turn instead of sharing one. The caller then waits with
-- `await_flush` before it acts on the transition or tells of it. Whoever builds on it meanwhile commits behind it in the
-- log, so that none of them is on disk without it.
CREATE OR REPLACE FUNCTION let_go_early(r runs) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    IF r.active + r.queued < 2 THEN
        RETURN false;
    END IF;
    PERFORM set_config('synchronous_commit', 'off', true);
    RETURN true;
END $$;

-- Wait until all that was committed before is on disk, and where the server's settings say so on its standbys.
CREATE OR REPLACE FUNCTION await_flush() RETURNS void LANGUAGE sql AS $$
    -- A commit waits for nothing unless it wrote something; this is read by nobody.
    SELECT pg_logical_emit_message(true, 'perdure', '')
$$;

-- A step as its attempt needs it. A first attempt has no checkpoint and no text to look for.
CREATE OR REPLACE FUNCTION describe_claim(s steps, p_now timestamptz) RETURNS json LANGUAGE plpgsql AS $$
DECLARE
    saved    jsonb;
    written  text;
    by_whom  integer[];
    until    text;
    kept     jsonb;
BEGIN
    IF s.attempt > 1 THEN
        SELECT c.data INTO saved FROM checkpoints c WHERE c.run_id = s.run_id AND c.position = s.position;
        SELECT b.written, b.written_by, b.until, b.kept INTO written, by_whom, until, kept FROM text_before(s) b;
    END IF;
    RETURN (
        SELECT json_build_object(
            'position', s.position, 'key', s.key, 'action', s.action, 'attempt', s.attempt, 'failures', s.failures,
            'losses', s.losses, 'now', p_now, 'began_at', s.began_at, 'waited_on', s.waiting_on, 'came_from', s.came_from,
            'label', d.label, 'params', d.params, 'policy', d.policy,
            'checkpoint', saved, 'written', written, 'written_by', by_whom, 'written_until', until, 'kept', kept,
            'signal', (SELECT g.payload FROM signals g WHERE g.run_id = s.run_id AND g.position = s.position),
            'reads', CASE WHEN d.reads <> '{}' THEN step_results(s.run_id, d.reads) END)
          FROM step_documents d WHERE d.run_id = s.run_id AND d.position = s.position);
END $$;

-- The text that stands before an attempt: what was written, by whom (attempt and edition), and why that one ended. Of an
-- attempt that was ended before anything was stored readers may have heard something all the same. A text that was
-- completed is nothing to go on from; it stands, with what it came to, where only something before it was asked for again
-- (see `reset_steps`).
CREATE OR REPLACE FUNCTION text_before(
    s steps, OUT written text, OUT written_by integer[], OUT until text, OUT kept jsonb
) LANGUAGE plpgsql STABLE AS $$
DECLARE
    t  texts;
    a  attempts;
BEGIN
    SELECT * INTO t FROM texts WHERE run_id = s.run_id AND position = s.position;
    IF FOUND THEN
        SELECT * INTO a FROM attempts WHERE run_id = s.run_id AND position = s.position AND attempt = t.attempt;
    ELSE
        -- Not all of them: there may be one for each time that the step waited.
        SELECT * INTO a FROM attempts
         WHERE run_id = s.run_id AND position = s.position AND attempt BETWEEN s.attempt - 10 AND s.attempt - 1
           AND outcome <> 'waiting'
         ORDER BY attempt DESC LIMIT 1;
    END IF;
    until := CASE WHEN a.outcome = 'failed' THEN a.error ->> 'code' ELSE a.outcome END;
    IF a.outcome = 'completed' THEN
        kept := CASE WHEN t.attempt IS NOT NULL THEN a.result END;
    ELSE
        written := t.text;
        written_by := ARRAY[coalesce(t.attempt, a.attempt), coalesce(t.edition, 0)];
    END IF;
END $$;

-- The trace holds 1,000 entries of a step, which are the begin and the end of 500 attempts; later ones are only counted,
-- by the attempt's number.
CREATE OR REPLACE FUNCTION is_traced(p_attempt integer) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
    SELECT p_attempt <= 500
$$;

-- Status and result of some steps, by key. Each is looked up by itself, so that the run is never read from end to end.
CREATE OR REPLACE FUNCTION step_results(p_run bigint, p_keys text[]) RETURNS jsonb LANGUAGE sql AS $$
    SELECT coalesce(jsonb_object_agg(x.key, jsonb_build_object(
               'status', x.status, 'result', CASE WHEN x.status = 'completed' THEN x.result END)), '{}')
      FROM unnest(p_keys) wanted CROSS JOIN LATERAL (
        SELECT s.key, s.status,
               (SELECT a.result FROM attempts a
                 WHERE a.run_id = s.run_id AND a.position = s.position AND a.attempt = s.attempt) AS result
          FROM steps s WHERE s.run_id = p_run AND s.key = wanted OFFSET 0) x
$$;
