-- Whether `p_owner` is the janitor for the next seconds, and what time it is. Nothing is lost if two believe it at once.
CREATE OR REPLACE FUNCTION elect_janitor(p_owner text, p_hold_s real, OUT elected boolean, OUT seconds double precision)
LANGUAGE plpgsql AS $$
DECLARE moment timestamptz := clock_now();
BEGIN
    PERFORM set_config('synchronous_commit', 'off', true);
    UPDATE janitor SET owner = p_owner, until = moment + make_interval(secs => p_hold_s)
     WHERE owner = p_owner OR until < moment;
    elected := FOUND;
    seconds := extract(epoch FROM moment);
END $$;

-- Steps whose time has come: waits that are over become ready; ready ones whose message may be lost are sent again,
-- with growing pauses. Skips what is locked, so it never waits and two sweeps at once are harmless.
-- Each due step's run by its id: a planner that does not know how few are due would rather read all running runs.
CREATE OR REPLACE FUNCTION sweep_due(p_limit integer, p_resend real) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    moment  timestamptz := clock_now();
    sent    jsonb;
BEGIN
    WITH due AS (
        SELECT s.run_id, s.position, s.status, r.public_id, r.priority
          FROM steps s, LATERAL (SELECT public_id, priority FROM runs WHERE id = s.run_id AND status = 'running'
                                    FOR NO KEY UPDATE SKIP LOCKED) r
         WHERE s.due_at <= moment AND NOT s.held AND s.status IN ('ready', 'waiting')
         ORDER BY s.due_at LIMIT p_limit
           FOR NO KEY UPDATE OF s SKIP LOCKED
    ), moved AS (
        UPDATE steps s
           SET status = 'ready', waiting_for = NULL,
               sends = CASE WHEN s.status = 'waiting' THEN 0 ELSE least(s.sends + 1, 100) END,
               due_at = moment + make_interval(secs => CASE WHEN s.status = 'waiting' THEN p_resend
                        ELSE least(60, p_resend * power(2, least(s.sends + 1, 10))) END)
          FROM due d WHERE s.run_id = d.run_id AND s.position = d.position
        RETURNING s.run_id, s.position, s.action, s.queue, s.sends, d.public_id, d.priority, d.status AS was, s.key, s.attempt
    ), bumped AS (
        UPDATE runs SET version = version + 1, updated_at = moment
         WHERE id IN (SELECT m.run_id FROM moved m WHERE m.was = 'waiting')
        RETURNING id, version
    )
    SELECT coalesce(jsonb_agg(jsonb_build_object(
               'public_id', m.public_id, 'position', m.position, 'action', m.action, 'queue', m.queue,
               'priority', m.priority, 'key', m.key, 'attempt', m.attempt, 'sends', m.sends, 'version', b.version)), '[]')
      INTO sent FROM moved m LEFT JOIN bumped b ON b.id = m.run_id;
    RETURN sent;
END $$;

-- Seconds until the next step is due; null when nothing waits.
CREATE OR REPLACE FUNCTION next_due_s() RETURNS double precision LANGUAGE sql AS $$
    SELECT extract(epoch FROM least(
        (SELECT min(due_at) FROM steps WHERE due_at IS NOT NULL AND NOT held),
        (SELECT clock_now() FROM lock_wakes LIMIT 1)
    ) - clock_now())::double precision
$$;

-- After the broker lost its messages: every ready step is due now, in the order of the runs.
CREATE OR REPLACE FUNCTION resend_all() RETURNS integer LANGUAGE plpgsql AS $$
DECLARE n integer;
BEGIN
    UPDATE steps s SET due_at = clock_now(), sends = 0
      FROM (SELECT run_id, position FROM steps
             WHERE due_at IS NOT NULL AND NOT held AND status = 'ready' FOR NO KEY UPDATE SKIP LOCKED) d
     WHERE s.run_id = d.run_id AND s.position = d.position;
    GET DIAGNOSTICS n = ROW_COUNT;
    RETURN n;
END $$;

-- After the line of a queue was too long for messages to be sent again: the next steps of it are due now, if they were
-- sent before. Those whose messages still wait get another one, which costs a look.
CREATE OR REPLACE FUNCTION resend_queue(p_queue text, p_limit integer) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE n integer;
BEGIN
    UPDATE steps s SET due_at = clock_now()
      FROM (SELECT run_id, position FROM steps
             WHERE due_at > clock_now() AND NOT held AND status = 'ready' AND queue = p_queue AND sends > 0
             ORDER BY due_at LIMIT p_limit FOR NO KEY UPDATE SKIP LOCKED) d
     WHERE s.run_id = d.run_id AND s.position = d.position;
    GET DIAGNOSTICS n = ROW_COUNT;
    RETURN n;
END $$;

-- Attempts in progress that may be lost, with what `decide` needs. `p_owners` null: those whose lease has run out.
-- A run that is locked is left for the next sweep, which would wait for it, and all others behind it.
CREATE OR REPLACE FUNCTION attempts_held(p_owners text[], p_limit integer) RETURNS jsonb LANGUAGE sql AS $$
    SELECT coalesce(jsonb_agg(describe_attempt(s)), '[]')
      FROM (SELECT h.* FROM steps h JOIN runs r ON r.id = h.run_id
             WHERE h.status = 'in_progress'
               AND (h.owner = ANY(p_owners) OR (p_owners IS NULL AND h.lease_until < clock_now()))
             ORDER BY h.lease_until LIMIT p_limit FOR NO KEY UPDATE OF r SKIP LOCKED) s
$$;

-- One attempt, while it is held: an array of none or one.
CREATE OR REPLACE FUNCTION attempt_held(p_run bigint, p_position integer, p_attempt integer)
RETURNS jsonb LANGUAGE sql AS $$
    SELECT coalesce(jsonb_agg(describe_attempt(s)), '[]')
      FROM steps s
     WHERE s.run_id = p_run AND s.position = p_position AND s.status = 'in_progress' AND s.attempt = p_attempt
$$;

CREATE OR REPLACE FUNCTION describe_attempt(s steps) RETURNS jsonb LANGUAGE sql AS $$
    SELECT jsonb_build_object(
               'run', s.run_id, 'position', s.position, 'attempt', s.attempt, 'owner', s.owner, 'key', s.key,
               'lease_until', s.lease_until, 'failures', s.failures, 'losses', s.losses, 'policy', d.policy,
               'elapsed_s', extract(epoch FROM clock_now() - CASE WHEN s.failures > 0 THEN s.began_at ELSE s.started_at END),
               'public_id', r.public_id, 'priority', r.priority)
      FROM step_documents d, runs r
     WHERE d.run_id = s.run_id AND d.position = s.position AND r.id = s.run_id
$$;

-- Owners of attempts in progress whose session lock is gone, with how long ago they renewed a lease.
CREATE OR REPLACE FUNCTION owners_without_session(p_lease real) RETURNS jsonb LANGUAGE sql AS $$
    SELECT coalesce(jsonb_agg(jsonb_build_object(
               'owner', o.owner, 'lease_until', o.lease_until, 'host', w.host, 'boot_id', w.boot_id, 'pid', w.pid,
               'silent_s', p_lease - extract(epoch FROM o.lease_until - clock_now()))), '[]')
      FROM (SELECT owner, max(lease_until) AS lease_until FROM steps WHERE status = 'in_progress' GROUP BY owner) o
      LEFT JOIN workers w ON w.id = o.owner
     WHERE NOT EXISTS (SELECT FROM worker_sessions(o.owner))
$$;

-- Attempts that a worker claimed without learning of it (it died, or the answer was lost on the way).
-- Without a position: at any step of the run.
CREATE OR REPLACE FUNCTION attempts_of(p_owner text, p_public text, p_position integer) RETURNS jsonb LANGUAGE sql AS $$
    SELECT coalesce(jsonb_agg(describe_attempt(s)), '[]')
      FROM steps s
     WHERE s.run_id = (SELECT r.id FROM runs r WHERE r.public_id = p_public) AND s.status = 'in_progress'
       AND s.owner = p_owner AND (p_position IS NULL OR s.position = p_position)
$$;

-- The backends that hold a worker's lock: one while it lives.
CREATE OR REPLACE FUNCTION worker_sessions(p_owner text) RETURNS SETOF integer LANGUAGE sql STABLE AS $$
    SELECT l.pid FROM pg_locks l
     WHERE l.locktype = 'advisory' AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
       AND l.granted AND l.objsubid = 1 AND ((l.classid::bigint << 32) | l.objid::bigint) = worker_lock(p_owner)
$$;

-- The key of the advisory lock that a worker's session holds.
CREATE OR REPLACE FUNCTION worker_lock(p_owner text) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
    SELECT hashtextextended('perdure-worker:' || p_owner, 0) & 9223372036854775807
$$;

-- Remove runs that ended before a time, in a bounded batch, none without one; and what else is as old (90 days without
-- one): workers that are gone, records of the audit, which are kept for a year at least, and keys of starts, for a week.
-- The planner is told that runs are long (see `steps`), and would rather read whole tables for so many of them.
CREATE OR REPLACE FUNCTION purge_runs(p_before timestamptz, p_limit integer) RETURNS integer LANGUAGE plpgsql
SET enable_seqscan = off AS $$
DECLARE
    ids           bigint[];
    t             text;
    -- Variables, since a volatile function is compared with every row and not looked up.
    gone_before   timestamptz := coalesce(p_before, clock_now() - interval '90 days');
    keys_before   timestamptz := least(gone_before, clock_now() - interval '7 days');
    audit_before  timestamptz := least(gone_before, clock_now() - interval '1 year');
BEGIN
    DELETE FROM workers WHERE id IN (
        SELECT w.id FROM workers w
         WHERE coalesce(w.ended_at, w.started_at) < gone_before AND NOT EXISTS (SELECT FROM worker_sessions(w.id))
         LIMIT p_limit);
    DELETE FROM idempotency_keys WHERE ctid = ANY(ARRAY(
        SELECT k.ctid FROM idempotency_keys k
         WHERE k.created_at < keys_before ORDER BY k.created_at LIMIT p_limit FOR UPDATE SKIP LOCKED));
    -- The oldest ones by number, of which only those that are old enough go: there is no index on their time.
    DELETE FROM audit WHERE id IN (
        SELECT a.id FROM (SELECT id, at FROM audit ORDER BY id LIMIT p_limit) a WHERE a.at < audit_before);
    SELECT array_agg(id) INTO ids FROM (
        SELECT id FROM runs WHERE ended_at < p_before ORDER BY ended_at LIMIT p_limit FOR UPDATE SKIP LOCKED) x;
    IF ids IS NULL THEN
        RETURN 0;
    END IF;
    FOREACH t IN ARRAY ARRAY['steps', 'step_documents', 'attempts', 'trace', 'checkpoints', 'texts', 'progress', 'logs',
                             'log_sizes', 'signals', 'run_documents'] LOOP
        EXECUTE format('DELETE FROM %I WHERE run_id = ANY($1)', t) USING ids;
    END LOOP;
    DELETE FROM runs WHERE id = ANY(ids);
    RETURN cardinality(ids);
END $$;
