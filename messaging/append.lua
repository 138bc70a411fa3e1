-- Append events to a run's stream, with a sequence that has no gaps.
-- KEYS[1]: the stream. ARGV: what the batch means for the stream's life (final | open | more), 1 when events of this run
-- were lost before the batch, the longest length, seconds to live when final, seconds to live otherwise, the events.
local key = KEYS[1]
local kind, lost, max_length = ARGV[1], ARGV[2] == '1', ARGV[3]
local info = redis.pcall('INFO', 'server')
local server = type(info) == 'string' and string.sub(string.match(info, 'run_id:(%x+)') or '', 1, 8) or ''
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
for i = 6, #ARGV do
    seq = seq + 1
    redis.call('XADD', key, 'MAXLEN', '~', max_length, string.format('%.0f-%.0f', epoch, seq), 'e', ARGV[i], 's', server)
end
local ttl = redis.call('TTL', key)
if kind == 'final' then
    redis.call('EXPIRE', key, ARGV[4])
elseif ttl == -1 or (kind == 'open' and ttl < tonumber(ARGV[5]) - 3600) then  -- not with each event: it is a write
    redis.call('EXPIRE', key, ARGV[5])
end
return string.format('%.0f-%.0f', epoch, seq)
