package session_test

import (
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/oauth"
	"github.com/gatehouse-auth/gatehouse/internal/session"
)

func TestIdentity(t *testing.T) {
	inBubble(t, map[string]func(*testing.T, *world){
		"is_parsed_once_for_all_snapshots_with_the_same_tokens": func(t *testing.T, w *world) {
			tokens := w.provider.login()
			tokens.IDClaims, tokens.AccessClaims = []byte(`{"email":"ada@example.com"}`), []byte(`{"scope":"openid"}`)
			s, err := w.m.Create(t.Context(), session.New{Tokens: tokens}, session.Handle{})
			if err != nil {
				t.Fatal(err)
			}
			first := w.load(s).Identity()
			if first.Subject != "sub-1" || first.ID.Text("email") != "ada@example.com" || first.Access.Text("scope") != "openid" {
				t.Errorf("%+v", first)
			}
			time.Sleep(idleTimeout / 2)
			touched, err := w.m.Touch(t.Context(), w.load(s))
			if err != nil || touched == s || touched.Identity() != first || w.load(s).Identity() != first {
				t.Errorf("parsed again; error %v", err)
			}
			refreshed, err := w.m.Refresh(t.Context(), touched)
			if err != nil || refreshed.Identity() == first {
				t.Errorf("that of the tokens of before; error %v", err)
			}
		},
		"is_one_for_requests_at_a_time": func(t *testing.T, w *world) {
			s := w.login()
			var got [20]*oauth.Identity
			var all sync.WaitGroup
			for i := range got {
				all.Go(func() { got[i] = s.Identity() })
			}
			all.Wait()
			for _, identity := range got {
				if identity == nil || identity != got[0] {
					t.Fatalf("%p and %p", identity, got[0])
				}
			}
		},
		"of_a_session_made_by_hand_is_there_too": func(t *testing.T, _ *world) {
			s := &session.Session{Tokens: oauth.Tokens{Subject: "sub-2", IDClaims: []byte(`{"a":"b"}`)}}
			if got := s.Identity(); got.Subject != "sub-2" || got.ID.Text("a") != "b" {
				t.Errorf("%+v", got)
			}
		},
	})
	t.Run("costs_nothing_once_it_is_parsed", func(t *testing.T) {
		s := newWorld(t).login()
		s.Identity()
		if n := testing.AllocsPerRun(100, func() { s.Identity() }); n != 0 {
			t.Errorf("%v allocations", n)
		}
	})
}
