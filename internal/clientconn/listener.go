// Package clientconn keeps the connections of clients: how many there are, which of them
// goes when there is no room, and how long a client may leave lying what is written to it.
// What is served on a connection is net/http's business.
//
// The one invariant: no more connections are open than were allowed, whatever has become
// of them since, WebSockets among them.
package clientconn

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// samples is how many connections are looked at for one that may go. The one that waits
// longest of so many is among the oldest few of a hundred.
const samples = 64

// Listener admits so many connections at a time.
//
// One more takes the place of one that has long waited for its client: for the next
// request, for the rest of a header or of a body, or for what was written to be taken.
// Where none does it is closed at once. So whoever opens connections and leaves them lying
// pushes out their own, and those who send and read are served.
type Listener struct {
	net.Listener
	most         int
	writeTimeout time.Duration

	mu   sync.Mutex
	open map[*Conn]struct{}

	refused, displaced atomic.Uint64
}

// Listen returns a listener that admits most connections at a time. A client may leave what
// is written to it lying for writeTimeout.
func Listen(l net.Listener, most int, writeTimeout time.Duration) *Listener {
	return &Listener{Listener: l, most: most, writeTimeout: writeTimeout, open: make(map[*Conn]struct{})}
}

// Figures are what was counted of a listener.
type Figures struct {
	Open int
	// Displaced had to make room, and Refused found none.
	Displaced, Refused uint64
}

// Figures returns them.
func (l *Listener) Figures() Figures {
	l.mu.Lock()
	defer l.mu.Unlock()
	return Figures{len(l.open), l.displaced.Load(), l.refused.Load()}
}

// Accept implements [net.Listener].
func (l *Listener) Accept() (net.Conn, error) {
	for {
		accepted, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		c := &Conn{Conn: accepted, listener: l}
		c.reading.Store(time.Now().UnixNano())
		if l.admit(c) {
			return c, nil
		}
		l.refused.Add(1)
		_ = accepted.Close()
	}
}

// admit makes a place for a connection, if there is one or somebody's can be had.
func (l *Listener) admit(c *Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.open) >= l.most {
		last := l.longestWaiting()
		if last == nil {
			return false
		}
		delete(l.open, last)
		l.displaced.Add(1)
		_ = last.Conn.Close() // whoever serves it finds out, and its descriptor is free now
	}
	l.open[c] = struct{}{}
	return true
}

// longestWaiting returns the connection that has waited longest for its client, among some;
// nil if none does. The caller holds the lock.
func (l *Listener) longestWaiting() *Conn {
	var longest *Conn
	var since int64
	looked := 0
	for c := range l.open { // which begins anywhere
		if at := c.waitsSince(); at != 0 && (longest == nil || at < since) {
			longest, since = c, at
		}
		if looked++; looked == samples {
			break
		}
	}
	return longest
}

func (l *Listener) leave(c *Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.open, c)
}

// State is for [http.Server.ConnState]: between requests, and until the first, a
// connection waits for its client.
func (l *Listener) State(conn net.Conn, state http.ConnState) {
	c := of(conn)
	if c == nil {
		return
	}
	switch state {
	case http.StateIdle:
		c.Wait()
	case http.StateActive, http.StateHijacked:
		c.Go()
	}
}

// of returns the connection below TLS; nil for one of another listener.
func of(conn net.Conn) *Conn {
	if secured, ok := conn.(*tls.Conn); ok {
		conn = secured.NetConn()
	}
	c, _ := conn.(*Conn)
	return c
}

type connKey struct{}

// Context is for [http.Server.ConnContext], and [From] finds what it puts there.
func (l *Listener) Context(ctx context.Context, conn net.Conn) context.Context {
	if c := of(conn); c != nil {
		return context.WithValue(ctx, connKey{}, c)
	}
	return ctx
}

// From returns the connection that a request came over; nil for one of another listener.
func From(ctx context.Context) *Conn {
	c, _ := ctx.Value(connKey{}).(*Conn)
	return c
}
