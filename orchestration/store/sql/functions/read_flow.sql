-- What holds steps back, for those who look.

-- Who holds a lock or a place, longest first.
CREATE OR REPLACE FUNCTION shown_holders(p_key text, p_limit integer) RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT coalesce(jsonb_agg(jsonb_build_object('workflow_id', x.public_id, 'step', x.step, 'since', wire_time(x.held_at),
                                                 'for_run', x.for_run) ORDER BY x.held_at, x.public_id), '[]')
      FROM (SELECT h.held_at, h.for_run, (SELECT r.public_id FROM runs r WHERE r.id = h.run_id) AS public_id,
                   (SELECT s.key FROM steps s WHERE s.run_id = h.run_id AND s.position = h.position) AS step
              FROM lock_requests h WHERE h.key = p_key AND h.held ORDER BY h.held_at LIMIT p_limit) x
$$;

-- Who stands in line for it, first in line first.
CREATE OR REPLACE FUNCTION shown_line(p_key text, p_limit integer) RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT coalesce(jsonb_agg(jsonb_build_object('workflow_id', x.public_id, 'step', x.step, 'since', wire_time(x.asked_at),
                                                 'for_run', x.for_run) ORDER BY x.rank, x.run_id, x.position), '[]')
      FROM (SELECT q.rank, q.run_id, q.position, q.asked_at, q.for_run,
                   (SELECT r.public_id FROM runs r WHERE r.id = q.run_id) AS public_id,
                   (SELECT s.key FROM steps s WHERE s.run_id = q.run_id AND s.position = q.position) AS step
              FROM lock_requests q WHERE q.key = p_key AND NOT q.held
             ORDER BY q.rank, q.run_id, q.position LIMIT p_limit) x
$$;

-- All of it, of one moment. No part looks at more than `p_most` steps or requests, or shows more than a hundred lines.
CREATE OR REPLACE FUNCTION shown_flow(p_most integer) RETURNS jsonb LANGUAGE plpgsql STABLE AS $$
DECLARE moment timestamptz := clock_now();
BEGIN
    RETURN jsonb_build_object(
        'at', wire_time(moment), 'at_most', p_most,
        'waiting', (
            SELECT coalesce(jsonb_agg(jsonb_build_object('reason', w.reason, 'steps', w.steps) ORDER BY w.reason), '[]')
              FROM (SELECT r.reason, (SELECT count(*) FROM (
                               SELECT FROM steps s WHERE s.waiting_for = r.reason LIMIT p_most) x) AS steps
                      FROM unnest(ARRAY['retry', 'delay', 'lock', 'rate_limit', 'breaker', 'throttled', 'signal'])
                           r(reason)) w
             WHERE w.steps > 0),
        'waiting_on', (
            SELECT coalesce(jsonb_agg(jsonb_build_object(
                       'waiting_on', x.waiting_on, 'reason', x.reason, 'steps', x.steps,
                       'oldest_since', wire_time(x.oldest), 'next_due_at', wire_time(x.due))
                       ORDER BY x.steps DESC, x.waiting_on), '[]')
              FROM (SELECT s.waiting_on, min(s.waiting_for) AS reason, count(*) AS steps, min(s.began_at) AS oldest,
                           min(s.due_at) AS due
                      FROM (SELECT y.waiting_on, y.waiting_for, y.began_at, y.due_at FROM steps y
                             WHERE y.waiting_for IS NOT NULL AND y.waiting_on IS NOT NULL LIMIT p_most) s
                     GROUP BY s.waiting_on ORDER BY count(*) DESC, s.waiting_on LIMIT 100) x),
        'locks', (
            SELECT coalesce(jsonb_agg(jsonb_build_object(
                       'key', x.key, 'mode', x.mode, 'capacity', x.capacity, 'held', x.held, 'waiting', x.waiting,
                       'holders', shown_holders(x.key, 5), 'waiters', shown_line(x.key, 5))
                       ORDER BY x.waiting DESC, x.held DESC, x.key), '[]')
              FROM (SELECT q.key, count(*) FILTER (WHERE q.held) AS held, count(*) FILTER (WHERE NOT q.held) AS waiting,
                           (SELECT p.capacity FROM lock_places p WHERE p.key = q.key) AS capacity,
                           -- What it is held as; a shared one for which somebody waits alone is shown as shared.
                           coalesce(max(q.mode) FILTER (WHERE q.held), max(q.mode)) AS mode
                      FROM (SELECT * FROM lock_requests LIMIT p_most) q
                     GROUP BY q.key
                     ORDER BY count(*) FILTER (WHERE NOT q.held) DESC, count(*) DESC, q.key LIMIT 100) x));
END $$;
