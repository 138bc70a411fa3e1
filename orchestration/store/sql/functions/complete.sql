-- End an attempt whose action succeeded and added no steps: what `finish` does for the commonest of its outcomes, in as few
-- statements as that takes. With `p_hand_over` seconds of lease the worker also claims the step's first dependent, if
-- this made it ready and it is for the same queue: a claim that needs no message and no commit of its own.
CREATE OR REPLACE FUNCTION complete(
    p_run bigint, p_position integer, p_attempt integer, p_result jsonb, p_resend real, p_owner text, p_hand_over real,
    p_resources jsonb DEFAULT NULL
) RETURNS json LANGUAGE plpgsql AS $$
DECLARE
    r           runs;
    s           record;
    taken       steps;
    freed       record;
    moment      timestamptz;
    rest        integer[];
    n_released  integer := 0;
    n_taken     integer := 0;
    wakes       boolean := false;
    run_status  text;
    ready       jsonb := '[]';
    changed     jsonb := '[]';
BEGIN
    SELECT * INTO r FROM runs WHERE id = p_run FOR NO KEY UPDATE;
    -- A later statement than the lock, so that it sees what the holder before us committed; and the fence.
    moment := clock_now();
    UPDATE steps
       SET status = 'completed', owner = NULL, lease_until = NULL, stop_requested = false, released = true,
           ended_at = moment
     WHERE run_id = p_run AND position = p_position AND status = 'in_progress' AND attempt = p_attempt
    RETURNING queue, started_at, dependents INTO s;
    IF NOT FOUND THEN
        RETURN json_build_object('status', 'lease_lost');
    END IF;
    INSERT INTO attempts (run_id, position, attempt, outcome, owner, started_at, ended_at, result, resources)
    VALUES (p_run, p_position, p_attempt, 'completed', p_owner, s.started_at, moment, p_result, p_resources);

    rest := s.dependents;
    IF p_hand_over IS NOT NULL AND r.status = 'running' AND rest <> '{}' THEN
        UPDATE steps
           SET status = 'in_progress', blocked_by = 0, attempt = attempt + 1, owner = p_owner,
               lease_until = moment + make_interval(secs => p_hand_over), started_at = moment, began_at = moment, sends = 0
         WHERE run_id = p_run AND position = rest[1] AND status = 'pending' AND blocked_by = 1 AND delay_s = 0
           AND NOT held AND queue = s.queue
        RETURNING * INTO taken;
        IF FOUND THEN
            n_taken := 1;
            rest := rest[2:];
        END IF;
    END IF;
    IF rest <> '{}' THEN
        SELECT * INTO freed FROM free_dependents(p_run, rest, p_resend, moment);
        n_released := freed.total;
        ready := freed.ready;
        changed := freed.changed;
    END IF;

    r.early := let_go_early(r);
    r.active := r.active - 1 + n_taken;
    r.queued := r.queued + n_released;
    r.pending := r.pending - n_released - n_taken;
    r.completed := r.completed + 1;
    run_status := CASE WHEN r.pending + r.queued + r.active = 0 THEN coalesce(r.ending, 'completed') ELSE r.status END;
    UPDATE runs
       SET status = run_status, version = version + 1 + n_taken, pending = r.pending, queued = r.queued,
           active = r.active, completed = r.completed, early = r.early, updated_at = moment,
           ended_at = CASE WHEN r.pending + r.queued + r.active = 0 THEN moment END
     WHERE id = p_run;
    IF r.gated THEN
        wakes := release_locks(p_run, p_position, CASE WHEN r.pending + r.queued + r.active = 0 THEN 'run' ELSE 'step' END);
    END IF;
    INSERT INTO trace (run_id, seq, position, attempt, kind, run_status, at)
    SELECT p_run, r.version + 1, p_position, p_attempt, 'completed', nullif(run_status, r.status), moment
     WHERE is_traced(p_attempt) OR run_status <> r.status
    UNION ALL
    SELECT p_run, r.version + 2, taken.position, taken.attempt, 'claimed', NULL, moment
     WHERE n_taken = 1 AND is_traced(taken.attempt);

    RETURN json_build_object(
        'status', 'ok', 'early', r.early, 'step_status', 'completed', 'run_status', run_status, 'version', r.version + 1 + n_taken,
        'ready', ready, 'changed', changed, 'wakes', wakes, 'total', r.total, 'completed', r.completed, 'failed', r.failed,
        'skipped', r.skipped, 'next', CASE WHEN n_taken = 1 THEN describe_claim(taken, moment) END);
END $$;
