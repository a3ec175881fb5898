-- Returns members of a topic and their data, and removes those whose time to live has ended. Skips fields that no hub
-- has written, and returns data that is too long as ''.
-- KEYS: the members. ARGV: maximum bytes of data.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local all = redis.call('HGETALL', KEYS[1])
local result = {}
for i = 1, #all, 2 do
  local expires, data = string.match(all[i + 1], '^(%d+) (.*)$')
  if expires and tonumber(expires) > now then
    result[#result + 1] = all[i]
    result[#result + 1] = #data <= tonumber(ARGV[1]) and data or ''
  elseif expires then
    redis.call('HDEL', KEYS[1], all[i])
  end
end
return result
