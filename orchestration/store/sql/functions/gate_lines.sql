-- The lines of breakers (`breaker:` and its name) and of loaded hosts (`throttle:` and its name). Who stands in one is
-- called by whoever learns that there is room: a success, the end of a step, and the janitor, which looks at each line that exists
-- with every sweep. The last alone would do, so that no wake-up is ever lost; `due_at` is only for when nobody sweeps.
--
-- A line is ordered by rank, as those of locks are: the time of asking less a head start for each level of priority. A step
-- keeps its rank until its action has begun, whatever other gate it has to wait at meanwhile.

-- The place of a step that comes to wait.
CREATE OR REPLACE FUNCTION gate_rank(s steps, p_priority integer, p_now timestamptz) RETURNS double precision
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN s.came_from IS NOT NULL AND s.rank IS NOT NULL THEN s.rank
                ELSE extract(epoch FROM p_now) - p_priority * 30 END
$$;

-- How many stand before this place in a line, 500 at most.
CREATE OR REPLACE FUNCTION ahead_in_line(p_on text, p_rank double precision) RETURNS integer LANGUAGE sql STABLE AS $$
    SELECT count(*)::integer FROM (
        SELECT FROM steps w
         WHERE w.waiting_on = p_on AND w.waiting_for IN ('breaker', 'throttled') AND NOT w.held AND w.rank < p_rank
         LIMIT 500) x
$$;

-- A host that has not reported for so long may be gone; it reports every 5 s.
CREATE OR REPLACE FUNCTION heard_within() RETURNS interval LANGUAGE sql IMMUTABLE AS $$ SELECT interval '20 seconds' $$;

-- The lines that somebody stands in, by name, with their heads; what follows `p_after`. One look at the index for each line,
-- however long it is. `level` is that of the host, null when it is silent; `elsewhere` whether another host has room.
CREATE OR REPLACE FUNCTION read_gate_lines(p_after text, p_limit integer) RETURNS jsonb LANGUAGE plpgsql STABLE AS $$
DECLARE
    moment  timestamptz := clock_now();
    line    text := p_after;
    lines   jsonb := '[]';
    head    record;
    said    text;
    room    boolean;
BEGIN
    WHILE jsonb_array_length(lines) < p_limit LOOP
        SELECT s.waiting_on, s.rank, s.run_id, s.position INTO head FROM steps s
         WHERE s.waiting_for IN ('breaker', 'throttled') AND s.waiting_on IS NOT NULL AND NOT s.held
           AND s.waiting_on > line
         ORDER BY s.waiting_on, s.rank, s.run_id, s.position LIMIT 1;
        EXIT WHEN NOT FOUND;
        line := head.waiting_on;
        lines := lines || jsonb_build_object(
            'on', line, 'head', jsonb_build_array(coalesce(head.rank, 1e300), head.run_id, head.position));
        IF line LIKE 'throttle:%' THEN
            said := (SELECT h.level FROM hosts h
                      WHERE h.host = substr(line, 10) AND h.reported_at > moment - heard_within());
            room := EXISTS (SELECT FROM hosts h WHERE h.host <> substr(line, 10) AND h.level = 'ok'
                               AND h.reported_at > moment - heard_within());
            lines := jsonb_set(lines, '{-1}', lines -> -1 || jsonb_build_object('level', said, 'elsewhere', room));
        END IF;
    END LOOP;
    RETURN jsonb_build_object('at', extract(epoch FROM moment), 'lines', lines);
END $$;

-- Make the next of a line due, first in line first; each is a row of its own. Who was called already is left out, and
-- what is locked is changing anyway. Answers how many.
CREATE OR REPLACE FUNCTION call_next(p_on text, p_count integer) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    called  integer;
BEGIN
    -- Apart from the update, with which it might be planned to run more than once. The time is that of the look at each row: who
    -- was called since this began is due later than it began.
    WITH next AS (
        SELECT run_id, position FROM steps
         WHERE waiting_on = p_on AND waiting_for IN ('breaker', 'throttled') AND NOT held
           AND due_at > clock_now()
         ORDER BY waiting_on, rank, run_id, position LIMIT p_count FOR NO KEY UPDATE SKIP LOCKED)
    UPDATE steps s SET due_at = clock_now() FROM next n WHERE s.run_id = n.run_id AND s.position = n.position;
    GET DIAGNOSTICS called = ROW_COUNT;
    RETURN called;
END $$;

-- The same for some lines at once, `p_waves` {line: how many}; and send what is due now, see `sweep_due`.
CREATE OR REPLACE FUNCTION wake_waves(p_waves jsonb, p_limit integer, p_resend real) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    wave    record;
    called  integer := 0;
BEGIN
    FOR wave IN SELECT key AS line, value::integer AS most FROM jsonb_each_text(p_waves) ORDER BY key LOOP
        called := called + call_next(wave.line, wave.most);
    END LOOP;
    RETURN CASE WHEN called > 0 THEN sweep_due(p_limit, p_resend) ELSE '[]' END;
END $$;

CREATE OR REPLACE FUNCTION wake_waiting(p_on text, p_count integer, p_limit integer, p_resend real) RETURNS jsonb
LANGUAGE sql AS $$
    SELECT wake_waves(jsonb_build_object(p_on, p_count), p_limit, p_resend)
$$;
