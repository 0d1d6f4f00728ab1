-- Reserves ARGV[1] units of the level that is the hash KEYS[1]. Returns the id, or 0 when there are too few.
local level = redis.call('HMGET', KEYS[1], 'on_hand', 'reserved')
local quantity = tonumber(ARGV[1])
if not level[1] or level[1] - level[2] < quantity then
  return 0
end
local reserved = redis.call('HINCRBY', KEYS[1], 'reserved', quantity)
local id = redis.call('INCR', 'reservations')
redis.call('HSET', 'reservation:' .. id, 'level', KEYS[1], 'quantity', quantity, 'state', 'held')
redis.call('RPUSH', 'movements', id .. ' reserve ' .. KEYS[1] .. ' ' .. quantity .. ' ' .. reserved)
return id
