package server_test

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
)

// TestToken_of_a_route: which Authorization the API sees, by what the route asks for and
// sends, who calls, and what they send themselves.
func TestToken_of_a_route(t *testing.T) {
	const theirs = "Basic dGhlaXI6b3du"
	r := newRig(t, func(doc map[string]any) {
		upstream := doc["routes"].([]any)[0].(map[string]any)["upstream"]
		routes := []any{map[string]any{"path": "/none/", "upstream": upstream, "auth": "none"}}
		for _, auth := range []string{"session", "optional"} {
			for _, token := range []string{"access", "id", "none"} {
				routes = append(routes, map[string]any{"path": "/" + auth + "/" + token + "/", "upstream": upstream, "auth": auth, "token": token})
			}
			routes = append(routes, map[string]any{"path": "/" + auth + "/default/", "upstream": upstream, "auth": auth})
		}
		doc["routes"] = routes
	})
	alice, nobody := r.browser(), r.browser()
	alice.signIn("alice@example.com", "/auth/session")
	for path, want := range map[string]string{
		"/session/access/x": "access", "/session/id/x": "id", "/session/none/x": "", "/session/default/x": "access",
		"/optional/access/x": "access", "/optional/id/x": "id", "/optional/none/x": "", "/optional/default/x": "access",
		"/none/x": theirs,
	} {
		for _, b := range []*browser{alice, nobody} {
			before := r.seen.count()
			res, body := b.fetch("GET", path, "", "Authorization", theirs)
			if b == nobody && strings.HasPrefix(path, "/session/") {
				if res.StatusCode != http.StatusUnauthorized || r.seen.count() != before {
					t.Errorf("%s, nobody: %d: %s", path, res.StatusCode, body)
				}
				continue
			}
			want := want
			if b == nobody && want != theirs {
				want = ""
			}
			got := r.seen.last(t).Header["Authorization"]
			if res.StatusCode != http.StatusOK || len(got) > 1 || use(t, strings.Join(got, "")) != want {
				t.Errorf("%s, signed in %v: %d, the API sees %.30q, want %q", path, b == alice, res.StatusCode, got, want)
			}
		}
	}
}

// use is what a token of the pool is for, or the header as it is.
func use(t *testing.T, authorization string) string {
	t.Helper()
	if !strings.HasPrefix(authorization, "Bearer ") {
		return authorization
	}
	return decode[struct {
		Use string `json:"token_use"`
	}](t, claimsOf(t, authorization)).Use
}

// claimsOf is what a token says, whatever stands before it.
func claimsOf(t *testing.T, token string) string {
	t.Helper()
	claims, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	return string(claims)
}
