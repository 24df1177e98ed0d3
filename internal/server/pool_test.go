package server_test

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/cognitoemu"
)

// keysAnswer answers for the key set as long as it is set; 0 is the pool's own.
type keysAnswer struct{ status atomic.Int32 }

func (k *keysAnswer) around(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if status := int(k.status.Load()); status != 0 && strings.HasSuffix(r.URL.Path, "/jwks.json") {
			http.Error(w, `{"message":"foreign text"}`, status)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// TestNotReadyUntilTheKeySetCameOnce: an instance that could log nobody in says
// so from its start, and why; one that could says nothing of a later outage.
func TestNotReadyUntilTheKeySetCameOnce(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		logged []string
		reason string
	}{
		"a pool that does not exist": {
			http.StatusNotFound, []string{`"level":"ERROR"`, "answered 404; look at cognito.issuer"},
			"jwks.json: a wrong setting; look at cognito.issuer",
		},
		"a pool that does not answer": {http.StatusServiceUnavailable, []string{`"level":"WARN"`, "answered 503"}, "jwks.json\n"},
	} {
		t.Run(name, func(t *testing.T) {
			keys := &keysAnswer{}
			keys.status.Store(int32(c.status))
			r, a := adminBehind(t, func(r *rig) { r.around = keys.around })
			address := r.emu.Issuer() + "/.well-known/jwks.json"
			res, body := a.call("GET", "/readyz")
			if res.StatusCode != http.StatusServiceUnavailable || !strings.Contains(body, "user pool: the key set has not come yet from "+address) {
				t.Errorf("readyz: %d %s", res.StatusCode, body)
			}
			if res, body := a.call("GET", "/healthz"); res.StatusCode != http.StatusOK {
				t.Errorf("healthz: %d %s", res.StatusCode, body)
			}
			until(t, "the log line", func() bool { return r.logs.line("does not come", address) != "" })
			for _, want := range c.logged {
				if line := r.logs.line("does not come", address); !strings.Contains(line, want) || strings.Contains(line, "foreign") {
					t.Errorf("no %q in %s", want, line)
				}
			}
			until(t, "the reason", func() bool { _, body := a.call("GET", "/readyz"); return strings.Contains(body+"\n", c.reason) })
			keys.status.Store(0)
			ready := func() bool { res, _ := a.call("GET", "/readyz"); return res.StatusCode == http.StatusOK }
			until(t, "readiness", ready)

			keys.status.Store(int32(c.status))
			if !ready() {
				t.Error("an outage of the user pool took the instance away")
			}
			if p := r.browser().signIn("alice@example.com", "/api/x"); p.status != http.StatusOK {
				t.Errorf("a login ended with %d at %s", p.status, p.url)
			}
		})
	}
}

// line returns the first line of the log that has all of parts.
func (l *logs) line(parts ...string) string {
lines:
	for line := range strings.Lines(l.String()) {
		for _, part := range parts {
			if !strings.Contains(line, part) {
				continue lines
			}
		}
		return line
	}
	return ""
}

// TestAWrongSettingIsNoOutage: what an operator must mend is told as that, to the
// user without a way to try again, to the operator with the address asked and the
// key to look at.
func TestAWrongSettingIsNoOutage(t *testing.T) {
	otherPool := func(doc map[string]any) {
		c := doc["cognito"].(map[string]any)
		c["issuer"] = c["api_endpoint"].(string) + "/eu-west-1_Other"
	}
	for name, c := range map[string]struct {
		change settings
		around func(http.Handler) http.Handler
		logged []string
	}{
		"a pool that does not exist": {otherPool, nil,
			[]string{"/eu-west-1_Other/.well-known/jwks.json answered 404", "look at cognito.issuer"}},
		"another pool than the domain's": {otherPool, hasKeysOf("eu-west-1_Other"),
			[]string{"the token is by another issuer, not by http", "/eu-west-1_Other", "look at cognito.issuer"}},
		"a domain without a token endpoint": {section("cognito", nil), withoutTokens,
			[]string{"/oauth2/token answered 404", "look at cognito.domain"}},
		"a wrong secret": {section("cognito", map[string]any{"client_secret": "wrong"}), nil,
			[]string{"/oauth2/token answered 400 invalid_client", "look at cognito.client_id and cognito.client_secret"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRigBehind(t, func(r *rig) { r.around = c.around }, c.change)
			p := r.browser().signIn("alice@example.com", "/api/x")
			if p.status != http.StatusBadGateway || !strings.Contains(p.body, "misconfigured") {
				t.Errorf("the login ended with %d at %s:\n%s", p.status, p.url, p.body)
			}
			if strings.Contains(p.body, "Start again") || !strings.Contains(p.body, p.header.Get("X-Request-Id")) {
				t.Errorf("the page offers what does not help, or no request id:\n%s", p.body)
			}
			until(t, "the log line", func() bool { return r.logs.line(`"code":"misconfigured"`) != "" })
			for _, want := range append(c.logged, `"level":"ERROR"`) {
				if line := r.logs.line(`"code":"misconfigured"`); !strings.Contains(line, want) {
					t.Errorf("no %q in %s", want, line)
				}
			}
		})
	}
}

// hasKeysOf answers for the key set of another pool with its own.
func hasKeysOf(pool string) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			r.URL.Path = strings.Replace(r.URL.Path, "/"+pool+"/", "/"+cognitoemu.DefaultPoolID+"/", 1)
			next.ServeHTTP(w, r)
		})
	}
}

func withoutTokens(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/oauth2/token" {
			http.NotFound(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}
