package sessionstore

import "github.com/redis/go-redis/v9"

// The scripts touch one key each, so that a cluster can run them, and read the
// record's clear part where package session puts it (offset + 1, as Lua counts
// from 1): generation 2–9, last use 10–17, absolute limit 18–25.

// replaceScript writes a record over the one of the generation before.
//
//	KEYS: record.  ARGV: generation expected, new record.
//	Answer: the last use on record; "" no such record; "conflict".
//
// The driver sends a command again whose answer was lost. A record carries a
// random nonce, so equal bytes are our own, written at the first try.
var replaceScript = redis.NewScript(`
local header = redis.call('GETRANGE', KEYS[1], 0, 26)
if #header < 27 then return '' end
local seen = string.sub(header, 10, 17)
local new = string.sub(ARGV[2], 1, 9) .. seen .. string.sub(ARGV[2], 18)
if string.sub(header, 2, 9) ~= ARGV[1] then
  if redis.call('GET', KEYS[1]) == new then return seen end
  return 'conflict'
end
redis.call('SET', KEYS[1], new, 'KEEPTTL')
return seen
`)

// touchScript records a use, and lets the record live on from there.
//
//	KEYS: record.  ARGV: time of use, as the record has it; least distance
//	from the last use and idle limit, in milliseconds.
var touchScript = redis.NewScript(`
local header = redis.call('GETRANGE', KEYS[1], 0, 26)
if #header < 27 then return 0 end
local last = struct.unpack('>I8', header, 10)
local limit = struct.unpack('>I8', header, 18)
local seen = struct.unpack('>I8', ARGV[1])
if seen - last < tonumber(ARGV[2]) then return 0 end
redis.call('SETRANGE', KEYS[1], 9, ARGV[1])
redis.call('PEXPIRE', KEYS[1], math.min(tonumber(ARGV[3]), limit - seen))
return 1
`)

// deleteScript deletes whatever lies at the key and answers what it was.
//
//	KEYS: record.  Answer: the record, or nil.
var deleteScript = redis.NewScript(`
local record = redis.pcall('GET', KEYS[1])
redis.call('DEL', KEYS[1])
if type(record) ~= 'string' then return false end
return record
`)

// indexScript adds a session to its subject's index and drops those that are
// over, so that the index of a subject that logs in all day stays small.
//
//	KEYS: index.  ARGV: member, its absolute limit, the time now, in
//	milliseconds.
var indexScript = redis.NewScript(`
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[3])
redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1])
local ttl = tonumber(ARGV[2]) - tonumber(ARGV[3])
if redis.call('PTTL', KEYS[1]) < ttl then redis.call('PEXPIRE', KEYS[1], ttl) end
return 1
`)
