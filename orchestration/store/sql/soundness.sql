-- What must never happen to a row. Functions of the tables, not of a version of the engine: a change is a new function
-- and a new constraint, so that processes of the release before go on writing.

-- Volatile, or the planner would evaluate it to see what it answers.
CREATE FUNCTION public.refuse_row(p_table text, p_rule text) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = 'check_violation', TABLE = p_table, CONSTRAINT = p_rule,
                          MESSAGE = 'row of "' || p_table || '" breaks the rule "' || p_rule || '"';
END $$;

CREATE FUNCTION public.run_is_sound(
    status text, ending text, total integer, pending integer, queued integer, active integer, completed integer,
    failed integer, skipped integer, cancelled integer, ended_at timestamptz
) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    is_finished  boolean := status IN ('completed', 'failed', 'cancelled');
BEGIN
    IF total = pending + queued + active + completed + failed + skipped + cancelled
       AND least(pending, queued, active, completed, failed, skipped, cancelled) >= 0
       AND is_finished = (ended_at IS NOT NULL) AND is_finished = (pending + queued + active = 0)
       AND (is_finished OR (status = 'running' AND queued + active > 0))
    THEN
        RETURN ending IS NULL OR ending IN ('failed', 'cancelled') OR public.refuse_row('runs', 'runs_ending_check');
    END IF;
    -- The rest is rare: a run that is not simply running or finished, and what is refused.
    RETURN CASE
        WHEN least(pending, queued, active, completed, failed, skipped, cancelled) < 0
            THEN public.refuse_row('runs', 'runs_counters_not_negative')
        WHEN total <> pending + queued + active + completed + failed + skipped + cancelled
            THEN public.refuse_row('runs', 'runs_counters_add_up')
        WHEN status NOT IN ('pending', 'running', 'paused', 'cancelling', 'completed', 'failed', 'cancelled')
            THEN public.refuse_row('runs', 'runs_status_check')
        WHEN ending NOT IN ('failed', 'cancelled') THEN public.refuse_row('runs', 'runs_ending_check')
        WHEN is_finished <> (ended_at IS NOT NULL) THEN public.refuse_row('runs', 'runs_ended_when_finished')
        WHEN is_finished <> (pending + queued + active = 0)
            THEN public.refuse_row('runs', 'runs_finished_when_nothing_is_open')
        WHEN status = 'running' AND queued + active = 0 THEN public.refuse_row('runs', 'runs_running_has_work')
        WHEN status = 'cancelling' AND (active = 0 OR pending > 0 OR queued > 0 OR ending IS NULL)
            THEN public.refuse_row('runs', 'runs_cancelling_has_only_active')
        ELSE true
    END;
END $$;

CREATE FUNCTION public.step_is_sound(
    status text, waiting_for text, blocked_by integer, released boolean, owner text, lease_until timestamptz,
    due_at timestamptz, ended_at timestamptz
) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    is_ended  boolean := status IN ('completed', 'failed', 'skipped', 'cancelled');
BEGIN
    RETURN CASE
        WHEN NOT is_ended AND status NOT IN ('pending', 'ready', 'in_progress', 'waiting')
            THEN public.refuse_row('steps', 'steps_status_check')
        WHEN (status = 'in_progress') <> (owner IS NOT NULL) OR (status = 'in_progress') <> (lease_until IS NOT NULL)
            THEN public.refuse_row('steps', 'steps_held_by_a_lease')
        WHEN (status = 'waiting') <> (waiting_for IS NOT NULL)
            THEN public.refuse_row('steps', 'steps_waiting_has_a_reason')
        WHEN waiting_for NOT IN ('retry', 'delay', 'lock', 'rate_limit', 'breaker', 'throttled', 'signal')
            THEN public.refuse_row('steps', 'steps_waiting_for_check')
        WHEN is_ended <> (ended_at IS NOT NULL) THEN public.refuse_row('steps', 'steps_ended_has_a_time')
        WHEN blocked_by < 0 THEN public.refuse_row('steps', 'steps_blocked_by_check')
        WHEN NOT is_ended AND (status = 'pending') <> (blocked_by > 0)
            THEN public.refuse_row('steps', 'steps_open_when_unblocked')
        WHEN released AND (NOT is_ended OR status = 'cancelled')
            THEN public.refuse_row('steps', 'steps_released_when_satisfied')
        WHEN due_at IS NOT NULL AND status NOT IN ('ready', 'waiting')
            THEN public.refuse_row('steps', 'steps_due_only_when_queued')
        ELSE true
    END;
END $$;

-- Not checked for the rows that are there: the constraints replaced by these held for them.
ALTER TABLE runs ADD CONSTRAINT runs_are_sound CHECK (public.run_is_sound(
    status, ending, total, pending, queued, active, completed, failed, skipped, cancelled, ended_at)) NOT VALID;
ALTER TABLE steps ADD CONSTRAINT steps_are_sound CHECK (public.step_is_sound(
    status, waiting_for, blocked_by, released, owner, lease_until, due_at, ended_at)) NOT VALID;
