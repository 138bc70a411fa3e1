-- Who works on what and what waits, of one moment; no part of it counts or shows more than `p_most` steps.
-- A worker is lost when the leases it should renew have run out, or when it holds none and has no session. How long a
-- ready step has waited at least is known from how often it was sent: the pauses between are those of `sweep_due`. No
-- pause is longer than a minute, so what is due later only waits, and the index of what is due is read up to there.
CREATE OR REPLACE FUNCTION shown_workers(p_most integer, p_resend real) RETURNS jsonb LANGUAGE plpgsql STABLE AS $$
DECLARE
    moment  timestamptz := clock_now();
    last    timestamptz := moment + make_interval(secs => greatest(60, p_resend));
BEGIN
    RETURN (
        WITH held AS MATERIALIZED (
            SELECT s.run_id, s.position, s.key, s.action, s.queue, s.attempt, s.owner, s.started_at, s.lease_until
              FROM steps s WHERE s.status = 'in_progress' ORDER BY s.run_id, s.position LIMIT p_most
        ), owners AS MATERIALIZED (
            SELECT h.owner, max(h.lease_until) AS lease_until FROM held h GROUP BY h.owner
        ), sessions_ AS MATERIALIZED (
            SELECT (l.classid::bigint << 32) | l.objid::bigint AS lock
              FROM pg_locks l
             WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
               AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
        ), workers_ AS (
            SELECT w.*, coalesce(o.lease_until < moment, worker_lock(w.id) NOT IN (SELECT lock FROM sessions_)) AS lost
              FROM (SELECT * FROM workers WHERE ended_at IS NULL ORDER BY started_at DESC LIMIT 1000) w
              LEFT JOIN owners o ON o.owner = w.id
        ), in_hand AS (
            -- Labels are looked up one by one: for a join the planner may read the whole table.
            SELECT x.owner, jsonb_agg(jsonb_build_object(
                       'workflow_id', (SELECT r.public_id FROM runs r WHERE r.id = x.run_id), 'index', x.position,
                       'key', x.key, 'label', clip_text((SELECT d.label FROM step_documents d
                           WHERE d.run_id = x.run_id AND d.position = x.position), 200),
                       'action', x.action, 'attempt', x.attempt, 'since', wire_time(x.started_at))
                       ORDER BY x.started_at, x.run_id, x.position) AS steps
              FROM (SELECT h.*, row_number() OVER (
                               PARTITION BY h.owner ORDER BY h.started_at, h.run_id, h.position) AS place
                      FROM held h) x
             WHERE x.place <= 100 GROUP BY x.owner
        ), ready AS (
            SELECT q.queue, sum(q.steps) AS steps,
                   max(p_resend - extract(epoch FROM q.due_at - moment)
                       + (SELECT coalesce(sum(least(60, p_resend * power(2, least(n, 10)))), 0)
                            FROM generate_series(1, q.sends) n)) AS oldest_s
              FROM (SELECT s.queue, s.sends, count(*) AS steps, min(s.due_at) AS due_at
                      FROM (SELECT x.queue, x.sends, x.due_at FROM steps x
                             WHERE x.due_at <= last AND NOT x.held AND x.status = 'ready'
                             ORDER BY x.due_at LIMIT p_most) s
                     GROUP BY s.queue, s.sends) q
             GROUP BY q.queue
        ), working AS (
            SELECT h.queue, count(*) AS steps FROM held h GROUP BY h.queue
        ), waiting AS (
            SELECT w.reason,
                   (SELECT count(*) FROM (SELECT FROM steps s WHERE s.waiting_for = w.reason LIMIT p_most) x) AS steps
              FROM unnest(ARRAY['retry', 'delay', 'lock', 'rate_limit', 'breaker', 'throttled', 'signal']) w(reason)
        )
        SELECT jsonb_build_object(
            'workers', (SELECT coalesce(jsonb_agg(jsonb_build_object(
                'name', w.name, 'host', w.host, 'pid', w.pid, 'started_at', wire_time(w.started_at), 'pool', w.pool,
                'concurrency', w.concurrency, 'queues', w.queues, 'lost', w.lost, 'steps', coalesce(i.steps, '[]')
                ) ORDER BY w.name, w.started_at), '[]') FROM workers_ w LEFT JOIN in_hand i ON i.owner = w.id),
            'queues', (SELECT coalesce(jsonb_object_agg(q.name, jsonb_build_object(
                'ready', coalesce(r.steps, 0), 'in_progress', coalesce(w.steps, 0),
                'oldest_s', CASE WHEN r.steps > 0 THEN round(greatest(r.oldest_s, 0)::numeric, 1) END)), '{}')
                FROM (SELECT queue AS name FROM ready UNION SELECT queue FROM working) q
                LEFT JOIN ready r ON r.queue = q.name LEFT JOIN working w ON w.queue = q.name),
            'waiting', (SELECT coalesce(jsonb_object_agg(w.reason, w.steps), '{}') FROM waiting w WHERE w.steps > 0)));
END $$;

-- Note when workers were lost, which nobody but their keeper says, and take for ended those that were for a day. How many
-- rows were changed.
CREATE OR REPLACE FUNCTION note_lost_workers() RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    moment  timestamptz := clock_now();
    n       integer;
BEGIN
    UPDATE workers w
       SET lost_at = CASE WHEN x.lives THEN NULL ELSE coalesce(w.lost_at, moment) END,
           ended_at = CASE WHEN NOT x.lives AND w.lost_at < moment - interval '1 day' THEN w.lost_at END
      FROM (SELECT id, EXISTS (SELECT FROM worker_sessions(id)) AS lives FROM workers WHERE ended_at IS NULL) x
     WHERE x.id = w.id AND w.ended_at IS NULL
       AND (x.lives = (w.lost_at IS NOT NULL) OR w.lost_at < moment - interval '1 day');
    GET DIAGNOSTICS n = ROW_COUNT;
    RETURN n;
END $$;
