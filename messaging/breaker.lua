-- One circuit breaker, shared by all workers. KEYS[1]: its hash. Times are the server's, in seconds.
-- ARGV[1] = acquire: recovery_s, probe_s, a fresh token. Answers {'pass', token or ''} or {'refuse', seconds}.
-- ARGV[1] = report:  token, ok | failed | unknown, threshold, recovery_s.
local key = KEYS[1]
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
local state = redis.call('HMGET', key, 'open_until', 'token', 'probe_until', 'failures')
local open_until, token, probe_until, failures = tonumber(state[1]), state[2], tonumber(state[3]), tonumber(state[4]) or 0

if ARGV[1] == 'acquire' then
    local recovery_s, probe_s, fresh = tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4]
    if not open_until then
        return {'pass', ''}
    elseif now < open_until then
        return {'refuse', tostring(open_until - now)}
    elseif token and now < probe_until then
        -- Somebody probes; the answer is expected well before its lease ends.
        return {'refuse', tostring(math.min(probe_until - now, recovery_s))}
    end
    -- Half-open: one probe, leased, so that a prober that dies does not block the target for ever.
    redis.call('HSET', key, 'token', fresh, 'probe_until', now + probe_s)
    return {'pass', fresh}
end

local mine, report, threshold, recovery_s = ARGV[2], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])
local probing = open_until ~= nil
if probing and (mine == '' or mine ~= token) then
    return {'ignored', ''}  -- begun before the breaker opened, or a probe whose lease was given away
elseif report == 'ok' then
    redis.call('DEL', key)
elseif report == 'unknown' then
    redis.call('HDEL', key, 'token', 'probe_until')
elseif probing or failures + 1 >= threshold then
    redis.call('HSET', key, 'open_until', now + recovery_s, 'failures', 0)
    redis.call('HDEL', key, 'token', 'probe_until')
    redis.call('EXPIRE', key, math.ceil(recovery_s * 10) + 3600)
else
    redis.call('HSET', key, 'failures', failures + 1)
    redis.call('EXPIRE', key, math.ceil(recovery_s * 10) + 3600)
end
return {'noted', ''}
