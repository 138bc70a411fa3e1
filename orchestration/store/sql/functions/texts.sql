-- Store a piece of what an attempt writes: from `p_offset` characters on, the text is `p_text`. Fenced: false, and nothing
-- changed, once a later attempt holds the step. A first piece that begins further on goes on from what another attempt
-- wrote; nothing to go on from is an error of the caller, and answered with false as well. `p_edition` counts how often
-- the attempt has begun anew.
CREATE OR REPLACE FUNCTION save_text(
    p_run bigint, p_position integer, p_attempt integer, p_edition integer, p_offset integer, p_text text
) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    -- The share lock keeps the attempt from being taken over between the look and the write.
    PERFORM 1 FROM steps WHERE run_id = p_run AND position = p_position AND status = 'in_progress'
        AND attempt = p_attempt FOR SHARE;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    IF p_offset > 0 THEN
        UPDATE texts SET attempt = p_attempt, edition = p_edition, saved_at = clock_now(),
                         text = CASE WHEN length(text) = p_offset THEN text ELSE left(text, p_offset) END || p_text
         WHERE run_id = p_run AND position = p_position AND length(text) >= p_offset;
        RETURN FOUND;
    END IF;
    INSERT INTO texts (run_id, position, attempt, edition, text, saved_at)
    VALUES (p_run, p_position, p_attempt, p_edition, p_text, clock_now())
    ON CONFLICT (run_id, position) DO UPDATE
       SET attempt = excluded.attempt, edition = excluded.edition, text = excluded.text, saved_at = excluded.saved_at;
    RETURN true;
END $$;
