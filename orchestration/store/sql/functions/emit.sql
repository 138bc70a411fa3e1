-- What a running attempt saves. All are fenced: they answer false, and change nothing, once a later attempt holds the step.
CREATE OR REPLACE FUNCTION save_checkpoint(p_run bigint, p_position integer, p_attempt integer, p_data jsonb)
RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    -- The share lock keeps the attempt from being taken over between the look and the write.
    PERFORM 1 FROM steps WHERE run_id = p_run AND position = p_position AND status = 'in_progress'
        AND attempt = p_attempt FOR SHARE;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    INSERT INTO checkpoints VALUES (p_run, p_position, p_attempt, p_data, clock_now())
    ON CONFLICT (run_id, position) DO UPDATE
       SET attempt = excluded.attempt, data = excluded.data, saved_at = excluded.saved_at;
    RETURN true;
END $$;

CREATE OR REPLACE FUNCTION save_progress(p_run bigint, p_position integer, p_attempt integer, p_document jsonb)
RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM steps WHERE run_id = p_run AND position = p_position AND status = 'in_progress'
        AND attempt = p_attempt;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    INSERT INTO progress VALUES (p_run, p_position, p_attempt, p_document, clock_now())
    ON CONFLICT (run_id, position) DO UPDATE
       SET attempt = excluded.attempt, document = excluded.document, updated_at = excluded.updated_at
     WHERE progress.attempt <= excluded.attempt;
    RETURN true;
END $$;

-- At most 4 MiB a step and 64 MiB a run (the row of position -1 counts the run). False once a limit is reached.
CREATE OR REPLACE FUNCTION save_log(
    p_run bigint, p_position integer, p_attempt integer, p_offsets bigint[], p_levels text[], p_texts text[]
) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    added  bigint := (SELECT sum(octet_length(t)) FROM unnest(p_texts) t);
    spent  bigint;
BEGIN
    PERFORM 1 FROM steps WHERE run_id = p_run AND position = p_position AND status = 'in_progress'
        AND attempt = p_attempt;
    IF NOT FOUND THEN
        RETURN true;
    END IF;
    INSERT INTO log_sizes VALUES (p_run, p_position, added)
    ON CONFLICT (run_id, position) DO UPDATE SET size = log_sizes.size + added RETURNING size INTO spent;
    IF spent > 4194304 THEN
        RETURN false;
    END IF;
    INSERT INTO log_sizes VALUES (p_run, -1, added)
    ON CONFLICT (run_id, position) DO UPDATE SET size = log_sizes.size + added RETURNING size INTO spent;
    IF spent > 67108864 THEN
        RETURN false;
    END IF;
    INSERT INTO logs (run_id, position, attempt, "offset", level, at, text)
    SELECT p_run, p_position, p_attempt, x.o, x.l, clock_now(), x.t FROM unnest(p_offsets, p_levels, p_texts) AS x(o, l, t)
    ON CONFLICT DO NOTHING;
    RETURN true;
END $$;
