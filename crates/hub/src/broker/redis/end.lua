-- Returns the last id of a log, and the content of its last entry or ''. A log that does not exist begins with a
-- mark. Content that is too long is returned as ''.
-- KEYS: the log. ARGV: content of a mark, age in ms, epoch of a new log, maximum bytes of content.
local log = KEYS[1]
if redis.call('EXISTS', log) == 0 then
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  redis.call('XADD', log, ARGV[3] .. '-1', 'c', ARGV[1], 't', string.format('%.0f', now))
end
redis.call('PEXPIRE', log, 2 * ARGV[2])
local info = redis.call('XINFO', 'STREAM', log)
local id, content = '', ''
for i = 1, #info, 2 do
  if info[i] == 'last-generated-id' then id = info[i + 1] end
end
local last = redis.call('XREVRANGE', log, '+', '-', 'COUNT', 1)[1]
if last and last[1] == id and #last[2][2] <= tonumber(ARGV[4]) then content = last[2][2] end
return { id, content }
