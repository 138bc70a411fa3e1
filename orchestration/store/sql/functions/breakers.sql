-- What people have said breakers are to be, and who waits on them.

CREATE OR REPLACE FUNCTION order_breaker(p_name text, p_state text, p_actor text) RETURNS void LANGUAGE sql AS $$
    INSERT INTO breaker_orders (name, state, actor, at) VALUES (p_name, p_state, p_actor, clock_now())
    ON CONFLICT (name) DO UPDATE SET state = excluded.state, actor = excluded.actor, at = excluded.at
$$;

-- Leave a forced breaker to itself, all of them where `p_name` is NULL; how many there were.
CREATE OR REPLACE FUNCTION leave_breakers(p_name text, p_actor text) RETURNS integer LANGUAGE sql AS $$
    WITH left_alone AS (
        UPDATE breaker_orders SET state = 'auto', actor = p_actor, at = clock_now()
         WHERE (p_name IS NULL OR name = p_name) AND state <> 'auto' RETURNING 1)
    SELECT count(*)::integer FROM left_alone
$$;

CREATE OR REPLACE FUNCTION is_breaker_awaited(p_name text) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT FROM steps WHERE waiting_on = 'breaker:' || p_name AND waiting_for IS NOT NULL)
$$;

-- The breakers that steps wait on, among the first `p_most` names that anybody waits on: from one to the next along the
-- index, however many wait.
CREATE OR REPLACE FUNCTION awaited_breakers(p_most integer) RETURNS jsonb LANGUAGE sql STABLE AS $$
    WITH RECURSIVE line AS (
        (SELECT s.waiting_on FROM steps s WHERE s.waiting_for IS NOT NULL AND s.waiting_on IS NOT NULL
          ORDER BY s.waiting_on LIMIT 1)
        UNION ALL
        SELECT (SELECT s.waiting_on FROM steps s WHERE s.waiting_for IS NOT NULL AND s.waiting_on > line.waiting_on
                 ORDER BY s.waiting_on LIMIT 1)
          FROM line WHERE line.waiting_on IS NOT NULL)
    SELECT coalesce(jsonb_agg(substr(l.waiting_on, 9)) FILTER (WHERE l.waiting_on LIKE 'breaker:%'), '[]')
      FROM (SELECT waiting_on FROM line LIMIT p_most) l
$$;

-- Forget breakers that have been left to themselves for 90 days.
CREATE OR REPLACE FUNCTION trim_breaker_orders() RETURNS void LANGUAGE sql AS $$
    DELETE FROM breaker_orders WHERE state = 'auto' AND at < clock_now() - interval '90 days'
$$;
