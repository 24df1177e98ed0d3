// Package hangup tells when the other side of a connection has gone, without reading from
// that and without a goroutine for each: where many connections wait for hours, the stack
// of one that only reads to learn of the end is most of what they cost.
//
// The one invariant: who has forgotten a connection is told nothing of it any more.
package hangup

import (
	"net"
	"sync"
	"syscall"
)

// Watcher watches connections. The zero value is ready. It has a goroutine, and a
// descriptor, while there is something to watch. Safe for concurrent use.
type Watcher struct {
	mu      sync.Mutex
	poller  *poller // nil while nothing is watched
	watched map[uintptr]*Watched
	turns   int32
}

// Watched is a connection that is watched, until it is forgotten.
type Watched struct {
	w    *Watcher
	gone func()
	socket
}

// socket is a descriptor, which is used again once its connection is closed, and which use
// of it is meant.
type socket struct {
	fd   uintptr
	turn int32
}

// Watch calls gone, once, when the other side has ended its direction of the connection,
// or the connection is broken; gone must not block. Of a connection that is closed here
// nothing is told; it has to be forgotten all the same. False: it cannot be watched, as on
// systems other than Linux.
func (w *Watcher) Watch(conn net.Conn, gone func()) (*Watched, bool) {
	raw := socketOf(conn)
	if raw == nil {
		return nil, false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.poller == nil {
		p, err := newPoller()
		if err != nil {
			return nil, false
		}
		w.poller, w.watched = p, make(map[uintptr]*Watched)
		go w.run(p)
	}
	w.turns++
	of := &Watched{w: w, gone: gone, socket: socket{turn: w.turns}}
	var err error
	if failed := raw.Control(func(fd uintptr) {
		of.fd = fd
		err = w.poller.add(of.socket)
	}); failed != nil || err != nil {
		w.rest()
		return nil, false
	}
	w.watched[of.fd] = of
	return of, true
}

// Forget ends the watch. A second call does nothing.
func (of *Watched) Forget() {
	w := of.w
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.watched[of.fd] != of { // forgotten already, or closed, and its descriptor is another's
		return
	}
	delete(w.watched, of.fd)
	w.poller.remove(of.fd)
	w.rest()
}

// rest gives the poller up where there is nothing to watch. The caller holds the lock.
func (w *Watcher) rest() {
	if len(w.watched) == 0 && w.poller != nil {
		w.poller.close()
		w.poller = nil
	}
}

// run tells of ends until the poller is closed.
func (w *Watcher) run(p *poller) {
	for ended := p.wait(); len(ended) > 0; ended = p.wait() {
		w.mu.Lock()
		for _, s := range ended {
			if of := w.watched[s.fd]; of != nil && of.turn == s.turn && w.poller == p {
				of.gone()
			}
		}
		w.mu.Unlock()
	}
}

// socketOf returns the socket below a connection, such as that of TLS; nil if there is
// none.
func socketOf(conn net.Conn) syscall.RawConn {
	for {
		if c, ok := conn.(syscall.Conn); ok {
			raw, err := c.SyscallConn()
			if err != nil {
				return nil
			}
			return raw
		}
		c, ok := conn.(interface{ NetConn() net.Conn })
		if !ok {
			return nil
		}
		conn = c.NetConn()
	}
}
