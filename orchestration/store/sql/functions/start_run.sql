-- Insert runs and all their steps, or none of them. `p_start` holds who starts, perhaps an idempotency key for the request as
-- a whole, perhaps what to put on the audit record, and `runs`; a step's `run` is the place of its run among them, from 1.
-- Answers the runs as they are now, those that were there with the same body included; or which run is in the way.
-- Planned once a connection: with each body anew, as PostgreSQL chooses for the insert of the steps, takes longer than the
-- insert itself, and comes to the same plan.
CREATE OR REPLACE FUNCTION start_runs(p_start jsonb, p_steps jsonb, p_resend real) RETURNS jsonb LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    moment    timestamptz := clock_now();
    total     integer := jsonb_array_length(p_start -> 'runs');
    made      bigint[] := '{}';
    ids       bigint[];
    began     text;
    existing  record;
    verdict   jsonb;
BEGIN
    IF p_start ? 'idempotency_key' THEN
        INSERT INTO idempotency_keys VALUES (
            p_start ->> 'created_by', p_start ->> 'idempotency_key', p_start ->> 'request_hash', p_start ->> 'stem', moment)
        ON CONFLICT DO NOTHING;
        IF NOT FOUND THEN
            SELECT k.request_hash, k.public_id INTO existing FROM idempotency_keys k
             WHERE k.scope = p_start ->> 'created_by' AND k.key = p_start ->> 'idempotency_key';
            RETURN jsonb_build_object('status', 'exists', 'by', 'idempotency_key', 'public_id', existing.public_id,
                                      'same', existing.request_hash = p_start ->> 'request_hash');
        END IF;
    END IF;

    IF total > 1 THEN
        -- Two requests that name the same ids or keys in another order would wait for each other. A few locks stand for
        -- them all, since there may be thousands.
        PERFORM pg_advisory_xact_lock(20251121, x.bucket)
           FROM (SELECT DISTINCT hashtext(name) & 63 AS bucket
                   FROM jsonb_to_recordset(p_start -> 'runs') AS e(public_id text, concurrency_key text),
                        unnest(ARRAY[e.public_id, e.concurrency_key]) name
                  WHERE name IS NOT NULL ORDER BY 1) x;
    END IF;

    LOOP
        WITH inserted AS (
            INSERT INTO runs (public_id, status, total, pending, queued, completed, failed, skipped, next_position,
                              max_steps, priority, concurrency_key, created_at, updated_at, ended_at)
            SELECT e.public_id, CASE WHEN e.pending + e.queued > 0 THEN 'running' ELSE 'completed' END, e.total,
                   e.pending, e.queued, e.completed, e.failed, e.skipped, e.total, e.max_steps, e.priority,
                   e.concurrency_key, moment, moment, CASE WHEN e.pending + e.queued = 0 THEN moment END
              FROM jsonb_to_recordset(p_start -> 'runs') AS e(
                   public_id text, total integer, pending integer, queued integer, completed integer, failed integer,
                   skipped integer, max_steps integer, priority smallint, concurrency_key text)
            ON CONFLICT DO NOTHING RETURNING id, status)
        SELECT made || coalesce(array_agg(id), '{}'), min(status) INTO made, began FROM inserted;
        EXIT WHEN cardinality(made) = total;

        -- Some were there before, or a run that is not finished holds a key. Who held it may have ended since: once more.
        SELECT jsonb_build_object('status', x.found, 'by', 'workflow_id', 'place', x.place, 'public_id', x.public_id)
          INTO verdict
          FROM (SELECT e.place, coalesce(own.public_id, holder.public_id) AS public_id,
                       CASE WHEN own.id IS NULL AND holder.id IS NULL THEN 'again'
                            WHEN own.id IS NULL THEN 'busy'
                            WHEN d.request_hash = e.run ->> 'request_hash' AND d.created_by = p_start ->> 'created_by'
                                THEN 'same'
                            ELSE 'exists' END AS found
                  FROM jsonb_array_elements(p_start -> 'runs') WITH ORDINALITY AS e(run, place)
                  LEFT JOIN runs own ON own.public_id = e.run ->> 'public_id'
                  LEFT JOIN run_documents d ON d.run_id = own.id
                  LEFT JOIN runs holder ON own.id IS NULL AND holder.concurrency_key = e.run ->> 'concurrency_key'
                                       AND holder.ended_at IS NULL
                 WHERE own.id IS NULL OR NOT own.id = ANY (made)) x
         WHERE x.found <> 'same' ORDER BY x.found = 'again', x.place LIMIT 1;
        EXIT WHEN NOT FOUND;
        IF verdict ->> 'status' <> 'again' THEN
            -- All or nothing; neither may the row of the idempotency key outlive the refusal.
            DELETE FROM runs WHERE id = ANY (made);
            DELETE FROM idempotency_keys k
             WHERE k.scope = p_start ->> 'created_by' AND k.key = p_start ->> 'idempotency_key';
            RETURN verdict || '{"same": false}';
        END IF;
    END LOOP;

    -- The new runs by their place; NULL for one that was there.
    IF total = 1 AND made <> '{}' THEN
        ids := made;
    ELSE
        SELECT array_agg(CASE WHEN r.id = ANY (made) THEN r.id END ORDER BY e.place) INTO ids
          FROM jsonb_array_elements(p_start -> 'runs') WITH ORDINALITY AS e(run, place)
          JOIN runs r ON r.public_id = e.run ->> 'public_id';
    END IF;
    INSERT INTO run_documents (run_id, name, template_id, workflow, params, ssh, metadata, request_hash, created_by,
                               created_role, forked_from, kind, concurrency)
    SELECT ids[e.place], e.run ->> 'name', e.run ->> 'template_id', e.run -> 'workflow', e.run -> 'params',
           nullif(e.run -> 'ssh', 'null'), e.run -> 'metadata', e.run ->> 'request_hash', p_start ->> 'created_by',
           p_start ->> 'created_role', e.run ->> 'forked_from', coalesce(e.run ->> 'kind', 'workflow'), nullif(e.run -> 'concurrency', 'null')
      FROM jsonb_array_elements(p_start -> 'runs') WITH ORDINALITY AS e(run, place) WHERE ids[e.place] IS NOT NULL;
    PERFORM insert_steps_of(ids, 0, NULL, false, p_steps, p_resend, moment);
    INSERT INTO trace (run_id, seq, kind, run_status, at)
    SELECT r.id, 1, 'started', r.status, moment FROM runs r WHERE r.id = ANY (made);
    IF p_start ? 'audit' AND made <> '{}' THEN
        INSERT INTO audit (at, actor, role, action, target, address, outcome, detail)
        VALUES (moment, p_start ->> 'created_by', p_start ->> 'created_role', p_start -> 'audit' ->> 'action',
                p_start ->> 'stem', p_start -> 'audit' ->> 'address', 'done', p_start -> 'audit' -> 'detail');
    END IF;

    -- Told without looking: a run that was made just now is as it was made. The look below would cost more than all above.
    IF total = 1 AND made <> '{}' THEN
        RETURN jsonb_build_object('status', 'ok', 'runs', jsonb_build_array(
            jsonb_build_object('created', true, 'run_status', began, 'version', 1)));
    END IF;
    RETURN jsonb_build_object('status', 'ok', 'runs', (
        SELECT jsonb_agg(jsonb_build_object('created', ids[e.place] IS NOT NULL, 'run_status', r.status,
                                            'version', r.version) ORDER BY e.place)
          FROM jsonb_array_elements(p_start -> 'runs') WITH ORDINALITY AS e(run, place)
          JOIN runs r ON r.public_id = e.run ->> 'public_id'));
END $$;

-- Insert rows for steps of one run whose positions, needs and dependents count from `p_base`.
CREATE OR REPLACE FUNCTION insert_steps(
    p_run bigint, p_base integer, p_made_by integer, p_held boolean, p_steps jsonb, p_resend real, p_now timestamptz
) RETURNS void LANGUAGE sql AS $$
    SELECT insert_steps_of(ARRAY[p_run], p_base, p_made_by, p_held, p_steps, p_resend, p_now)
$$;

-- The same for several runs: a step's `run` is a place in `p_runs`, unset: 1. Steps of a run that is NULL are left out.
CREATE OR REPLACE FUNCTION insert_steps_of(
    p_runs bigint[], p_base integer, p_made_by integer, p_held boolean, p_steps jsonb, p_resend real, p_now timestamptz
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    WITH given AS MATERIALIZED (
        SELECT p_runs[coalesce(e.run, 1)] AS run_id, e.*
          FROM jsonb_to_recordset(p_steps) AS e(
               run integer, position integer, key text, action text, queue text, status text, blocked_by integer,
               disabled boolean, released boolean, delay_s real, needs integer[], dependents integer[], label text,
               params jsonb, policy jsonb, reads text[], result jsonb)
         WHERE p_runs[coalesce(e.run, 1)] IS NOT NULL),
    documents AS (
        INSERT INTO step_documents (run_id, position, label, params, policy, reads)
        SELECT e.run_id, p_base + e.position, e.label, e.params, e.policy, e.reads FROM given e),
    -- A fork brings results along; they stand as attempt 0.
    results AS (
        INSERT INTO attempts (run_id, position, attempt, outcome, ended_at, result)
        SELECT e.run_id, p_base + e.position, 0, 'completed', p_now, e.result
          FROM given e WHERE e.status IN ('completed', 'failed') AND e.result IS NOT NULL)
    INSERT INTO steps (run_id, position, key, action, queue, status, waiting_for, blocked_by, released, held, disabled,
                       made_by, delay_s, due_at, ended_at, needs, dependents, attempt)
    SELECT e.run_id, p_base + e.position, e.key, e.action, e.queue, e.status,
           CASE WHEN e.status = 'waiting' THEN 'delay' END, e.blocked_by, e.status IN ('skipped', 'completed')
               OR coalesce(e.released, false), p_held, coalesce(e.disabled, false), p_made_by, e.delay_s,
           CASE e.status WHEN 'ready' THEN p_now + make_interval(secs => p_resend)
                         WHEN 'waiting' THEN p_now + make_interval(secs => e.delay_s) END,
           CASE WHEN e.status IN ('skipped', 'completed', 'failed') THEN p_now END,
           CASE WHEN p_base = 0 THEN e.needs ELSE ARRAY(SELECT p_base + n FROM unnest(e.needs) n) END,
           CASE WHEN p_base = 0 THEN e.dependents ELSE ARRAY(SELECT p_base + n FROM unnest(e.dependents) n) END, 0
      FROM given e;
END $$;

-- The steps of a run that a message should be sent for now.
CREATE OR REPLACE FUNCTION ready_steps(p_run bigint, p_now timestamptz) RETURNS jsonb LANGUAGE sql AS $$
    SELECT coalesce(jsonb_agg(jsonb_build_array(position, action, queue) ORDER BY position), '[]')
      FROM steps WHERE run_id = p_run AND status = 'ready' AND NOT held
$$;
