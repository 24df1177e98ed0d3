package sessionstore

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/session"
)

// What happens to sessions is written down, and every instance reads what the
// others wrote. A key says it all: when, what, and by which instance. It is written
// after the change and not with it: where the two are torn apart, by a store or an
// instance that goes down in between, nobody is told of the change. That is what
// [lossyCacheAge] is for.

const (
	changePrefix = "c/"
	// overlap is how far each look goes back behind the one before: a change may be
	// written late, by an instance whose clock is behind.
	overlap = 5 * time.Second
	// lookTimeout bounds a look at what the others wrote. It counts no more by then.
	lookTimeout = 2 * session.Heartbeat
)

// since is before all changes of a time and later.
func since(t time.Time) string { return changePrefix + microseconds(t.UnixMicro()) }

func microseconds(us int64) string { return fmt.Sprintf("%016x", us) }

// tell tells a change that was made: to this instance at once, to the others as
// soon as they look.
func (k *Keyed) tell(ctx context.Context, c session.Change) {
	k.publish(c)
	now := time.Now()
	key := changePrefix + microseconds(k.after(now)) + hex.EncodeToString(encodeChange(c)) + "/" + k.instance
	err := k.call(context.WithoutCancel(ctx), "tell", func(ctx context.Context) error {
		return k.insert(ctx, key, mark, now.Add(overlap))
	})
	if err != nil {
		k.log.Warn("other instances are not told of a session's change", "session", c.ID, "error", err)
	}
}

// after returns the time of the next change: now, but later than that of any before,
// so that each has its place.
func (k *Keyed) after(now time.Time) int64 {
	for {
		last := k.told.Load()
		next := max(now.UnixMicro(), last+1)
		if k.told.CompareAndSwap(last, next) {
			return next
		}
	}
}

// Watch implements [session.Changes]. A look that succeeds is the sign of life.
func (k *Keyed) Watch(ctx context.Context, receive func(session.Change), up func(bool)) error {
	w := k.join()
	defer func() {
		k.leave(w)
		up(false)
	}()
	beat := time.NewTicker(session.Heartbeat * 4 / 5)
	defer beat.Stop()
	for l := (&look{Keyed: k}); ; {
		changes, err := l.again(ctx)
		for _, c := range append(k.pending(w), changes...) {
			receive(c)
		}
		switch {
		case err != nil:
			k.log.Debug("changes of sessions may have been missed", "error", err)
			up(false)
		case l.took <= session.Heartbeat: // a late sign says that the changes are late too
			up(true)
		}
		for waiting := true; waiting; {
			select {
			case <-w.signal:
				for _, c := range k.pending(w) {
					receive(c)
				}
			case <-beat.C:
				waiting = false
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
}

// look reads what other instances wrote, again and again.
type look struct {
	*Keyed
	last  time.Time           // when the latest that succeeded began
	took  time.Duration       // how long it took
	known map[string]struct{} // the keys it found
}

// errGap is where too much time has passed since the look before.
var errGap = errors.New("nobody looked for too long")

// again returns the changes that nobody was told of yet. With errGap there may have
// been others. The first look finds what was before it, and tells nothing.
func (l *look) again(ctx context.Context) (changes []session.Change, err error) {
	began, first := time.Now(), l.last.IsZero()
	keys, err := l.keys(ctx, since(began.Add(-overlap)))
	if err != nil {
		return nil, err
	}
	if !first && began.Sub(l.last) > overlap {
		err = errGap
	}
	known := make(map[string]struct{}, len(keys))
	for _, key := range keys {
		known[key] = struct{}{}
		if _, told := l.known[key]; told || first {
			continue
		}
		if c, ok := l.foreign(key); ok {
			changes = append(changes, c)
		}
	}
	l.last, l.took, l.known = began, time.Since(began), known
	return changes, err
}

// keys returns the keys of all changes after one.
func (l *look) keys(ctx context.Context, after string) (keys []string, err error) {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	err = l.call(ctx, "watch", func(ctx context.Context) error {
		for {
			page, err := l.entries.Keys(ctx, changePrefix, after, keysAtOnce)
			if err != nil {
				return err
			}
			keys = append(keys, page...)
			if len(page) < keysAtOnce {
				return nil
			}
			after = page[len(page)-1]
		}
	})
	return keys, err
}

// foreign reads a change of another instance; false for what is none.
func (l *look) foreign(key string) (session.Change, bool) {
	text, instance, ok := strings.Cut(strings.TrimPrefix(key, changePrefix), "/")
	if !ok || instance == l.instance || len(text) < 16 {
		return session.Change{}, false
	}
	b, err := hex.DecodeString(text[16:])
	if err != nil {
		return session.Change{}, false
	}
	return decodeChange(string(b))
}
