-- Append events to the streams of runs, each with a sequence that has no gaps, and tell them to whoever follows the run.
-- KEYS: the streams. ARGV: seconds to live when final, seconds to live otherwise; then for each stream: what the batch
-- means for its life (final | open | more), 1 when events of this run were lost before the batch, the longest length, how
-- many events follow, the events. Answers for each stream where it ends now, or '!' and why nothing was appended.
local final_ttl, open_ttl = ARGV[1], ARGV[2]
local info = redis.pcall('INFO', 'server')
local server = type(info) == 'string' and string.sub(string.match(info, 'run_id:(%x+)') or '', 1, 8) or ''

local function append(key, kind, lost, max_length, from, to)
    local epoch, seq = 0, 0
    local last = redis.call('XREVRANGE', key, '+', '-', 'COUNT', 1)[1]
    if last then
        local e, s = string.match(last[1], '^(%d+)-(%d+)$')
        epoch, seq = tonumber(e), tonumber(s)
    end
    -- A server that was restarted may have lost the end of the stream, and a server that took over may never have had it:
    -- going on with the same epoch would give numbers twice. The same holds for readers when events were dropped unsent.
    if not last or lost or last[2][4] ~= server then
        local now = redis.call('TIME')
        local now_ms = tonumber(now[1]) * 1000 + math.floor(tonumber(now[2]) / 1000)
        epoch, seq = math.max(now_ms, epoch + 1), 0
        if last then  -- not always: after a write in it a script may go on although the server is full
            redis.call('DEL', key)
        end
    end
    local first = string.format('%.0f-%.0f', epoch, seq + 1)
    local id
    for i = from, to do
        seq = seq + 1
        id = string.format('%.0f-%.0f', epoch, seq)
        redis.call('XADD', key, 'MAXLEN', '~', max_length, id, 'e', ARGV[i], 's', server)
    end
    local ttl = redis.call('TTL', key)
    if kind == 'final' then
        redis.call('EXPIRE', key, final_ttl)
    elseif ttl == -1 or (kind == 'open' and ttl < tonumber(open_ttl) - 3600) then  -- not with each event: it is a write
        redis.call('EXPIRE', key, open_ttl)
    end
    -- Pushed, so that readers need not name all streams again for each thing they hear. The channel has the stream's name.
    -- Where it may not be, by an ACL, they read what was appended a few seconds later.
    redis.pcall('PUBLISH', key, first .. '\n' .. table.concat(ARGV, '\n', from, to))
    return id
end

local answers, at = {}, 3
for i, key in ipairs(KEYS) do
    local count = tonumber(ARGV[at + 3])
    local done, said = pcall(append, key, ARGV[at], ARGV[at + 1] == '1', ARGV[at + 2], at + 4, at + 3 + count)
    answers[i] = done and said or '!' .. (type(said) == 'table' and said.err or tostring(said))
    at = at + 4 + count
end
return answers
