-- Take a ready step for an attempt and answer all that the attempt needs, in one round trip.
CREATE OR REPLACE FUNCTION claim(p_public text, p_position integer, p_owner text, p_lease real)
RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    r       runs;
    s       steps;
    moment  timestamptz;
BEGIN
    -- A look without any lock: duplicates of a message are refused cheaply.
    -- Only a running run has a step that is ready and not held; asking for its status as well may be planned as a look
    -- at all running runs.
    PERFORM 1 FROM steps
      WHERE run_id = (SELECT id FROM runs WHERE public_id = p_public) AND position = p_position
        AND status = 'ready' AND NOT held;
    IF NOT FOUND THEN
        RETURN jsonb_build_object('status', 'refused');
    END IF;

    SELECT * INTO r FROM runs WHERE public_id = p_public FOR NO KEY UPDATE;
    IF r.status IS DISTINCT FROM 'running' THEN
        RETURN jsonb_build_object('status', 'refused');
    END IF;
    -- The clock is read once the lock is held: a wait must not eat into the lease.
    moment := clock_now();
    UPDATE steps
       SET status = 'in_progress', attempt = attempt + 1, owner = p_owner,
           lease_until = moment + make_interval(secs => p_lease), started_at = moment, due_at = NULL, sends = 0,
           stop_requested = false
     WHERE run_id = r.id AND position = p_position AND status = 'ready' AND NOT held
    RETURNING * INTO s;
    IF NOT FOUND THEN
        RETURN jsonb_build_object('status', 'refused');
    END IF;
    UPDATE runs SET queued = queued - 1, active = active + 1, version = version + 1, updated_at = moment,
                    started_at = coalesce(started_at, moment)
     WHERE id = r.id;
    INSERT INTO trace (run_id, seq, position, attempt, kind, at)
    VALUES (r.id, r.version + 1, p_position, s.attempt, 'claimed', moment);

    RETURN (
        SELECT jsonb_build_object(
            'status', 'claimed', 'run', r.id, 'version', r.version + 1, 'key', s.key, 'action', s.action,
            'priority', r.priority, 'attempt', s.attempt, 'failures', s.failures, 'losses', s.losses, 'now', moment,
            'label', d.label, 'params', d.params, 'policy', d.policy,
            'run_name', rd.name, 'run_params', rd.params, 'ssh', rd.ssh,
            'created_by', rd.created_by, 'created_role', rd.created_role,
            'checkpoint', (SELECT c.data FROM checkpoints c WHERE c.run_id = r.id AND c.position = p_position),
            'signal', (SELECT g.payload FROM signals g WHERE g.run_id = r.id AND g.position = p_position),
            'reads', CASE WHEN d.reads = '{}' THEN '{}'::jsonb ELSE step_results(r.id, d.reads) END)
          FROM step_documents d, run_documents rd
         WHERE d.run_id = r.id AND d.position = p_position AND rd.run_id = r.id);
END $$;

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
