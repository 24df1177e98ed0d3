package session

import (
	"context"
	"time"
)

// Reason says why a session ended.
type Reason string

// The reasons a session ends for. Idle and absolute limits are not among those
// that stores tell of: a record that expires by itself ends silently.
const (
	ReasonLogout   Reason = "logout"   // its user signed out of this one
	ReasonGlobal   Reason = "global"   // its user signed out everywhere
	ReasonRevoked  Reason = "revoked"  // the provider revoked its grant
	ReasonExpired  Reason = "expired"  // a limit has passed
	ReasonAdmin    Reason = "admin"    // an administrator ended it
	ReasonReplaced Reason = "replaced" // a later login took its place
)

// Change is what happened to one session. It names the session by its public id
// and carries no secret.
type Change struct {
	ID string
	// Generation is the record's new one; 0 where the session has ended.
	Generation uint64
	// Reason is why it ended; empty where it was refreshed.
	Reason Reason
	// Missed: nobody knows whether anything happened, for changes were not heard a
	// while. Stores never say so, [Manager.Listen] does.
	Missed bool
}

// Ended reports whether the session is over.
func (c Change) Ended() bool { return c.Generation == 0 && !c.Missed }

// Heartbeat is how often, at least, a store repeats during [Changes.Watch] that
// changes arrive.
const Heartbeat = 250 * time.Millisecond

// Changes is the part of a store that tells what happens to sessions, on this
// instance and on all others.
type Changes interface {
	// Watch tells receive of every change while it is up, in the order in which
	// the store made them. It calls up(true) when changes begin to arrive and
	// again at least once per [Heartbeat], each time only after all changes that
	// came before; up(false) as soon as they may not arrive any more. What changes
	// between up(false) and the next up(true) is not told. Watch restores a lost
	// connection by itself and returns only when ctx ends, with its error.
	//
	// Both functions are called from one goroutine at a time and must not block.
	Watch(ctx context.Context, receive func(Change), up func(bool)) error
}

// Leases is the part of a store that lets one instance at a time work on a
// session. A lease protects against work done twice, never against a lost
// write: it can run out under a process that was held up, and Replace is what
// decides then.
type Leases interface {
	// Acquire gives the lease of a session, or of something else that has a name
	// ([Manager.Once]), to owner for term, and reports false if another owner has it.
	// Owners are random and never used again; one that has the lease already gets it
	// for a new term, so that a repeated command does not shut its own sender out.
	Acquire(ctx context.Context, id, owner string, term time.Duration) (bool, error)
	// Renew lets a lease last for term from now, and reports false if owner does
	// not have it any more.
	Renew(ctx context.Context, id, owner string, term time.Duration) (bool, error)
	// Release gives the lease back. Another owner's is left alone.
	Release(ctx context.Context, id, owner string) error
}
