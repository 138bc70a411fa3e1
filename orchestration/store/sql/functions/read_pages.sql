-- Lists that are read page by page, see read.sql for what their entries look like.

-- The newest attempts of a step.
CREATE OR REPLACE FUNCTION shown_attempts(p_run bigint, p_position integer, p_limit integer)
RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT coalesce(jsonb_agg(jsonb_build_object(
               'attempt', a.attempt, 'outcome', a.outcome, 'worker', a.owner, 'start_time', wire_time(a.started_at),
               'end_time', wire_time(a.ended_at),
               'duration_ms', round(extract(epoch FROM a.ended_at - a.started_at) * 1000)::bigint,
               'resources', a.resources, 'error', shown_error(a.error, 500, 1024)) ORDER BY a.attempt), '[]')
      FROM (SELECT * FROM attempts WHERE run_id = p_run AND position = p_position
             ORDER BY attempt DESC LIMIT p_limit) a
$$;

-- A page of a run's steps.
CREATE OR REPLACE FUNCTION list_steps(p_public text, p_from integer, p_limit integer, p_attempts boolean)
RETURNS TABLE ("position" integer, document jsonb) LANGUAGE sql STABLE AS $$
    SELECT s.position, s.document || CASE WHEN p_attempts
               THEN jsonb_build_object('attempts', shown_attempts(r.id, s.position, 10)) ELSE '{}' END
      FROM runs r, LATERAL shown_steps(r.id, p_from, p_limit, 500, 1024, 4096) s
     WHERE r.public_id = p_public ORDER BY s.position
$$;

-- One step with all that is kept of it: parameters, policy, its whole result and progress, its newest attempts.
CREATE OR REPLACE FUNCTION whole_step(p_public text, p_key text) RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT x.document || jsonb_build_object(
               'params', d.params, 'policy', d.policy, 'queue', s.queue, 'worker', s.owner,
               'attempts', shown_attempts(s.run_id, s.position, 100))
      FROM runs r JOIN steps s ON s.run_id = r.id AND s.key = p_key
      JOIN step_documents d ON d.run_id = s.run_id AND d.position = s.position,
           LATERAL shown_steps(r.id, s.position, 1, 10000, 262144, 16384) x
     WHERE r.public_id = p_public
$$;

-- Pieces of an attempt's log from an offset on, up to some bytes but at least one. Offsets count characters.
CREATE OR REPLACE FUNCTION read_log(
    p_public text, p_key text, p_attempt integer, p_after bigint, p_bytes integer
) RETURNS TABLE (attempt integer, "offset" bigint, level text, at text, text text) LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_column
DECLARE
    s      steps;
    tries  integer;
    first  bigint;
BEGIN
    SELECT x.* INTO s FROM steps x JOIN runs r ON r.id = x.run_id WHERE r.public_id = p_public AND x.key = p_key;
    tries := coalesce(p_attempt, s.attempt);
    SELECT max(l.offset) INTO first FROM logs l
     WHERE l.run_id = s.run_id AND l.position = s.position AND l.attempt = tries AND l.offset <= p_after;
    RETURN QUERY
    SELECT tries, greatest(x.offset, p_after), x.level, wire_time(x.at),
           substr(x.text, greatest(p_after - x.offset, 0)::integer + 1)
      FROM (SELECT l.*, sum(octet_length(l.text)) OVER (ORDER BY l.offset) - octet_length(l.text) AS before
              FROM (SELECT * FROM logs l
                     WHERE l.run_id = s.run_id AND l.position = s.position AND l.attempt = tries
                       AND l.offset >= coalesce(first, 0)
                     ORDER BY l.offset LIMIT 2000) l
             WHERE l.offset + char_length(l.text) > p_after) x
     WHERE x.before < p_bytes ORDER BY x.offset;
END $$;

-- A page of the record of a run, oldest first. The end of the last attempt that is traced says how many begins and ends of
-- the same step came since, from the attempt's number: they are not looked for.
CREATE OR REPLACE FUNCTION read_trace(p_public text, p_after bigint, p_limit integer)
RETURNS TABLE (seq bigint, document jsonb) LANGUAGE sql STABLE AS $$
    SELECT t.seq, jsonb_build_object(
               'seq', t.seq, 'time', wire_time(t.at), 'kind', t.kind, 'index', t.position, 'key', s.key,
               'attempt', t.attempt, 'status', wire_run_status(t.run_status), 'detail', t.detail,
               'omitted', CASE WHEN t.kind <> 'claimed' AND is_traced(t.attempt) AND NOT is_traced(t.attempt + 1)
                                    AND s.attempt > t.attempt
                               THEN 2 * (s.attempt - t.attempt) - (s.status = 'in_progress')::integer ELSE 0 END)
      FROM runs r JOIN trace t ON t.run_id = r.id
      LEFT JOIN steps s ON s.run_id = t.run_id AND s.position = t.position
     WHERE r.public_id = p_public AND t.seq > p_after ORDER BY t.seq LIMIT p_limit
$$;
