package sessionstore

import (
	"context"
	"errors"
	"math"
	"sync"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/session"
)

// CookieOptions of a [Cookie] store. All are required.
type CookieOptions struct {
	// Codec makes the handles, and says what they hold.
	Codec *session.PortableCodec
	// IdleTimeout is the sessions' idle timeout.
	IdleTimeout time.Duration
	// MaxHandle is how long a handle may be in bytes: what the browser can carry.
	MaxHandle int
}

// Cookie is the store without a store: the handle is the session itself, sealed
// under the key ring, and each save makes another. Every instance with the keys
// knows every session, and none knows how many there are.
//
// What a process saved it remembers for a while, so that requests which carry
// the handle of before get the newest, and what has ended here stays ended here;
// see known. Across instances and restarts the browser's copy is all there is.
// Safe for concurrent use.
type Cookie struct {
	local
	o     CookieOptions
	codec *session.PortableCodec

	mu    sync.Mutex
	known *known
}

var _ session.Store = (*Cookie)(nil)

// NewCookie returns a store.
func NewCookie(o CookieOptions) (*Cookie, error) {
	if o.Codec == nil || o.IdleTimeout <= 0 || o.MaxHandle <= 0 {
		return nil, errors.New("cookie store: every option is required")
	}
	return &Cookie{o: o, codec: o.Codec, known: newKnown(maxKnown, maxEnded)}, nil
}

func (c *Cookie) over(s *session.Session, now time.Time) bool {
	return s.Over(now) || session.Idle(s.LastSeen, now, c.o.IdleTimeout)
}

// Create implements [session.Store].
func (c *Cookie) Create(_ context.Context, s *session.Session) (*session.Session, error) {
	if c.over(s, time.Now()) {
		return nil, session.ErrNotFound
	}
	created := *s
	created.ID = session.NewID()
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.save(&created)
}

// save seals s and remembers it. The caller holds mu.
func (c *Cookie) save(s *session.Session) (*session.Session, error) {
	sealed, err := c.codec.Seal(s)
	if err != nil {
		return nil, err
	}
	if len(sealed.Handle.Reveal()) > c.o.MaxHandle {
		return nil, session.ErrTooLarge
	}
	c.known.put(sealed)
	return sealed, nil
}

// Load implements [session.Store].
func (c *Cookie) Load(_ context.Context, h session.Handle) (*session.Session, error) {
	carried, err := c.codec.Open(h)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.newest(carried)
}

// newest returns the newest that is known of the session that a handle holds, or
// [session.ErrNotFound] where it is over or has ended here. The caller holds mu.
func (c *Cookie) newest(carried *session.Session) (*session.Session, error) {
	s, other := carried, c.known.get(carried.ID)
	switch {
	case other == nil:
	case other.Handle.Equal(s.Handle): // the same, with all that was made of it
		s = other
	case follows(other, s):
		s, other = other, s
	}
	if other != nil && other.LastSeen.After(s.LastSeen) {
		// Another instance recorded the use, on an older generation than ours.
		merged := *s
		merged.LastSeen = other.LastSeen
		var err error
		if s, err = c.codec.Seal(&merged); err != nil {
			return nil, err
		}
	}
	if c.known.hasEnded(s) || c.over(s, time.Now()) {
		return nil, session.ErrNotFound
	}
	c.known.put(s)
	return s, nil
}

// follows reports whether a is newer than b, of one session. Two instances that
// refreshed at once made the same generation; the later tokens count, everywhere.
func follows(a, b *session.Session) bool {
	switch {
	case a.Generation != b.Generation:
		return a.Generation > b.Generation
	case !a.TokensAt.Equal(b.TokensAt):
		return a.TokensAt.After(b.TokensAt)
	}
	return a.LastSeen.After(b.LastSeen)
}

// Replace implements [session.Store].
func (c *Cookie) Replace(_ context.Context, s *session.Session) (*session.Session, error) {
	carried, err := c.codec.Open(s.Handle)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	old, err := c.newest(carried)
	if err != nil {
		return nil, err
	}
	if old.Generation != s.Generation-1 {
		return nil, session.ErrConflict
	}
	next := *s
	next.ID, next.LastSeen = old.ID, old.LastSeen
	saved, err := c.save(&next)
	if err != nil {
		return nil, err
	}
	c.publish(session.Change{ID: saved.ID, Generation: saved.Generation})
	return saved, nil
}

// Touch implements [session.Store]. It returns the newest handle, whoever made it.
func (c *Cookie) Touch(_ context.Context, h session.Handle, seen time.Time) (session.Handle, error) {
	carried, err := c.codec.Open(h)
	if err != nil {
		return h, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	old, err := c.newest(carried)
	if err != nil {
		return h, nil
	}
	if seen.Sub(old.LastSeen) < c.o.IdleTimeout/10 {
		return old.Handle, nil
	}
	next := *old
	next.LastSeen = seen
	saved, err := c.save(&next)
	if err != nil {
		return h, err
	}
	return saved.Handle, nil
}

// Delete implements [session.Store]: the session has ended here. Its copies at
// other instances live on until a limit, or until the revoked refresh token shows.
func (c *Cookie) Delete(_ context.Context, h session.Handle, why session.Reason) (*session.Session, error) {
	carried, err := c.codec.Open(h)
	if err != nil {
		return nil, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	last, err := c.newest(carried)
	if err != nil {
		return nil, nil
	}
	c.known.end(last, endsWith(last, why))
	c.publish(session.Change{ID: last.ID, Reason: why})
	return last, nil
}

// endsWith returns the last generation of s that ends with it. A grant that was
// refused may be one that another instance has rotated: what that made of it is a
// later generation, and good.
func endsWith(s *session.Session, why session.Reason) uint64 {
	if why == session.ReasonRevoked {
		return s.Generation
	}
	return math.MaxUint64
}

// List implements [session.Store].
func (c *Cookie) List(context.Context, string, session.Position, int) (session.Page, error) {
	return session.Page{}, session.ErrNoRegistry
}

// Find implements [session.Store].
func (c *Cookie) Find(context.Context, string) (session.Listing, error) {
	return session.Listing{}, session.ErrNoRegistry
}

// DeleteID implements [session.Store]. It could end a session at this instance,
// and whoever asks for an end means everywhere.
func (c *Cookie) DeleteID(context.Context, string, session.Reason) error {
	return session.ErrNoRegistry
}

// Count implements [session.Store].
func (c *Cookie) Count(context.Context) (session.Count, error) {
	return session.Count{}, session.ErrNoRegistry
}

// Traits implements [session.Store].
func (c *Cookie) Traits() session.Traits {
	return session.Traits{MovingHandles: true, NoRegistry: true, Opens: c.codec.Opens}
}

// Ping implements [session.Store].
func (c *Cookie) Ping(context.Context) error { return nil }

// Close implements [session.Store]. The sessions live on with the browsers.
func (c *Cookie) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.known = newKnown(maxKnown, maxEnded)
	return nil
}
