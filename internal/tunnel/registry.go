// Package tunnel carries the connections that have left HTTP: WebSockets, between
// a client and an upstream. A server's own shutdown neither ends them nor waits
// for them, so each is in a [Registry], which does both. Whether there may be one, and
// its handshake, are left to package proxy.
//
// The one invariant: a tunnel that is open is in its registry until its last byte
// has passed, and whoever opened it has nothing left to do.
package tunnel

import (
	"context"
	"fmt"
	"sync"
)

// Registry knows the tunnels that are open. The zero value is ready, and holds
// none. Safe for concurrent use.
type Registry struct {
	// Most is how many may be open; 0 is no limit.
	Most int

	mu    sync.Mutex
	open  map[*Tunnel]bool
	empty chan struct{} // made by Close, and closed when none is left
}

// Tunnel is a place in a registry, and what is carried on it.
type Tunnel struct {
	registry *Registry
	ending   chan struct{} // closed by the registry
	end      func()        // is called by it; may be nil
}

// Open makes a place for a tunnel; ok is false after [Registry.Close], and where as many
// are open as may be ([Registry.Full]). Whoever opens one closes it. End is called where the
// registry ends it, and must not block; it may be nil.
func (r *Registry) Open(end func()) (t *Tunnel, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.empty != nil || r.full() {
		return nil, false
	}
	if r.open == nil {
		r.open = make(map[*Tunnel]bool)
	}
	t = &Tunnel{registry: r, ending: make(chan struct{}), end: end}
	r.open[t] = true
	return t, true
}

// Full reports whether as many are open as may be.
func (r *Registry) Full() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.full()
}

func (r *Registry) full() bool { return r.Most > 0 && len(r.open) >= r.Most }

// Close gives up the place.
func (t *Tunnel) Close() {
	r := t.registry
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.open[t] {
		return
	}
	if delete(r.open, t); len(r.open) == 0 && r.empty != nil {
		close(r.empty)
	}
}

// Len returns how many tunnels are open.
func (r *Registry) Len() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.open)
}

// Close ends all tunnels, which takes each a moment, and lets no others begin.
func (r *Registry) Close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.empty != nil {
		return
	}
	r.empty = make(chan struct{})
	for t := range r.open {
		close(t.ending)
		if t.end != nil {
			t.end()
		}
	}
	if len(r.open) == 0 {
		close(r.empty)
	}
}

// Wait waits, after Close, until all tunnels have ended. The error says how many
// have not when ctx ends.
func (r *Registry) Wait(ctx context.Context) error {
	r.mu.Lock()
	empty := r.empty
	r.mu.Unlock()
	select {
	case <-empty:
		return nil
	case <-ctx.Done():
	}
	if n := r.Len(); n > 0 {
		return fmt.Errorf("%d still open: %w", n, ctx.Err())
	}
	return nil
}
