package sessionstore

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/gatehouse-auth/gatehouse/internal/session"
)

// The index of a subject is a sorted set of its sessions, in order of their
// creation: all have one score, so that Redis sorts them by their bytes, and any
// page costs no more than the first. It lies in another slot than the records, so
// nothing can write both at once: an entry is written before its record and
// removed after it, and one without a record means nothing.

// danglingAfter is how old an entry without a record must be to be removed: a
// younger one may belong to a login whose record is on its way.
const danglingAfter = time.Minute

// An index entry is when the session was created and its id, which make its place,
// and its absolute limit. Times are 8 bytes of Unix milliseconds.
const (
	placeSize = 8 + idLength
	entrySize = placeSize + 8
)

// indexKey names the index of a subject without showing the subject. Gateways of
// other clients have indexes of their own.
func (r *Redis) indexKey(subject string) string {
	sum := sha256.Sum256([]byte(r.audience + "\x00" + subject))
	return "gatehouse:u:{" + base64.RawURLEncoding.EncodeToString(sum[:]) + "}"
}

// place is the beginning of an entry, which alone decides its order.
func place(p session.Position) string {
	b := binary.BigEndian.AppendUint64(make([]byte, 0, entrySize), uint64(p.CreatedAt.UnixMilli()))
	return string(append(b, p.ID...))
}

func entry(p session.Position, limit time.Time) string {
	return string(binary.BigEndian.AppendUint64([]byte(place(p)), uint64(limit.UnixMilli())))
}

// placeOf reads an entry; false for what is none.
func placeOf(entry string) (session.Position, bool) {
	if len(entry) != entrySize {
		return session.Position{}, false
	}
	return positionOf(entry[:placeSize])
}

// positionOf is the inverse of [place]; false for what is none.
func positionOf(place string) (session.Position, bool) {
	if len(place) != placeSize || !session.IsID(place[8:]) {
		return session.Position{}, false
	}
	created := time.UnixMilli(int64(binary.BigEndian.Uint64([]byte(place[:8]))))
	return session.Position{CreatedAt: created, ID: place[8:]}, true
}

func (r *Redis) addToIndex(ctx context.Context, s *session.Session, now time.Time) error {
	return indexScript.Run(ctx, r.client, []string{r.indexKey(s.Subject)},
		entry(s.Listing().Position(), s.ExpiresAt), s.ExpiresAt.UnixMilli(), now.UnixMilli()).Err()
}

func (r *Redis) removeFromIndex(ctx context.Context, subject string, entries ...any) error {
	return r.client.ZRem(ctx, r.indexKey(subject), entries...).Err()
}

// List implements [session.Store]. It prunes what has no record any more.
func (r *Redis) List(ctx context.Context, subject string, after session.Position, limit int) (page session.Page, err error) {
	err = r.call(ctx, "list", func(ctx context.Context) error {
		page = session.Page{Sessions: []session.Listing{}}
		entries, err := r.entries(ctx, subject, after, limit+1)
		if err != nil || len(entries) == 0 {
			return err
		}
		if len(entries) > limit {
			entries = entries[:limit]
			page.Next, _ = placeOf(entries[limit-1])
		}
		var dangling []any
		page.Sessions, dangling, err = r.listEntries(ctx, subject, entries)
		if err != nil || len(dangling) == 0 {
			return err
		}
		return r.removeFromIndex(ctx, subject, dangling...)
	})
	if err != nil {
		return session.Page{}, err
	}
	return page, nil
}

// entries returns the next of an index, newest first. What is no entry is removed,
// and what lies under the index's name and is none is an index of nothing.
func (r *Redis) entries(ctx context.Context, subject string, after session.Position, n int) ([]string, error) {
	end := "+"
	if !after.IsZero() {
		end = "(" + place(after)
	}
	for {
		entries, err := r.client.ZRevRangeByLex(ctx, r.indexKey(subject), &redis.ZRangeBy{Max: end, Min: "-", Count: int64(n)}).Result()
		if redis.HasErrorPrefix(err, "WRONGTYPE") {
			r.warnOfType.Do(func() { r.log.Warn("under the name of an index lies what is none", "subject", subject) })
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		var garbage []any
		for _, e := range entries {
			if _, ok := placeOf(e); !ok {
				garbage = append(garbage, e)
			}
		}
		if len(garbage) == 0 {
			return entries, nil
		}
		if err := r.removeFromIndex(ctx, subject, garbage...); err != nil {
			return nil, err
		}
	}
}

// listEntries reads the listing parts of the sessions of an index, and returns
// the entries that can go as well. What lies under a session's name and is no
// record is no session, and must not hide the others.
func (r *Redis) listEntries(ctx context.Context, subject string, entries []string) (
	list []session.Listing, dangling []any, err error,
) {
	answers, _ := r.client.Pipelined(ctx, func(p redis.Pipeliner) error { // each answer has its own error
		for _, e := range entries {
			at, _ := placeOf(e)
			p.GetRange(ctx, recordKey(at.ID), 0, session.RecordPrefix-1)
		}
		return nil
	})
	list = []session.Listing{}
	now := time.Now()
	for i, e := range entries {
		at, _ := placeOf(e)
		l, err := r.listed(at.ID, answers[i].(*redis.StringCmd), now)
		switch {
		case err == nil && l.Subject == subject:
			list = append(list, l)
		case errors.Is(err, errNoRecord) && now.Sub(at.CreatedAt) > danglingAfter:
			dangling = append(dangling, e)
		case err != nil && !errors.Is(err, session.ErrNotFound):
			return nil, nil, err
		}
	}
	return list, dangling, nil
}

// errNoRecord is where nothing at all lies under a session's name.
var errNoRecord = fmt.Errorf("%w: no record", session.ErrNotFound)

// listed reads the answer to a question for the beginning of a record.
func (r *Redis) listed(id string, answer *redis.StringCmd, now time.Time) (session.Listing, error) {
	prefix, err := answer.Bytes()
	switch {
	case redis.HasErrorPrefix(err, "WRONGTYPE"):
		r.warnOfType.Do(func() { r.log.Warn("under the name of a session lies what is none", "session", id) })
		return session.Listing{}, session.ErrNotFound
	case err != nil:
		return session.Listing{}, err
	case len(prefix) == 0:
		return session.Listing{}, errNoRecord
	}
	l, err := r.codec.OpenListing(id, prefix)
	if err == nil && (!now.Before(l.ExpiresAt) || session.Idle(l.LastSeen, now, r.idle)) {
		err = session.ErrNotFound
	}
	return l, err
}

// Find implements [session.Store].
func (r *Redis) Find(ctx context.Context, id string) (l session.Listing, err error) {
	if !session.IsID(id) {
		return session.Listing{}, session.ErrNotFound
	}
	err = r.call(ctx, "find", func(ctx context.Context) (err error) {
		l, err = r.listed(id, r.client.GetRange(ctx, recordKey(id), 0, session.RecordPrefix-1), time.Now())
		return err
	})
	if err != nil {
		return session.Listing{}, err
	}
	return l, nil
}
