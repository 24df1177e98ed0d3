package server_test

import (
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/cognitoemu"
)

// TestCookieStore drives the gateway with nothing behind it that keeps sessions.
func TestCookieStore(t *testing.T) {
	t.Run("carries_a_session_in_chunks_that_browsers_keep", func(t *testing.T) {
		st := newStateless(t)
		b := st.signedIn("alice@example.com")
		chunks := b.chunks()
		if len(chunks) != 2 || chunks[sessionCookie] == "" || chunks[sessionCookie+"-1"] == "" {
			t.Fatalf("the browser has %s", describe(chunks))
		}
		res, _ := b.fetch("POST", "/auth/refresh", "")
		lines := setsChunks(res)
		for _, line := range lines {
			if len(line) > 4096 || !strings.Contains(line, "HttpOnly; Secure; SameSite=Lax") {
				t.Errorf("%d bytes: %.60s…%s", len(line), line, line[len(line)-60:])
			}
		}
		if len(lines) != 2 {
			t.Errorf("%d lines set the session", len(lines))
		}
		b.wants(http.StatusOK, "/api/x")
		if c := st.seen.last(t).Header.Get("Cookie"); c != "" {
			t.Errorf("the API saw cookies: %.80s", c)
		}
		if s := b.session(); !s.Authenticated || s.UserSub == "" || s.Tokens.IDToken.Payload["email"] != "alice@example.com" {
			t.Errorf("session: %+v", s)
		}
		if p := b.open(st.url + "/auth/login?return_to=" + strings.Repeat("/x", 900)); p.status != http.StatusOK {
			t.Errorf("a login with a long return address, beside the session: %d %s", p.status, p.body)
		}
	})
	t.Run("a_call_that_changes_nothing_sets_nothing", func(t *testing.T) {
		b := newStateless(t).signedIn("alice@example.com")
		for _, path := range []string{"/api/x", "/maybe/x", "/auth/session", "/auth/user", "/auth/sessions", "/public"} {
			if c := b.wants(http.StatusOK, path).Header["Set-Cookie"]; len(c) > 0 {
				t.Errorf("%s sets %d cookies", path, len(c))
			}
		}
	})
	t.Run("an_upstream_sees_and_sets_none_of_its_chunks", func(t *testing.T) {
		upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			for _, name := range []string{sessionCookie, sessionCookie + "-1", sessionCookie + "-2", "theirs"} {
				http.SetCookie(w, &http.Cookie{Name: name, Value: "planted", Path: "/", Secure: true})
			}
			_, _ = io.WriteString(w, r.Header.Get("Cookie"))
		}))
		defer upstream.Close()
		b := newStateless(t, func(doc map[string]any) { toAPI(doc, upstream.URL, "1m") }).signedIn("alice@example.com")
		before := b.chunks()
		res, _ := b.fetch("GET", "/api/x", "")
		if _, body := b.fetch("GET", "/api/x", ""); body != "theirs=planted" {
			t.Errorf("the upstream saw %.80s", body)
		}
		if d := b.chunks(); !maps.Equal(before, d) || len(res.Header["Set-Cookie"]) != 1 {
			t.Errorf("the browser has %s, of %q", describe(d), res.Header["Set-Cookie"])
		}
	})
	t.Run("a_use_slides_the_idle_limit", func(t *testing.T) {
		const idle = 4 * time.Second
		st := newStateless(t, section("session", map[string]any{"idle_timeout": idle.String()}))
		used, idler := st.signedIn("alice@example.com"), st.signedIn("bob@example.com")
		began, moves := time.Now(), 0
		for time.Since(began) < idle+idle/4 {
			if len(setsChunks(used.wants(http.StatusOK, "/api/x"))) > 0 {
				moves++
			}
		}
		if most := int(time.Since(began)/(idle/10)) + 1; moves < 2 || moves > most {
			t.Errorf("the cookie moved %d times, want 2 to %d", moves, most)
		}
		if idler.session().Authenticated {
			t.Error("a session that nobody used lives on")
		}
	})
	t.Run("a_refresh_replaces_the_chunks", func(t *testing.T) {
		st := newStateless(t)
		b := st.signedIn("alice@example.com")
		before, token := b.chunks(), st.seen.last(t).Header.Get("Authorization")
		res, body := b.fetch("POST", "/auth/refresh", "")
		if res.StatusCode != http.StatusOK || decode[sessionAnswer](t, body).Generation != 1 {
			t.Fatalf("refresh: %d %s", res.StatusCode, body)
		}
		for name, value := range b.chunks() {
			if before[name] == value {
				t.Errorf("%s is as before", name)
			}
		}
		b.wants(http.StatusOK, "/api/x")
		if now := st.seen.last(t).Header.Get("Authorization"); now == token {
			t.Error("the API got the token of before")
		}
	})
	t.Run("a_handle_of_before_loads_the_newest_and_is_replaced", func(t *testing.T) {
		st := newStateless(t)
		b := st.signedIn("alice@example.com")
		late := b.copied()
		b.fetch("POST", "/auth/refresh", "")
		late.wants(http.StatusOK, "/api/x")
		if !maps.Equal(late.chunks(), b.chunks()) {
			t.Error("the browser that was late did not get the newest cookie")
		}
		if n := st.calls.Load(); n != 1 {
			t.Errorf("%d token calls", n)
		}
	})
	t.Run("every_answer_on_the_strength_of_a_session_brings_the_newest_cookie", func(t *testing.T) {
		st := newStateless(t, func(doc map[string]any) {
			doc["routes"] = append(doc["routes"].([]any), map[string]any{"path": "/files/", "static": t.TempDir()},
				map[string]any{"path": "/bare/", "upstream": "http://127.0.0.1:1", "token": "none"},
				map[string]any{"path": "/down/", "upstream": "http://127.0.0.1:1"})
		})
		b := st.signedIn("alice@example.com")
		old := b.chunks()
		b.fetch("POST", "/auth/refresh", "")
		for call, status := range map[string]int{
			"GET /api/x": 200, "GET /maybe/x": 200, "GET /files/x": 404, "GET /bare/x": 502, "GET /down/x": 502,
			"GET /auth/session": 200, "GET /auth/session?touch=false": 200, "GET /auth/user": 200,
			"GET /auth/sessions": 200, "DELETE /auth/sessions": 200,
		} {
			method, path, _ := strings.Cut(call, " ")
			late := st.holding(old)
			if res, body := late.fetch(method, path, ""); res.StatusCode != status {
				t.Errorf("%s: %d %s", call, res.StatusCode, body)
			}
			if maps.Equal(late.chunks(), old) || !maps.Equal(late.chunks(), b.chunks()) {
				t.Errorf("%s did not bring it", call)
			}
		}
	})
	t.Run("tokens_that_do_not_fit_end_in_a_page_that_says_so", func(t *testing.T) {
		var groups []string
		for i := range 100 {
			groups = append(groups, strings.Repeat(string(rune('a'+i%26)), 100)+strings.Repeat("x", i/26))
		}
		st := newStatelessBefore(t, func(o *cognitoemu.Options) { o.Seed.Users[0].Groups = groups })
		b := st.browser()
		p := b.signIn("alice@example.com", "/api/x")
		for _, want := range []string{"session_too_large", "fewer groups", "Redis"} {
			if !strings.Contains(p.body, want) {
				t.Errorf("the page does not say %q: %s", want, p.body)
			}
		}
		if len(b.chunks()) != 0 || p.status != http.StatusBadGateway || b.session().Authenticated {
			t.Errorf("status %d, the browser has %s", p.status, describe(b.chunks()))
		}
		until(t, "the log to say so", func() bool { return strings.Contains(st.logs.String(), "session_too_large") })
		st.signedIn("bob@example.com").wants(http.StatusOK, "/api/x")
	})
}

// TestCookieStorePlanted: what does not make one whole handle, just as it was given
// out, and no other, is no cookie at all.
func TestCookieStorePlanted(t *testing.T) {
	st := newStateless(t)
	b := st.signedIn("alice@example.com")
	first := b.chunks()
	b.fetch("POST", "/auth/refresh", "")
	second := b.chunks()
	other := st.signedIn("bob@example.com").chunks()
	name, next := sessionCookie, sessionCookie+"-1"
	join := func(a, b map[string]string) string { return name + "=" + a[name] + "; " + next + "=" + b[next] }

	for what, cookie := range map[string]string{
		"chunks of two saves":          join(first, second),
		"chunks of two saves, turned":  join(second, first),
		"chunks of two users":          join(second, other),
		"a chunk too few":              name + "=" + second[name],
		"no first chunk":               next + "=" + second[next],
		"two sessions":                 header(second) + "; " + header(other),
		"two saves":                    header(second) + "; " + header(first),
		"a count too low":              name + "=1" + second[name][1:] + "; " + next + "=" + second[next],
		"a count too high":             name + "=3" + second[name][1:] + "; " + next + "=" + second[next],
		"no count":                     name + "=" + second[name][2:] + "; " + next + "=" + second[next],
		"chunks in each other's place": name + "=2." + second[next] + "; " + next + "=" + second[name][2:],
		"a changed byte":               name + "=" + second[name] + "; " + next + "=" + flip(second[next]),
		"garbage":                      name + "=1.Z2FyYmFnZQ",
		"nothing":                      name + "=",
	} {
		if res, body := st.sent(t, "same-origin", cookie); res.StatusCode != http.StatusUnauthorized || len(res.Header["Set-Cookie"]) > 0 {
			t.Errorf("%s: %d %s, sets %d cookies", what, res.StatusCode, body, len(res.Header["Set-Cookie"]))
		}
		// Absent, so the same-origin rule has nothing to guard.
		if res, _ := st.sent(t, "cross-site", cookie); res.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s, from another site: %d", what, res.StatusCode)
		}
	}
	for what, cookie := range map[string]string{
		"the first twice":                  join(second, second) + "; " + name + "=" + second[name],
		"the second twice":                 join(second, second) + "; " + next + "=" + second[next],
		"another first planted before it":  name + "=" + other[name] + "; " + join(second, second),
		"the newest":                       header(second),
		"the one of before":                header(first),
		"in another order":                 next + "=" + second[next] + "; theme=dark; " + name + "=" + second[name],
		"a third chunk of a longer save":   header(second) + "; " + sessionCookie + "-2=stale",
		"a third chunk, twice":             header(second) + "; " + sessionCookie + "-2=a; " + sessionCookie + "-2=b",
		"a cookie of nearly the same name": header(second) + "; " + sessionCookie + "-=x; " + sessionCookie + "-11=x",
	} {
		if res, body := st.sent(t, "same-origin", cookie); res.StatusCode != http.StatusOK {
			t.Errorf("%s: %d %s", what, res.StatusCode, body)
		}
		if res, _ := st.sent(t, "cross-site", cookie); res.StatusCode != http.StatusForbidden {
			t.Errorf("%s, from another site: %d, want 403", what, res.StatusCode)
		}
	}
}

func flip(s string) string {
	if s[0] == 'A' {
		return "B" + s[1:]
	}
	return "A" + s[1:]
}
