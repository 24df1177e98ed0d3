package sessionstore

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"math"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/gatehouse-auth/gatehouse/internal/session"
)

// The index of a subject is its sessions' places in keys, all bits turned over, so
// that the newest comes first. As in Redis, an entry is written before its record
// and removed after it, and one without a record means nothing.

// recordPrefix is how the key of a record begins.
const recordPrefix = "s/"

func (k *Keyed) recordKey(id string) string { return recordPrefix + digest(id) }

// digest is a hash as keys have it: 64 digits, spread evenly.
func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

func randomHex(size int) string {
	b := make([]byte, size)
	_, _ = rand.Read(b) // never fails (crypto/rand, Go 1.24)
	return hex.EncodeToString(b)
}

// indexPrefix is how the keys of a subject's index begin, without showing the
// subject. Gateways of other clients have indexes of their own.
func (k *Keyed) indexPrefix(subject string) string {
	return "u/" + digest(k.audience + "\x00" + subject)[:32] + "/"
}

func (k *Keyed) indexKey(subject string, p session.Position) string {
	return k.indexPrefix(subject) + hex.EncodeToString(turned([]byte(place(p))))
}

// turned returns bytes in the opposite order of the given ones, and the given ones
// of those.
func turned(b []byte) []byte {
	other := make([]byte, len(b))
	for i := range b {
		other[i] = ^b[i]
	}
	return other
}

// List implements [session.Store]. It prunes what has no record any more.
func (k *Keyed) List(ctx context.Context, subject string, after session.Position, limit int) (session.Page, error) {
	page := session.Page{Sessions: []session.Listing{}}
	start := ""
	if !after.IsZero() {
		start = k.indexKey(subject, after)
	}
	var dangling []string
	err := k.call(ctx, "list", func(ctx context.Context) error {
		keys, err := k.entries.Keys(ctx, k.indexPrefix(subject), start, limit+1)
		if err != nil {
			return err
		}
		places := places(keys)
		if len(places) > limit {
			places = places[:limit]
			page.Next = places[limit-1]
		}
		page.Sessions, dangling, err = k.listPlaces(ctx, subject, places)
		return err
	})
	if err != nil {
		return session.Page{}, err
	}
	for _, key := range dangling {
		k.forget(ctx, key)
	}
	return page, nil
}

// places reads the keys of an index.
func places(keys []string) (found []session.Position) {
	for _, key := range keys {
		b, err := hex.DecodeString(key[strings.LastIndexByte(key, '/')+1:])
		if p, ok := positionOf(string(turned(b))); ok && err == nil {
			found = append(found, p)
		}
	}
	return found
}

// listedAtOnce is how many records a list asks for at a time.
const listedAtOnce = 8

// listPlaces reads the sessions of an index, and returns the keys of those entries
// that can go.
func (k *Keyed) listPlaces(ctx context.Context, subject string, places []session.Position) (list []session.Listing, dangling []string, err error) {
	records := make([][]byte, len(places))
	asking, ctx := errgroup.WithContext(ctx)
	asking.SetLimit(listedAtOnce)
	for i, p := range places {
		asking.Go(func() (err error) {
			records[i], err = k.lookup(ctx, k.recordKey(p.ID))
			return err
		})
	}
	if err := asking.Wait(); err != nil {
		return nil, nil, err
	}
	list = []session.Listing{}
	for i, p := range places {
		l, err := k.listed(p.ID, records[i])
		switch {
		case err == nil && l.Subject == subject:
			list = append(list, l)
		case records[i] == nil && time.Since(p.CreatedAt) > danglingAfter:
			dangling = append(dangling, k.indexKey(subject, p))
		}
	}
	return list, dangling, nil
}

// listed reads the listing part of a record, or of none.
func (k *Keyed) listed(id string, record []byte) (session.Listing, error) {
	l, err := k.codec.OpenListing(id, record)
	if err == nil && k.over(l.LastSeen, l.ExpiresAt) {
		err = session.ErrNotFound
	}
	return l, err
}

// Find implements [session.Store].
func (k *Keyed) Find(ctx context.Context, id string) (l session.Listing, err error) {
	if !session.IsID(id) {
		return session.Listing{}, session.ErrNotFound
	}
	err = k.call(ctx, "find", func(ctx context.Context) error {
		record, err := k.lookup(ctx, k.recordKey(id))
		if err == nil {
			l, err = k.listed(id, record)
		}
		return err
	})
	if err != nil {
		return session.Listing{}, err
	}
	return l, nil
}

// keysAtOnce is how many keys [Entries] are asked for at a time.
const keysAtOnce = 1000

// Count implements [session.Store]. It is exact up to [countSample] records, those
// included that are over and not forgotten yet. Of more it looks at the first ones
// only: keys are hashes, so that the part of all keys that they take up tells how
// many there are, in 95 of 100 cases within 3 %.
func (k *Keyed) Count(ctx context.Context) (session.Count, error) {
	count := session.Count{At: time.Now()}
	err := k.call(ctx, "count", func(ctx context.Context) error {
		for after := ""; ; {
			keys, err := k.entries.Keys(ctx, recordPrefix, after, keysAtOnce)
			if err != nil {
				return err
			}
			count.Sessions += len(keys)
			if len(keys) < keysAtOnce {
				return nil
			}
			after = keys[len(keys)-1]
			if count.Sessions >= countSample {
				count.Sessions, err = extrapolate(count.Sessions, after)
				return err
			}
		}
	})
	if err != nil {
		return session.Count{}, err
	}
	return count, nil
}

// extrapolate returns how many records there are if n lie up to a key.
func extrapolate(n int, key string) (int, error) {
	const digits = 13 // which a float64 holds
	hash := strings.TrimPrefix(key, recordPrefix)
	to, err := strconv.ParseUint(hash[:min(digits, len(hash))], 16, 64)
	return int(math.Round(float64(n) / (float64(to+1) / (1 << (4 * digits))))), err
}
