package sessionstore

import "github.com/redis/go-redis/v9"

// The scripts touch one key each, so that a cluster can run them. Those that
// change a session tell it in the same step: a message that took a round trip of
// its own could be lost between the two. They publish first, so that a user who
// may not publish gets an error and no change that nobody heard of; nobody who
// is told can look before the script is over.
//
// They read the record's clear part where package session puts it (offset + 1, as
// Lua counts from 1): format 1, generation 2–9, last use 10–45 with the time in
// 10–17, absolute limit 46–53. What they read nothing vouches for: it decides only
// what is written, and whoever opens the record judges that.

// replaceScript writes a record over the one of the generation before.
//
//	KEYS: record.  ARGV: generation expected, new record, channel, message.
//	Answer: the last use on record, sealed; "" no such record; "conflict".
//
// The driver sends a command again whose answer was lost. A record carries a
// random nonce, so equal bytes are our own, written at the first try.
var replaceScript = redis.NewScript(`
local header = redis.call('GETRANGE', KEYS[1], 0, 54)
if #header < 55 or string.byte(header) ~= 2 then return '' end
local seen = string.sub(header, 10, 45)
local new = string.sub(ARGV[2], 1, 9) .. seen .. string.sub(ARGV[2], 46)
if string.sub(header, 2, 9) ~= ARGV[1] then
  if redis.call('GET', KEYS[1]) == new then return seen end
  return 'conflict'
end
redis.call('PUBLISH', ARGV[3], ARGV[4])
redis.call('SET', KEYS[1], new, 'KEEPTTL')
return seen
`)

// touchScript records a use, and lets the record live on from there.
//
//	KEYS: record.  ARGV: time of use, sealed as the record has it; least distance
//	from the last use and idle limit, in milliseconds.
var touchScript = redis.NewScript(`
local header = redis.call('GETRANGE', KEYS[1], 0, 54)
if #header < 55 or string.byte(header) ~= 2 then return 0 end
local last = struct.unpack('>I8', header, 10)
local limit = struct.unpack('>I8', header, 46)
local seen = struct.unpack('>I8', ARGV[1])
if seen - last < tonumber(ARGV[2]) then return 0 end
redis.call('SETRANGE', KEYS[1], 9, ARGV[1])
redis.call('PEXPIRE', KEYS[1], math.min(tonumber(ARGV[3]), limit - seen))
return 1
`)

// deleteScript deletes whatever lies at the key and answers what it was.
//
//	KEYS: record.  ARGV: channel, message.  Answer: the record, or nil.
var deleteScript = redis.NewScript(`
local record = redis.pcall('GET', KEYS[1])
if record then redis.call('PUBLISH', ARGV[1], ARGV[2]) end
redis.call('DEL', KEYS[1])
if type(record) ~= 'string' then return false end
return record
`)

// beatScript publishes a sign of life, and fails wherever an end would: DEL of a
// key that never is changes nothing and costs no replication, but a server that
// became a replica, or has too few of them to take writes, refuses it.
//
//	KEYS: the channel, as a key that never is.  ARGV: message.
var beatScript = redis.NewScript(`
redis.call('DEL', KEYS[1])
return redis.call('PUBLISH', KEYS[1], ARGV[1])
`)

// indexScript adds a session to its subject's index and drops those of the oldest
// that are over: more than one, so that the index of a subject that logs in all
// day stays small. What lies there and is no index gives way to one.
//
//	KEYS: index.  ARGV: entry, its absolute limit, the time now, in
//	milliseconds.
var indexScript = redis.NewScript(`
local oldest = redis.pcall('ZRANGE', KEYS[1], 0, 9)
if oldest.err then
  if not string.find(oldest.err, 'WRONGTYPE', 1, true) then return oldest end
  redis.call('DEL', KEYS[1])
end
for _, e in ipairs(oldest) do
  if #e ~= 59 or struct.unpack('>I8', e, 52) <= tonumber(ARGV[3]) then redis.call('ZREM', KEYS[1], e) end
end
redis.call('ZADD', KEYS[1], 0, ARGV[1])
local ttl = tonumber(ARGV[2]) - tonumber(ARGV[3])
if redis.call('PTTL', KEYS[1]) < ttl then redis.call('PEXPIRE', KEYS[1], ttl) end
return 1
`)

// acquireScript takes a lease that nobody has, or that is the owner's own: the
// driver sends a command again whose answer was lost.
//
//	KEYS: lease.  ARGV: owner, term in milliseconds.  Answer: 1 or 0.
var acquireScript = redis.NewScript(`
local owner = redis.call('GET', KEYS[1])
if owner and owner ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
`)

// renewScript prolongs the owner's own lease.
//
//	KEYS: lease.  ARGV: owner, term in milliseconds.  Answer: 1 or 0.
var renewScript = redis.NewScript(`
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
`)

// releaseScript gives the owner's own lease back.
//
//	KEYS: lease.  ARGV: owner.
var releaseScript = redis.NewScript(`
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
return 1
`)

// rateScript counts one more, or refuses it (package ratelimit). How long a key has to live
// is how far its count is ahead of the rate: the server's clock is the only one, nobody
// need be allowed to ask for it, and what is given back is gone by itself. The value is
// what is to be added to that, in microseconds, because a server's lives are in
// milliseconds.
//
//	KEYS: count.  ARGV: interval and depth, in microseconds.  Answer: how far it is
//	ahead, in microseconds; 1 where the one has been counted, else 0.
var rateScript = redis.NewScript(`
local ahead = redis.call('PTTL', KEYS[1])
if ahead > 0 then
  ahead = ahead * 1000 + (tonumber(redis.call('GET', KEYS[1])) or 0)
else
  ahead = 0
end
local after = ahead + tonumber(ARGV[1])
if after > tonumber(ARGV[2]) then return {ahead, 0} end
local life = math.max(math.floor(after / 1000), 1)
redis.call('SET', KEYS[1], string.format('%d', after - life * 1000), 'PX', life)
return {after, 1}
`)
