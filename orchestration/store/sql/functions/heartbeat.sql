-- Renew the leases of one process, all in one call. Never waits behind a transition: what is locked answers `busy`.
CREATE OR REPLACE FUNCTION heartbeat(
    p_owner text, p_runs bigint[], p_positions integer[], p_attempts integer[], p_lease real
) RETURNS TABLE (run_id bigint, "position" integer, attempt integer, answer text) LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    -- A renewal lost in a crash is renewed again a second later; it need not wait for the disk.
    PERFORM set_config('synchronous_commit', 'off', true);
    RETURN QUERY
    WITH held AS (
        SELECT h.run_id, h.position, h.attempt FROM unnest(p_runs, p_positions, p_attempts) AS h(run_id, position, attempt)
    ), mine AS (
        SELECT s.run_id, s.position FROM steps s JOIN held h ON h.run_id = s.run_id AND h.position = s.position
         WHERE s.status = 'in_progress' AND s.attempt = h.attempt AND s.owner = p_owner
           FOR NO KEY UPDATE OF s SKIP LOCKED
    ), renewed AS (
        UPDATE steps s SET lease_until = clock_now() + make_interval(secs => p_lease)
          FROM mine m WHERE s.run_id = m.run_id AND s.position = m.position
        RETURNING s.run_id, s.position, s.attempt, s.stop_requested
    )
    SELECT h.run_id, h.position, h.attempt,
           CASE WHEN n.stop_requested THEN 'stop'
                WHEN n.run_id IS NOT NULL THEN 'ok'
                WHEN s.run_id IS NOT NULL THEN 'busy'
                ELSE 'lost' END
      FROM held h
      LEFT JOIN renewed n ON n.run_id = h.run_id AND n.position = h.position AND n.attempt = h.attempt
      LEFT JOIN steps s ON s.run_id = h.run_id AND s.position = h.position
                       AND s.status = 'in_progress' AND s.attempt = h.attempt AND s.owner = p_owner;
END $$;
