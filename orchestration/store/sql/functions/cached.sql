-- Results that may stand in for later ones. The key says of what: action, step key, resolved parameters, host. Written
-- after the commit of a success, and read when a step that asks for it gives up: no other step pays for it.

CREATE OR REPLACE FUNCTION remember_result(p_key bytea, p_result jsonb) RETURNS void LANGUAGE sql AS $$
    INSERT INTO cached_results (key, result, at) VALUES (p_key, p_result, clock_now())
    ON CONFLICT (key) DO UPDATE SET result = excluded.result, at = excluded.at
$$;

-- The result as {"result": ...}; null when there is none that is young enough. A result may be null itself.
CREATE OR REPLACE FUNCTION cached_result(p_key bytea, p_max_age double precision) RETURNS jsonb LANGUAGE sql AS $$
    SELECT jsonb_build_object('result', c.result) FROM cached_results c
     WHERE c.key = p_key AND c.at >= clock_now() - make_interval(secs => p_max_age)
$$;

-- What the key of another step of the run is made from; null when there is no such step.
CREATE OR REPLACE FUNCTION step_inputs(p_run bigint, p_key text) RETURNS jsonb LANGUAGE sql AS $$
    SELECT jsonb_build_object('action', s.action, 'params', d.params, 'reads', step_results(p_run, d.reads))
      FROM steps s JOIN step_documents d USING (run_id, position) WHERE s.run_id = p_run AND s.key = p_key
$$;

-- Delete a batch of what nobody may take any more; how many.
CREATE OR REPLACE FUNCTION purge_cached_results(p_age double precision, p_limit integer) RETURNS integer
LANGUAGE sql AS $$
    WITH old AS (
        SELECT key FROM cached_results WHERE at < clock_now() - make_interval(secs => p_age)
         ORDER BY at LIMIT p_limit FOR UPDATE SKIP LOCKED
    ), gone AS (
        DELETE FROM cached_results c USING old o WHERE c.key = o.key RETURNING 1
    )
    SELECT count(*)::integer FROM gone
$$;
