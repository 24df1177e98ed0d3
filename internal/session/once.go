package session

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"
)

// Once reports whether it is asked for name for the first time within term, by any
// instance that shares the store. A store that has no other process to share with
// remembers for its own ([Traits.MovingHandles]).
//
// It is a lease that nobody gives back. Like every lease it can be lost when a replica
// of the store takes over: it keeps work from being done twice, and nothing safe.
//
// Errors: [ErrUnavailable], the context's.
func (m *Manager) Once(ctx context.Context, name string, term time.Duration) (bool, error) {
	first, err := m.store.Acquire(ctx, "once:"+name, rand.Text(), term)
	if err != nil {
		return false, fmt.Errorf("once: %w", err)
	}
	return first, nil
}
