package session

import (
	"maps"
	"slices"
	"sync"
)

// StreamKind is a kind of long answer that lasts as long as its session, and has a
// limit and a count of its own.
type StreamKind struct {
	Name string
	// Most is how many of the kind a session may have in this process.
	Most int
}

// Listen returns where the changes of the session with a public id arrive, here
// and elsewhere, as far as [Manager.Run] hears of them, until leave is called; ok
// is false where the session has as many streams of that kind as it may.
//
// The newest change takes the place of one that was not received, for it says
// more: an end is always the last. Where changes were not heard for a while,
// [Change.Missed] says so. [Manager.CloseStreams] closes the channel. What happened
// before the call is told to nobody: load the session once more after it.
func (m *Manager) Listen(id string, kind StreamKind) (changes <-chan Change, leave func(), ok bool) {
	return m.listeners.join(id, kind)
}

// CloseStreams closes the channels of all who listen, and of those who come later.
// Call it at a stop, before requests are waited for: a stream has no end of its own.
func (m *Manager) CloseStreams() { m.listeners.close() }

// listeners hand the changes of sessions to those in this process who wait for one
// session's. The zero value is ready. It runs nothing by itself.
type listeners struct {
	mu     sync.Mutex
	closed bool
	byID   map[string][]listener
	open   map[string]int // by the name of the kind
}

type listener struct {
	kind    string
	changes chan Change // holds one; only tell and miss send, under the lock
}

func (l *listeners) join(id string, kind StreamKind) (changes <-chan Change, leave func(), ok bool) {
	c := make(chan Change, 1)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		close(c)
		return c, func() {}, true
	}
	if l.count(id, kind.Name) >= kind.Most {
		return nil, nil, false
	}
	if l.byID == nil {
		l.byID, l.open = make(map[string][]listener), make(map[string]int)
	}
	l.byID[id] = append(l.byID[id], listener{kind: kind.Name, changes: c})
	l.open[kind.Name]++
	return c, func() { l.leave(id, c) }, true
}

func (l *listeners) count(id, kind string) (n int) {
	for _, each := range l.byID[id] {
		if each.kind == kind {
			n++
		}
	}
	return n
}

func (l *listeners) leave(id string, c chan Change) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := slices.IndexFunc(l.byID[id], func(each listener) bool { return each.changes == c })
	if at < 0 {
		return
	}
	l.open[l.byID[id][at].kind]--
	if l.byID[id] = slices.Delete(l.byID[id], at, at+1); len(l.byID[id]) == 0 {
		delete(l.byID, id)
	}
}

// tell hands on a change. It never blocks.
func (l *listeners) tell(change Change) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, each := range l.byID[change.ID] {
		select {
		case <-each.changes:
		default:
		}
		each.changes <- change
	}
}

// miss tells all who listen that changes of their sessions may have been missed.
// It never blocks, and takes no one's news away.
func (l *listeners) miss() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for id, all := range l.byID {
		for _, each := range all {
			select {
			case each.changes <- Change{ID: id, Missed: true}:
			default: // it has something to look at already
			}
		}
	}
}

func (l *listeners) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, all := range l.byID {
		for _, each := range all {
			close(each.changes)
		}
	}
	l.closed, l.byID, l.open = true, nil, nil
}

// streams returns how many listen, by the name of their kind.
func (l *listeners) streams() map[string]int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.open)
}
