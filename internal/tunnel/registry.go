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
	"slices"
	"sync"
)

// Registry knows the tunnels that are open. The zero value is ready, and holds
// none. Safe for concurrent use.
type Registry struct {
	mu    sync.Mutex
	open  map[string][]*Tunnel // by the public id of their session; "" of none
	count int
	empty chan struct{} // made by Close, and closed when none is left
}

// Tunnel is a place in a registry, and what is carried on it.
type Tunnel struct {
	registry *Registry
	session  string
	ending   chan struct{} // closed by the registry
}

// Open makes a place for a tunnel that belongs to the session with that public id,
// or to none; ok is false after [Registry.Close]. Whoever opens one closes it.
func (r *Registry) Open(session string) (t *Tunnel, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.empty != nil {
		return nil, false
	}
	if r.open == nil {
		r.open = make(map[string][]*Tunnel)
	}
	t = &Tunnel{registry: r, session: session, ending: make(chan struct{})}
	r.open[session] = append(r.open[session], t)
	r.count++
	return t, true
}

// Close gives up the place.
func (t *Tunnel) Close() {
	r := t.registry
	r.mu.Lock()
	defer r.mu.Unlock()
	at := slices.Index(r.open[t.session], t)
	if at < 0 {
		return
	}
	if r.open[t.session] = slices.Delete(r.open[t.session], at, at+1); len(r.open[t.session]) == 0 {
		delete(r.open, t.session)
	}
	if r.count--; r.count == 0 && r.empty != nil {
		close(r.empty)
	}
}

// Len returns how many tunnels are open.
func (r *Registry) Len() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.count
}

// Close ends all tunnels, which takes each a moment, and lets no others begin.
func (r *Registry) Close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.empty != nil {
		return
	}
	r.empty = make(chan struct{})
	for _, all := range r.open {
		for _, t := range all {
			close(t.ending)
		}
	}
	if r.count == 0 {
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
		return fmt.Errorf("%d tunnels still open: %w", n, ctx.Err())
	}
	return nil
}
