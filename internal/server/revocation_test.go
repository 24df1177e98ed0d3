package server_test

import (
	"net/http"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/cognitoemu"
)

// TestRevocationCheck: the pool is asked at practically every request here, so
// that no test waits for an interval.
func TestRevocationCheck(t *testing.T) {
	const user = "alice@example.com"
	always := func(doc map[string]any) { doc["revocation_check"] = "1ms" }
	for name, out := range map[string]func(*cognitoemu.Levers) error{
		"a_user_who_is_disabled_is_out":   func(l *cognitoemu.Levers) error { return l.DisableUser(user) },
		"a_user_who_is_signed_out_is_out": func(l *cognitoemu.Levers) error { return l.SignOutUser(user) },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, always)
			alice, bob := r.signedIn(user), r.signedIn("bob@example.com")
			if err := out(r.emu.Levers()); err != nil {
				t.Fatal(err)
			}
			if res, body := alice.fetch("GET", "/api/x", ""); res.StatusCode != http.StatusUnauthorized {
				t.Errorf("answered %d %s, want 401", res.StatusCode, body)
			}
			if alice.session().Authenticated {
				t.Error("the session lives on")
			}
			if res, body := bob.fetch("GET", "/api/x", ""); res.StatusCode != http.StatusOK {
				t.Errorf("another user is answered %d %s", res.StatusCode, body)
			}
		})
	}
	t.Run("without_it_a_user_stays_until_the_next_refresh", func(t *testing.T) {
		r := newRig(t)
		alice := r.signedIn(user)
		if err := r.emu.Levers().DisableUser(user); err != nil {
			t.Fatal(err)
		}
		if res, body := alice.fetch("GET", "/api/x", ""); res.StatusCode != http.StatusOK {
			t.Errorf("answered %d %s, want 200", res.StatusCode, body)
		}
	})
	t.Run("an_outage_of_GetUser_signs_nobody_out", func(t *testing.T) {
		r := newRig(t, always)
		alice := r.signedIn(user)
		r.emu.Levers().Fail("GetUser", cognitoemu.Fault{Kind: cognitoemu.Unavailable})
		if err := r.emu.Levers().DisableUser(user); err != nil { // who would be out if the pool could say so
			t.Fatal(err)
		}
		for range 3 {
			if res, body := alice.fetch("GET", "/api/x", ""); res.StatusCode != http.StatusOK {
				t.Errorf("answered %d %s, want 200", res.StatusCode, body)
			}
		}
		r.emu.Levers().Heal("GetUser")
		until(t, "the session to end after the outage", func() bool { return !alice.session().Authenticated })
	})
}
