package session

import (
	"slices"
	"sync"
)

// Listeners hand the changes of sessions, as [Observer.Change] is told of them,
// to those in this process who wait for one session's. The zero value is ready.
// It runs nothing by itself.
type Listeners struct {
	mu     sync.Mutex
	closed bool
	byID   map[string][]chan Change
	open   int
}

// Join returns where the changes of a session arrive until leave is called, or
// false where most listen to that session already. The newest change takes the
// place of one that was not received, for it says more: an end is always the
// last. The channel is closed by [Listeners.Close], and closed already after
// that.
func (l *Listeners) Join(id string, most int) (changes <-chan Change, leave func(), ok bool) {
	c := make(chan Change, 1)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		close(c)
		return c, func() {}, true
	}
	if len(l.byID[id]) >= most {
		return nil, nil, false
	}
	if l.byID == nil {
		l.byID = make(map[string][]chan Change)
	}
	l.byID[id] = append(l.byID[id], c)
	l.open++
	return c, func() { l.leave(id, c) }, true
}

func (l *Listeners) leave(id string, c chan Change) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := slices.Index(l.byID[id], c)
	if at < 0 {
		return
	}
	l.open--
	if l.byID[id] = slices.Delete(l.byID[id], at, at+1); len(l.byID[id]) == 0 {
		delete(l.byID, id)
	}
}

// Tell hands on a change. It never blocks.
func (l *Listeners) Tell(change Change) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.byID[change.ID] {
		select {
		case <-c:
		default:
		}
		c <- change // one place, and nobody else sends
	}
}

// Miss tells all who listen that changes of their sessions may have been missed.
// It never blocks, and takes no one's news away.
func (l *Listeners) Miss() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for id, all := range l.byID {
		for _, c := range all {
			select {
			case c <- Change{ID: id, Missed: true}:
			default: // it has something to look at already
			}
		}
	}
}

// Close ends all listening, of those who join later too.
func (l *Listeners) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, all := range l.byID {
		for _, c := range all {
			close(c)
		}
	}
	l.closed, l.byID, l.open = true, nil, 0
}

// Open returns how many listen.
func (l *Listeners) Open() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.open
}
