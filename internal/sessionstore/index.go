package sessionstore

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/gatehouse-auth/gatehouse/internal/session"
)

// The index of a subject is a sorted set of its sessions, in order of their
// absolute limits. It lies in another slot than the records, so nothing can
// write both at once: an entry is written before its record and removed after
// it, and one without a record means nothing.

// danglingAfter is how old an entry without a record must be to be removed: a
// younger one may belong to a login whose record is on its way.
const danglingAfter = time.Minute

// indexKey names a subject's index without showing the subject.
func indexKey(subject string) string {
	sum := sha256.Sum256([]byte(subject))
	return "gatehouse:u:{" + base64.RawURLEncoding.EncodeToString(sum[:]) + "}"
}

// member is an index entry: when the session was created, 8 bytes of Unix
// milliseconds, and its id.
func member(id string, created time.Time) string {
	b := binary.BigEndian.AppendUint64(nil, uint64(created.UnixMilli()))
	return string(append(b, id...))
}

func splitMember(m string) (id string, created time.Time, ok bool) {
	if len(m) < 8 || !session.IsID(m[8:]) {
		return "", time.Time{}, false
	}
	return m[8:], time.UnixMilli(int64(binary.BigEndian.Uint64([]byte(m[:8])))), true
}

func (r *Redis) addToIndex(ctx context.Context, s *session.Session, now time.Time) error {
	return indexScript.Run(ctx, r.client, []string{indexKey(s.Subject)},
		member(s.ID, s.CreatedAt), s.ExpiresAt.UnixMilli(), now.UnixMilli()).Err()
}

func (r *Redis) removeFromIndex(ctx context.Context, subject string, members ...any) error {
	return r.client.ZRem(ctx, indexKey(subject), members...).Err()
}

// List implements [session.Store]. It prunes what has no record any more.
func (r *Redis) List(ctx context.Context, subject string) ([]session.Listing, error) {
	list := []session.Listing{}
	err := r.call(ctx, "list", func(ctx context.Context) error {
		members, err := r.client.ZRange(ctx, indexKey(subject), 0, -1).Result()
		if err != nil || len(members) == 0 {
			return err
		}
		var dangling []any
		list, dangling, err = r.listMembers(ctx, subject, members)
		if err != nil || len(dangling) == 0 {
			return err
		}
		return r.removeFromIndex(ctx, subject, dangling...)
	})
	if err != nil {
		return nil, err
	}
	newestFirst(list)
	return list, nil
}

// listMembers reads the listing parts of the sessions of an index, and returns
// the entries that can go as well. What lies under a session's name and is no
// record is no session, and must not hide the others.
func (r *Redis) listMembers(ctx context.Context, subject string, members []string) (
	list []session.Listing, dangling []any, err error,
) {
	answers, _ := r.client.Pipelined(ctx, func(p redis.Pipeliner) error { // each answer has its own error
		for _, m := range members {
			id, _, _ := splitMember(m)
			p.GetRange(ctx, recordKey(id), 0, session.RecordPrefix-1)
		}
		return nil
	})
	list = []session.Listing{}
	now := time.Now()
	for i, m := range members {
		id, created, ok := splitMember(m)
		prefix, err := answers[i].(*redis.StringCmd).Bytes()
		if redis.HasErrorPrefix(err, "WRONGTYPE") {
			r.warnOfType.Do(func() { r.log.Warn("under the name of a session lies what is none", "session", id) })
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		l, err := r.codec.OpenListing(id, prefix)
		switch {
		case err == nil && l.Subject == subject && now.Before(l.ExpiresAt) && !session.Idle(l.LastSeen, now, r.idle):
			list = append(list, l)
		case !ok, len(prefix) == 0 && now.Sub(created) > danglingAfter:
			dangling = append(dangling, m)
		}
	}
	return list, dangling, nil
}
