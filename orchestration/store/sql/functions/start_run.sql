-- Insert a run and all its steps, or say which run already has the id, the idempotency key or the concurrency key.
CREATE OR REPLACE FUNCTION start_run(p_run jsonb, p_steps jsonb, p_resend real) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    moment    timestamptz := clock_now();
    counted   record;
    run_key   bigint;
    existing  record;
    is_open   boolean;
BEGIN
    IF p_run ? 'idempotency_key' THEN
        INSERT INTO idempotency_keys VALUES (
            p_run ->> 'created_by', p_run ->> 'idempotency_key', p_run ->> 'request_hash', p_run ->> 'public_id', moment)
        ON CONFLICT DO NOTHING;
        IF NOT FOUND THEN
            SELECT k.request_hash, k.public_id INTO existing FROM idempotency_keys k
             WHERE k.scope = p_run ->> 'created_by' AND k.key = p_run ->> 'idempotency_key';
            RETURN jsonb_build_object('status', 'exists', 'by', 'idempotency_key', 'public_id', existing.public_id,
                                      'same', existing.request_hash = p_run ->> 'request_hash');
        END IF;
    END IF;

    SELECT count(*) AS total,
           count(*) FILTER (WHERE e ->> 'status' = 'pending') AS pending,
           count(*) FILTER (WHERE e ->> 'status' IN ('ready', 'waiting')) AS queued,
           count(*) FILTER (WHERE e ->> 'status' = 'completed') AS completed,
           count(*) FILTER (WHERE e ->> 'status' = 'failed') AS failed,
           count(*) FILTER (WHERE e ->> 'status' = 'skipped') AS skipped
      INTO counted FROM jsonb_array_elements(p_steps) e;
    is_open := counted.pending + counted.queued > 0;

    INSERT INTO runs (public_id, status, total, pending, queued, completed, failed, skipped, next_position, max_steps,
                      priority, concurrency_key, created_at, updated_at, ended_at)
    VALUES (p_run ->> 'public_id', CASE WHEN is_open THEN 'running' ELSE 'completed' END,
            counted.total, counted.pending, counted.queued, counted.completed, counted.failed, counted.skipped,
            counted.total, (p_run ->> 'max_steps')::integer, (p_run ->> 'priority')::smallint,
            p_run ->> 'concurrency_key', moment, moment, CASE WHEN is_open THEN NULL ELSE moment END)
    ON CONFLICT DO NOTHING RETURNING id INTO run_key;
    IF run_key IS NULL THEN
        -- The answer is read from the run that won; our own idempotency row must not outlive the refusal.
        DELETE FROM idempotency_keys k WHERE k.scope = p_run ->> 'created_by' AND k.key = p_run ->> 'idempotency_key';
        SELECT d.request_hash, r.public_id, d.created_by INTO existing
          FROM runs r JOIN run_documents d ON d.run_id = r.id WHERE r.public_id = p_run ->> 'public_id';
        IF FOUND THEN
            RETURN jsonb_build_object('status', 'exists', 'by', 'workflow_id', 'public_id', existing.public_id,
                                      'same', existing.request_hash = p_run ->> 'request_hash'
                                              AND existing.created_by = p_run ->> 'created_by');
        END IF;
        RETURN jsonb_build_object('status', 'busy', 'public_id', (
            SELECT r.public_id FROM runs r
             WHERE r.concurrency_key = p_run ->> 'concurrency_key' AND r.ended_at IS NULL));
    END IF;

    INSERT INTO run_documents (run_id, name, template_id, workflow, params, ssh, metadata, request_hash, created_by,
                               created_role, forked_from)
    VALUES (run_key, p_run ->> 'name', p_run ->> 'template_id', p_run -> 'workflow', p_run -> 'params',
            nullif(p_run -> 'ssh', 'null'), p_run -> 'metadata', p_run ->> 'request_hash', p_run ->> 'created_by',
            p_run ->> 'created_role', p_run ->> 'forked_from');
    PERFORM insert_steps(run_key, 0, NULL, false, p_steps, p_resend, moment);
    INSERT INTO trace (run_id, seq, kind, run_status, at)
    VALUES (run_key, 1, 'started', CASE WHEN is_open THEN 'running' ELSE 'completed' END, moment);

    RETURN jsonb_build_object('status', 'ok', 'id', run_key, 'version', 1,
                              'run_status', CASE WHEN is_open THEN 'running' ELSE 'completed' END,
                              'ready', ready_steps(run_key, moment));
END $$;

-- Insert rows for steps whose positions, needs and dependents count from `p_base`.
CREATE OR REPLACE FUNCTION insert_steps(
    p_run bigint, p_base integer, p_made_by integer, p_held boolean, p_steps jsonb, p_resend real, p_now timestamptz
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO steps (run_id, position, key, action, queue, status, waiting_for, blocked_by, released, held, disabled,
                       made_by, delay_s, due_at, ended_at, needs, dependents, attempt)
    SELECT p_run, p_base + e.position, e.key, e.action, e.queue, e.status,
           CASE WHEN e.status = 'waiting' THEN 'delay' END, e.blocked_by, e.status IN ('skipped', 'completed')
               OR coalesce(e.released, false), p_held, coalesce(e.disabled, false), p_made_by, e.delay_s,
           CASE e.status WHEN 'ready' THEN p_now + make_interval(secs => p_resend)
                         WHEN 'waiting' THEN p_now + make_interval(secs => e.delay_s) END,
           CASE WHEN e.status IN ('skipped', 'completed', 'failed') THEN p_now END,
           ARRAY(SELECT p_base + n FROM unnest(e.needs) n), ARRAY(SELECT p_base + n FROM unnest(e.dependents) n), 0
      FROM jsonb_to_recordset(p_steps) AS e(
           position integer, key text, action text, queue text, status text, blocked_by integer, disabled boolean,
           released boolean, delay_s real, needs integer[], dependents integer[]);
    INSERT INTO step_documents (run_id, position, label, params, policy, reads)
    SELECT p_run, p_base + e.position, e.label, e.params, e.policy, e.reads
      FROM jsonb_to_recordset(p_steps) AS e(position integer, label text, params jsonb, policy jsonb, reads text[]);
    -- A fork brings results along; they stand as attempt 0.
    INSERT INTO attempts (run_id, position, attempt, outcome, ended_at, result)
    SELECT p_run, p_base + e.position, 0, 'completed', p_now, e.result
      FROM jsonb_to_recordset(p_steps) AS e(position integer, status text, result jsonb)
     WHERE e.status IN ('completed', 'failed') AND e.result IS NOT NULL;
END $$;

-- The steps of a run that a message should be sent for now.
CREATE OR REPLACE FUNCTION ready_steps(p_run bigint, p_now timestamptz) RETURNS jsonb LANGUAGE sql AS $$
    SELECT coalesce(jsonb_agg(jsonb_build_array(position, action, queue) ORDER BY position), '[]')
      FROM steps WHERE run_id = p_run AND status = 'ready' AND NOT held
$$;
