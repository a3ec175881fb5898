-- Returns the last id of a log, and ids and contents of its entries from an id on. All entries if the log has
-- another epoch; nothing if there is no log. Content that is too long is returned as ''.
-- KEYS: the log. ARGV: epoch and offset, or two empty texts; age in ms; size; maximum bytes of content.
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
-- The entry at `from`, and those of the history. There are more if another program has added some.
local entries = redis.call('XREVRANGE', log, '+', from, 'COUNT', ARGV[4] + 1)
for i = #entries, 1, -1 do
  local id, content, time = entries[i][1], entries[i][2][2], entries[i][2][4]
  if (tonumber(time) or 0) > oldest then -- 0: no hub has written it
    result[#result + 1] = id
    result[#result + 1] = #content <= tonumber(ARGV[5]) and content or ''
  end
end
return result
