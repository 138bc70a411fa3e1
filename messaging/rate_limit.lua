-- Rate limits, shared by all workers: a line before each, and all that a step names are charged together or not at all.
-- KEYS[1]: the index of limits by last use; then four of each limit: its hash, and as sorted sets the line (asker by
-- rank), when each in line was told to come back, and the ranks of those that did not come.
-- ARGV[1]: what is asked, as JSON: op, asker, now (left out: the server's clock, seconds), limits = {{name, interval,
-- ahead, catch_up, what people are shown}, ...}, all in seconds, and what the operation needs.
--   take       rank_ahead     answers {pass, seconds, rank} or {wait, seconds, position of the limit}
--   give_back  rank
--   block      seconds        | hit | unblock: of the first limit
-- In the hash `tat` is the theoretical arrival time of GCRA: an attempt may begin from `tat - ahead` on. An interval of 0
-- is no limit, and only obeys a block.
-- A step that may go within IN_PLACE_S is cheaper held than parked.
local MOST, LATE_S, IN_PLACE_S, KEPT_S = 10000, 2, 0.005, 86400
local ask = cjson.decode(ARGV[1])
local time = redis.call('TIME')
local now = ask.now or (tonumber(time[1]) + tonumber(time[2]) / 1000000)

local function exact(number)
    return string.format('%.6f', number)
end

local function load(position)
    local name, interval, ahead, catch_up, numbers = unpack(ask.limits[position])
    local at = (position - 1) * 4 + 1
    local limit = {name = name, interval = interval, ahead = ahead, numbers = numbers, hash = KEYS[at + 1],
        line = KEYS[at + 2], due = KEYS[at + 3], late = KEYS[at + 4]}
    -- Who is late no longer holds its turn, so that a step that was stopped blocks nobody; its rank is kept for it.
    local gone = redis.call('ZRANGEBYSCORE', limit.due, '-inf', '(' .. exact(now - LATE_S), 'LIMIT', 0, 1000)
    for _, asker in ipairs(gone) do
        redis.call('ZADD', limit.late, redis.call('ZSCORE', limit.line, asker) or exact(now), asker)
        redis.call('ZREM', limit.line, asker)
        redis.call('ZREM', limit.due, asker)
    end
    if #gone > 0 then
        redis.call('ZREMRANGEBYRANK', limit.late, 0, -MOST - 1)
        redis.call('EXPIRE', limit.late, KEPT_S)
    end
    limit.waiting = redis.call('ZCARD', limit.line)
    local kept = redis.call('HMGET', limit.hash, 'tat', 'blocked_until')
    local tat, blocked = tonumber(kept[1]), tonumber(kept[2])
    -- Turns that passed while their askers were on their way are made good, or a limit with a line would fall short.
    limit.tat = limit.waiting > 0 and now - catch_up or now
    if tat and interval > 0 then
        -- Farther ahead than attempts could bring it: the clock was set back, or the limit was lower before.
        limit.tat = math.max(limit.tat, math.min(tat, now + ahead + interval + 2 * IN_PLACE_S))
    end
    if blocked then  -- after it one by one, not all at once that a bucket holds
        limit.tat = math.max(limit.tat, blocked + ahead)
    end
    limit.blocked, limit.free_at = blocked, limit.tat - ahead
    return limit
end

local function charge(limit, interval)
    if limit.interval > 0 then
        redis.call('HSET', limit.hash, 'tat', exact(limit.tat + interval))
    end
end

-- `last`: until when somebody may come back for what is kept here.
local function save(limit, last)
    redis.call('HSET', limit.hash, 'numbers', limit.numbers)
    local keep = math.ceil(math.max(limit.tat, last) - now) + KEPT_S
    for _, key in ipairs({limit.hash, limit.line, limit.due}) do
        redis.call('EXPIRE', key, keep)
    end
    if redis.call('ZADD', KEYS[1], exact(now), limit.name) == 1 then
        redis.call('ZREMRANGEBYRANK', KEYS[1], 0, -MOST - 1)
    end
end

-- How many with a better rank were told to come by the time that one who is let through now may begin at, and have not
-- been let through yet.
local function due_before(limit, rank)
    local count = 0
    local due = redis.call('ZRANGEBYSCORE', limit.due, '-inf', exact(now + IN_PLACE_S), 'LIMIT', 0, 1000)
    for _, asker in ipairs(due) do
        if tonumber(redis.call('ZSCORE', limit.line, asker) or rank) < rank then
            count = count + 1
        end
    end
    return count
end

local function leave(limit)
    redis.call('ZREM', limit.line, ask.asker)
    redis.call('ZREM', limit.due, ask.asker)
    redis.call('ZREM', limit.late, ask.asker)
end

local function take()
    local limits, rank = {}, nil
    for position = 1, #ask.limits do
        local limit = load(position)
        limits[position] = limit
        local known = redis.call('ZSCORE', limit.line, ask.asker) or redis.call('ZSCORE', limit.late, ask.asker)
        rank = known and math.min(tonumber(known), rank or math.huge) or rank
    end
    rank = rank or now - ask.rank_ahead
    local begin = now
    for _, limit in ipairs(limits) do
        begin = math.max(begin, limit.free_at + due_before(limit, rank) * limit.interval)
    end
    if begin <= now + IN_PLACE_S then
        for _, limit in ipairs(limits) do
            leave(limit)
            charge(limit, limit.interval)
            redis.call('HINCRBY', limit.hash, 'admitted', 1)
            save(limit, now)
        end
        return {'pass', exact(begin - now), exact(rank)}
    end
    local due, behind = begin, 1
    for position, limit in ipairs(limits) do
        limit.mine = redis.call('ZSCORE', limit.line, ask.asker)
        local before = limit.mine and redis.call('ZRANK', limit.line, ask.asker)
            or redis.call('ZCOUNT', limit.line, '-inf', exact(rank))
        limit.turn = limit.free_at + before * limit.interval
        if limit.turn >= due then
            due, behind = limit.turn, position
        end
    end
    for position, limit in ipairs(limits) do
        -- It holds its turn at the others only from shortly before it can use it.
        leave(limit)
        if (limit.mine or limit.waiting < MOST) and (position == behind or due - now <= LATE_S) then
            redis.call('ZADD', limit.line, exact(rank), ask.asker)
            redis.call('ZADD', limit.due, exact(due), ask.asker)
        end
        save(limit, due)
    end
    redis.call('HINCRBY', limits[behind].hash, 'hits', 1)
    return {'wait', exact(due - now), tostring(behind)}
end

if ask.op == 'take' then
    return take()
elseif ask.op == 'give_back' then
    for position = 1, #ask.limits do
        local limit = load(position)
        charge(limit, -limit.interval)
        redis.call('HINCRBY', limit.hash, 'admitted', -1)
        redis.call('ZADD', limit.late, exact(ask.rank), ask.asker)
        redis.call('EXPIRE', limit.late, KEPT_S)
        save(limit, now)
    end
else
    local limit = load(1)
    if ask.op == 'unblock' then
        redis.call('HDEL', limit.hash, 'blocked_until')
    else
        redis.call('HINCRBY', limit.hash, 'refused', 1)
    end
    if ask.op == 'block' then
        limit.tat = math.max(limit.blocked or 0, now + ask.seconds)
        redis.call('HSET', limit.hash, 'blocked_until', exact(limit.tat))
    end
    save(limit, now)
end
return {'noted', '0'}
