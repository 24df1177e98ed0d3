package server_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/cognitoemu"
)

// TestCookieStoreSignOut: what a sign-out ends where no server keeps sessions,
// and what it cannot.
func TestCookieStoreSignOut(t *testing.T) {
	t.Run("clears_every_chunk_and_ends_copies_at_this_instance", func(t *testing.T) {
		st := newStateless(t)
		b := st.signedIn("alice@example.com")
		before := b.copied()
		b.fetch("POST", "/auth/refresh", "")
		after := b.copied()
		if res, body := b.fetch("POST", "/auth/logout", ""); res.StatusCode != http.StatusOK {
			t.Fatalf("logout: %d %s", res.StatusCode, body)
		}
		if c := b.chunks(); len(c) > 0 || b.session().Authenticated {
			t.Errorf("the browser still has %s", describe(c))
		}
		for name, thief := range map[string]*browser{"before": before, "after": after} {
			if thief.wants(http.StatusUnauthorized, "/api/x"); thief.session().Authenticated {
				t.Errorf("a copy of the cookie of %s the refresh is signed in", name)
			}
		}
		res, body := st.signedIn("alice@example.com").fetch("DELETE", "/auth/sessions/"+st.signedIn("bob@example.com").sessionID(), "")
		if code := problemCode(t, res, body); res.StatusCode != http.StatusNotFound || code != "not_found" {
			t.Errorf("the end of another's session: %d %s", res.StatusCode, body)
		}
	})
	t.Run("by_its_id_clears_every_chunk", func(t *testing.T) {
		b := newStateless(t).signedIn("alice@example.com")
		res, body := b.fetch("DELETE", "/auth/sessions/"+b.sessionID(), "")
		if res.StatusCode != http.StatusNoContent || len(b.chunks()) > 0 {
			t.Errorf("%d %s, the browser has %s", res.StatusCode, body, describe(b.chunks()))
		}
	})
	t.Run("a_copy_at_another_instance_is_good_for_no_longer_than_its_token", func(t *testing.T) {
		st := newStateless(t)
		there := st.another()
		b, _, end := st.signedInBriefly("alice@example.com")
		thief := st.at(there, b.copied())
		b.fetch("POST", "/auth/logout", "")
		until(t, "the refresh token to be revoked", func() bool { return st.revoked.Load() > 0 })
		until(t, "the copy to end", func() bool {
			asked := time.Now()
			res, body := thief.fetch("GET", "/api/x", "")
			if over := asked.Sub(end); res.StatusCode == http.StatusOK && over > 2*time.Second {
				t.Fatalf("served %v after its token's end: %s", over, body)
			}
			return res.StatusCode == http.StatusUnauthorized
		})
	})
	t.Run("a_copy_at_another_instance_is_found_out_by_revocation_check", func(t *testing.T) {
		st := newStateless(t, func(doc map[string]any) {
			doc["revocation_check"] = "1ms"
			// A route that takes no token, so that no refresh finds out.
			doc["routes"] = append(doc["routes"].([]any), map[string]any{"path": "/files/", "static": t.TempDir()})
		})
		b := st.signedIn("alice@example.com")
		thief := st.at(st.another(), b.copied())
		thief.wants(http.StatusNotFound, "/files/x")
		b.fetch("POST", "/auth/logout", "")
		until(t, "the copy to end", func() bool {
			res, _ := thief.fetch("GET", "/files/x", "")
			return res.StatusCode == http.StatusUnauthorized
		})
	})
	t.Run("a_global_one_ends_the_others_at_their_next_refresh", func(t *testing.T) {
		st := newStateless(t)
		laptop, phone := st.signedIn("alice@example.com"), st.signedIn("alice@example.com")
		res, body := laptop.fetch("POST", "/auth/logout", `{"global":true}`)
		if got := decode[map[string]any](t, body); res.StatusCode != http.StatusOK || got["globalSignOut"] != "done" {
			t.Errorf("%d %s", res.StatusCode, body)
		}
		phone.wants(http.StatusOK, "/api/x")
		if res, body := phone.fetch("POST", "/auth/refresh", ""); res.StatusCode != http.StatusUnauthorized {
			t.Errorf("the phone's refresh: %d %s", res.StatusCode, body)
		}
		phone.wants(http.StatusUnauthorized, "/api/x")
	})
	t.Run("a_login_in_the_same_browser_ends_the_session_of_before", func(t *testing.T) {
		st := newStateless(t)
		b := st.signedIn("alice@example.com")
		old := b.copied()
		b.open(st.url + "/auth/login?return_to=/api/x")
		b.wants(http.StatusOK, "/api/x")
		old.wants(http.StatusUnauthorized, "/api/x")
	})
}

// TestCookieStoreFleet: every instance with the keys serves every session.
func TestCookieStoreFleet(t *testing.T) {
	const user = "alice@example.com"
	for name, c := range map[string]struct{ grace time.Duration }{
		"without_rotation":             {},
		"with_rotation_and_some_grace": {30 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			st := newStatelessBefore(t, func(o *cognitoemu.Options) {
				o.Rotate, o.RotationGrace = c.grace > 0, c.grace
			}, section("cognito", map[string]any{"rotation_grace": c.grace.String()}))
			here := st.signedIn(user)
			there := st.at(st.another(), here) // the same browser, with the same jar
			there.wants(http.StatusOK, "/api/x")
			old := here.copied()
			for i, b := range []*browser{here, there, here, there} {
				res, body := b.fetch("POST", "/auth/refresh", "")
				if res.StatusCode != http.StatusOK || decode[sessionAnswer](t, body).Generation != i+1 {
					t.Fatalf("refresh %d: %d %s", i, res.StatusCode, body)
				}
				here.wants(http.StatusOK, "/api/x")
				there.wants(http.StatusOK, "/api/x")
			}
			old.wants(http.StatusOK, "/api/x")
			if old.session().Generation != 4 {
				t.Errorf("a handle of before leads to generation %d, want the newest that was seen here", old.session().Generation)
			}
		})
	}
	t.Run("an_instance_of_another_client_takes_none", func(t *testing.T) {
		st := newStateless(t)
		b := st.signedIn(user)
		other := st.instance(append(st.settings[:len(st.settings):len(st.settings)],
			section("cognito", map[string]any{"client_id": "1h57kf5cpq17m0eml12EXAMPLE"}))...)
		st.at(other, b.copied()).wants(http.StatusUnauthorized, "/api/x")
	})
	t.Run("a_restart_loses_nobody", func(t *testing.T) {
		st := newStateless(t)
		b := st.signedIn(user)
		b.fetch("POST", "/auth/refresh", "")
		st.at(st.another(), b).wants(http.StatusOK, "/api/x")
	})
}

// TestCookieStoreRegistry: there is none, and every place says so.
func TestCookieStoreRegistry(t *testing.T) {
	r, operator := withAdmin(t, section("session", map[string]any{"store": "cookie:"}))
	laptop, phone := r.signedIn("alice@example.com"), r.signedIn("alice@example.com")
	if list := laptop.sessions(); len(list) != 1 || !list[0].Current || list[0].UserAgent != "Mozilla/5.0 (flow test)" {
		t.Errorf("listed: %+v", list)
	}
	if res, body := laptop.fetch("DELETE", "/auth/sessions", ""); res.StatusCode != http.StatusOK || body != "{\"ended\":0}\n" {
		t.Errorf("the end of all others: %d %s", res.StatusCode, body)
	}
	sub, id := laptop.session().UserSub, phone.sessionID()
	for _, call := range []string{"GET /admin/users/" + sub + "/sessions", "DELETE /admin/users/" + sub + "/sessions", "DELETE /admin/sessions/" + id} {
		method, path, _ := strings.Cut(call, " ")
		res, body := operator.call(method, path)
		if code := problemCode(t, res, body); res.StatusCode != http.StatusNotImplemented || code != "no_registry" || !strings.Contains(body, "cookie:") {
			t.Errorf("%s: %d %s", call, res.StatusCode, body)
		}
	}
	if res, body := operator.call("GET", "/admin/stats"); res.StatusCode != http.StatusOK || !strings.Contains(body, `"kind":"cookie","available":true`) {
		t.Errorf("stats: %d %s", res.StatusCode, body)
	}
	if res, body := operator.call("GET", "/readyz"); res.StatusCode != http.StatusOK {
		t.Errorf("readyz: %d %s", res.StatusCode, body)
	}
	phone.wants(http.StatusOK, "/api/x")
}

// slowAPI is one whose answer to …/slow comes when it is released.
func slowAPI(t *testing.T) (url string, arrived, release chan struct{}) {
	t.Helper()
	arrived, release = make(chan struct{}, 10), make(chan struct{})
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/slow") {
			arrived <- struct{}{}
			<-release
		}
		_, _ = io.WriteString(w, "done")
	}))
	t.Cleanup(api.Close)
	return api.URL, arrived, release
}

func servedBy(url string) settings {
	return func(doc map[string]any) {
		doc["routes"] = []any{
			map[string]any{"path": "/api/", "upstream": url}, map[string]any{"path": "/", "upstream": url, "auth": "none"},
		}
	}
}

// idle is an idle timeout a tenth of which can be waited for.
const idle = 20 * time.Second

// usedAtBoth is a browser whose session two instances know, each by a record of
// its own of the same content, which began to say of a use at a time.
func usedAtBoth(st *stateless) (here, there *browser, began time.Time) {
	here = st.signedIn("alice@example.com")
	there = st.at(st.another(), here)
	there.wants(200, "/api/x")
	<-time.After(idle/10 + 100*time.Millisecond) // a use is recorded
	began = time.Now()
	here.wants(200, "/api/x")
	there.wants(200, "/api/x")
	return here, there, began
}

func TestCookieStoreIsSetByChangesAlone(t *testing.T) {
	url, arrived, release := slowAPI(t)
	st := newStatelessBefore(t, func(o *cognitoemu.Options) { o.Rotate = true },
		section("session", map[string]any{"idle_timeout": idle.String()}), servedBy(url))
	here, there, began := usedAtBoth(st)
	used := map[*browser]time.Time{} // when each instance had last recorded a use, or before
	for range 10 {
		for _, b := range []*browser{here, there} {
			asked := time.Now()
			n := len(setsChunks(b.wants(200, "/api/x")))
			last, ok := used[b]
			if !ok {
				last = began
			}
			if n > 0 && time.Since(last) < idle/10 { // else a use may be due again: the machine is busy
				t.Fatalf("a request that changes nothing sets %d cookies", n)
			}
			if n > 0 {
				used[b] = asked
			}
		}
	}
	done := make(chan struct{})
	go func() { defer close(done); here.fetch("GET", "/api/slow", "") }()
	<-arrived
	if res, body := there.fetch("POST", "/auth/refresh", ""); res.StatusCode != http.StatusOK {
		t.Fatal(body)
	}
	close(release)
	<-done
	if g := here.copied().session().Generation; g != 1 {
		t.Errorf("a slow answer put the cookie back to generation %d", g)
	}
	if res, body := here.fetch("POST", "/auth/refresh", ""); res.StatusCode != http.StatusOK {
		t.Errorf("the next refresh: %d %s", res.StatusCode, body)
	}
}

func TestCookieStoreSignOutIsNotUndoneByASlowAnswer(t *testing.T) {
	url, arrived, release := slowAPI(t)
	st := newStateless(t, section("session", map[string]any{"idle_timeout": idle.String()}), servedBy(url))
	here, there, _ := usedAtBoth(st)
	done := make(chan struct{})
	go func() { defer close(done); here.fetch("GET", "/api/slow", "") }()
	<-arrived
	there.fetch("POST", "/auth/logout", "")
	close(release)
	<-done
	if n := len(here.chunks()); n > 0 {
		t.Errorf("a slow answer gave %d cookies back after the sign-out", n)
	}
}
