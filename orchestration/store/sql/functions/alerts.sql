-- Alerts: what they are judged by, how they change, and who looks. See orchestration/core/alert_states.py for the rules.

-- What PostgreSQL knows of the signs, of one moment; windows are seconds. No part looks at more than `p_most` steps or
-- requests. Deliveries of alerts are left out of counts of all actions.
CREATE OR REPLACE FUNCTION alert_signs(
    p_failures_s real, p_streak_s real, p_hits_s real, p_refusals_s real, p_most integer
) RETURNS jsonb LANGUAGE plpgsql STABLE SET enable_seqscan = off AS $$
DECLARE
    moment         timestamptz := clock_now();
    failures_from  timestamptz := date_trunc('minute', moment - make_interval(secs => p_failures_s), 'UTC');
    streak_from    timestamptz := date_trunc('minute', moment - make_interval(secs => p_streak_s), 'UTC');
    hits_from      timestamptz := date_trunc('minute', moment - make_interval(secs => p_hits_s), 'UTC');
    refusals_from  timestamptz := date_trunc('minute', moment - make_interval(secs => p_refusals_s), 'UTC');
BEGIN
    RETURN jsonb_build_object(
        'ends', (
            WITH ends AS MATERIALIZED (
                SELECT m.name, sum(m.completed + m.fallbacks) AS succeeded, sum(m.failed) AS failed
                  FROM metrics_counts m
                 WHERE m.span = 'minute' AND m.at >= failures_from AND m.kind = 'action' AND m.name NOT LIKE 'alert.%'
                 GROUP BY m.name)
            SELECT coalesce(jsonb_agg(to_jsonb(x)), '[]') FROM (
                SELECT NULL AS name, coalesce(sum(e.succeeded), 0) AS succeeded, coalesce(sum(e.failed), 0) AS failed
                  FROM ends e
                 UNION ALL
                (SELECT e.name, e.succeeded, e.failed FROM ends e WHERE e.failed > 0 ORDER BY e.failed DESC LIMIT 200)) x),
        -- By the minute: what failed in the minute of the last success is not counted.
        'streaks', (
            SELECT coalesce(jsonb_agg(to_jsonb(x)), '[]') FROM (
                SELECT 'action' AS kind, y.name, y.failures, (
                           SELECT left(e.code || ': ' || e.message, 300) FROM metrics_errors e
                            WHERE e.span = 'minute' AND e.at >= streak_from AND e.action = y.name
                            ORDER BY e.last_at DESC LIMIT 1) AS error
                  FROM (SELECT m.name, sum(m.failed + m.retried) AS failures
                          FROM (SELECT c.*, max(c.at) FILTER (WHERE c.completed + c.fallbacks > 0)
                                                OVER (PARTITION BY c.name) AS last_good
                                  FROM metrics_counts c
                                 WHERE c.span = 'minute' AND c.at >= streak_from AND c.kind = 'action') m
                         WHERE m.last_good IS NULL OR m.at > m.last_good
                         GROUP BY m.name HAVING sum(m.failed + m.retried) > 1
                         ORDER BY 2 DESC LIMIT 50) y
                 UNION ALL
                -- The last runs only: what is older says little, and there is no index by template.
                SELECT 'template', z.template_id, count(*), NULL
                  FROM (SELECT r.status, r.ended_at, d.template_id,
                               max(r.ended_at) FILTER (WHERE r.status = 'completed')
                                   OVER (PARTITION BY d.template_id) AS last_good
                          FROM (SELECT * FROM runs WHERE ended_at >= streak_from ORDER BY ended_at DESC LIMIT 500) r,
                               LATERAL (SELECT x.template_id FROM run_documents x WHERE x.run_id = r.id OFFSET 0) d
                         WHERE d.template_id IS NOT NULL) z
                 WHERE z.status = 'failed' AND (z.last_good IS NULL OR z.ended_at > z.last_good)
                 GROUP BY z.template_id) x),
        -- Ready steps that tell of alerts, by queue: with nobody to take them no alert would end.
        'telling', (
            SELECT coalesce(jsonb_object_agg(x.queue, x.steps), '{}')
              FROM (SELECT s.queue, count(*) AS steps
                      FROM (SELECT y.queue, y.action FROM steps y
                             WHERE y.due_at <= moment + interval '1 minute' AND NOT y.held AND y.status = 'ready'
                             ORDER BY y.due_at LIMIT p_most) s
                     WHERE s.action LIKE 'alert.%' GROUP BY s.queue) x),
        'hosts', (
            SELECT coalesce(jsonb_agg(jsonb_build_object(
                       'name', h.host, 'level', h.level, 'reason', h.reason, 'disk', h.disk,
                       'disk_free_bytes', h.disk_free_bytes)), '[]')
              FROM (SELECT * FROM hosts WHERE reported_at >= moment - interval '1 minute' LIMIT 500) h),
        'throttled', (
            SELECT coalesce(jsonb_agg(jsonb_build_object(
                       'name', x.waiting_on, 'steps', x.steps,
                       'oldest_s', extract(epoch FROM moment - x.oldest))), '[]')
              FROM (SELECT s.waiting_on, count(*) AS steps, min(s.began_at) AS oldest
                      FROM (SELECT y.waiting_on, y.began_at FROM steps y
                             WHERE y.waiting_for = 'throttled' AND y.waiting_on IS NOT NULL AND y.began_at IS NOT NULL
                               AND NOT y.held LIMIT p_most) s
                     GROUP BY s.waiting_on ORDER BY 3 LIMIT 100) x),
        -- The limits of background kinds make work wait all day long, which is what they are for.
        'hits', (
            SELECT coalesce(jsonb_agg(to_jsonb(x)), '[]') FROM (
                SELECT m.name, sum(m.waiting) AS count FROM metrics_counts m
                 WHERE m.span = 'minute' AND m.at >= hits_from AND m.kind = 'on'
                   AND m.name LIKE 'rate:%' AND m.name NOT LIKE 'rate:kind:%'
                 GROUP BY m.name HAVING sum(m.waiting) > 0 ORDER BY 2 DESC LIMIT 100) x),
        'refusals', (
            SELECT coalesce(jsonb_agg(to_jsonb(x)), '[]') FROM (
                SELECT e.action AS name, sum(e.n) AS count FROM metrics_errors e
                 WHERE e.span = 'minute' AND e.at >= refusals_from AND e.code LIKE '%.429'
                 GROUP BY e.action ORDER BY 2 DESC LIMIT 100) x),
        'opened', (
            SELECT coalesce(jsonb_agg(DISTINCT c.name), '[]')
              FROM (SELECT b.name, b.after, b.at FROM breaker_changes b ORDER BY b.id DESC LIMIT 200) c
             WHERE c.after = 'open' AND c.at >= moment - interval '1 minute'),
        'locks', (
            SELECT coalesce(jsonb_agg(jsonb_build_object(
                       'name', x.key, 'steps', x.steps, 'oldest_s', x.oldest_s,
                       'held_by', shown_holders(x.key, 1) -> 0 ->> 'workflow_id')), '[]')
              FROM (SELECT q.key, count(*) AS steps, max(q.waited_s) AS oldest_s
                      FROM (SELECT y.key, time_in_line(y, moment) AS waited_s FROM lock_requests y
                             WHERE y.in_line_since IS NOT NULL AND y.key NOT LIKE 'place:kind:%' LIMIT p_most) q
                     GROUP BY q.key ORDER BY max(q.waited_s) DESC LIMIT 30) x),
        'awaited', (
            SELECT coalesce(jsonb_agg(jsonb_build_object(
                       'run_id', (SELECT r.public_id FROM runs r WHERE r.id = x.run_id), 'step', x.key,
                       'waited_s', extract(epoch FROM moment - x.since))), '[]')
              FROM (SELECT s.run_id, s.key, s.since
                      FROM (SELECT y.run_id, y.key, coalesce(y.began_at, y.started_at) AS since FROM steps y
                             WHERE y.waiting_for = 'signal' AND NOT y.held LIMIT p_most) s
                     WHERE s.since IS NOT NULL ORDER BY s.since LIMIT 100) x));
END $$;

-- The alerts that are not over, and whether something is still to be told.
CREATE OR REPLACE FUNCTION alert_board(OUT now_s double precision, OUT known jsonb, OUT is_untold boolean)
LANGUAGE plpgsql STABLE AS $$
BEGIN
    now_s := extract(epoch FROM clock_now());
    known := (
        SELECT coalesce(jsonb_agg(jsonb_build_object(
                   'id', a.id, 'version', a.version, 'rule', a.rule, 'subject', a.subject,
                   'status', CASE a.status WHEN 'resolved' THEN 'quiet' ELSE a.status END,
                   'since_s', extract(epoch FROM a.since), 'seen_s', extract(epoch FROM a.seen_at),
                   'below_s', extract(epoch FROM a.below_since), 'quiet_until_s', extract(epoch FROM a.quiet_until))), '[]')
          FROM (SELECT * FROM alerts WHERE status <> 'resolved' OR quiet_until IS NOT NULL LIMIT 2000) a);
    is_untold := EXISTS (SELECT FROM alert_changes WHERE told_at IS NULL);
END $$;

CREATE OR REPLACE FUNCTION note_alert_change(
    p_alert bigint, p_change text, p_at timestamptz, p_actor text DEFAULT NULL, p_note text DEFAULT NULL,
    p_tell boolean DEFAULT true
) RETURNS void LANGUAGE sql AS $$
    INSERT INTO alert_changes (alert_id, number, change, at, value, message, actor, note, told_at)
    SELECT a.id, 1 + (SELECT count(*) FROM alert_changes c WHERE c.alert_id = a.id), p_change, p_at, a.value, a.message,
           p_actor, p_note, CASE WHEN p_tell THEN NULL ELSE p_at END
      FROM alerts a WHERE a.id = p_alert
$$;

-- Make these moves, each only if nobody else moved the alert since it was looked at. Answers what opened or was resolved.
CREATE OR REPLACE FUNCTION move_alerts(p_moves jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    moment   timestamptz := clock_now();
    m        record;
    made     bigint;
    changed  jsonb := '[]';
BEGIN
    FOR m IN
        SELECT * FROM jsonb_to_recordset(p_moves) AS x(
            kind text, id bigint, version integer, rule text, subject text, severity text, value double precision,
            threshold double precision, message text, details jsonb, is_open boolean, below_s double precision)
         -- Always in one order, so that two at once cannot wait for each other.
         ORDER BY x.rule, x.subject
    LOOP
        made := NULL;
        IF m.kind = 'add' THEN
            INSERT INTO alerts (rule, subject, severity, status, value, peak, threshold, message, details, since, seen_at,
                                opened_at)
            VALUES (m.rule, m.subject, m.severity, CASE WHEN m.is_open THEN 'open' ELSE 'pending' END, m.value, m.value,
                    m.threshold, m.message, m.details, moment, moment, CASE WHEN m.is_open THEN moment END)
            ON CONFLICT (rule, subject) WHERE status <> 'resolved' OR quiet_until IS NOT NULL DO NOTHING
            RETURNING id INTO made;
        ELSIF m.kind = 'drop' THEN
            DELETE FROM alerts WHERE id = m.id AND version = m.version AND status = 'pending';
        ELSE
            UPDATE alerts a
               SET version = a.version + 1, seen_at = moment,
                   status = CASE m.kind WHEN 'open' THEN 'open' WHEN 'resolve' THEN 'resolved' ELSE a.status END,
                   opened_at = CASE m.kind WHEN 'open' THEN moment ELSE a.opened_at END,
                   resolved_at = CASE m.kind WHEN 'resolve' THEN moment ELSE a.resolved_at END,
                   quiet_until = CASE m.kind WHEN 'speak' THEN NULL ELSE a.quiet_until END,
                   since = CASE m.kind WHEN 'restart' THEN moment ELSE a.since END,
                   below_since = to_timestamp(m.below_s),
                   value = CASE WHEN m.kind = 'speak' OR a.status = 'resolved' THEN a.value ELSE coalesce(m.value, 0) END,
                   peak = CASE WHEN a.status = 'resolved' THEN a.peak ELSE greatest(a.peak, m.value) END,
                   threshold = coalesce(m.threshold, a.threshold),
                   message = CASE WHEN a.status = 'resolved' OR m.below_s IS NOT NULL THEN a.message
                                  ELSE coalesce(m.message, a.message) END,
                   details = CASE WHEN a.status = 'resolved' THEN a.details ELSE coalesce(m.details, a.details) END
             WHERE a.id = m.id AND a.version = m.version
            RETURNING a.id INTO made;
        END IF;
        IF made IS NOT NULL AND (m.kind IN ('open', 'resolve') OR m.kind = 'add' AND m.is_open) THEN
            PERFORM note_alert_change(made, CASE m.kind WHEN 'resolve' THEN 'resolved' ELSE 'opened' END, moment);
            changed := changed || (
                SELECT jsonb_build_object('id', a.id, 'rule', a.rule, 'subject', a.subject, 'severity', a.severity,
                                          'status', a.status, 'message', a.message) FROM alerts a WHERE a.id = made);
        END IF;
    END LOOP;
    RETURN changed;
END $$;

-- What the channels are still to be told, the oldest first.
CREATE OR REPLACE FUNCTION untold_alerts(p_limit integer) RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT coalesce(jsonb_agg(jsonb_build_object(
               'id', c.alert_id, 'number', c.number, 'change', c.change, 'at', wire_time(c.at), 'rule', a.rule,
               'subject', a.subject, 'severity', a.severity, 'value', c.value, 'threshold', a.threshold,
               'message', c.message, 'opened_at', wire_time(a.opened_at), 'actor', c.actor, 'note', c.note)
               ORDER BY c.at, c.alert_id, c.number), '[]')
      FROM (SELECT * FROM alert_changes WHERE told_at IS NULL ORDER BY at LIMIT p_limit) c
      JOIN alerts a ON a.id = c.alert_id
$$;

-- The channels are told by this run; NULL: no channel wants to know.
CREATE OR REPLACE FUNCTION alert_told(p_alert bigint, p_number integer, p_run text) RETURNS void LANGUAGE sql AS $$
    UPDATE alert_changes SET told_at = clock_now(), run_id = p_run
     WHERE alert_id = p_alert AND number = p_number AND told_at IS NULL
$$;

-- An open alert is seen by a person. Answers `ok`, or why not: unknown, resolved. Once more changes nothing.
CREATE OR REPLACE FUNCTION acknowledge_alert(p_alert bigint, p_by text, p_note text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    moment  timestamptz := clock_now();
    a       alerts;
BEGIN
    SELECT * INTO a FROM alerts WHERE id = p_alert AND status <> 'pending' FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN 'unknown';
    ELSIF a.status = 'resolved' THEN
        RETURN 'resolved';
    ELSIF a.acknowledged_at IS NULL THEN
        UPDATE alerts SET acknowledged_at = moment, acknowledged_by = p_by, acknowledge_note = p_note, version = version + 1
         WHERE id = p_alert;
        PERFORM note_alert_change(p_alert, 'acknowledged', moment, p_by, p_note, false);
    END IF;
    RETURN 'ok';
END $$;

-- A person takes an alert for over. It does not come back before it was gone, or `p_quiet_s` have passed.
CREATE OR REPLACE FUNCTION resolve_alert(p_alert bigint, p_by text, p_note text, p_quiet_s real) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    moment  timestamptz := clock_now();
    a       alerts;
BEGIN
    SELECT * INTO a FROM alerts WHERE id = p_alert AND status <> 'pending' FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN 'unknown';
    ELSIF a.status = 'open' THEN
        UPDATE alerts
           SET status = 'resolved', resolved_at = moment, resolved_by = p_by, resolve_note = p_note, below_since = NULL,
               quiet_until = moment + make_interval(secs => p_quiet_s), version = version + 1
         WHERE id = p_alert;
        PERFORM note_alert_change(p_alert, 'resolved', moment, p_by, p_note);
    END IF;
    RETURN 'ok';
END $$;

CREATE OR REPLACE FUNCTION shown_alert(a alerts) RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT jsonb_build_object(
        'id', a.id, 'rule', a.rule, 'subject', a.subject, 'severity', a.severity, 'status', a.status, 'value', a.value,
        'peak', a.peak, 'threshold', a.threshold, 'message', a.message, 'details', a.details,
        'since', wire_time(a.since), 'opened_at', wire_time(a.opened_at), 'seen_at', wire_time(a.seen_at),
        'acknowledged_at', wire_time(a.acknowledged_at), 'acknowledged_by', a.acknowledged_by,
        'acknowledge_note', a.acknowledge_note, 'resolved_at', wire_time(a.resolved_at), 'resolved_by', a.resolved_by,
        'resolve_note', a.resolve_note)
$$;

-- A page of alerts, those with the highest numbers first, and how many are open. The open ones or the others, below a
-- number.
CREATE OR REPLACE FUNCTION list_alerts(p_open boolean, p_before bigint, p_limit integer) RETURNS jsonb
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN CASE WHEN p_open THEN (
        SELECT coalesce(jsonb_agg(shown_alert(a) ORDER BY a.id DESC), '[]')
          FROM (SELECT * FROM alerts WHERE status = 'open' AND id < p_before ORDER BY id DESC LIMIT p_limit) a)
    ELSE (
        SELECT coalesce(jsonb_agg(shown_alert(a) ORDER BY a.id DESC), '[]')
          FROM (SELECT * FROM alerts WHERE status = 'resolved' AND id < p_before ORDER BY id DESC LIMIT p_limit) a)
    END;
END $$;

CREATE OR REPLACE FUNCTION count_alerts() RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT jsonb_build_object('open', count(*), 'critical', count(*) FILTER (WHERE severity = 'critical'),
                              'unacknowledged', count(*) FILTER (WHERE acknowledged_at IS NULL))
      FROM (SELECT severity, acknowledged_at FROM alerts WHERE status = 'open' LIMIT 1000) x
$$;

-- One alert with what became of it; NULL when there is none.
CREATE OR REPLACE FUNCTION one_alert(p_alert bigint) RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT shown_alert(a) || jsonb_build_object('changes', (
               SELECT coalesce(jsonb_agg(jsonb_build_object(
                          'number', c.number, 'change', c.change, 'at', wire_time(c.at), 'value', c.value,
                          'message', c.message, 'actor', c.actor, 'note', c.note, 'workflow_id', c.run_id)
                          ORDER BY c.number), '[]')
                 FROM (SELECT * FROM alert_changes WHERE alert_id = a.id ORDER BY number LIMIT 100) c))
      FROM alerts a WHERE a.id = p_alert AND a.status <> 'pending'
$$;

-- Forget a batch of alerts that were over 90 days ago. How many.
CREATE OR REPLACE FUNCTION trim_alerts(p_limit integer) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    before  timestamptz := clock_now() - interval '90 days';
    n       integer;
BEGIN
    DELETE FROM alerts WHERE id IN (
        SELECT id FROM alerts WHERE status = 'resolved' AND resolved_at < before AND quiet_until IS NULL
         ORDER BY resolved_at LIMIT p_limit FOR UPDATE SKIP LOCKED);
    GET DIAGNOSTICS n = ROW_COUNT;
    RETURN n;
END $$;
