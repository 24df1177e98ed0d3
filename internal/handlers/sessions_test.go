package handlers_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/handlers"
	"github.com/gatehouse-auth/gatehouse/internal/middleware"
	"github.com/gatehouse-auth/gatehouse/internal/problem"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/sessionstore"
)

// crowd is a user with one session at hand and many others, in a store whose
// endings take their time and may fail from one on.
type crowd struct {
	session.Store
	took time.Duration

	mu    sync.Mutex
	left  int // endings that succeed; below zero: all
	ended int
}

func (c *crowd) DeleteID(ctx context.Context, id string, why session.Reason) error {
	time.Sleep(c.took)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.left == 0 {
		return session.ErrUnavailable
	}
	c.left--
	c.ended++
	return c.Store.DeleteID(ctx, id, why)
}

// newCrowd returns the account of a user who has so many sessions besides that at
// hand, each a second older than the next.
func newCrowd(t *testing.T, others int) (*crowd, *handlers.Account, *session.Session) {
	t.Helper()
	c := &crowd{Store: sessionstore.NewMemory(sessionstore.MemoryOptions{IdleTimeout: 24 * time.Hour}), left: -1}
	events, s := accountIn(t, c)
	for i := range others {
		other := *s
		other.CreatedAt = s.CreatedAt.Add(-time.Duration(i+1) * time.Second)
		if _, err := c.Create(t.Context(), &other); err != nil {
			t.Fatal(err)
		}
	}
	return c, events.Account, s
}

type listed struct {
	ID        string
	Current   bool
	CreatedAt int64
}

var nextLink = regexp.MustCompile(`^<(/auth/sessions\?after=([\w-]{43})&created=\d+)>; rel="next"$`)

// list asks for a page and returns where the next one is, as the Link header says.
func list(t *testing.T, a *handlers.Account, s *session.Session, address string) (page []listed, next, last string) {
	t.Helper()
	w := httptest.NewRecorder()
	if err := a.List(w, httptest.NewRequest(http.MethodGet, address, nil), &middleware.Exchange{Handle: s.Handle}); err != nil {
		t.Fatalf("%s: %v", address, err)
	}
	if err := json.Unmarshal(w.Body.Bytes(), &page); err != nil {
		t.Fatal(err)
	}
	if link := w.Header().Get("Link"); link != "" {
		parts := nextLink.FindStringSubmatch(link)
		if parts == nil {
			t.Fatalf("Link: %s", link)
		}
		return page, parts[1], parts[2]
	}
	return page, "", ""
}

func TestListComesInPages(t *testing.T) {
	const others = 250
	follow := func(t *testing.T, between func(*crowd, []listed, string) (address string)) {
		c, a, s := newCrowd(t, others)
		seen := map[string]bool{}
		oldest, currents, pages := s.CreatedAt.Unix()+1, 0, 0
		for address := "/auth/sessions"; address != ""; pages++ {
			page, next, last := list(t, a, s, address)
			if len(page) > 100 || next != "" && (len(page) != 100 || last != page[99].ID) {
				t.Errorf("page %d has %d sessions, next %q", pages, len(page), next)
			}
			for _, l := range page {
				if seen[l.ID] || l.CreatedAt >= oldest {
					t.Fatalf("page %d: %+v again, or newer than the one before", pages, l)
				}
				if seen[l.ID], oldest = true, l.CreatedAt; l.Current {
					currents++
				}
			}
			if address = next; next != "" {
				address = between(c, page, next)
			}
		}
		if len(seen) != others+1 || currents != 1 || pages != 3 {
			t.Errorf("%d sessions on %d pages, %d of them current", len(seen), pages, currents)
		}
	}
	t.Run("by_the_link", func(t *testing.T) {
		follow(t, func(_ *crowd, _ []listed, next string) string { return next })
	})
	t.Run("by_the_last_id", func(t *testing.T) {
		follow(t, func(_ *crowd, page []listed, _ string) string { return "/auth/sessions?after=" + page[len(page)-1].ID })
	})
	t.Run("by_the_link_though_all_before_have_ended", func(t *testing.T) {
		follow(t, func(c *crowd, page []listed, next string) string {
			for _, l := range page {
				if !l.Current {
					_ = c.Store.DeleteID(t.Context(), l.ID, session.ReasonAdmin)
				}
			}
			return next
		})
	})
}

// TestListAfterNothing: an id of somebody else is as unknown as one that never was.
func TestListAfterNothing(t *testing.T) {
	c, a, s := newCrowd(t, 1)
	bob := *s
	bob.Subject = "sub-2"
	theirs, err := c.Create(t.Context(), &bob)
	if err != nil {
		t.Fatal(err)
	}
	never, _ := session.IDOf(session.NewHandle())
	for _, query := range []string{"after=" + theirs.ID, "after=" + never, "after=", "after=x", "after=*",
		"after=" + s.ID + "&created=", "after=" + s.ID + "&created=-1", "after=" + s.ID + "&created=1e9"} {
		w := httptest.NewRecorder()
		err := a.List(w, httptest.NewRequest(http.MethodGet, "/auth/sessions?"+query, nil), &middleware.Exchange{Handle: s.Handle})
		var p *problem.Error
		if !errors.As(err, &p) || p.Status != 400 || p.Code != "invalid_after" || w.Body.Len() > 0 {
			t.Errorf("%s: %v", query, err)
		}
	}
}

// endOthers ends all others and returns how many the answer says have ended.
func endOthers(t *testing.T, a *handlers.Account, s *session.Session) (ended int, err error) {
	t.Helper()
	w := httptest.NewRecorder()
	gone, leave := context.WithCancel(t.Context())
	time.AfterFunc(time.Second, leave) // the tab is closed
	r := httptest.NewRequestWithContext(gone, http.MethodDelete, "/auth/sessions", nil)
	if err := a.EndOthers(w, r, &middleware.Exchange{Handle: s.Handle}); err != nil {
		return 0, err
	}
	var answer struct{ Ended int }
	err = json.Unmarshal(w.Body.Bytes(), &answer)
	return answer.Ended, err
}

// TestEndOfManySessions: all others are ended, however many and however long it
// takes; what does not succeed half way is not done again.
func TestEndOfManySessions(t *testing.T) {
	const others = 2000
	for name, fails := range map[string][]int{
		"at_once":              {-1},
		"after_a_failure":      {550, -1},
		"after_three_failures": {1, 7, 1200, -1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, a, s := newCrowd(t, others)
				c.took = 100 * time.Millisecond
				for i, left := range fails {
					c.left = left
					before := c.ended
					ended, err := endOthers(t, a, s)
					if err == nil && ended != c.ended-before {
						t.Errorf("said to have ended %d, want %d", ended, c.ended-before)
					}
					if last := i == len(fails)-1; (err == nil) != last || err != nil && !errors.Is(err, session.ErrUnavailable) {
						t.Fatalf("call %d: %v", i+1, err)
					}
					if got := c.ended - before; left >= 0 && got != left {
						t.Errorf("call %d ended %d, want %d", i+1, got, left)
					}
				}
				if c.ended != others {
					t.Errorf("%d ended of %d", c.ended, others)
				}
				if page, _, _ := list(t, a, s, "/auth/sessions"); len(page) != 1 || !page[0].Current {
					t.Errorf("left: %s", fmt.Sprint(page))
				}
			})
		})
	}
}
