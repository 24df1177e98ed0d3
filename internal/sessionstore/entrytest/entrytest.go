// Package entrytest is the least of what a keyed session store needs, for tests.
//
// It owns no contract, and judges nothing.
package entrytest

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/sessionstore"
)

// Entries are values in memory, the contract of gatehouse.Store at its least: nothing
// expires by itself.
type Entries struct {
	mu     sync.Mutex
	Values map[string][]byte // not to be looked at while they are used
	// Before is called at the beginning of each call; may be nil. Its error is the
	// call's.
	Before func(op, key string) error
}

func (e *Entries) begin(ctx context.Context, op, key string) error {
	if e.Before != nil {
		if err := e.Before(op, key); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// Get implements sessionstore.Entries.
func (e *Entries) Get(ctx context.Context, key string) ([]byte, error) {
	if err := e.begin(ctx, "get", key); err != nil {
		return nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if value, ok := e.Values[key]; ok {
		return value, nil
	}
	return nil, sessionstore.ErrNoEntry
}

// Swap implements sessionstore.Entries.
func (e *Entries) Swap(ctx context.Context, key string, old, value []byte, _ time.Time) (bool, error) {
	if err := e.begin(ctx, "swap", key); err != nil {
		return false, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if !bytes.Equal(e.Values[key], old) {
		return false, nil
	}
	if value == nil {
		delete(e.Values, key)
	} else {
		e.Values[key] = value
	}
	return true, nil
}

// Keys implements sessionstore.Entries.
func (e *Entries) Keys(ctx context.Context, prefix, after string, limit int) ([]string, error) {
	if err := e.begin(ctx, "keys", prefix); err != nil {
		return nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	var keys []string
	for key := range e.Values {
		if strings.HasPrefix(key, prefix) && key > after {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys[:min(limit, len(keys))], nil
}

// Close implements sessionstore.Entries.
func (e *Entries) Close() error { return nil }

// New returns no values.
func New() *Entries { return &Entries{Values: map[string][]byte{}} }
