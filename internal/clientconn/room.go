// Package clientconn keeps the connections of clients: how many there are, which of them
// goes when there is no room, and how long a client may leave lying what is written to it.
// What is opened on behalf of clients, connections to upstreams and files, is counted as
// well. What is served on a connection is net/http's business.
//
// The one invariant: no more connections are open than were allowed, whatever has become
// of them since, WebSockets among them.
package clientconn

import (
	"sync"
	"sync/atomic"
	"time"
)

const (
	// samples is how many connections are looked at for one that may go. The one that
	// waits longest of so many is among the oldest few of a hundred.
	samples = 64
	// slack is how many descriptors may be taken above what is allowed, as it takes a
	// moment until room that was made for them is there.
	slack = reserve / 2
)

// Room is for so many connections of clients at a time, and as many descriptors on their
// behalf.
//
// One more takes the place of one that has long waited for its client: for the next
// request, for the rest of a header or of a body, or for what was written to be taken.
// Where none does it finds no room. So whoever opens connections and leaves them lying
// pushes out their own, and those who send and read are served.
type Room struct {
	// Spare gives back a descriptor that was taken and is kept for later only, such as an idle
	// connection to an upstream: those go before any client. May be nil.
	Spare func()

	most         int
	writeTimeout time.Duration

	mu      sync.Mutex
	clients map[*Conn]struct{}
	taken   int // on behalf of clients

	displaced, refused, denied atomic.Uint64
}

// NewRoom returns a room for most connections of clients. A client may leave what is
// written to it lying for writeTimeout.
func NewRoom(most int, writeTimeout time.Duration) *Room {
	return &Room{most: most, writeTimeout: writeTimeout, clients: make(map[*Conn]struct{})}
}

// Figures are what was counted of a room.
type Figures struct {
	Clients, Taken int // now
	// Displaced had to make room. Refused found none, and Denied none on their behalf.
	Displaced, Refused, Denied uint64
}

// Figures returns them.
func (r *Room) Figures() Figures {
	r.mu.Lock()
	defer r.mu.Unlock()
	return Figures{len(r.clients), r.taken, r.displaced.Load(), r.refused.Load(), r.denied.Load()}
}

// Most is how many connections of clients there is room for.
func (r *Room) Most() int { return r.most }

// enter makes a place for a client's connection, if there is one or somebody's can be had.
func (r *Room) enter(c *Conn) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.clients) >= r.most && !r.displace((*Conn).waitsSince) {
		r.refused.Add(1)
		return false
	}
	r.clients[c] = struct{}{}
	return true
}

func (r *Room) leave(c *Conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.clients, c)
}

// Take makes a place for a descriptor on behalf of a client, be it a connection to an
// upstream or a file, until GiveBack; false: there is none. Who makes room is a client that
// hangs in the midst of a request, as those have some. A nil Room has room for all.
func (r *Room) Take() bool {
	if r == nil {
		return true
	}
	if r.crowded() && r.Spare != nil {
		r.Spare()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.taken >= r.most {
		r.displace((*Conn).hangsSince)
	}
	if r.taken >= r.most+slack {
		r.denied.Add(1)
		return false
	}
	r.taken++
	return true
}

// crowded reports whether one more would be more than is meant to be taken.
func (r *Room) crowded() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.taken >= r.most
}

// GiveBack gives such a place up.
func (r *Room) GiveBack() {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.taken--
}

// displace closes the connection that has waited longest for its client, among some, and
// reports whether there was one. The caller holds the lock.
func (r *Room) displace(since func(*Conn) int64) bool {
	var longest *Conn
	var began int64
	looked := 0
	for c := range r.clients { // which begins anywhere
		if at := since(c); at != 0 && (longest == nil || at < began) {
			longest, began = c, at
		}
		if looked++; looked == samples {
			break
		}
	}
	if longest == nil {
		return false
	}
	delete(r.clients, longest)
	r.displaced.Add(1)
	_ = longest.Conn.Close() // whoever serves it finds out, and its descriptor is free now
	return true
}
