-- What ended, counted. Steps write nothing for it: the janitor goes along the ends of attempts and runs every few
-- seconds and counts each once, up to a time before which nothing can come any more.

-- The time before which every attempt and run that ended is to be seen. Whoever ends one reads the clock in a transaction
-- that began before, so the oldest transaction of ours that goes on is the limit, whatever the transaction waits for.
CREATE OR REPLACE FUNCTION all_ended_before() RETURNS timestamptz LANGUAGE sql VOLATILE AS $$
    SELECT clock_now() - greatest(interval '1 second', (
        SELECT max(clock_timestamp() - xact_start) FROM pg_stat_activity
         WHERE datname = current_database() AND application_name LIKE 'perdure%' AND pid <> pg_backend_pid()))
$$;

-- The bucket of a duration: 0 up to 1 ms, each next up to the square root of 2 times as long; 49: over 4.66 hours.
CREATE OR REPLACE FUNCTION duration_bucket(p_s double precision) RETURNS smallint LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN p_s <= 0.001 THEN 0 ELSE least(49, ceil(2 * ln(p_s * 1000) / ln(2::double precision)))::smallint END
$$;

-- The start of the minute, hour or day that a time lies in; one for all times for the span `ever`.
CREATE OR REPLACE FUNCTION span_start(p_span text, p_at timestamptz) RETURNS timestamptz LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE p_span WHEN 'ever' THEN timestamptz '-infinity' ELSE date_trunc(p_span, p_at, 'UTC') END
$$;

-- Count what ended since the last call: up to `p_limit` attempts and as many runs, or a little more where they ended in
-- the same instant. `more`: there is more to count by now. The counts and how far they reach are changed together, by one
-- at a time.
CREATE OR REPLACE FUNCTION fold_metrics(p_limit integer, OUT counted integer, OUT more boolean) LANGUAGE plpgsql
SET enable_seqscan = off AS $$
DECLARE
    f       metrics_folded;
    safe    timestamptz := all_ended_before();
    first   timestamptz := span_start('day', clock_now() - interval '7 days');
    stop    timestamptz;
BEGIN
    counted := 0;
    more := false;
    PERFORM set_config('synchronous_commit', 'off', true);
    SELECT * INTO f FROM metrics_folded FOR NO KEY UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    f.attempts_until := coalesce(f.attempts_until, first);
    f.runs_until := coalesce(f.runs_until, first);
    IF f.attempts_until < safe THEN
        stop := coalesce((SELECT a.ended_at FROM attempts a WHERE a.ended_at >= f.attempts_until AND a.ended_at < safe
                           ORDER BY a.ended_at OFFSET p_limit LIMIT 1), safe);
        stop := greatest(stop, f.attempts_until + interval '1 microsecond');
        counted := fold_attempts(f.attempts_until, stop);
        more := stop < safe;
        f.attempts_until := stop;
    END IF;
    IF f.runs_until < safe THEN
        stop := coalesce((SELECT r.ended_at FROM runs r WHERE r.ended_at >= f.runs_until AND r.ended_at < safe
                           ORDER BY r.ended_at OFFSET p_limit LIMIT 1), safe);
        stop := greatest(stop, f.runs_until + interval '1 microsecond');
        counted := counted + fold_runs(f.runs_until, stop);
        more := more OR stop < safe;
        f.runs_until := stop;
    END IF;
    UPDATE metrics_folded SET attempts_until = f.attempts_until, runs_until = f.runs_until;
END $$;

-- Attempts as they are counted. What came of one that failed is read from its step, unless that went on meanwhile.
CREATE OR REPLACE FUNCTION ended_attempts(p_from timestamptz, p_to timestamptz)
RETURNS TABLE (run_id bigint, "position" integer, ended_at timestamptz, outcome text, action text, queue text, host text,
               reason text, waited_on text, step_status text, took double precision, code text, message text, resources jsonb)
LANGUAGE sql STABLE AS $$
    SELECT a.run_id, a.position, a.ended_at, a.outcome, s.action, s.queue,
           (SELECT w.host FROM workers w WHERE w.id = a.owner),
           CASE a.outcome WHEN 'waiting' THEN a.result ->> 'waiting_for' END,
           -- Few depend on the same; each file may have a lock of its own, and `lock_contention` has those.
           CASE WHEN a.outcome = 'waiting' AND a.result ->> 'waiting_for' IN ('rate_limit', 'breaker', 'throttled')
                THEN left(a.result ->> 'on', 300) END,
           CASE WHEN s.attempt = a.attempt THEN s.status ELSE 'waiting' END,
           CASE WHEN a.outcome IN ('completed', 'failed') THEN extract(epoch FROM a.ended_at - a.started_at) END,
           CASE WHEN a.outcome IN ('failed', 'lost') THEN left(coalesce(a.error ->> 'code', 'error'), 100) END,
           CASE WHEN a.outcome IN ('failed', 'lost') THEN left(coalesce(a.error ->> 'message', ''), 500) END,
           a.resources
      FROM attempts a,
           LATERAL (SELECT x.action, x.queue, x.attempt, x.status FROM steps x
                     WHERE x.run_id = a.run_id AND x.position = a.position OFFSET 0) s
     WHERE a.ended_at >= p_from AND a.ended_at < p_to
$$;

-- A count that an action gave, of an attempt's resources; NULL for what is none, which must not keep the rest from being
-- counted. No more digits than thousands of attempts can have in one sum.
CREATE OR REPLACE FUNCTION resource_count(p_resources jsonb, p_name text) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN p_resources ->> p_name ~ '^[0-9]{1,15}$' THEN (p_resources ->> p_name)::bigint END
$$;

CREATE OR REPLACE FUNCTION fold_attempts(p_from timestamptz, p_to timestamptz) RETURNS integer LANGUAGE plpgsql
SET enable_seqscan = off AS $$
DECLARE
    kept  timestamptz := clock_now() - interval '48 hours';
    n     integer;
BEGIN
    WITH ended AS MATERIALIZED (
        SELECT e.*, date_trunc('minute', e.ended_at, 'UTC') AS at FROM ended_attempts(p_from, p_to) e
    ), spans AS (
        SELECT * FROM unnest(ARRAY['minute', 'hour', 'day', 'ever']) AS s(span)
    ), counted AS (
        SELECT e.at, k.kind, k.name, count(*) AS ended, count(*) FILTER (WHERE outcome = 'completed') AS completed,
               count(*) FILTER (WHERE outcome IN ('failed', 'lost') AND step_status IN ('failed', 'skipped')) AS failed,
               count(*) FILTER (WHERE outcome = 'failed' AND step_status NOT IN ('failed', 'skipped', 'completed'))
                   AS retried,
               count(*) FILTER (WHERE outcome IN ('failed', 'lost') AND step_status = 'completed') AS fallbacks,
               count(*) FILTER (WHERE outcome = 'skipped') AS skipped,
               count(*) FILTER (WHERE outcome = 'cancelled') AS cancelled,
               count(*) FILTER (WHERE outcome = 'waiting') AS waiting, count(*) FILTER (WHERE outcome = 'lost') AS lost,
               count(*) FILTER (WHERE outcome = 'handed_back') AS handed_back, count(took) AS timed,
               coalesce(sum(took), 0) AS duration_s,
               coalesce(sum((resources ->> 'cpu_s')::double precision), 0) AS cpu_s,
               max(resource_count(resources, 'peak_memory_bytes')) AS peak_memory,
               coalesce(sum(resource_count(resources, 'sent_bytes')), 0) AS sent_bytes,
               coalesce(sum(resource_count(resources, 'received_bytes')), 0) AS received_bytes,
               coalesce(sum(resource_count(resources, 'prompt_tokens')), 0) AS prompt_tokens,
               coalesce(sum(resource_count(resources, 'completion_tokens')), 0) AS completion_tokens
          FROM ended e, LATERAL (VALUES ('total', ''), ('action', e.action), ('queue', e.queue), ('host', e.host),
                                        ('reason', e.reason), ('on', e.waited_on),
                                        ('agent', left(e.resources ->> 'agent', 300))) k(kind, name)
         WHERE k.name IS NOT NULL GROUP BY 1, 2, 3
    ), counts AS (
        INSERT INTO metrics_counts AS m
        SELECT s.span, span_start(s.span, c.at), c.kind, c.name, sum(c.ended), sum(c.completed), sum(c.failed),
               sum(c.retried), sum(c.fallbacks), sum(c.skipped), sum(c.cancelled), sum(c.waiting), sum(c.lost),
               sum(c.handed_back), sum(c.timed), sum(c.duration_s), sum(c.cpu_s), max(c.peak_memory),
               sum(c.sent_bytes), sum(c.received_bytes), sum(c.prompt_tokens), sum(c.completion_tokens),
               min(c.at), max(c.at)
          FROM counted c, spans s
         WHERE CASE s.span WHEN 'minute' THEN c.at >= kept WHEN 'ever' THEN c.kind = ANY (kinds_for_ever()) ELSE true END
         GROUP BY 1, 2, 3, 4
            ON CONFLICT (span, kind, at, name) DO UPDATE
               SET ended = m.ended + excluded.ended, completed = m.completed + excluded.completed,
                   failed = m.failed + excluded.failed, retried = m.retried + excluded.retried,
                   fallbacks = m.fallbacks + excluded.fallbacks, skipped = m.skipped + excluded.skipped,
                   cancelled = m.cancelled + excluded.cancelled, waiting = m.waiting + excluded.waiting,
                   lost = m.lost + excluded.lost, handed_back = m.handed_back + excluded.handed_back,
                   timed = m.timed + excluded.timed, duration_s = m.duration_s + excluded.duration_s,
                   cpu_s = m.cpu_s + excluded.cpu_s, peak_memory = greatest(m.peak_memory, excluded.peak_memory),
                   sent_bytes = m.sent_bytes + excluded.sent_bytes,
                   received_bytes = m.received_bytes + excluded.received_bytes,
                   prompt_tokens = m.prompt_tokens + excluded.prompt_tokens,
                   completion_tokens = m.completion_tokens + excluded.completion_tokens,
                   last_at = greatest(m.last_at, excluded.last_at)
    ), sorted AS (
        SELECT e.at, k.kind, k.name, duration_bucket(e.took) AS bucket, count(*) AS n
          FROM ended e, LATERAL (VALUES ('total', ''), ('action', e.action)) k(kind, name)
         WHERE e.took IS NOT NULL GROUP BY 1, 2, 3, 4
    ), durations AS (
        INSERT INTO metrics_durations AS m
        SELECT s.span, span_start(s.span, d.at), d.kind, d.name, d.bucket, sum(d.n)
          FROM sorted d, spans s WHERE s.span <> 'minute' OR d.at >= kept GROUP BY 1, 2, 3, 4, 5
            ON CONFLICT (span, kind, at, name, bucket) DO UPDATE SET n = m.n + excluded.n
    ), errors AS (
        INSERT INTO metrics_errors AS m
        SELECT s.span, span_start(s.span, e.at), e.code, e.action, count(*),
               (array_agg(e.run_id ORDER BY e.ended_at DESC))[1], (array_agg(e.position ORDER BY e.ended_at DESC))[1],
               (array_agg(e.message ORDER BY e.ended_at DESC))[1], max(e.ended_at)
          FROM ended e, spans s
         WHERE e.code IS NOT NULL AND s.span <> 'ever' AND (s.span <> 'minute' OR e.at >= kept) GROUP BY 1, 2, 3, 4
            ON CONFLICT (span, at, code, action) DO UPDATE
               SET n = m.n + excluded.n, run_id = excluded.run_id, position = excluded.position,
                   message = excluded.message, last_at = excluded.last_at
    )
    SELECT count(*) INTO n FROM ended;
    RETURN n;
END $$;

-- The same for runs, by what they are for. Their duration is from the start asked for to the end.
CREATE OR REPLACE FUNCTION fold_runs(p_from timestamptz, p_to timestamptz) RETURNS integer LANGUAGE plpgsql
SET enable_seqscan = off AS $$
DECLARE
    kept  timestamptz := clock_now() - interval '48 hours';
    n     integer;
BEGIN
    WITH ended AS MATERIALIZED (
        SELECT date_trunc('minute', r.ended_at, 'UTC') AS at, r.status, d.kind AS name,
               greatest(0, extract(epoch FROM r.ended_at - r.created_at)::double precision) AS took
          FROM runs r, LATERAL (SELECT x.kind FROM run_documents x WHERE x.run_id = r.id OFFSET 0) d
         WHERE r.ended_at >= p_from AND r.ended_at < p_to
    ), spans AS (
        SELECT * FROM unnest(ARRAY['minute', 'hour', 'day', 'ever']) AS s(span)
    ), counts AS (
        INSERT INTO metrics_counts AS m
        SELECT s.span, span_start(s.span, e.at), 'run', e.name, count(*), count(*) FILTER (WHERE e.status = 'completed'),
               count(*) FILTER (WHERE e.status = 'failed'), 0, 0, 0, count(*) FILTER (WHERE e.status = 'cancelled'),
               0, 0, 0, count(*), sum(e.took), 0, NULL::bigint, 0, 0, 0, 0, min(e.at), max(e.at)
          FROM ended e, spans s WHERE s.span <> 'minute' OR e.at >= kept GROUP BY 1, 2, 3, 4
            ON CONFLICT (span, kind, at, name) DO UPDATE
               SET ended = m.ended + excluded.ended, completed = m.completed + excluded.completed,
                   failed = m.failed + excluded.failed, cancelled = m.cancelled + excluded.cancelled,
                   timed = m.timed + excluded.timed, duration_s = m.duration_s + excluded.duration_s,
                   last_at = greatest(m.last_at, excluded.last_at)
    ), durations AS (
        INSERT INTO metrics_durations AS m
        SELECT s.span, span_start(s.span, e.at), 'run', e.name, duration_bucket(e.took), count(*)
          FROM ended e, spans s WHERE s.span <> 'minute' OR e.at >= kept GROUP BY 1, 2, 3, 4, 5
            ON CONFLICT (span, kind, at, name, bucket) DO UPDATE SET n = m.n + excluded.n
    )
    SELECT count(*) INTO n FROM ended;
    RETURN n;
END $$;

CREATE OR REPLACE FUNCTION metric_kinds() RETURNS text[] LANGUAGE sql IMMUTABLE AS $$
    SELECT ARRAY['total', 'action', 'agent', 'queue', 'host', 'reason', 'on', 'run']
$$;

-- What is counted since the beginning. Hosts, and what was waited on, have new names all the time, and nobody asks.
CREATE OR REPLACE FUNCTION kinds_for_ever() RETURNS text[] LANGUAGE sql IMMUTABLE AS $$
    SELECT ARRAY['total', 'action', 'agent', 'queue', 'reason', 'run']
$$;

-- Remove counts that nobody asks for any more, in bounded batches: minutes after 48 hours, the others after 90 days; of
-- those since the beginning the agents, which may have any name, that were not seen for as long. The most of any one kind of rows.
CREATE OR REPLACE FUNCTION trim_metrics(p_limit integer) RETURNS integer LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
    long    timestamptz := clock_now() - interval '90 days';
    short   timestamptz := clock_now() - interval '48 hours';
    before  timestamptz;
    s       text;
    n       integer[];
    total   integer := 0;
BEGIN
    FOREACH s IN ARRAY ARRAY['minute', 'hour', 'day'] LOOP
        before := CASE s WHEN 'minute' THEN short ELSE long END;
        WITH counts AS (
            DELETE FROM metrics_counts WHERE ctid = ANY (ARRAY(
                SELECT ctid FROM metrics_counts
                 WHERE span = s AND kind = ANY (metric_kinds()) AND at < before LIMIT p_limit)) RETURNING 1
        ), durations AS (
            DELETE FROM metrics_durations WHERE ctid = ANY (ARRAY(
                SELECT ctid FROM metrics_durations
                 WHERE span = s AND kind = ANY (metric_kinds()) AND at < before LIMIT p_limit)) RETURNING 1
        ), errors AS (
            DELETE FROM metrics_errors WHERE ctid = ANY (ARRAY(
                SELECT ctid FROM metrics_errors WHERE span = s AND at < before LIMIT p_limit)) RETURNING 1
        )
        SELECT ARRAY[(SELECT count(*) FROM counts), (SELECT count(*) FROM durations), (SELECT count(*) FROM errors)] INTO n;
        total := greatest(total, n[1], n[2], n[3]);
    END LOOP;
    DELETE FROM metrics_counts WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM metrics_counts WHERE span = 'ever' AND kind = 'agent' AND last_at < long LIMIT p_limit));
    DELETE FROM lock_contention WHERE ctid = ANY (ARRAY(SELECT ctid FROM lock_contention WHERE hour < long LIMIT p_limit));
    -- The oldest by number; there is no index on the time.
    DELETE FROM breaker_changes WHERE id IN (
        SELECT c.id FROM (SELECT id, at FROM breaker_changes ORDER BY id LIMIT p_limit) c WHERE c.at < long);
    RETURN total;
END $$;

-- Note that a breaker changed. `p_actor`: who did it by hand.
CREATE OR REPLACE FUNCTION note_breaker_change(
    p_name text, p_before text, p_after text, p_at timestamptz, p_why text, p_actor text DEFAULT NULL
) RETURNS void LANGUAGE sql AS $$
    INSERT INTO breaker_changes (name, before, after, at, why, actor)
    VALUES (left(p_name, 300), p_before, p_after, p_at, left(p_why, 500), p_actor)
$$;

-- What is asked for of a window: counts of it and of the one before, durations of it, errors, and a point for each of its
-- minutes or hours (`p_point`). `until` is how far the counts reach; a window begins with a whole minute, hour or day.
CREATE OR REPLACE FUNCTION read_metrics(p_span text, p_point text, p_window interval) RETURNS jsonb LANGUAGE plpgsql STABLE
SET enable_seqscan = off AS $$
DECLARE
    f       metrics_folded;
    moment  timestamptz := clock_now();
    until_  timestamptz;
    since   timestamptz;
    before  timestamptz;
BEGIN
    SELECT * INTO f FROM metrics_folded;
    until_ := coalesce(least(f.attempts_until, f.runs_until), moment);
    since := date_trunc(p_span, until_ - p_window, 'UTC');
    before := since - p_window;
    RETURN jsonb_build_object(
        'now', wire_time(moment), 'since', wire_time(since), 'until', wire_time(until_),
        'seconds', extract(epoch FROM until_ - since), 'before_seconds', extract(epoch FROM p_window),
        'behind_s', round(extract(epoch FROM moment - until_), 3),
        'counts', (
            SELECT coalesce(jsonb_agg(to_jsonb(x)), '[]') FROM (
                SELECT m.kind, m.name, m.at >= since AS is_now, sum(m.ended) AS ended, sum(m.completed) AS completed,
                       sum(m.failed) AS failed, sum(m.retried) AS retried, sum(m.fallbacks) AS fallbacks,
                       sum(m.skipped) AS skipped, sum(m.cancelled) AS cancelled, sum(m.waiting) AS waiting,
                       sum(m.lost) AS lost, sum(m.handed_back) AS handed_back, sum(m.timed) AS timed,
                       sum(m.duration_s) AS duration_s, sum(m.cpu_s) AS cpu_s, max(m.peak_memory) AS peak_memory,
                       sum(m.sent_bytes) AS sent_bytes, sum(m.received_bytes) AS received_bytes,
                       sum(m.prompt_tokens) AS prompt_tokens, sum(m.completion_tokens) AS completion_tokens
                  FROM (SELECT * FROM metrics_counts
                         WHERE span = p_span AND kind = ANY (metric_kinds()) AND at >= since
                        UNION ALL
                        SELECT * FROM metrics_counts
                         WHERE span = p_span AND kind IN ('total', 'reason', 'on') AND at >= before AND at < since) m
                 GROUP BY 1, 2, 3 ORDER BY 3 DESC, 4 DESC LIMIT 1000) x),
        'durations', (
            SELECT coalesce(jsonb_agg(jsonb_build_array(x.kind, x.name, x.is_now, x.bucket, x.n)), '[]') FROM (
                SELECT m.kind, m.name, m.at >= since AS is_now, m.bucket, sum(m.n) AS n
                  FROM (SELECT kind, name, at, bucket, n FROM metrics_durations
                         WHERE span = p_span AND kind IN ('total', 'run', 'action') AND at >= since
                        UNION ALL
                        SELECT kind, name, at, bucket, n FROM metrics_durations
                         WHERE span = p_span AND kind = 'total' AND at >= before AND at < since) m
                 GROUP BY 1, 2, 3, 4 LIMIT 10000) x),
        'points', (
            SELECT jsonb_agg(jsonb_build_array(
                       wire_time(p.at), coalesce(m.completed, 0), coalesce(m.failed, 0), coalesce(m.retried, 0),
                       coalesce(m.lost, 0), coalesce(m.waiting, 0), coalesce(m.fallbacks, 0), (
                           SELECT coalesce(jsonb_agg(jsonb_build_array(d.bucket, d.n)), '[]') FROM metrics_durations d
                            WHERE d.span = p_point AND d.at = p.at AND d.kind = 'total' AND d.name = ''))
                   ORDER BY p.at)
              FROM generate_series(since, until_, CASE p_point WHEN 'minute' THEN interval '1 minute'
                                                              ELSE interval '1 hour' END) p(at)
              -- With its bounds: a merge would else read all minutes of two days, or all hours of 90.
              LEFT JOIN metrics_counts m ON m.span = p_point AND m.at = p.at AND m.kind = 'total' AND m.name = ''
                                        AND m.at >= since AND m.at <= until_),
        'errors', (
            SELECT coalesce(jsonb_agg(jsonb_build_object(
                       'code', x.code, 'action', x.action, 'count', x.n, 'count_before', x.n_before,
                       'message', l.message, 'last_at', wire_time(l.last_at),
                       'workflow_id', (SELECT r.public_id FROM runs r WHERE r.id = l.run_id),
                       'step', (SELECT s.key FROM steps s WHERE s.run_id = l.run_id AND s.position = l.position))
                   ORDER BY x.n DESC, x.code), '[]')
              FROM (SELECT e.code, e.action, coalesce(sum(e.n) FILTER (WHERE e.at >= since), 0) AS n,
                           coalesce(sum(e.n) FILTER (WHERE e.at < since), 0) AS n_before
                      FROM metrics_errors e WHERE e.span = p_span AND e.at >= before
                     GROUP BY 1, 2 ORDER BY 3 DESC, 4 DESC LIMIT 20) x,
                   -- The last of each is among the newest rows, so that few are looked at.
                   LATERAL (SELECT e.message, e.last_at, e.run_id, e.position FROM metrics_errors e
                             WHERE e.span = p_span AND e.at >= since AND e.code = x.code AND e.action = x.action
                             ORDER BY e.at DESC LIMIT 1) l),
        'locks', (
            SELECT jsonb_build_object(
                       'since', wire_time(date_trunc('hour', since, 'UTC')), 'waits', coalesce(sum(x.waits), 0),
                       'timeouts', coalesce(sum(x.timeouts), 0), 'waited_s', coalesce(sum(x.waited_s), 0),
                       'keys', coalesce(jsonb_agg(jsonb_build_object(
                           'key', x.key, 'waits', x.waits, 'timeouts', x.timeouts, 'waited_s', x.waited_s)
                           ORDER BY x.waited_s DESC, x.key) FILTER (WHERE x.place <= 20), '[]'))
              FROM (SELECT c.key, sum(c.waits) AS waits, sum(c.timeouts) AS timeouts, sum(c.waited_s) AS waited_s,
                           row_number() OVER (ORDER BY sum(c.waited_s) DESC, c.key) AS place
                      FROM (SELECT * FROM lock_contention WHERE hour >= date_trunc('hour', since, 'UTC')
                             ORDER BY hour DESC LIMIT 20000) c
                     GROUP BY c.key) x),
        'hosts', (
            SELECT coalesce(jsonb_agg(jsonb_build_object(
                       'host', x.host, 'reported_at', wire_time(x.reported_at),
                       'stale', x.reported_at < moment - interval '1 minute', 'level', x.level, 'reason', x.reason,
                       'cpu', round(x.cpu::numeric, 4), 'memory', round(x.memory::numeric, 4),
                       'disk', round(x.disk::numeric, 4), 'load_per_core', round(x.load_per_core::numeric, 3),
                       'cores', x.cores, 'memory_total_bytes', x.memory_total_bytes,
                       'memory_available_bytes', x.memory_available_bytes, 'disk_free_bytes', x.disk_free_bytes)
                   ORDER BY x.host), '[]')
              FROM (SELECT * FROM hosts WHERE reported_at >= moment - interval '1 hour'
                     ORDER BY reported_at DESC LIMIT 200) x),
        'breaker_changes', (SELECT count(*) FROM (
            SELECT c.at FROM breaker_changes c ORDER BY c.id DESC LIMIT 1000) c WHERE c.at >= since));
END $$;

-- Counts since the beginning, for who reckons rates himself. Where there are more, those that were seen first are
-- told: a counter that comes and goes is none.
CREATE OR REPLACE FUNCTION read_totals() RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT jsonb_build_object(
        'counts', (SELECT coalesce(jsonb_agg(to_jsonb(m) - 'span' - 'at' - 'first_at' - 'last_at'), '[]') FROM (
            SELECT * FROM metrics_counts WHERE span = 'ever' ORDER BY first_at, kind, name LIMIT 1000) m),
        'durations', (SELECT coalesce(jsonb_agg(jsonb_build_array(d.kind, d.name, d.bucket, d.n)), '[]') FROM (
            SELECT * FROM metrics_durations WHERE span = 'ever' AND kind IN ('action', 'run') LIMIT 20000) d),
        'runs', (SELECT coalesce(jsonb_object_agg(x.status, x.n), '{}') FROM (
            SELECT w.status, (SELECT count(*) FROM (SELECT FROM runs r WHERE r.status = w.status AND r.ended_at IS NULL
                                                     LIMIT 10000) y) AS n
              FROM unnest(ARRAY['pending', 'running', 'paused', 'cancelling']) w(status)) x))
$$;
