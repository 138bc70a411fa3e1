-- What lists and overviews show beside a run's own line. Nothing here costs more as runs or the history grow.

-- The step in hand of a run that goes on, and the step that a failed one failed at; null for other runs.
-- In a chain the step in hand is the one behind those that ended, which are counted; elsewhere it is looked for around
-- that place, among 200 steps and no more, and may not be found in a run of thousands.
CREATE OR REPLACE FUNCTION shown_step_in_hand(r runs, d run_documents) RETURNS jsonb LANGUAGE plpgsql STABLE AS $$
DECLARE
    ended  integer := r.completed + r.failed + r.skipped + r.cancelled;
    s      steps;
BEGIN
    IF r.status = 'failed' THEN
        SELECT * INTO s FROM steps x WHERE x.run_id = r.id AND x.key = d.error ->> 'step';
    ELSIF r.ended_at IS NULL THEN
        IF r.active > 0 THEN
            SELECT * INTO s FROM steps x WHERE x.run_id = r.id AND x.status = 'in_progress' ORDER BY x.position LIMIT 1;
        END IF;
        IF s.run_id IS NULL AND r.queued > 0 THEN
            SELECT x.* INTO s
              FROM (SELECT * FROM steps y
                     WHERE y.run_id = r.id AND y.position >= CASE WHEN r.total <= 200 THEN 0 ELSE ended - 100 END
                     ORDER BY y.position LIMIT 200) x
             WHERE x.status IN ('ready', 'waiting') ORDER BY x.position LIMIT 1;
        END IF;
    END IF;
    IF s.run_id IS NULL THEN
        RETURN NULL;
    END IF;
    RETURN (
        SELECT jsonb_build_object(
                   'index', s.position, 'key', s.key, 'label', clip_text(sd.label, 200),
                   'status', wire_step_status(s.status), 'waiting_for', s.waiting_for,
                   'until', CASE WHEN s.status = 'waiting' THEN wire_time(s.due_at) END,
                   'waiting_on', CASE WHEN s.status = 'waiting' THEN left(s.waiting_on, 200) END, 'percent', CASE
                       WHEN s.status = 'in_progress' THEN (
                           SELECT CASE jsonb_typeof(p.document -> 'percent')
                                      WHEN 'number' THEN p.document -> 'percent' END
                             FROM progress p
                            WHERE p.run_id = s.run_id AND p.position = s.position AND p.attempt = s.attempt) END)
          FROM step_documents sd WHERE sd.run_id = s.run_id AND sd.position = s.position);
END $$;

-- The id from which on runs started at a time or later. Ids grow with the time of the start, give or take what a start
-- waits for a lock, and there is no index on that time. Looked for by halving, along the primary key.
CREATE OR REPLACE FUNCTION first_run_since(p_at timestamptz) RETURNS bigint LANGUAGE plpgsql STABLE AS $$
DECLARE
    low     bigint := (SELECT min(id) FROM runs);
    high    bigint := (SELECT max(id) + 1 FROM runs);
    middle  bigint;
    id_     bigint;
    at      timestamptz;
BEGIN
    -- Runs below `low` started before; those from `high` on did not.
    WHILE low < high LOOP
        middle := low + (high - low) / 2;
        SELECT r.id, r.created_at INTO id_, at FROM runs r WHERE r.id >= middle ORDER BY r.id LIMIT 1;
        IF id_ < high AND at < p_at THEN
            low := id_ + 1;
        ELSE
            high := middle;
        END IF;
    END LOOP;
    RETURN low;
END $$;

-- How many runs have each status of the wire: of the unfinished at most `p_most` each, and of the newest `p_most` that
-- ended within so many seconds. Where more did, `within_s` is the shorter time in which those ended.
CREATE OR REPLACE FUNCTION count_runs(p_within_s double precision, p_most integer)
RETURNS TABLE (counts jsonb, within_s double precision) LANGUAGE plpgsql STABLE AS $$
DECLARE
    moment  timestamptz := clock_now();
    since   timestamptz := moment - make_interval(secs => p_within_s);
    oldest  timestamptz;
    ended   jsonb;
    seen    bigint;
BEGIN
    SELECT jsonb_object_agg(x.status, x.n), min(x.oldest), sum(x.n)
      INTO ended, oldest, seen
      FROM (SELECT y.status, count(*) AS n, min(y.ended_at) AS oldest
              FROM (SELECT r.status, r.ended_at FROM runs r
                     WHERE r.ended_at > since ORDER BY r.ended_at DESC LIMIT p_most) y
             GROUP BY y.status) x;
    SELECT '{"completed": 0, "failed": 0, "cancelled": 0}' || coalesce(ended, '{}') || jsonb_object_agg(x.status, x.n)
      INTO counts
      FROM (SELECT wire_run_status(w.status) AS status, least(sum(c.n), p_most) AS n
              FROM unnest(ARRAY['pending', 'running', 'paused', 'cancelling']) w(status),
                   LATERAL (SELECT count(*) AS n FROM (SELECT FROM runs r WHERE r.status = w.status LIMIT p_most) y) c
             GROUP BY 1) x;
    within_s := CASE WHEN seen >= p_most THEN extract(epoch FROM moment - oldest) ELSE p_within_s END;
    RETURN NEXT;
END $$;

-- Medians of how long runs like this one took, and each of their steps: the last 20 that completed among the newest 2,000
-- that ended. Alike are runs of the same template; without one, those of the same name with as many steps.
-- Of each the first 500 steps are looked at. Times in milliseconds.
CREATE OR REPLACE FUNCTION run_durations(p_public text) RETURNS jsonb LANGUAGE sql STABLE AS $$
    WITH mine AS (
        SELECT r.id, r.total, d.template_id, d.name
          FROM runs r JOIN run_documents d ON d.run_id = r.id WHERE r.public_id = p_public
    ), alike AS MATERIALIZED (
        SELECT x.id, x.took
          FROM mine m,
               LATERAL (SELECT r.id, r.total, r.status, r.ended_at, r.ended_at - r.created_at AS took
                          FROM runs r WHERE r.ended_at IS NOT NULL ORDER BY r.ended_at DESC LIMIT 2000) x,
               LATERAL (SELECT d.template_id, d.name FROM run_documents d WHERE d.run_id = x.id OFFSET 0) d
         WHERE x.status = 'completed' AND x.id <> m.id
           AND CASE WHEN m.template_id IS NOT NULL THEN d.template_id = m.template_id
                    ELSE d.template_id IS NULL AND d.name = m.name AND x.total = m.total END
         ORDER BY x.ended_at DESC LIMIT 20
    ), each AS (
        SELECT s.key, percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM s.ended_at - s.started_at)) AS took
          FROM alike a,
               LATERAL (SELECT * FROM steps x WHERE x.run_id = a.id AND x.position < 500 OFFSET 0) s
         WHERE s.status = 'completed' AND s.ended_at >= s.started_at GROUP BY s.key
    )
    SELECT jsonb_build_object(
               'samples', (SELECT count(*) FROM alike),
               'run_ms', (SELECT round(percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM a.took))
                                       * 1000)::bigint FROM alike a),
               'steps', (SELECT coalesce(jsonb_object_agg(e.key, round(e.took * 1000)::bigint), '{}') FROM each e))
      FROM mine
$$;
