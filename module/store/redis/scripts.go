package redis

// Each call is one script, which the server runs alone. A script that fails has written
// nothing, since what may fail comes first. It begins with where it runs: a connection may
// outlive that its server is the primary, and each answer brings the epoch.
const (
	onPrimary = `
local info = redis.call('INFO', 'replication')
if not string.find(info, 'role:master', 1, true) then return redis.error_reply('READONLY the server is a replica') end
local epoch = string.match(info, 'master_replid:(%x+)') or ''
`

	// putting has the key, and takes tag, new tag, data, channel and name.
	putting = onPrimary + `
local tag = ''
if redis.call('HSTRLEN', KEYS[1], 'data') > 0 then tag = redis.call('HMGET', KEYS[1], 'tag')[1] or '' end
if tag ~= ARGV[1] then return {epoch, 0} end
local now = redis.call('TIME')
redis.call('HSET', KEYS[1], 'data', ARGV[3], 'tag', ARGV[2], 'written', string.format('%s%06d', now[1], now[2]))
redis.pcall('PUBLISH', ARGV[4], ARGV[5])
return {epoch, 1}
`

	// getting has keys, and takes whether data is wanted. It returns the server's time
	// and, of each key that exists, its number and what it has.
	getting = onPrimary + `
local now = redis.call('TIME')
local found = {epoch, string.format('%s%06d', now[1], now[2])}
for i, key in ipairs(KEYS) do
  if redis.call('HSTRLEN', key, 'data') > 0 then
    local v = redis.call('HMGET', key, 'tag', 'written', ARGV[1] == '1' and 'data' or 'tag')
    found[#found + 1] = {i, v[1] or '', v[2] or '', v[3] or ''}
  end
end
return found
`

	// acquiring has the key, and takes holder, new tag, the tag of a lease that is over,
	// and when the server may forget it: no lease ends by that.
	acquiring = onPrimary + `
local held = redis.call('HMGET', KEYS[1], 'holder', 'tag')
if held[1] and held[1] ~= ARGV[1] and held[2] ~= ARGV[3] then return {epoch, 0, held[1], held[2] or ''} end
redis.call('HSET', KEYS[1], 'holder', ARGV[1], 'tag', ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return {epoch, 1}
`

	// renewing has the key, and takes holder, new tag, and when it may be forgotten.
	renewing = onPrimary + `
if redis.call('HMGET', KEYS[1], 'holder')[1] ~= ARGV[1] then return {epoch, 0} end
redis.call('HSET', KEYS[1], 'tag', ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return {epoch, 1}
`

	// releasing has the key, and takes holder, channel and name.
	releasing = onPrimary + `
if redis.call('HMGET', KEYS[1], 'holder')[1] ~= ARGV[1] then return {epoch, 0} end
redis.call('DEL', KEYS[1])
redis.pcall('PUBLISH', ARGV[2], ARGV[3])
return {epoch, 1}
`
)
