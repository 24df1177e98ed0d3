package server_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/cognitoemu"
	"github.com/gatehouse-auth/gatehouse/internal/redistest"
)

type listedSession struct {
	ID                    string
	Current               bool
	CreatedAt, LastSeenAt int64
	UserAgent, IP         string
}

// sessions asks for the list of this browser's user.
func (b *browser) sessions() []listedSession {
	b.t.Helper()
	res, body := b.fetch("GET", "/auth/sessions", "")
	if res.StatusCode != http.StatusOK {
		b.t.Fatalf("/auth/sessions answered %d: %s", res.StatusCode, body)
	}
	return decode[[]listedSession](b.t, body)
}

// sessionID is the public id of this browser's own session.
func (b *browser) sessionID() string {
	b.t.Helper()
	list := b.sessions()
	i := slices.IndexFunc(list, func(s listedSession) bool { return s.Current })
	if i < 0 {
		b.t.Fatalf("no current session in %+v", list)
	}
	return list[i].ID
}

// signedIn returns a browser with a session.
func (r *rig) signedIn(user string) *browser {
	r.t.Helper()
	b := r.browser()
	b.signIn(user, "/api/x")
	return b
}

// onStores runs a test on every store that keeps a registry.
func onStores(t *testing.T, test func(t *testing.T, r *rig)) {
	t.Run("memory", func(t *testing.T) { test(t, newRig(t)) })
	t.Run("redis", func(t *testing.T) {
		redis := redistest.Start(t, redistest.Options{})
		test(t, newRig(t, section("session", map[string]any{"store": redis.URL})))
	})
	t.Run("own", func(t *testing.T) { test(t, newRig(t, section("session", map[string]any{"store": ownStore()}))) })
}

func TestSessionsAreListed(t *testing.T) {
	onStores(t, func(t *testing.T, r *rig) {
		laptop, phone := r.signedIn("alice@example.com"), r.signedIn("alice@example.com")
		r.signedIn("bob@example.com")
		list := laptop.sessions()
		if len(list) != 2 {
			t.Fatalf("%d sessions, want 2: %+v", len(list), list)
		}
		now := laptop.session().ServerTime
		for _, s := range list {
			if s.Current != (s.ID == laptop.sessionID()) || s.UserAgent != "Mozilla/5.0 (flow test)" || s.IP != "127.0.0.1" ||
				s.CreatedAt > now || s.CreatedAt < now-60 || s.LastSeenAt < s.CreatedAt {
				t.Errorf("listed as %+v", s)
			}
		}
		if phone.sessionID() == laptop.sessionID() {
			t.Error("both browsers take the same session for theirs")
		}
	})
}

func TestOneSessionIsEndedByItsID(t *testing.T) {
	onStores(t, func(t *testing.T, r *rig) {
		laptop, phone := r.signedIn("alice@example.com"), r.signedIn("alice@example.com")
		res, body := laptop.fetch("DELETE", "/auth/sessions/"+phone.sessionID(), "")
		if res.StatusCode != http.StatusNoContent || body != "" {
			t.Fatalf("answered %d %s", res.StatusCode, body)
		}
		if c := res.Header.Values("Set-Cookie"); len(c) > 0 {
			t.Errorf("the end of another session touched the cookies: %q", c)
		}
		if phone.session().Authenticated {
			t.Error("the phone's session lives on")
		}
		if res, _ := phone.fetch("GET", "/api/x", ""); res.StatusCode != http.StatusUnauthorized {
			t.Errorf("the phone's call: %d", res.StatusCode)
		}
		if !laptop.session().Authenticated || len(laptop.sessions()) != 1 {
			t.Error("the laptop's session did not survive alone")
		}
	})
}

// TestASessionOfSomeoneElseIsNobodys: an id is no credential and no oracle.
func TestASessionOfSomeoneElseIsNobodys(t *testing.T) {
	onStores(t, func(t *testing.T, r *rig) {
		alice, bob := r.signedIn("alice@example.com"), r.signedIn("bob@example.com")
		ended := r.signedIn("alice@example.com")
		endedID := ended.sessionID()
		ended.fetch("POST", "/auth/logout", "")
		var answers []string
		for _, id := range []string{bob.sessionID(), endedID, strings.Repeat("A", 43), "x", "a%20b", "*"} {
			res, body := alice.fetch("DELETE", "/auth/sessions/"+id, "")
			if code := problemCode(t, res, body); res.StatusCode != http.StatusNotFound || code != "not_found" {
				t.Errorf("%s: %d %s", id, res.StatusCode, code)
			}
			answers = append(answers, strings.ReplaceAll(body, res.Header.Get("X-Request-Id"), ""))
		}
		if answers[0] != answers[1] || answers[0] != answers[2] {
			t.Errorf("the answers tell another user's session from none: %q", answers[:3])
		}
		if !bob.session().Authenticated {
			t.Error("bob was signed out by alice")
		}
	})
}

func TestTheSessionAtHandIsEndedByItsID(t *testing.T) {
	r := newRig(t)
	b := r.signedIn("alice@example.com")
	res, _ := b.fetch("DELETE", "/auth/sessions/"+b.sessionID(), "")
	if res.StatusCode != http.StatusNoContent || !strings.Contains(res.Header.Get("Set-Cookie"), "Max-Age=0") {
		t.Errorf("answered %d, Set-Cookie %q", res.StatusCode, res.Header.Values("Set-Cookie"))
	}
	if b.session().Authenticated {
		t.Error("still signed in")
	}
	until(t, "the revocation", func() bool { return r.emu.Levers().Calls(cognitoemu.EndpointRevoke) == 1 })
}

func TestAllOtherSessionsAreEnded(t *testing.T) {
	onStores(t, func(t *testing.T, r *rig) {
		laptop, phone, tablet := r.signedIn("alice@example.com"), r.signedIn("alice@example.com"), r.signedIn("alice@example.com")
		bob := r.signedIn("bob@example.com")
		for _, want := range []float64{2, 0} {
			res, body := laptop.fetch("DELETE", "/auth/sessions", "")
			if got := decode[map[string]any](t, body); res.StatusCode != http.StatusOK || got["ended"] != want {
				t.Errorf("answered %d %s, want %v ended", res.StatusCode, body, want)
			}
		}
		for name, b := range map[string]*browser{"phone": phone, "tablet": tablet} {
			if b.session().Authenticated {
				t.Errorf("the %s's session lives on", name)
			}
		}
		if !laptop.session().Authenticated || !bob.session().Authenticated {
			t.Error("a session was ended that should live")
		}
	})
}

func TestRegistryRefuses(t *testing.T) {
	r := newRig(t)
	b := r.signedIn("alice@example.com")
	other := r.signedIn("alice@example.com")
	for method, path := range map[string]string{"GET": "/auth/sessions", "DELETE": "/auth/sessions"} {
		res, body := r.browser().fetch(method, path, "")
		if code := problemCode(t, res, body); res.StatusCode != http.StatusUnauthorized || code != "unauthenticated" {
			t.Errorf("%s signed out: %d %s", method, res.StatusCode, code)
		}
		res, body = b.fetchFrom("cross-site", method, path, "")
		if code := problemCode(t, res, body); res.StatusCode != http.StatusForbidden || code != "cross_origin" {
			t.Errorf("%s cross-site: %d %s", method, res.StatusCode, code)
		}
	}
	for path, allow := range map[string]string{"/auth/sessions": "GET, HEAD, DELETE", "/auth/sessions/x": "DELETE"} {
		res, body := b.fetch("POST", path, "")
		if code := problemCode(t, res, body); res.StatusCode != http.StatusMethodNotAllowed || code != "method_not_allowed" || res.Header.Get("Allow") != allow {
			t.Errorf("POST %s: %d %s, Allow %q", path, res.StatusCode, code, res.Header.Get("Allow"))
		}
	}
	if !other.session().Authenticated {
		t.Error("a refused request ended a session")
	}
}

func TestMaxPerUser(t *testing.T) {
	r := newRig(t, section("session", map[string]any{"max_per_user": 2}))
	first, second := r.signedIn("alice@example.com"), r.signedIn("alice@example.com")
	bob := r.signedIn("bob@example.com")
	third := r.signedIn("alice@example.com")
	if first.session().Authenticated {
		t.Error("the oldest session lives on")
	}
	for name, b := range map[string]*browser{"second": second, "third": third, "bob's": bob} {
		if !b.session().Authenticated {
			t.Errorf("the %s session was ended", name)
		}
	}
	if n := len(third.sessions()); n != 2 {
		t.Errorf("%d sessions are left, want 2", n)
	}
}

func TestRegistryWithTheStoreAway(t *testing.T) {
	redis := redistest.Start(t, redistest.Options{})
	r := newRig(t, section("session", map[string]any{"store": redis.URL}))
	b := r.signedIn("alice@example.com")
	id := b.sessionID()
	redis.Stop()
	for _, call := range [][2]string{{"GET", "/auth/sessions"}, {"DELETE", "/auth/sessions"}, {"DELETE", "/auth/sessions/" + strings.Repeat("A", 43)}} {
		res, body := b.fetch(call[0], call[1], "")
		if code := problemCode(t, res, body); res.StatusCode != http.StatusServiceUnavailable || code != "store_unavailable" {
			t.Errorf("%s %s: %d %s", call[0], call[1], res.StatusCode, code)
		}
		if c := res.Header.Values("Set-Cookie"); len(c) > 0 {
			t.Errorf("%s %s touched the cookies: %q", call[0], call[1], c)
		}
	}
	redis.Restart()
	until(t, "recovery", func() bool {
		res, _ := b.fetch("DELETE", "/auth/sessions/"+id, "")
		return res.StatusCode == http.StatusNoContent
	})
	if b.session().Authenticated {
		t.Error("still signed in")
	}
}
