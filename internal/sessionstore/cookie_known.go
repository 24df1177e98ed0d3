package sessionstore

import (
	"container/list"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/session"
)

const (
	// maxKnown is how many sessions a process remembers the newest save of, some
	// 12 kB each. Requests of one moment share a handle, so moments would do.
	maxKnown = 10_000
	// maxEnded is how many endings it remembers, some 200 bytes each.
	maxEnded = 100_000
)

// known is what one process knows of sessions that only browsers have: the
// newest that it made or met, and which have ended here. Both are bounded, and
// the oldest go first; an ending that is forgotten lets a copy of the cookie in
// again, until a limit ends that. Not safe for concurrent use.
type known struct {
	maxNewest, maxEnded int

	newest map[string]*list.Element // by session id
	saves  *list.List               // of *session.Session, oldest save first

	ended   map[string]uint64 // the last generation that has ended, by session id
	endings *list.List        // of ending, oldest first
}

type ending struct {
	id    string
	until time.Time // when no copy is good any more
}

func newKnown(maxNewest, maxEnded int) *known {
	return &known{
		maxNewest: maxNewest, maxEnded: maxEnded,
		newest: make(map[string]*list.Element), saves: list.New(),
		ended: make(map[string]uint64), endings: list.New(),
	}
}

// get returns the newest known of a session, nil if there is none.
func (k *known) get(id string) *session.Session {
	if e := k.newest[id]; e != nil {
		return e.Value.(*session.Session)
	}
	return nil
}

// put remembers s as the newest of its session.
func (k *known) put(s *session.Session) {
	if e := k.newest[s.ID]; e != nil {
		if e.Value.(*session.Session) != s {
			e.Value = s
			k.saves.MoveToBack(e)
		}
		return
	}
	k.newest[s.ID] = k.saves.PushBack(s)
	now := time.Now()
	for e := k.saves.Front(); e != nil; e = k.saves.Front() {
		if k.saves.Len() <= k.maxNewest && !e.Value.(*session.Session).Over(now) {
			return
		}
		k.forget(e)
	}
}

func (k *known) forget(e *list.Element) {
	if e != nil {
		delete(k.newest, k.saves.Remove(e).(*session.Session).ID)
	}
}

// end remembers that s has ended in every generation up to last, until its
// copies would end by themselves.
func (k *known) end(s *session.Session, last uint64) {
	k.forget(k.newest[s.ID])
	before, again := k.ended[s.ID]
	k.ended[s.ID] = max(before, last)
	if again {
		return
	}
	k.endings.PushBack(ending{s.ID, s.ExpiresAt})
	now := time.Now()
	for e := k.endings.Front(); e != nil; e = k.endings.Front() {
		oldest := e.Value.(ending)
		if k.endings.Len() <= k.maxEnded && now.Before(oldest.until) {
			return
		}
		delete(k.ended, oldest.id)
		k.endings.Remove(e)
	}
}

func (k *known) hasEnded(s *session.Session) bool {
	last, ok := k.ended[s.ID]
	return ok && s.Generation <= last
}
