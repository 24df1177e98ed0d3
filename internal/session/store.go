package session

import (
	"context"
	"time"
)

// Traits are what a store does otherwise than others, by its nature.
type Traits struct {
	// MovingHandles: every save gives the session another handle, and what the
	// browser was not given is known to this process only. A handle of before
	// stays good: it loads the newest that this process knows of.
	MovingHandles bool
	// NoRegistry: nobody lists, counts or ends sessions whose handle they do not
	// have. List, Find, DeleteID and Count are [ErrNoRegistry].
	NoRegistry bool
	// CacheAge is how long a session that Load returned may be served without asking
	// again, while its changes are heard. 0: not at all, as where sessions lie opened
	// in this process anyway.
	CacheAge time.Duration
	// Opens, where the store seals its handles itself, reports whether one is its own
	// and unchanged. nil: handles are random bytes, to be sealed before they travel.
	Opens func(Handle) bool
}

// Count is how many sessions a store held, and when it was counted.
type Count struct {
	Sessions int
	At       time.Time
}

// StoreTimeout is how long a store may take to answer a call, its own retries
// included, before it must say [ErrUnavailable]. It is the contract's figure.
const StoreTimeout = 2 * time.Second

// Store keeps session records. Absence is a fact and always [ErrNotFound];
// whatever keeps the store from answering within [StoreTimeout] is
// [ErrUnavailable], wrapped around its cause; a caller that left is its
// context's error. No method returns a driver's error bare.
//
// The store, not its caller, keeps that time: a timer for each request would
// cost the stores that need none. Times are kept to the millisecond.
type Store interface {
	// Create stores a new session and returns it with Handle and ID set, both
	// made by the store; a session that is over already is ErrNotFound, one that
	// the store cannot hold ErrTooLarge.
	Create(ctx context.Context, s *Session) (*Session, error)
	// Load returns the session of a handle. A handle that the store did not
	// make, a record that does not open under it, and a session past a limit
	// are all ErrNotFound.
	Load(ctx context.Context, h Handle) (*Session, error)
	// Replace writes s over the record of s.Handle if that record's generation
	// is s.Generation-1, and returns the stored session (its Handle may have
	// changed). It never creates: a session deleted meanwhile stays deleted
	// (ErrNotFound). Another generation is ErrConflict, what the store cannot hold
	// ErrTooLarge. It leaves the recorded last use alone.
	Replace(ctx context.Context, s *Session) (*Session, error)
	// Touch records a use of the session and returns the handle that the browser
	// must present next: h, but where handles move ([Traits.MovingHandles]). It
	// never recreates; a session that is gone is not an error. It writes nothing
	// but the time, and nothing at all where a use less than a tenth of the idle
	// timeout older, or a later one, is on record.
	Touch(ctx context.Context, h Handle, seen time.Time) (Handle, error)
	// Delete ends the session of a handle and returns what it was in the same
	// step, so that no refresh comes between and the refresh token to revoke is
	// the last one. Absence is no error: it returns nil, as it does for a record
	// that does not open. Whoever watches is told the reason. With
	// [ErrUnconfirmed] it has ended all the same, and the session is returned.
	Delete(ctx context.Context, h Handle, why Reason) (*Session, error)

	// List returns sessions of a subject that are older than after, newest first,
	// limit of them at most. There may be more though a page has fewer, even none:
	// Next tells. None is an empty list.
	List(ctx context.Context, subject string, after Position, limit int) (Page, error)
	// Find returns what may be known of the session with a public id.
	Find(ctx context.Context, id string) (Listing, error)
	// DeleteID ends a session by its public id. Absence is not an error.
	// ErrUnconfirmed as for Delete; a repetition confirms it.
	DeleteID(ctx context.Context, id string, why Reason) error

	// Count returns how many sessions there are, of all instances together. It may
	// be an estimate, and some seconds old.
	Count(ctx context.Context) (Count, error)

	Leases
	Changes

	// Traits say what is different about this store; the same at every call.
	Traits() Traits

	// Ping asks whether the store could take a session now: whether it answers, and
	// takes writes.
	Ping(ctx context.Context) error
	// Close frees what the store holds.
	Close() error
}
