-- The budget of retries of one dependency, shared by all workers. KEYS[1]: a hash with what happened in each twelfth of the
-- last `window` seconds: `f<n>` first attempts, `r<n>` retries, n counted from 1970.
-- ARGV[1]: what is asked, as JSON: op, now (left out: the server's clock, seconds), window, ratio, reserve, and what the
-- asker counted since it asked last: first, back (retries that were not made after all).
--   note   answers {}
--   retry  answers {granted} and counts it, or {spent, seconds until one may be granted, seconds that one more takes}
-- A retry is granted while, over the window, retries <= reserve + ratio * first attempts.
local PARTS = 12
local ask = cjson.decode(ARGV[1])
local time = redis.call('TIME')
local now = ask.now or (tonumber(time[1]) + tonumber(time[2]) / 1000000)
local part_s = ask.window / PARTS
local this = math.floor(now / part_s)

local first, retries = {}, {}
local function count(field, number, add)
    if add ~= 0 then
        redis.call('HINCRBY', KEYS[1], field .. number, add)
        redis.call('EXPIRE', KEYS[1], math.ceil(2 * ask.window))
    end
end

count('f', this, ask.first)
count('r', this, -ask.back)
if ask.op == 'note' then
    return {}
end

local seen = redis.call('HGETALL', KEYS[1])
local sum_first, sum_retries = 0, 0
for place = 1, #seen, 2 do
    local kind, number, value = seen[place]:sub(1, 1), tonumber(seen[place]:sub(2)), tonumber(seen[place + 1])
    -- What lies ahead was counted by a clock that was set back since.
    if number <= this - PARTS or number > this then
        redis.call('HDEL', KEYS[1], seen[place])
    elseif kind == 'f' then
        first[number], sum_first = value, sum_first + value
    else
        retries[number], sum_retries = value, sum_retries + value
    end
end

local left = ask.reserve + ask.ratio * sum_first - sum_retries
if left >= 1 - 1e-9 then
    count('r', this, 1)
    return {'granted'}
end
-- When would there be one if nobody came? What leaves the window takes its retries with it, and its first attempts.
local seconds = ask.window
for number = this - PARTS + 1, this do
    left = left + (retries[number] or 0) - ask.ratio * (first[number] or 0)
    if left >= 1 - 1e-9 then
        seconds = (number + PARTS) * part_s - now
        break
    end
end
return {'spent', tostring(seconds), tostring(ask.window / math.max(1, ask.reserve + ask.ratio * sum_first))}
