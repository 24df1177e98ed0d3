package server_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

type sessionAnswer struct {
	Authenticated    bool
	UserSub          string
	Username         string
	Generation       int
	ServerTime       int64
	AccessExpiresAt  int64
	IdleExpiresAt    int64
	SessionExpiresAt int64
	LogoutURL        string `json:"logoutUrl"`
	Tokens           struct {
		AccessToken, IDToken struct{ Payload map[string]any }
	}
}

func (b *browser) session() sessionAnswer {
	b.t.Helper()
	res, body := b.fetch("GET", "/auth/session", "")
	if res.StatusCode != http.StatusOK {
		b.t.Fatalf("/auth/session answered %d: %s", res.StatusCode, body)
	}
	return decode[sessionAnswer](b.t, body)
}

func decode[T any](t testing.TB, body string) T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(body), &v); err != nil {
		t.Fatalf("decode %q: %v", body, err)
	}
	return v
}

func problemCode(t *testing.T, res *http.Response, body string) string {
	t.Helper()
	if ct := res.Header.Get("Content-Type"); ct != "application/problem+json" {
		t.Fatalf("status %d has Content-Type %q, want a problem: %s", res.StatusCode, ct, body)
	}
	p := decode[struct {
		Status          int
		Code, RequestID string
	}](t, body)
	if p.Status != res.StatusCode || p.RequestID == "" || p.RequestID != res.Header.Get("X-Request-Id") {
		t.Errorf("problem %s does not match its answer %d, %q", body, res.StatusCode, res.Header.Get("X-Request-Id"))
	}
	return p.Code
}

func TestTheMainJob(t *testing.T) {
	r := newRig(t)
	b := r.browser()

	res, body := b.fetch("GET", "/api/orders", "")
	if code := problemCode(t, res, body); res.StatusCode != 401 || code != "unauthenticated" {
		t.Fatalf("anonymous call: %d %s", res.StatusCode, code)
	}
	if r.seen.count() != 0 {
		t.Fatal("an anonymous call reached the API")
	}

	p := b.open(r.url + "/api/orders?page=2")
	if p.url.Host != strings.TrimPrefix(r.pool.URL, "http://") {
		t.Fatalf("an anonymous navigation ended at %s", p.url)
	}
	p = b.password(p, "alice@example.com")
	if p.status != 200 || p.url.String() != r.url+"/api/orders?page=2" {
		t.Fatalf("login ended with %d at %s:\n%s", p.status, p.url, p.body)
	}
	got := r.seen.last(t)
	if auth := got.Header.Get("Authorization"); !strings.HasPrefix(auth, "Bearer ey") {
		t.Errorf("the API saw Authorization %.20q", auth)
	}
	if c := got.Header.Get("Cookie"); c != "" {
		t.Errorf("the API saw cookies: %q", c)
	}

	s := b.session()
	if !s.Authenticated || s.Tokens.IDToken.Payload["email"] != "alice@example.com" || s.LogoutURL != "/auth/logout" {
		t.Errorf("session: %+v", s)
	}
	if s.ServerTime == 0 || s.AccessExpiresAt <= s.ServerTime || s.IdleExpiresAt <= s.ServerTime || s.SessionExpiresAt <= s.IdleExpiresAt {
		t.Errorf("the session's clocks are off: %+v", s)
	}
	if left := s.IdleExpiresAt - s.ServerTime; left < 1799 || left > 1800 {
		t.Errorf("a session used just now ends in %d s if idle, want 1800", left)
	}

	res, body = b.fetchFrom("cross-site", "POST", "/api/orders", "{}")
	if code := problemCode(t, res, body); res.StatusCode != 403 || code != "cross_origin" {
		t.Errorf("cross-site POST: %d %s", res.StatusCode, code)
	}

	res, body = b.fetch("POST", "/auth/logout", `{"returnTo":"/bye"}`)
	if res.StatusCode != 200 {
		t.Fatalf("logout: %d %s", res.StatusCode, body)
	}
	logoutURL := decode[map[string]string](t, body)["logoutUrl"]
	if p := b.open(logoutURL); p.url.String() != r.url+"/bye" {
		t.Errorf("sign-out ended at %s, through %q", p.url, p.hops)
	}
	if b.session().Authenticated {
		t.Error("still signed in after the logout")
	}
	res, body = b.fetch("GET", "/api/orders", "")
	if code := problemCode(t, res, body); res.StatusCode != 401 || code != "unauthenticated" {
		t.Errorf("after the logout: %d %s", res.StatusCode, code)
	}
	if p := b.open(r.url + "/api/orders"); !strings.Contains(p.body, `name="password"`) {
		t.Error("after the logout nobody was asked to log in")
	}
}

func TestTheScanFindsATokenThatWasSent(t *testing.T) {
	r := newRig(t)
	b := r.browser()
	b.signIn("bob@example.com", "/api/x")
	token := r.seen.last(t).Header.Get("Authorization")
	for name, leak := range map[string]string{
		"in a header":    "HTTP/1.1 200 OK\r\nX-Debug: " + token + "\r\n\r\n",
		"in a body":      `{"token":"` + strings.TrimPrefix(token, "Bearer ") + `"}`,
		"in an address":  "Location: /#access_token=" + url.QueryEscape(strings.TrimPrefix(token, "Bearer ")),
		"its signature":  token[strings.LastIndex(token, ".")+1:],
		"among the wire": r.wire.String() + token,
	} {
		if len(r.issued.findTokens(leak)) == 0 {
			t.Errorf("the scan misses a token %s", name)
		}
	}
	if !strings.Contains(r.wire.String(), `"path":"/api/x"`) {
		t.Error("the scan does not see what the browser gets")
	}
}
