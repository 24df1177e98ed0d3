package session_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/sessionstore"
)

// registry is a memory store whose registry can fail, and that keeps the reasons
// it was given.
type registry struct {
	session.Store

	mu      sync.Mutex
	deaf    bool   // List and Find fail
	stuck   string // the id that DeleteID fails for
	reasons map[string]session.Reason
	largest int // page that was asked for
	empty   int // pages to come that hold nothing, and lead on
}

func (r *registry) List(ctx context.Context, subject string, after session.Position, limit int) (session.Page, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.deaf {
		return session.Page{}, errAway
	}
	if err := ctx.Err(); err != nil {
		return session.Page{}, err // as a driver would
	}
	r.largest = max(r.largest, limit)
	if r.empty > 0 {
		r.empty--
		return session.Page{Next: session.Position{CreatedAt: time.Now().Add(time.Hour), ID: "none"}}, nil
	}
	return r.Store.List(ctx, subject, after, limit)
}

func (r *registry) Find(ctx context.Context, id string) (session.Listing, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.deaf {
		return session.Listing{}, errAway
	}
	return r.Store.Find(ctx, id)
}

func (r *registry) DeleteID(ctx context.Context, id string, why session.Reason) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if id == r.stuck {
		return errAway
	}
	r.reasons[id] = why
	return r.Store.DeleteID(ctx, id, why)
}

func (r *registry) set(change func(*registry)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change(r)
}

// withRegistry gives the world another manager on such a store.
func withRegistry(w *world, maxPerUser int) *registry {
	w.t.Helper()
	r := &registry{
		Store:   sessionstore.NewMemory(sessionstore.MemoryOptions{IdleTimeout: idleTimeout}),
		reasons: make(map[string]session.Reason),
	}
	r.limit(w, maxPerUser)
	return r
}

// limit gives the world another manager on the same store.
func (r *registry) limit(w *world, maxPerUser int) {
	w.t.Helper()
	m, err := session.NewManager(session.Options{
		Store: r, Provider: w.provider, IdleTimeout: idleTimeout, AbsoluteTimeout: absoluteTimeout,
		BeforeExpiry: beforeExpiry, RefreshTimeout: refreshTimeout, ForcedPerMinute: 3, MaxPerUser: maxPerUser,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.m, w.all = m, append(w.all, m)
}

// list returns the newest sessions of a subject.
func (w *world) list(subject string) ([]session.Listing, error) {
	page, err := w.m.List(context.Background(), subject, session.Position{})
	return page.Sessions, err
}

// loginAs returns a new session of another subject than the provider's own.
func (w *world) loginAs(subject string) *session.Session {
	w.t.Helper()
	tokens := w.provider.login()
	tokens.Subject = subject
	s, err := w.m.Create(context.Background(), session.New{Tokens: tokens}, session.Handle{})
	if err != nil {
		w.t.Fatalf("Create: %v", err)
	}
	return s
}

func TestEndID(t *testing.T) {
	inBubble(t, map[string]func(*testing.T, *world){
		"ends_that_session_and_no_other": func(t *testing.T, w *world) {
			r := withRegistry(w, 0)
			laptop, phone := w.login(), w.login()
			if err := w.m.EndID(t.Context(), laptop.Subject, phone.ID); err != nil {
				t.Fatal(err)
			}
			w.wantEnded(phone)
			w.load(laptop)
			if why := r.reasons[phone.ID]; why != session.ReasonRevoked {
				t.Errorf("it ended for %q", why)
			}
		},
		"leaves_another_subjects_session_alone": func(t *testing.T, w *world) {
			withRegistry(w, 0)
			alice, bob := w.login(), w.loginAs("sub-2")
			wantErr(t, w.m.EndID(t.Context(), alice.Subject, bob.ID), session.ErrNotFound)
			w.load(bob)
		},
		"that_is_unknown_is_not_found": func(t *testing.T, w *world) {
			withRegistry(w, 0)
			id, _ := session.IDOf(session.NewHandle())
			wantErr(t, w.m.EndID(t.Context(), w.login().Subject, id), session.ErrNotFound)
			wantErr(t, w.m.EndID(t.Context(), "sub-1", ""), session.ErrNotFound)
		},
		"with_the_store_away_ends_nothing": func(t *testing.T, w *world) {
			r := withRegistry(w, 0)
			s := w.login()
			r.set(func(r *registry) { r.deaf = true })
			wantErr(t, w.m.EndID(t.Context(), s.Subject, s.ID), session.ErrUnavailable)
			r.set(func(r *registry) { r.deaf, r.stuck = false, s.ID })
			wantErr(t, w.m.EndID(t.Context(), s.Subject, s.ID), session.ErrUnavailable)
			w.load(s)
		},
	})
}

func TestList(t *testing.T) {
	inBubble(t, map[string]func(*testing.T, *world){
		"is_filled_though_the_newest_have_ended_by_themselves": func(t *testing.T, w *world) {
			r := withRegistry(w, 0)
			old := w.login()
			for range 3 {
				time.Sleep(time.Second)
				w.login()
			}
			r.empty = 5 // pages of sessions that are not there
			if list, err := w.list("sub-1"); err != nil || len(list) != 4 || list[3].ID != old.ID {
				t.Errorf("List = %v, %v", list, err)
			}
		},
		"after_what_is_not_this_subjects_is_not_found": func(t *testing.T, w *world) {
			withRegistry(w, 0)
			alice, bob := w.login(), w.loginAs("sub-2")
			never, _ := session.IDOf(session.NewHandle())
			for _, id := range []string{bob.ID, never} {
				_, err := w.m.List(t.Context(), alice.Subject, session.Position{ID: id})
				wantErr(t, err, session.ErrNotFound)
			}
		},
	})
}

func TestEndAnyID(t *testing.T) {
	inBubble(t, map[string]func(*testing.T, *world){
		"ends_a_session_whoevers_it_is": func(t *testing.T, w *world) {
			r := withRegistry(w, 0)
			s := w.login()
			for range 2 { // gone is gone, and no error
				if err := w.m.EndAnyID(t.Context(), s.ID); err != nil {
					t.Fatal(err)
				}
			}
			w.wantEnded(s)
			if why := r.reasons[s.ID]; why != session.ReasonAdmin {
				t.Errorf("it ended for %q", why)
			}
		},
	})
}

func TestEndOthers(t *testing.T) {
	inBubble(t, map[string]func(*testing.T, *world){
		"spares_the_one_that_asks_and_other_subjects": func(t *testing.T, w *world) {
			withRegistry(w, 0)
			laptop, phone, tablet, bob := w.login(), w.login(), w.login(), w.loginAs("sub-2")
			n, err := w.m.EndOthers(t.Context(), laptop)
			if n != 2 || err != nil {
				t.Errorf("EndOthers = %d, %v, want 2", n, err)
			}
			w.wantEnded(phone)
			w.wantEnded(tablet)
			w.load(laptop)
			w.load(bob)
		},
		"that_cannot_end_one_ends_the_rest": func(t *testing.T, w *world) {
			r := withRegistry(w, 0)
			laptop, phone, tablet := w.login(), w.login(), w.login()
			r.set(func(r *registry) { r.stuck = phone.ID })
			n, err := w.m.EndOthers(t.Context(), laptop)
			wantErr(t, err, session.ErrUnavailable)
			if n != 1 {
				t.Errorf("ended %d, want 1", n)
			}
			w.wantEnded(tablet)
			w.load(phone)
		},
	})
}

func TestMaxPerUser(t *testing.T) {
	inBubble(t, map[string]func(*testing.T, *world){
		"ends_the_oldest": func(t *testing.T, w *world) {
			r := withRegistry(w, 2)
			var all []*session.Session
			for range 4 {
				all = append(all, w.login())
				time.Sleep(time.Second)
			}
			bob := w.loginAs("sub-2")
			w.wantEnded(all[0])
			w.wantEnded(all[1])
			w.load(all[2])
			w.load(all[3])
			w.load(bob)
			if why := r.reasons[all[0].ID]; why != session.ReasonReplaced {
				t.Errorf("the oldest ended for %q", why)
			}
		},
		"ends_all_that_are_too_many_however_many": func(t *testing.T, w *world) {
			r := withRegistry(w, 0)
			var all []*session.Session
			for range 350 {
				all = append(all, w.login())
				time.Sleep(time.Second)
			}
			r.limit(w, 120)
			all = append(all, w.login())
			for i, s := range all {
				if i < len(all)-120 {
					w.wantEnded(s)
				} else {
					w.load(s)
				}
			}
			if r.largest > 100 {
				t.Errorf("a list of %d was asked for at once", r.largest)
			}
		},
		"does_not_count_the_browsers_old_session": func(t *testing.T, w *world) {
			withRegistry(w, 2)
			phone := w.login()
			time.Sleep(time.Second)
			old := w.login()
			time.Sleep(time.Second)
			again, err := w.m.Create(t.Context(), session.New{Tokens: w.provider.login()}, old.Handle)
			if err != nil {
				t.Fatal(err)
			}
			w.wantEnded(old)
			w.load(again)
			w.load(phone)
		},
		"that_cannot_be_kept_refuses_no_login": func(t *testing.T, w *world) {
			r := withRegistry(w, 1)
			first := w.login()
			time.Sleep(time.Second)
			r.set(func(r *registry) { r.deaf = true })
			second := w.login()
			w.load(first)
			r.set(func(r *registry) { r.deaf = false })
			time.Sleep(time.Second)
			third := w.login()
			w.wantEnded(first)
			w.wantEnded(second)
			w.load(third)
		},
		"outlives_a_browser_that_leaves": func(t *testing.T, w *world) {
			withRegistry(w, 1)
			first := w.login()
			time.Sleep(time.Second)
			gone, leave := context.WithCancel(t.Context())
			leave()
			if _, err := w.m.Create(gone, session.New{Tokens: w.provider.login()}, session.Handle{}); err != nil {
				t.Fatal(err)
			}
			w.wantEnded(first)
		},
		"never_lets_two_logins_end_each_other": func(t *testing.T, w *world) {
			for range 50 {
				withRegistry(w, 1)
				var logins sync.WaitGroup
				for range 8 { // all in the same millisecond
					logins.Go(func() { w.login() })
				}
				logins.Wait()
				if list, err := w.list("sub-1"); err != nil || len(list) == 0 {
					t.Fatalf("%d sessions are left, %v", len(list), err)
				}
				time.Sleep(time.Second)
				last := w.login()
				if list, err := w.list("sub-1"); err != nil || len(list) != 1 || list[0].ID != last.ID {
					t.Fatalf("the next login leaves %v, %v", list, err)
				}
			}
		},
	})
}
