package server_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/cognitoemu"
	"github.com/gatehouse-auth/gatehouse/internal/redistest"
)

// patience is how long a test waits for what comes at once, unless the machine is
// busy: only what never comes takes it.
const patience = 2 * time.Minute

// until waits for something that happens behind an answer.
func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !done() {
		if time.Now().After(deadline) {
			t.Fatalf("waited %v in vain for %s", patience, what)
		}
		time.Sleep(10 * time.Millisecond) // a poll, not a guess at how long it takes
	}
}

func TestSignedOutAnswers(t *testing.T) {
	r := newRig(t)
	b := r.browser()
	res, body := b.fetch("GET", "/auth/session", "")
	if res.StatusCode != 200 || strings.TrimSpace(body) != `{"authenticated":false}` {
		t.Errorf("session: %d %s", res.StatusCode, body)
	}
	for method, path := range map[string]string{"GET": "/auth/user", "POST": "/auth/refresh"} {
		res, body := b.fetch(method, path, "")
		if code := problemCode(t, res, body); res.StatusCode != 401 || code != "unauthenticated" {
			t.Errorf("%s: %d %s", path, res.StatusCode, code)
		}
	}
	res, body = b.fetch("POST", "/auth/logout", "")
	if res.StatusCode != 200 || !strings.Contains(body, "/logout?") {
		t.Errorf("logout: %d %s", res.StatusCode, body)
	}
	if p := b.open(r.url + "/auth/user"); p.status != 401 || !strings.Contains(p.body, "/auth/login") {
		t.Errorf("a navigation to /auth/user: %d", p.status)
	}
}

func TestSignedInAnswers(t *testing.T) {
	r := newRig(t, section("session", map[string]any{"claims": map[string]any{"id": []string{"email", "sub"}}}))
	b := r.browser()
	b.signIn("alice@example.com", "/api/x")
	s := b.session()
	if len(s.Tokens.IDToken.Payload) != 2 || s.Tokens.IDToken.Payload["email"] != "alice@example.com" {
		t.Errorf("the ID token's claims were not narrowed: %v", s.Tokens.IDToken.Payload)
	}
	if s.Tokens.AccessToken.Payload["token_use"] != "access" || s.UserSub != s.Tokens.AccessToken.Payload["sub"] {
		t.Errorf("the access token's claims are off: %v", s.Tokens.AccessToken.Payload)
	}
	_, body := b.fetch("GET", "/auth/user", "")
	user := decode[struct {
		Username, UserID string
		SignInDetails    struct{ LoginID string }
	}](t, body)
	if user.UserID != s.UserSub || user.Username != s.Username || user.SignInDetails.LoginID != "alice@example.com" {
		t.Errorf("user: %s", body)
	}
	res, body := b.fetch("GET", "/auth/config", "")
	cfg := decode[map[string]any](t, body)
	if res.StatusCode != 200 || cfg["mount"] != "/auth" || cfg["clientId"] != cognitoemu.DefaultConfidentialClientID ||
		cfg["userPoolId"] != cognitoemu.DefaultPoolID || strings.Contains(body, "secret") {
		t.Errorf("config: %d %s", res.StatusCode, body)
	}
}

func TestForcedRefresh(t *testing.T) {
	r := newRig(t, section("refresh", map[string]any{"forced_per_minute": 2}))
	b := r.browser()
	b.signIn("alice@example.com", "/api/x")
	first := r.seen.last(t).Header.Get("Authorization")
	for want := 1; want <= 2; want++ {
		res, body := b.fetch("POST", "/auth/refresh", "")
		if got := decode[sessionAnswer](t, body); res.StatusCode != 200 || got.Generation != want {
			t.Fatalf("refresh %d: %d %s", want, res.StatusCode, body)
		}
	}
	res, body := b.fetch("POST", "/auth/refresh", "")
	if code := problemCode(t, res, body); res.StatusCode != 429 || code != "too_many_refreshes" || res.Header.Get("Retry-After") == "" {
		t.Errorf("the third within a minute: %d %s", res.StatusCode, code)
	}
	b.fetch("GET", "/api/y", "")
	if got := r.seen.last(t).Header.Get("Authorization"); got == first {
		t.Error("the API still gets the token from before the refresh")
	}
}

func TestPages_lead_back_to_the_app(t *testing.T) {
	r := newRig(t, section("login", map[string]any{"default_return_to": "/home?from=auth"}))
	for target, label := range map[string]string{
		"/auth/logout":         "Cancel",
		"/auth/callback?state": "Go to the start page",
		"/auth/nothing":        "Go to the start page",
	} {
		if p := r.browser().open(r.url + target); !strings.Contains(p.body, `href="/home?from=auth">`+label+`</a>`) {
			t.Errorf("%s has no %q to the start page:\n%s", target, label, p.body)
		}
	}
}

func TestLogoutOfAForm(t *testing.T) {
	r := newRig(t)
	b := r.browser()
	b.signIn("alice@example.com", "/api/x")
	p := b.open(r.url + "/auth/logout")
	if p.status != 200 || !b.session().Authenticated {
		t.Fatalf("the page answered %d, or ended the session", p.status)
	}
	if p = b.submit(p, "", nil); p.url.String() != r.url+"/" {
		t.Errorf("sign-out ended at %s, through %q", p.url, p.hops)
	}
	if !slices.ContainsFunc(p.hops, func(h string) bool { return strings.HasPrefix(h, r.pool.URL+"/logout") }) {
		t.Errorf("sign-out did not go by the pool: %q", p.hops)
	}
	if b.session().Authenticated {
		t.Error("still signed in")
	}
	if n := r.emu.Levers().Calls(cognitoemu.EndpointRevoke); n != 1 {
		until(t, "the revocation", func() bool { return r.emu.Levers().Calls(cognitoemu.EndpointRevoke) == 1 })
	}
}

func TestLogoutCannotBeForged(t *testing.T) {
	r := newRig(t)
	b := r.browser()
	b.signIn("alice@example.com", "/api/x")
	res, body := b.fetchFrom("cross-site", "POST", "/auth/logout", "")
	if code := problemCode(t, res, body); res.StatusCode != 403 || code != "cross_origin" {
		t.Errorf("with the cookie: %d %s", res.StatusCode, code)
	}
	// A cross-site form carries no Lax cookie; its answer must not clear one either.
	stranger := r.browser()
	p := stranger.navigate("POST", r.url+"/auth/logout", "cross-site", url.Values{"returnTo": {"/x"}})
	_ = p
	if strings.Contains(r.wire.String(), "Max-Age=0") {
		t.Error("a foreign form made the gateway clear a cookie")
	}
	if !b.session().Authenticated {
		t.Error("signed out by a foreign site")
	}
}

func TestLogoutChecksItsInput(t *testing.T) {
	r := newRig(t)
	b := r.browser()
	b.signIn("alice@example.com", "/api/x")
	for _, tt := range []struct {
		name, body, contentType, code string
		status                        int
	}{
		{"broken JSON", `{"returnTo":`, "application/json", "invalid_body", 400},
		{"another type", `<x/>`, "application/xml", "unsupported_media_type", 415},
		{"a huge body", `{"returnTo":"` + strings.Repeat("x", 90_000) + `"}`, "application/json", "invalid_body", 400},
		{"a repeated field", "global=true&global=false", "application/x-www-form-urlencoded", "invalid_body", 400},
		{"a broken form", "returnTo=/&global=%zz", "application/x-www-form-urlencoded", "invalid_body", 400},
	} {
		t.Run(tt.name, func(t *testing.T) {
			res, body := b.fetch("POST", "/auth/logout", tt.body, "Content-Type", tt.contentType)
			if code := problemCode(t, res, body); res.StatusCode != tt.status || code != tt.code {
				t.Errorf("answered %d %s", res.StatusCode, code)
			}
		})
	}
	if !b.session().Authenticated {
		t.Error("a refused logout ended the session")
	}
}

// TestLogoutWhoseReturnAddressIsRefused: the address decides where a sign-out
// ends, never whether.
func TestLogoutWhoseReturnAddressIsRefused(t *testing.T) {
	r := newRig(t, section("login", map[string]any{"logout_return_to": "/goodbye"}))
	const js, form = "application/json", "application/x-www-form-urlencoded"
	for _, tt := range []struct{ name, contentType, body string }{
		{"at a foreign origin", js, `{"returnTo":"https://evil.test"}`},
		{"at a foreign origin in disguise", js, `{"returnTo":"/\\evil.test"}`},
		{"a script", js, `{"returnTo":"javascript:alert(1)"}`},
		{"the login itself", js, `{"returnTo":"/auth/login"}`},
		{"of a huge size", js, `{"returnTo":"https://evil.test/` + strings.Repeat("x", 30_000) + `"}`},
		{"that is no text", js, `{"returnTo":17}`},
		{"that is a list", js, `{"returnTo":["/a"]}`},
		{"named twice", form, "returnTo=/a&returnTo=/b"},
		{"named in a form", form, "returnTo=//evil.test"},
		{"with an escape that is none", form, "global=false&returnTo=/100%"},
		{"with a semicolon as it is", form, "returnTo=/a;b"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := r.browser()
			b.signIn("alice@example.com", "/api/x")
			res, body := b.fetch("POST", "/auth/logout", tt.body, "Content-Type", tt.contentType)
			if res.StatusCode != http.StatusOK {
				t.Fatalf("answered %d: %s", res.StatusCode, body)
			}
			answer := decode[map[string]string](t, body)
			if answer["returnTo"] != "refused" {
				t.Errorf("the answer does not say so: %s", body)
			}
			if b.session().Authenticated {
				t.Error("still signed in")
			}
			if p := b.open(answer["logoutUrl"]); p.url.String() != r.url+"/goodbye" {
				t.Errorf("sign-out ended at %s", p.url)
			}
		})
	}
	t.Run("in a form goes on to the default all the same", func(t *testing.T) {
		b := r.browser()
		b.signIn("alice@example.com", "/api/x")
		p := b.navigate("POST", r.url+"/auth/logout", "same-origin", url.Values{"returnTo": {"https://evil.test"}})
		if p.url.String() != r.url+"/goodbye" || b.session().Authenticated {
			t.Errorf("sign-out ended at %s, through %q", p.url, p.hops)
		}
	})
	t.Run("also of everything ends everything", func(t *testing.T) {
		laptop, phone := r.browser(), r.browser()
		laptop.signIn("alice@example.com", "/api/x")
		phone.signIn("alice@example.com", "/api/x")
		res, body := laptop.fetch("POST", "/auth/logout", `{"global":true,"returnTo":"https://evil.test"}`)
		answer := decode[map[string]string](t, body)
		if res.StatusCode != 200 || answer["globalSignOut"] != "done" || answer["returnTo"] != "refused" {
			t.Errorf("answered %d: %s", res.StatusCode, body)
		}
		if laptop.session().Authenticated || phone.session().Authenticated {
			t.Error("somebody is still signed in")
		}
	})
	t.Run("which is accepted says nothing", func(t *testing.T) {
		b := r.browser()
		b.signIn("alice@example.com", "/api/x")
		if _, body := b.fetch("POST", "/auth/logout", `{"returnTo":"/bye"}`); strings.Contains(body, "returnTo") {
			t.Errorf("answered %s", body)
		}
	})
	until(t, "the note in the log", func() bool { return strings.Contains(r.logs.String(), "returnTo is refused") })
	if strings.Contains(r.logs.String(), "evil.test") {
		t.Error("the log repeats the address")
	}
}

func TestGlobalLogoutEndsEverySession(t *testing.T) {
	r := newRig(t)
	laptop, phone, other := r.browser(), r.browser(), r.browser()
	laptop.signIn("alice@example.com", "/api/x")
	phone.signIn("alice@example.com", "/api/x")
	other.signIn("bob@example.com", "/api/x")
	res, body := laptop.fetch("POST", "/auth/logout", `{"global":true}`)
	if got := decode[map[string]any](t, body); res.StatusCode != 200 || got["globalSignOut"] != "done" {
		t.Fatalf("answered %d %s", res.StatusCode, body)
	}
	if laptop.session().Authenticated || phone.session().Authenticated {
		t.Error("a session of the user lives on")
	}
	if !other.session().Authenticated {
		t.Error("another user was signed out")
	}
}

func TestALoginReplacesTheSession(t *testing.T) {
	r := newRig(t)
	b := r.browser()
	b.signIn("alice@example.com", "/api/x")
	u, _ := url.Parse(r.url)
	old := b.http.Jar.Cookies(u)
	p := b.open(r.url + "/auth/login?prompt=login&return_to=/api/x")
	b.password(p, "bob@example.com")
	if got := b.session(); got.Tokens.IDToken.Payload["email"] != "bob@example.com" {
		t.Fatalf("signed in as %v", got.Tokens.IDToken.Payload["email"])
	}
	thief := r.browser()
	thief.http.Jar.SetCookies(u, old)
	if thief.session().Authenticated {
		t.Error("the session from before the login lives on")
	}
}

func TestRedisAway(t *testing.T) {
	redis := redistest.Start(t, redistest.Options{})
	r := newRig(t, section("session", map[string]any{"store": redis.URL}))
	b, leaver := r.browser(), r.browser()
	// Neither has been loaded yet: a session in the cache is served on for a moment.
	b.signIn("alice@example.com", "/public")
	leaver.signIn("bob@example.com", "/public")
	redis.Stop()
	for _, path := range []string{"/api/x", "/maybe/x", "/auth/session", "/auth/user"} {
		res, body := b.fetch("GET", path, "")
		if code := problemCode(t, res, body); res.StatusCode != 503 || code != "store_unavailable" || res.Header.Get("Retry-After") == "" {
			t.Errorf("%s: %d %s", path, res.StatusCode, code)
		}
		if c := res.Header.Values("Set-Cookie"); len(c) > 0 {
			t.Errorf("%s touched the cookies: %q", path, c)
		}
	}
	if res, _ := r.browser().fetch("GET", "/api/x", ""); res.StatusCode != 401 {
		t.Errorf("without a cookie nobody needs the store: %d", res.StatusCode)
	}
	if res, _ := b.fetch("GET", "/public", ""); res.StatusCode != 200 {
		t.Errorf("a public route: %d", res.StatusCode)
	}
	res, body := leaver.fetch("POST", "/auth/logout", "")
	if got := decode[map[string]any](t, body); res.StatusCode != 200 || got["pending"] != true {
		t.Errorf("logout while the store is away: %d %s", res.StatusCode, body)
	}
	if len(res.Header.Values("Set-Cookie")) == 0 {
		t.Error("that logout left the cookie")
	}
	redis.Restart()
	until(t, "recovery", func() bool {
		res, _ := b.fetch("GET", "/auth/session", "")
		return res.StatusCode == 200
	})
}

func TestUserPoolAwayAtExpiry(t *testing.T) {
	r := newRig(t)
	b := r.browser()
	r.emu.Levers().Fail(cognitoemu.EndpointToken, cognitoemu.Fault{Kind: cognitoemu.Unavailable})
	p := b.open(r.url + "/auth/login?return_to=/api/x")
	if p = b.password(p, "alice@example.com"); p.status != http.StatusServiceUnavailable || !strings.Contains(p.body, "idp_unavailable") {
		t.Errorf("a login with the token endpoint away ended with %d at %s", p.status, p.url)
	}
	if p.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	r.emu.Levers().Heal(cognitoemu.EndpointToken)
	if p = b.open(r.url + "/api/x"); p.status != 200 || !b.session().Authenticated { // the pool knows the browser by now
		t.Error("no login after the outage")
	}
}

// TestWhatOnlyLooksTakesNoReturnAddress: a HEAD and a prefetch of the address that
// the user pool's sign-out returns to leave it for the browser itself.
func TestWhatOnlyLooksTakesNoReturnAddress(t *testing.T) {
	b := newRig(t).browser()
	b.signIn("alice@example.com", "/api/x")
	if res, body := b.fetch("POST", "/auth/logout", `{"returnTo":"/bye"}`); res.StatusCode != http.StatusOK {
		t.Fatalf("answered %d: %s", res.StatusCode, body)
	}
	for _, look := range []struct{ method, purpose string }{{"HEAD", ""}, {"GET", "prefetch"}} {
		req := b.request(look.method, b.rig.url+"/auth/signed-out", nil)
		b.metadata(req, "cross-site", "navigate", "document")
		if look.purpose != "" {
			req.Header.Set("Sec-Purpose", look.purpose)
		}
		if res, _ := b.do(req); len(res.Header["Set-Cookie"]) > 0 {
			t.Errorf("%s %s sets %q", look.method, look.purpose, res.Header["Set-Cookie"])
		}
	}
	if p := b.follow(b.rig.url + "/auth/signed-out"); p.url.Path != "/bye" {
		t.Errorf("the sign-out ended at %s", p.url)
	}
}
