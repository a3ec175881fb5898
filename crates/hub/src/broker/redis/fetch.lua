-- Returns the last id of a log, and ids and contents of its entries from an id on. All entries if the log has
-- another epoch; nothing if there is no log.
-- KEYS: the log. ARGV: epoch and offset, or two empty texts; age in ms.
local log = KEYS[1]
if redis.call('EXISTS', log) == 0 then return {} end
local info = redis.call('XINFO', 'STREAM', log)
local last = ''
for i = 1, #info, 2 do
  if info[i] == 'last-generated-id' then last = info[i + 1] end
end
local from = '-'
if ARGV[1] == string.match(last, '(%d+)-') then from = ARGV[1] .. '-' .. ARGV[2] end
local time = redis.call('TIME')
local oldest = time[1] * 1000 + math.floor(time[2] / 1000) - ARGV[3]
local result = { last }
for _, entry in ipairs(redis.call('XRANGE', log, from, '+')) do
  if (tonumber(entry[2][4]) or 0) > oldest then -- 0: no hub has written it
    result[#result + 1] = entry[1]
    result[#result + 1] = entry[2][2]
  end
end
return result
