-- One circuit breaker, shared by all workers. KEYS[1]: its document, KEYS[2]: the index of all breakers by last use,
-- KEYS[3]: there as long as what people have forced is known here; a wipe takes it with all else.
-- ARGV[1]: what is asked, as JSON: op, name, now (left out: the server's clock, seconds) and what the operation needs.
--   acquire  recovery_s, probes, probe_s, token        passes or refuses a call; `guarded`: answers {lost} after a wipe
--   report   token, report, code, why and the spec     how a call went: ok, failed, unknown
--   force    to (open, closed) | clear | reset         by hand
-- Answers {pass, token}, {probe, token}, {refuse, seconds} or {noted, ''}; where the state changed, from, to, at and
-- why follow.
local BUCKETS, MOST, KEPT_S = 10, 10000, 7 * 86400
local ask = cjson.decode(ARGV[1])
local time = redis.call('TIME')
local now = ask.now or (tonumber(time[1]) + tonumber(time[2]) / 1000000)
local text = redis.call('GET', KEYS[1])
local b = text and cjson.decode(text) or {state = 'closed', turn = 0, consecutive = 0, successes = 0, calls = 0,
    failures = 0, rejected = 0, probes = {}, buckets = {}}

local function shown()
    return b.forced or b.state
end

local before, why = shown(), ''

local function save()
    if shown() ~= before then
        b.changed_at = now
    end
    local document = cjson.encode(b)
    if b.forced then  -- what a person has set must not lapse
        redis.call('SET', KEYS[1], document)
    else
        redis.call('SET', KEYS[1], document, 'EX', KEPT_S)
    end
    if redis.call('ZADD', KEYS[2], b.forced and 'inf' or string.format('%.3f', now), ask.name) == 1 then
        redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', string.format('%.3f', now - KEPT_S))
        redis.call('ZREMRANGEBYRANK', KEYS[2], 0, -MOST - 1)
    end
end

local function answer(verdict, value)
    if shown() ~= before then
        return {verdict, value, before, shown(), string.format('%.3f', now), why}
    end
    return {verdict, value}
end

local function open(reason)
    if b.state == 'closed' then
        b.turn = b.turn + 1  -- calls that are under way were begun before it opened, and are no news of what comes after
    end
    b.state, b.opened_at, b.open_until, b.buckets, b.successes, why = 'open', now, now + ask.recovery_s, {}, 0, reason
end

local function close(reason)
    b.state, b.open_until, b.consecutive, b.successes, b.probes, b.buckets, why = 'closed', nil, 0, 0, {}, {}, reason
end

-- Calls and failures of the sliding window, this call included. A bucket falls out as a whole.
local function window(failed)
    local width = ask.window_s / BUCKETS
    local start = math.floor(now / width) * width
    local kept, calls, failures = {}, 0, 0
    for _, bucket in ipairs(b.buckets) do
        if bucket[1] > now - ask.window_s then
            kept[#kept + 1] = bucket
        end
    end
    if #kept == 0 or math.abs(kept[#kept][1] - start) > width / 2 then
        kept[#kept + 1] = {start, 0, 0}
    end
    kept[#kept][2] = kept[#kept][2] + 1
    kept[#kept][3] = kept[#kept][3] + (failed and 1 or 0)
    for _, bucket in ipairs(kept) do
        calls, failures = calls + bucket[2], failures + bucket[3]
    end
    b.buckets = kept
    return calls, failures
end

local function count(failed)
    b.consecutive = failed and b.consecutive + 1 or 0
    if b.forced then
        return
    elseif failed and b.consecutive >= ask.failure_threshold then
        open(string.format('%d failures in a row, the last: %s', b.consecutive, ask.code))
    elseif ask.failure_rate then
        local calls, failures = window(failed)
        if calls >= ask.minimum_calls and failures >= ask.failure_rate * calls then
            open(string.format('%d of %d calls failed in %g s', failures, calls, ask.window_s))
        end
    end
end

local function report()
    local probing, failed = b.probes[ask.token] ~= nil, ask.report == 'failed'
    b.probes[ask.token] = nil
    if ask.report == 'unknown' then
        return
    end
    b.calls = b.calls + 1
    if failed then
        b.failures, b.last_error, b.last_error_at = b.failures + 1, ask.code, now
    end
    if probing and b.state == 'half_open' and not b.forced then
        if failed then
            b.consecutive = b.consecutive + 1
            open('a probe failed: ' .. ask.code)
        else
            b.successes = b.successes + 1
            if b.successes >= ask.probes then
                close(string.format('%d of %d probes succeeded', b.successes, ask.probes))
            end
        end
    elseif b.state == 'closed' and (ask.token == '' or ask.token == tostring(b.turn)) then
        count(failed)
    end
end

local function refuse(seconds)
    b.rejected = b.rejected + 1
    save()
    return answer('refuse', string.format('%.6f', seconds))
end

local function acquire()
    if shown() == 'closed' then
        return {'pass', tostring(b.turn)}
    elseif b.forced then
        return refuse(ask.recovery_s)
    end
    if b.state == 'open' then
        if now < b.opened_at then  -- the clock was set back
            b.opened_at, b.open_until = now, now + ask.recovery_s
        end
        if now < b.open_until then
            return refuse(b.open_until - now)
        end
        b.state, b.successes, why = 'half_open', 0, 'the recovery time is over'
    end
    -- Each probe is leased, so that one that dies does not hold its place for ever. A probe that outlasts its turn keeps
    -- its place in the next one: what is sick is never called by more than so many at once.
    local flying, first = 0, nil
    for token, lease_until in pairs(b.probes) do
        if lease_until <= now then
            b.probes[token] = nil
        else
            flying = flying + 1
            first = math.min(first or lease_until, lease_until)
        end
    end
    if flying > 0 and flying + b.successes >= ask.probes then
        return refuse(math.min(first - now, ask.recovery_s))
    end
    b.probes[ask.token] = now + ask.probe_s
    save()
    return answer('probe', ask.token)
end

if ask.op == 'acquire' then
    if ask.guarded and redis.call('EXISTS', KEYS[3]) == 0 then
        return {'lost', ''}
    end
    return acquire()
elseif not text and (ask.op == 'clear' or ask.op == 'reset') then
    return answer('noted', '')
elseif ask.op == 'report' then
    report()
elseif ask.op == 'force' then
    b.forced, why = ask.to, ask.why
elseif ask.op == 'clear' then
    b.forced, why = nil, ask.why
elseif ask.op == 'reset' then
    b.forced, b.turn = nil, b.turn + 1
    close(ask.why)
end
save()
return answer('noted', '')
