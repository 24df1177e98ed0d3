package admin_test

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/admin"
	"github.com/gatehouse-auth/gatehouse/internal/cognito"
)

func TestListsAndEnds(t *testing.T) {
	r := newRig(t, func(o *admin.Options) {
		o.SignOut = func(_ context.Context, name string) error {
			if name != "name of alice" {
				return cognito.ErrUnknownUser
			}
			return nil
		}
	})
	laptop, phone, bob := r.signIn("alice"), r.signIn("alice"), r.signIn("bob")
	_, body := r.call("GET", "/admin/users/alice/sessions")
	list := decode[[]admin.Session](t, body)
	if len(list) != 2 || list[0].Username != "name of alice" || list[0].ExpiresAt <= time.Now().Unix() {
		t.Errorf("listed %s", body)
	}
	for range 2 { // gone is gone, and no failure
		if res, body := r.call("DELETE", "/admin/sessions/"+phone.ID); res.StatusCode != http.StatusNoContent {
			t.Errorf("answered %d %s", res.StatusCode, body)
		}
	}
	if r.lives(phone) || !r.lives(laptop) {
		t.Error("not that session was ended, or not that alone")
	}
	for _, want := range []admin.UserEnd{{Ended: 1, GlobalSignOut: admin.SignOutDone}, {GlobalSignOut: admin.SignOutUnknownUser}} {
		if _, body := r.call("DELETE", "/admin/users/alice/sessions"); decode[admin.UserEnd](t, body) != want {
			t.Errorf("ended %s, want %+v", body, want)
		}
	}
	if r.lives(laptop) || !r.lives(bob) {
		t.Error("not that user's sessions were ended, or not theirs alone")
	}
}

func TestTakesASubjectAsItIs(t *testing.T) {
	r := newRig(t)
	for _, subject := range []string{"a/b", "a%2Fb", "%", "..", "a b?c"} {
		res, body := r.call("GET", "/admin/users/"+url.PathEscape(subject)+"/sessions")
		if res.StatusCode != http.StatusOK || strings.TrimSpace(body) != "[]" {
			t.Errorf("%q: %d %s", subject, res.StatusCode, body)
		}
	}
}

func TestStats(t *testing.T) {
	r := newRig(t)
	res, body := r.call("GET", "/admin/stats")
	got := decode[admin.Stats](t, body)
	if res.StatusCode != http.StatusOK || got.Store.Kind != "memory" || !got.Store.Available ||
		time.Since(time.Unix(got.StartedAt, 0)) > time.Minute || got.UptimeSeconds > 60 {
		t.Errorf("answered %d %s", res.StatusCode, body)
	}
}

func TestRefuses(t *testing.T) {
	r := newRig(t, guarded)
	s := r.signIn("alice")
	const user = "/admin/users/alice/sessions"
	bearer := "Bearer " + token
	for _, tt := range []struct {
		name, method, path string
		headers            []string
		status             int
		code               string
	}{
		{"no token", "DELETE", user, nil, 401, "admin_token_required"},
		{"no token at an endpoint that is none", "GET", "/admin/nothing", nil, 401, "admin_token_required"},
		{"another token", "DELETE", user, []string{"Authorization", "Bearer x" + token}, 401, "admin_token_required"},
		{"an empty token", "DELETE", user, []string{"Authorization", "Bearer "}, 401, "admin_token_required"},
		{"another scheme", "DELETE", user, []string{"Authorization", "Basic " + token}, 401, "admin_token_required"},
		{"a page", "DELETE", user, []string{"Authorization", bearer, "Origin", "http://" + strings.TrimPrefix(r.base, "http://")}, 403, "browser_refused"},
		{"an opaque origin", "DELETE", user, []string{"Authorization", bearer, "Origin", "null"}, 403, "browser_refused"},
		{"the address bar", "GET", user, []string{"Authorization", bearer, "Sec-Fetch-Site", "none", "Sec-Fetch-Mode", "navigate", "Accept", "text/html"}, 403, "browser_refused"},
		{"an image", "GET", user, []string{"Authorization", bearer, "Sec-Fetch-Site", "cross-site"}, 403, "browser_refused"},
		{"a name of somebody's", "DELETE", user, []string{"Authorization", bearer, "Host", "evil.test"}, 421, "misdirected"},
		{"a path that is none", "GET", "/admin/nothing", []string{"Authorization", bearer}, 404, "not_found"},
		{"a method that is none", "POST", user, []string{"Authorization", bearer}, 405, "method_not_allowed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			res, body := r.call(tt.method, tt.path, tt.headers...)
			if code := problemCode(t, res, body); res.StatusCode != tt.status || code != tt.code {
				t.Errorf("answered %d %s", res.StatusCode, code)
			}
			if tt.status == 401 && !strings.HasPrefix(res.Header.Get("WWW-Authenticate"), "Bearer ") {
				t.Errorf("WWW-Authenticate is %q", res.Header.Get("WWW-Authenticate"))
			}
			if tt.status == 405 && res.Header.Get("Allow") != "GET, DELETE" {
				t.Errorf("Allow is %q", res.Header.Get("Allow"))
			}
		})
	}
	if !r.lives(s) {
		t.Error("a refused request ended the session")
	}
	if res, body := r.call("GET", user, "Authorization", bearer); res.StatusCode != 200 || !strings.Contains(body, s.ID) {
		t.Errorf("with the token: %d %s", res.StatusCode, body)
	}
	if strings.Contains(r.logs.String(), token) {
		t.Error("the log holds the token")
	}
}

func TestTokenIsNotGuessed(t *testing.T) {
	r := newRig(t, guarded)
	call := func(path, guess string, want int) *http.Response {
		t.Helper()
		res, body := r.call("GET", path, "Authorization", "Bearer "+guess)
		if res.StatusCode != want {
			t.Errorf("%s with %q: %d %s, want %d", path, guess, res.StatusCode, body, want)
		}
		return res
	}
	for i := range 10 {
		call([]string{"/admin/stats", "/metrics"}[i%2], "guess", http.StatusUnauthorized)
	}
	for _, path := range []string{"/admin/stats", "/metrics"} {
		res := call(path, "guess", http.StatusTooManyRequests)
		if s, err := strconv.Atoi(res.Header.Get("Retry-After")); err != nil || s < 1 || s > 60 {
			t.Errorf("%s: Retry-After %q", path, res.Header.Get("Retry-After"))
		}
		call(path, token, http.StatusOK)
		if res, _ := r.call("GET", path); res.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s without a token: %d", path, res.StatusCode)
		}
	}
	if !strings.Contains(r.logs.String(), "too many wrong admin tokens") {
		t.Error("the log does not tell of the guesses")
	}
}

// TestKnowsLoopbackInAnySpelling: a listener that needs no token must know its own
// name however it is spelled, else a page under another name could read it (DNS
// rebinding).
func TestKnowsLoopbackInAnySpelling(t *testing.T) {
	open := func(o *admin.Options) { o.Listen = "0.0.0.0:9090" }
	for name, c := range map[string]struct {
		change []func(*admin.Options)
		host   string
		status int
	}{
		"a_name_of_somebodys":                {host: "evil.example:9090", status: 421},
		"loopback_in_capitals":               {host: "LOCALHOST:9090", status: 200},
		"an_address_of_ipv6":                 {host: "[::1]:9090", status: 200},
		"without_a_token_off_loopback":       {[]func(*admin.Options){open}, "gate.example:9090", 421},
		"with_a_token_off_loopback":          {[]func(*admin.Options){open, guarded}, "gate.example:9090", 200},
		"with_a_token_on_a_loopback":         {[]func(*admin.Options){guarded}, "evil.example:9090", 421},
		"listening_on_localhost_in_capitals": {[]func(*admin.Options){guarded, func(o *admin.Options) { o.Listen = "LocalHost:9090" }}, "evil.example", 421},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, c.change...)
			for _, path := range []string{"/admin/stats", "/healthz", "/readyz", "/metrics"} {
				if res, body := r.call("GET", path, "Host", c.host, "Authorization", "Bearer "+token); res.StatusCode != c.status {
					t.Errorf("%s: %d %s, want %d", path, res.StatusCode, body, c.status)
				}
			}
		})
	}
}

func TestReadyz(t *testing.T) {
	for want, change := range map[string]func(*admin.Options){
		"200 ready\n": func(*admin.Options) {},
		"503 not ready\nstore: full\nuser pool: away\n": func(o *admin.Options) {
			o.Reasons = func(context.Context) []string { return []string{"store: full", "user pool: away"} }
		},
		"503 draining\n": func(o *admin.Options) { o.Draining = func() bool { return true } },
	} {
		res, body := newRig(t, change).call("GET", "/readyz")
		if got := strconv.Itoa(res.StatusCode) + " " + body; got != want {
			t.Errorf("answered %q, want %q", got, want)
		}
	}
}
