-- Appends content to a log once, trims the log, and publishes the entry. Returns the id of the entry.
-- KEYS: the log. ARGV: channel, command to publish, content, size, age in ms, epoch of a new log, whether it is
-- tried again.
local log = KEYS[1]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local epoch, offset = ARGV[6], '0'
if redis.call('EXISTS', log) == 1 then
  local info = redis.call('XINFO', 'STREAM', log)
  for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then epoch, offset = string.match(info[i + 1], '(%d+)-(%d+)') end
  end
end
if ARGV[7] == '1' then
  local id = string.sub(ARGV[3], 2, 9)
  for _, entry in ipairs(redis.call('XREVRANGE', log, '+', '-', 'COUNT', 1000)) do
    if string.sub(entry[2][2], 2, 9) == id then return entry[1] end
  end
end
local id = epoch .. '-' .. string.format('%.0f', offset + 1)
redis.call('XADD', log, 'MAXLEN', ARGV[4], id, 'c', ARGV[3], 't', string.format('%.0f', now))
for _, entry in ipairs(redis.call('XRANGE', log, '-', '+', 'COUNT', 8)) do
  if (tonumber(entry[2][4]) or 0) + ARGV[5] > now then break end -- 0: no hub has written it
  redis.call('XDEL', log, entry[1])
end
redis.call('PEXPIRE', log, 2 * ARGV[5])
redis.call(ARGV[2], ARGV[1], id .. ' ' .. ARGV[3])
return id
