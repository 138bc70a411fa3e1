-- Hosts report themselves every few seconds, see engine/hosts.py. A report that a crash takes back comes again.
CREATE OR REPLACE FUNCTION report_host(p_host text, p_report jsonb) RETURNS void LANGUAGE plpgsql AS $$
DECLARE r hosts := jsonb_populate_record(NULL::hosts, p_report);
BEGIN
    PERFORM set_config('synchronous_commit', 'off', true);
    r.host := p_host;
    r.reported_at := clock_now();
    INSERT INTO hosts AS h SELECT r.*
    ON CONFLICT (host) DO UPDATE
       SET reported_at = r.reported_at, level = r.level, reason = r.reason, cpu = r.cpu, memory = r.memory,
           disk = r.disk, load_per_core = r.load_per_core, cores = r.cores, memory_total_bytes = r.memory_total_bytes,
           memory_available_bytes = r.memory_available_bytes, disk_free_bytes = r.disk_free_bytes;
END $$;

CREATE OR REPLACE FUNCTION read_hosts() RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT coalesce(jsonb_agg(
               to_jsonb(h) || jsonb_build_object('reported_at', wire_time(h.reported_at),
                                                 'silent_s', extract(epoch FROM clock_now() - h.reported_at))
               ORDER BY h.host), '[]')
      FROM hosts h
$$;

CREATE OR REPLACE FUNCTION forget_hosts(p_older_s real) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    n       integer;
    before  timestamptz := clock_now() - make_interval(secs => p_older_s);
BEGIN
    DELETE FROM hosts WHERE reported_at < before;
    GET DIAGNOSTICS n = ROW_COUNT;
    RETURN n;
END $$;

-- Whether a step of the background is left to others, since `p_host` has nothing left: there is a host with room, and a
-- worker there that takes from its queue. Then the step stays ready, and is sent again after half a second, and after
-- twice as long each time that the message comes back here.
CREATE OR REPLACE FUNCTION leave_to_others(p_public text, p_position integer, p_host text) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE moment timestamptz := clock_now();
BEGIN
    UPDATE steps s SET due_at = moment + make_interval(secs => 0.5 * power(2, least(s.sends, 6)))
     WHERE s.run_id = (SELECT r.id FROM runs r JOIN run_documents d ON d.run_id = r.id
                        WHERE r.public_id = p_public AND d.kind IN ('background', 'agent'))
       AND s.position = p_position AND s.status = 'ready' AND NOT s.held
       AND EXISTS (SELECT FROM hosts h JOIN workers w ON w.host = h.host
                    WHERE h.host <> p_host AND h.level = 'ok' AND h.reported_at > moment - heard_within()
                      AND w.ended_at IS NULL AND w.lost_at IS NULL AND s.queue = ANY (w.queues));
    RETURN FOUND;
END $$;
