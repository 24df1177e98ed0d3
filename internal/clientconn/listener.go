package clientconn

import (
	"context"
	"net"
	"net/http"
	"time"
)

// Listener lets clients into a room.
type Listener struct {
	net.Listener
	room *Room
}

// Listen returns a listener that lets into the room whoever comes. Whom there is no room
// for is closed at once.
func (r *Room) Listen(l net.Listener) *Listener { return &Listener{l, r} }

// Accept implements [net.Listener].
func (l *Listener) Accept() (net.Conn, error) {
	for {
		accepted, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		c := &Conn{Conn: accepted, room: l.room}
		c.idle.Store(time.Now().UnixNano())
		if l.room.enter(c) {
			return c, nil
		}
		_ = accepted.Close()
	}
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
		c.Idle()
	case http.StateActive, http.StateHijacked:
		c.idle.Store(0)
	}
}

// of returns the connection below others, such as that of TLS; nil for one of another
// listener.
func of(conn net.Conn) *Conn {
	for {
		switch c := conn.(type) {
		case *Conn:
			return c
		case interface{ NetConn() net.Conn }:
			conn = c.NetConn()
		default:
			return nil
		}
	}
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
