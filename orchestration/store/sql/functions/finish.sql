-- End an attempt: fence, outcome, release of dependents, counters and trace commit together.
-- `p_lease_before` is the sweep's guard: the attempt ends only if its lease was not renewed after that time.
CREATE OR REPLACE FUNCTION finish(
    p_run bigint, p_position integer, p_attempt integer, p_decision jsonb, p_resend real,
    p_lease_before timestamptz DEFAULT NULL
) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    r            runs;
    s            steps;
    moment       timestamptz;
    verb         text := p_decision ->> 'verb';
    step_status  text;
    run_status   text;
    due          timestamptz;
    ready        jsonb := '[]';
    changed      jsonb := '[]';
    expanded     record;
    freed        record;
    n_released   integer := 0;
    n_requeued   integer := 0;
    n_pending    integer := 0;
    n_cancelled  record;
    wakes        boolean := false;
    waits        jsonb;
    place        double precision;
    keeps_place  boolean;
BEGIN
    SELECT * INTO r FROM runs WHERE id = p_run FOR NO KEY UPDATE;
    -- A later statement than the lock, so that it sees what the holder before us committed.
    SELECT * INTO s FROM steps
     WHERE run_id = p_run AND position = p_position AND status = 'in_progress' AND attempt = p_attempt
       AND (p_lease_before IS NULL OR lease_until <= p_lease_before)
       FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN jsonb_build_object('status', 'lease_lost');
    END IF;
    moment := clock_now();

    -- No outcome may do nothing: a run that is stopping takes no work back, and a step cannot be cancelled alone.
    IF r.status = 'cancelling' AND verb IN ('retry', 'wait', 'hand_back') THEN
        verb := 'cancel';
    ELSIF r.status <> 'cancelling' AND verb = 'cancel' THEN
        verb := 'fail';
    END IF;
    step_status := CASE verb WHEN 'complete' THEN 'completed' WHEN 'skip' THEN 'skipped' WHEN 'cancel' THEN 'cancelled'
                             WHEN 'retry' THEN 'waiting' WHEN 'wait' THEN 'waiting' WHEN 'hand_back' THEN 'ready'
                             ELSE 'failed' END;

    IF verb IN ('complete', 'skip', 'continue') AND r.status <> 'cancelling' AND p_decision ? 'expand' THEN
        SELECT * INTO expanded FROM expand(r, s, p_decision -> 'expand', p_resend, moment);
        IF expanded.refusal IS NOT NULL THEN
            RETURN jsonb_build_object('status', 'refused_expansion', 'reason', expanded.refusal);
        END IF;
        r.total := r.total + expanded.added;
        r.next_position := r.next_position + expanded.added;
        n_requeued := expanded.queued;
        n_pending := expanded.added - expanded.queued;
        ready := expanded.ready;
    END IF;

    IF step_status = 'waiting' THEN
        due := CASE WHEN p_decision ? 'delay_s' THEN moment + make_interval(secs => (p_decision ->> 'delay_s')::real)
                    ELSE (p_decision ->> 'until')::timestamptz END;
        IF p_decision ->> 'reason' IN ('breaker', 'throttled') AND p_decision ? 'on' THEN
            place := gate_rank(s, r.priority, moment);
        END IF;
        -- Each that waits for the same comes back a little later than the one before it.
        IF p_decision ? 'spacing_s' THEN
            due := due + make_interval(secs => (p_decision ->> 'spacing_s')::real * CASE
                WHEN place IS NOT NULL THEN ahead_in_line(p_decision ->> 'on', place)
                ELSE (SELECT count(*) FROM (
                    SELECT FROM steps w WHERE w.waiting_on = p_decision ->> 'on' AND w.waiting_for IS NOT NULL LIMIT 500) x) END);
        END IF;
        -- The signal came while the step was on its way to wait for it: it must not wait for ever.
        IF p_decision ->> 'reason' = 'signal' AND EXISTS (
            SELECT FROM signals WHERE run_id = p_run AND position = p_position) THEN
            step_status := 'ready';
        END IF;
        n_requeued := n_requeued + 1;
    END IF;
    IF step_status = 'ready' THEN
        due := moment + make_interval(secs => p_resend);
        n_requeued := n_requeued + (verb = 'hand_back')::integer;
        IF NOT s.held THEN
            ready := ready || jsonb_build_array(jsonb_build_array(p_position, s.action, s.queue));
        END IF;
    END IF;
    keeps_place := verb = 'hand_back' OR (verb = 'wait' AND p_decision ->> 'reason' IN ('lock', 'rate_limit', 'retry'));
    UPDATE steps
       SET status = step_status, owner = NULL, lease_until = NULL, stop_requested = false, due_at = due,
           waiting_for = CASE WHEN step_status = 'waiting' THEN p_decision ->> 'reason' END,
           waiting_on = p_decision ->> 'on',
           -- Who was called from a line and waits at another gate, or lost its worker, has not had its turn.
           came_from = CASE WHEN place IS NOT NULL THEN p_decision ->> 'on'
                            WHEN keeps_place THEN came_from END,
           rank = CASE WHEN place IS NOT NULL THEN place WHEN keeps_place THEN rank END,
           -- What it waited for before its first failure is not time that was spent on retries.
           began_at = CASE WHEN verb = 'retry' AND failures = 0 THEN started_at ELSE began_at END,
           failures = failures + coalesce((p_decision ->> 'failures')::integer, 0),
           losses = losses + coalesce((p_decision ->> 'losses')::integer, 0),
           released = verb IN ('complete', 'skip', 'continue'),
           ended_at = CASE WHEN step_status IN ('waiting', 'ready') THEN NULL ELSE moment END
     WHERE run_id = p_run AND position = p_position;
    IF verb = 'wait' THEN
        waits := jsonb_strip_nulls(jsonb_build_object(
            'waiting_for', p_decision -> 'reason', 'on', p_decision -> 'on', 'message', p_decision #> '{result,message}'));
    END IF;
    INSERT INTO attempts (run_id, position, attempt, outcome, owner, started_at, ended_at, result, error, resources)
    VALUES (p_run, p_position, p_attempt, p_decision ->> 'outcome', s.owner, s.started_at, moment,
            -- What it came to wait for is counted from here.
            coalesce(waits, p_decision -> 'result'), p_decision -> 'error', p_decision -> 'resources');

    IF verb IN ('complete', 'skip', 'continue') THEN
        SELECT * INTO freed FROM free_dependents(p_run, s.dependents, p_resend, moment);
        n_released := freed.total;
        ready := freed.ready || ready;
        changed := freed.changed;
    END IF;

    r.active := r.active - 1;
    r.queued := r.queued + n_released + n_requeued;
    r.pending := r.pending - n_released + n_pending;
    r.completed := r.completed + (step_status = 'completed')::integer;
    r.failed := r.failed + (step_status = 'failed')::integer;
    r.skipped := r.skipped + (step_status = 'skipped')::integer;
    r.cancelled := r.cancelled + (step_status = 'cancelled')::integer;
    IF verb = 'fail' AND r.ending IS NULL THEN
        r.ending := 'failed';
        SELECT * INTO n_cancelled FROM cancel_open_steps(p_run, moment);
        r.pending := 0;
        r.queued := 0;
        r.cancelled := r.cancelled + n_cancelled.cancelled;
        ready := '[]';
        UPDATE run_documents SET error = (p_decision -> 'error') || jsonb_build_object('step', s.key) WHERE run_id = p_run;
    END IF;
    run_status := CASE WHEN r.pending + r.queued + r.active = 0 THEN coalesce(r.ending, 'completed')
                       WHEN r.ending IS NOT NULL THEN 'cancelling'
                       ELSE r.status END;
    UPDATE runs
       SET status = run_status, ending = r.ending, version = version + 1, total = r.total, pending = r.pending,
           queued = r.queued, active = r.active, completed = r.completed, failed = r.failed, skipped = r.skipped,
           cancelled = r.cancelled, next_position = r.next_position, early = false, updated_at = moment,
           ended_at = CASE WHEN r.pending + r.queued + r.active = 0 THEN moment END
     WHERE id = p_run;
    -- A step that comes to wait for a lock keeps its place, and one that waits for another gate its rank.
    IF r.gated AND NOT (step_status = 'waiting' AND p_decision ->> 'reason' = 'lock') THEN
        wakes := release_locks(
            p_run, p_position, CASE WHEN r.pending + r.queued + r.active = 0 THEN 'run'
                                    WHEN r.ending IS NOT NULL THEN 'line' ELSE 'step' END,
            step_status = 'waiting' AND p_decision ->> 'reason' <> 'retry');
    END IF;
    IF is_traced(p_attempt) OR run_status <> r.status THEN
        INSERT INTO trace (run_id, seq, position, attempt, kind, run_status, at, detail)
        VALUES (p_run, r.version + 1, p_position, p_attempt,
                CASE WHEN step_status = 'ready' THEN p_decision ->> 'outcome' ELSE step_status END,
                nullif(run_status, r.status), moment, coalesce(p_decision -> 'error', CASE WHEN step_status = 'waiting' THEN waits END));
    END IF;

    RETURN jsonb_build_object(
        'status', 'ok', 'step_status', step_status, 'run_status', run_status, 'version', r.version + 1,
        'ready', ready, 'changed', changed, 'wakes', wakes, 'due_at', due, 'total', r.total, 'completed', r.completed,
        'failed', r.failed, 'skipped', r.skipped);
END $$;

-- Count down the dependents of a step that was satisfied; those at zero are freed. The run row is locked by the caller.
-- One by one along the primary key: for a set of positions the planner may read the whole run, and search the set for
-- each row of it. Only what is needed is returned: the child of many parents has a long row.
CREATE OR REPLACE FUNCTION free_dependents(
    p_run bigint, p_dependents integer[], p_resend real, p_now timestamptz,
    OUT total integer, OUT ready jsonb, OUT changed jsonb
) LANGUAGE plpgsql AS $$
DECLARE
    dependent  integer;
    d          record;
    sendable   jsonb[] := '{}';
    freed      jsonb[] := '{}';
BEGIN
    FOREACH dependent IN ARRAY p_dependents LOOP
        UPDATE steps
           SET blocked_by = blocked_by - 1,
               status = CASE WHEN status <> 'pending' OR blocked_by > 1 THEN status
                             WHEN delay_s > 0 THEN 'waiting' ELSE 'ready' END,
               waiting_for = CASE WHEN status = 'pending' AND blocked_by = 1 AND delay_s > 0 THEN 'delay' END,
               due_at = CASE WHEN status = 'pending' AND blocked_by = 1 THEN p_now + make_interval(
                             secs => CASE WHEN delay_s > 0 THEN delay_s ELSE p_resend END) END
         WHERE run_id = p_run AND position = dependent
        RETURNING key, action, queue, status, held, attempt, waiting_for, due_at INTO d;
        IF d.status IN ('ready', 'waiting') THEN
            freed := array_append(
                freed, jsonb_build_array(dependent, d.key, d.status, d.attempt, d.waiting_for, d.due_at));
        END IF;
        IF d.status = 'ready' AND NOT d.held THEN
            sendable := array_append(sendable, jsonb_build_array(dependent, d.action, d.queue));
        END IF;
    END LOOP;
    total := cardinality(freed);
    ready := to_jsonb(sendable);
    changed := to_jsonb(freed);
END $$;

-- Cancel what has not begun, and ask what is in progress to stop. The run row is locked by the caller.
CREATE OR REPLACE FUNCTION cancel_open_steps(p_run bigint, p_now timestamptz, OUT cancelled integer, OUT asked integer)
LANGUAGE plpgsql AS $$
BEGIN
    UPDATE steps SET status = 'cancelled', ended_at = p_now, due_at = NULL, waiting_for = NULL
     WHERE run_id = p_run AND status IN ('pending', 'ready', 'waiting');
    GET DIAGNOSTICS cancelled = ROW_COUNT;
    UPDATE steps SET stop_requested = true WHERE run_id = p_run AND status = 'in_progress';
    GET DIAGNOSTICS asked = ROW_COUNT;
    IF asked > 0 THEN
        -- Heard by the process that keeps the leases, at commit; its heartbeat finds it otherwise.
        PERFORM pg_notify('perdure_stop', p_run::text);
    END IF;
END $$;

-- Insert the steps that an action added. Its dependents wait for the last of them as well.
CREATE OR REPLACE FUNCTION expand(
    r runs, s steps, p_expand jsonb, p_resend real, p_now timestamptz,
    OUT refusal text, OUT added integer, OUT queued integer, OUT ready jsonb
) LANGUAGE plpgsql AS $$
DECLARE
    ends  integer[];
BEGIN
    added := jsonb_array_length(p_expand -> 'steps');
    IF r.total + added > r.max_steps THEN
        refusal := format('the run would have %s steps, its limit is %s', r.total + added, r.max_steps);
        RETURN;
    END IF;
    -- Counted, not asked with EXISTS, which may be planned as a look at every key of the run.
    SELECT CASE WHEN e.disabled THEN format('step key %s is disabled', to_json(e.key))
                WHEN e.times > 1 THEN format('step key %s is given twice', to_json(e.key))
                ELSE format('step key %s is already used in the run', to_json(e.key)) END INTO refusal
      FROM (SELECT n.key, bool_or(n.disabled) AS disabled, count(*) AS times
              FROM jsonb_to_recordset(p_expand -> 'steps') AS n(key text, disabled boolean) GROUP BY n.key) e
     WHERE e.disabled OR e.times > 1
        OR (SELECT count(*) FROM steps k WHERE k.run_id = r.id AND k.key = e.key) > 0 LIMIT 1;
    IF refusal IS NOT NULL THEN
        RETURN;
    END IF;
    PERFORM insert_steps(r.id, r.next_position, s.position, s.held, p_expand -> 'steps', p_resend, p_now);
    SELECT coalesce(array_agg(r.next_position + l::integer), '{}') INTO ends FROM jsonb_array_elements_text(p_expand -> 'leaves') l;
    UPDATE steps SET dependents = dependents || s.dependents WHERE run_id = r.id AND position = ANY(ends);
    UPDATE steps SET needs = needs || ends, blocked_by = blocked_by + cardinality(ends)
     WHERE run_id = r.id AND position = ANY(s.dependents);
    SELECT count(*),
           coalesce(jsonb_agg(jsonb_build_array(e.position, e.action, e.queue) ORDER BY e.position)
                    FILTER (WHERE e.status = 'ready' AND NOT e.held), '[]')
      INTO queued, ready
      FROM steps e
     WHERE e.run_id = r.id AND e.position >= r.next_position AND e.status IN ('ready', 'waiting');
END $$;
