-- What readers are shown, in the words of the wire. All are STABLE: a document is of one moment, the snapshot of its
-- statement.

CREATE OR REPLACE FUNCTION wire_time(t timestamptz) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT to_char(t AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
$$;

CREATE OR REPLACE FUNCTION wire_run_status(p_status text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE p_status WHEN 'cancelling' THEN 'running' ELSE p_status END
$$;

CREATE OR REPLACE FUNCTION wire_step_status(p_status text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN p_status IN ('ready', 'waiting') THEN 'pending' ELSE p_status END
$$;

CREATE OR REPLACE FUNCTION clip_text(p_text text, p_chars integer) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN char_length(p_text) > p_chars THEN left(p_text, p_chars - 1) || '…' ELSE p_text END
$$;

-- The entries of an object that fit into some bytes, the small ones first.
CREATE OR REPLACE FUNCTION clip_object(p_object jsonb, p_bytes integer) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN octet_length(p_object::text) <= p_bytes THEN p_object ELSE (
        SELECT coalesce(jsonb_object_agg(x.key, x.value), '{}')
          FROM (SELECT e.key, e.value,
                       sum(octet_length(to_jsonb(e.key)::text) + octet_length(e.value::text) + 4)
                           OVER (ORDER BY octet_length(e.value::text), e.key) AS size
                  FROM jsonb_each(p_object) e) x
         WHERE x.size <= p_bytes) END
$$;

-- Whether the attempt went well, one sentence and a map of details, from whatever the action returned.
CREATE OR REPLACE FUNCTION shown_result(p_status text, p_result jsonb, p_error jsonb, p_chars integer, p_bytes integer)
RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE p_status
        WHEN 'completed' THEN (
            SELECT jsonb_build_object('success', true, 'message', clip_text(x.message, p_chars),
                                      'details', clip_object(x.details, p_bytes),
                                      'clipped', octet_length(x.details::text) > p_bytes
                                                 OR char_length(coalesce(x.message, '')) > p_chars)
              FROM (SELECT CASE jsonb_typeof(p_result -> 'message')
                                WHEN 'string' THEN p_result ->> 'message' END AS message,
                           CASE WHEN p_result IS NULL OR p_result = 'null' THEN '{}'::jsonb
                                WHEN jsonb_typeof(p_result) <> 'object' THEN jsonb_build_object('value', p_result)
                                WHEN jsonb_typeof(p_result -> 'details') = 'object'
                                    THEN (p_result -> 'details') || (p_result - 'message' - 'details')
                                WHEN jsonb_typeof(p_result -> 'message') = 'string' THEN p_result - 'message'
                                ELSE p_result END AS details) x)
        WHEN 'failed' THEN jsonb_build_object(
            'success', false, 'message', clip_text(p_error ->> 'message', p_chars),
            'error', clip_text(p_error ->> 'message', p_chars),
            'details', coalesce(clip_object(p_error -> 'details', p_bytes), '{}'),
            'clipped', coalesce(octet_length((p_error -> 'details')::text) > p_bytes, false)
                       OR char_length(coalesce(p_error ->> 'message', '')) > p_chars)
        WHEN 'skipped' THEN CASE WHEN p_error IS NOT NULL THEN jsonb_build_object(
            'success', true, 'message', clip_text(p_error ->> 'message', p_chars), 'details', '{}'::jsonb,
            'clipped', false) END
        END
$$;

CREATE OR REPLACE FUNCTION shown_error(p_error jsonb, p_chars integer, p_bytes integer)
RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN p_error IS NOT NULL THEN jsonb_strip_nulls(jsonb_build_object(
        'code', left(p_error ->> 'code', 100), 'message', clip_text(p_error ->> 'message', p_chars),
        'details', coalesce(clip_object(p_error -> 'details', p_bytes), '{}'), 'step', p_error ->> 'step')) END
$$;

-- Progress as it is, or without its lists when it is too large.
CREATE OR REPLACE FUNCTION shown_progress(p_document jsonb, p_chars integer, p_bytes integer)
RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN p_document IS NULL OR octet_length(p_document::text) <= p_bytes THEN p_document
                ELSE jsonb_strip_nulls(jsonb_build_object(
                    'type', p_document -> 'type', 'percent', p_document -> 'percent',
                    'message', clip_text(p_document ->> 'message', p_chars),
                    'active_phase', p_document -> 'active_phase', 'clipped', true,
                    'items_total', CASE jsonb_typeof(p_document -> 'items')
                                       WHEN 'array' THEN jsonb_array_length(p_document -> 'items') END)) END
$$;

-- Steps from a position on, each with the outcome of its latest attempt.
CREATE OR REPLACE FUNCTION shown_steps(
    p_run bigint, p_from integer, p_limit integer, p_chars integer, p_bytes integer, p_progress integer
) RETURNS TABLE ("position" integer, document jsonb) LANGUAGE sql STABLE AS $$
    SELECT s.position, jsonb_build_object(
               'index', s.position, 'key', s.key, 'action', s.action, 'label', clip_text(d.label, least(p_chars, 200)),
               'status', wire_step_status(s.status), 'ready', s.status = 'ready', 'waiting_for', s.waiting_for,
               'until', CASE WHEN s.status = 'waiting' THEN wire_time(s.due_at) END,
               'waiting_on', CASE WHEN s.status = 'waiting' THEN left(s.waiting_on, p_chars) END,
               'held_by', CASE WHEN s.status = 'waiting' AND s.waiting_for = 'lock' THEN shown_holders(
                   s.waiting_on, CASE WHEN p_chars >= 500 THEN 5 ELSE (p_chars >= 200)::integer END) END,
               'why', CASE WHEN s.status = 'waiting' AND a.outcome = 'waiting' THEN left(a.result ->> 'message', 200) END,
               'stopping', s.stop_requested,
               'attempt', s.attempt, 'failures', s.failures, 'max_attempts', d.policy -> 'retry' -> 'max_attempts',
               'needs', to_jsonb(ARRAY(SELECT n.key FROM steps n WHERE n.run_id = s.run_id
                                          AND n.position = ANY(s.needs[1:20]) ORDER BY n.position)),
               'needs_total', cardinality(s.needs), 'made_by', s.made_by,
               'start_time', wire_time(s.started_at), 'end_time', wire_time(s.ended_at),
               'duration_ms', CASE WHEN s.ended_at >= s.started_at
                                   THEN round(extract(epoch FROM s.ended_at - s.started_at) * 1000)::bigint END,
               'result', shown_result(s.status, a.result, a.error, p_chars, p_bytes),
               'error', CASE WHEN s.status IN ('failed', 'waiting', 'ready', 'cancelled')
                             THEN shown_error(a.error, p_chars, p_bytes) END,
               'progress', shown_progress(p.document, p_chars, p_progress))
      FROM (SELECT * FROM steps WHERE run_id = p_run AND position >= p_from ORDER BY position LIMIT p_limit) s
      JOIN step_documents d ON d.run_id = s.run_id AND d.position = s.position
      -- A step that was reset still has the row of its last attempt; it is shown with the attempts, not as the outcome.
      LEFT JOIN attempts a ON a.run_id = s.run_id AND a.position = s.position AND a.attempt = s.attempt
                          AND (s.started_at IS NOT NULL OR a.attempt = 0)
      LEFT JOIN progress p ON p.run_id = s.run_id AND p.position = s.position AND p.attempt = s.attempt
     ORDER BY s.position
$$;

-- The step in hand: in progress, else next, else where the run ended.
CREATE OR REPLACE FUNCTION current_position(r runs) RETURNS integer LANGUAGE sql STABLE AS $$
    SELECT coalesce(
        (SELECT s.position FROM steps s WHERE s.run_id = r.id AND s.status = 'in_progress' ORDER BY s.position LIMIT 1),
        (SELECT s.position FROM steps s
          WHERE s.run_id = r.id AND s.status IN ('ready', 'waiting') AND r.queued > 0 ORDER BY s.position LIMIT 1),
        (SELECT s.position FROM run_documents d JOIN steps s ON s.run_id = d.run_id AND s.key = d.error ->> 'step'
          WHERE d.run_id = r.id),
        (SELECT s.position FROM steps s
          WHERE s.run_id = r.id AND s.status = 'cancelled' AND r.cancelled > 0 ORDER BY s.position LIMIT 1),
        (SELECT max(s.position) FROM steps s WHERE s.run_id = r.id))
$$;

-- Neither storing progress nor a lock that goes to another run bumps the version, so their times belong to the tag as
-- well. Locks are looked at for a run that ever asked for one.
CREATE OR REPLACE FUNCTION state_etag(r runs) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT format('%s-%s-%s', r.id, r.version, coalesce((extract(epoch FROM greatest((
        SELECT max(p.updated_at)
          FROM steps s JOIN progress p ON p.run_id = s.run_id AND p.position = s.position
         WHERE s.run_id = r.id AND s.status = 'in_progress'),
        CASE WHEN r.gated AND r.queued > 0 THEN (
        SELECT max(h.held_at) FROM (SELECT key FROM lock_requests WHERE run_id = r.id AND NOT held LIMIT 50) q
          JOIN lock_requests h ON h.key = q.key AND h.held) END)) * 1000000)::bigint, 0))
$$;

CREATE OR REPLACE FUNCTION run_version(p_public text) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT state_etag(r) FROM runs r WHERE r.public_id = p_public
$$;

CREATE OR REPLACE FUNCTION shown_counts(r runs) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
    SELECT jsonb_build_object('total', r.total, 'pending', r.pending + r.queued, 'in_progress', r.active,
                              'completed', r.completed, 'failed', r.failed, 'skipped', r.skipped,
                              'cancelled', r.cancelled)
$$;

CREATE OR REPLACE FUNCTION shown_ssh(p_ssh jsonb) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN p_ssh IS NOT NULL THEN
        'ssh -p ' || (p_ssh ->> 'port') || coalesce(' -i ' || (p_ssh ->> 'key'), '') || ' '
        || (p_ssh ->> 'user') || '@' || (p_ssh ->> 'host') END
$$;

-- One run as a line of a list. Narrow: nothing in it grows with the run.
CREATE OR REPLACE FUNCTION shown_run(r runs, d run_documents) RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT jsonb_build_object(
        'workflow_id', r.public_id, 'name', d.name, 'status', wire_run_status(r.status), 'active', r.ended_at IS NULL,
        'stopping', r.status = 'cancelling', 'version', r.version, 'total_steps', r.total, 'counts', shown_counts(r),
        'percent', (r.completed + r.skipped) * 100 / greatest(r.total, 1), 'priority', r.priority,
        'host', CASE WHEN d.ssh IS NOT NULL
                     THEN (d.ssh ->> 'user') || '@' || (d.ssh ->> 'host') || ':' || (d.ssh ->> 'port') END,
        'template_id', d.template_id, 'started_by', d.created_by, 'forked_from', d.forked_from,
        'start_time', wire_time(r.created_at), 'last_update', wire_time(r.updated_at),
        'end_time', wire_time(r.ended_at),
        'duration_ms', round(extract(epoch FROM r.ended_at - r.created_at) * 1000)::bigint,
        'archived', d.archived_at IS NOT NULL, 'error', shown_error(d.error, 500, 0))
$$;

CREATE OR REPLACE FUNCTION run_summary(p_public text) RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT shown_run(r, d) || jsonb_build_object('current_step', current_position(r), 'step', (
               SELECT s.document - 'needs' - 'needs_total' - 'made_by'
                 FROM shown_steps(r.id, current_position(r), 1, 500, 256, 2048) s))
      FROM runs r JOIN run_documents d ON d.run_id = r.id WHERE r.public_id = p_public
$$;

-- The state document of a run at one level of detail. `p_window`: the most steps it may hold.
CREATE OR REPLACE FUNCTION state_document(
    r runs, d run_documents, p_stream text, p_window integer, p_chars integer, p_bytes integer, p_progress integer
) RETURNS text LANGUAGE plpgsql STABLE AS $$
DECLARE
    here    integer := current_position(r);
    first   integer := 0;
    steps_  json;
BEGIN
    IF r.total > p_window THEN
        -- A quarter of the window lies before the step in hand; at the end of the run the window is filled from behind.
        first := least(
            coalesce((SELECT s.position FROM steps s WHERE s.run_id = r.id AND s.position <= here
                       ORDER BY s.position DESC OFFSET p_window / 4 LIMIT 1), 0),
            (SELECT s.position FROM steps s WHERE s.run_id = r.id
              ORDER BY s.position DESC OFFSET p_window - 1 LIMIT 1));
    END IF;
    SELECT coalesce(json_agg(s.document ORDER BY s.position), '[]') INTO steps_
      FROM shown_steps(r.id, first, p_window, p_chars, p_bytes, p_progress) s;
    RETURN json_build_object(
        'schema_version', '1.0', 'workflow_id', r.public_id, 'name', d.name, 'status', wire_run_status(r.status),
        'active', r.ended_at IS NULL, 'stopping', r.status = 'cancelling', 'version', r.version, 'position', p_stream,
        'current_step', here, 'total_steps', r.total, 'counts', shown_counts(r), 'steps', steps_,
        'steps_truncated', r.total > p_window, 'ssh_connection', shown_ssh(d.ssh), 'ssh', d.ssh,
        'template_id', d.template_id, 'forked_from', d.forked_from, 'started_by', d.created_by,
        'priority', r.priority, 'start_time', wire_time(r.created_at),
        'last_update', wire_time(greatest(r.updated_at, (SELECT max(p.updated_at) FROM steps s
            JOIN progress p ON p.run_id = s.run_id AND p.position = s.position
            WHERE s.run_id = r.id AND s.status = 'in_progress'))),
        'end_time', wire_time(r.ended_at), 'error', shown_error(d.error, 1000, 1024))::text;
END $$;

-- The state document, with its tag; no document when the reader already knows it, no row when there is no such run.
-- `free` holds what clients wrote and may need redaction. `on_disk` is false when the state may hold a transition that let
-- go early (see `let_go_early`): nobody may be told of it before `await_flush`. Parts are cut until the document is at most 224 KiB.
CREATE OR REPLACE FUNCTION run_state(p_public text, p_stream text, p_known text)
RETURNS TABLE (etag text, active boolean, state text, free text, on_disk boolean) LANGUAGE plpgsql STABLE AS $$
DECLARE
    r      runs;
    d      run_documents;
    level  integer[];
BEGIN
    SELECT * INTO r FROM runs WHERE public_id = p_public;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    etag := state_etag(r);
    active := r.ended_at IS NULL;
    IF etag IS DISTINCT FROM p_known THEN
        on_disk := NOT r.early OR pg_current_wal_flush_lsn() >= pg_current_wal_insert_lsn();
        SELECT * INTO d FROM run_documents WHERE run_id = r.id;
        FOREACH level SLICE 1 IN ARRAY ARRAY[[200, 500, 1024, 16384], [200, 200, 256, 1024], [200, 60, 0, 200],
                                             [40, 60, 0, 200]] LOOP
            state := state_document(r, d, p_stream, level[1], level[2], level[3], level[4]);
            EXIT WHEN octet_length(state) <= 224 * 1024;
        END LOOP;
        free := jsonb_build_object(
            'params', CASE WHEN octet_length(d.params::text) <= 8192 THEN d.params END,
            'params_truncated', octet_length(d.params::text) > 8192, 'metadata', clip_object(d.metadata, 4096))::text;
    END IF;
    RETURN NEXT;
END $$;

-- The caller's current run: the newest that is not finished, else the last that ended within the delay and is not
-- archived. Run by run along the indexes of the unfinished and of the ended: a planner that does not know how short the
-- delay is would rather read all that the caller ever started. The last 10,000 ended runs are more than a delay holds.
-- The time is asked for once, by a query of its own: a volatile function is compared with every row, not looked up.
CREATE OR REPLACE FUNCTION current_run(p_user text, p_delay double precision) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT coalesce(
        (SELECT r.public_id FROM (SELECT id, public_id FROM runs WHERE ended_at IS NULL ORDER BY id DESC OFFSET 0) r,
                LATERAL (SELECT * FROM run_documents WHERE run_id = r.id OFFSET 0) d
          WHERE d.created_by = p_user ORDER BY r.id DESC LIMIT 1),
        (SELECT r.public_id FROM (SELECT id, public_id, ended_at FROM runs
                                   WHERE ended_at > (SELECT clock_now() - make_interval(secs => p_delay))
                                   ORDER BY ended_at DESC LIMIT 10000) r,
                LATERAL (SELECT * FROM run_documents WHERE run_id = r.id OFFSET 0) d
          WHERE d.created_by = p_user AND d.archived_at IS NULL ORDER BY r.ended_at DESC LIMIT 1))
$$;

-- Who holds a token or a session now (the other is NULL), with the role of now. `stale`: the use should be noted.
CREATE OR REPLACE FUNCTION caller(p_token bytea, p_session bytea)
RETURNS TABLE (user_name text, role text, stale boolean) LANGUAGE plpgsql STABLE AS $$
DECLARE
    moment timestamptz := clock_now();
BEGIN
    IF p_token IS NOT NULL THEN
        RETURN QUERY SELECT t.user_name, t.role,
                            t.last_used_at IS NULL OR t.last_used_at < moment - interval '5 minutes'
                       FROM tokens t WHERE t.hash = p_token AND (t.expires_at IS NULL OR t.expires_at > moment);
    ELSE
        RETURN QUERY SELECT t.user_name, t.role, false
                       FROM sessions s JOIN tokens t ON t.id = s.token_id
                      WHERE s.hash = p_session AND s.expires_at > moment
                        AND (t.expires_at IS NULL OR t.expires_at > moment);
    END IF;
END $$;

-- What a poll asks, in one call: who it is, and the tag of a run; with `p_whole` the state too. No row for nobody, no
-- tag when there is no such run.
CREATE OR REPLACE FUNCTION poll_state(
    p_token bytea, p_session bytea, p_public text, p_stream text, p_whole boolean
) RETURNS TABLE (role text, stale boolean, etag text, active boolean, state text, free text, on_disk boolean)
LANGUAGE plpgsql STABLE AS $$
BEGIN
    SELECT c.role, c.stale INTO role, stale FROM caller(p_token, p_session) c;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    IF p_whole THEN
        SELECT s.etag, s.active, s.state, s.free, s.on_disk INTO etag, active, state, free, on_disk
          FROM run_state(p_public, p_stream, NULL) s;
    ELSE
        etag := run_version(p_public);
    END IF;
    RETURN NEXT;
END $$;
