package server_test

import (
	"net/http"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/redistest"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// TestStoreTopologies signs in and calls through the gateway, with nothing but
// an address of the store in its configuration.
func TestStoreTopologies(t *testing.T) {
	o := redistest.Options{User: "gateway", Password: "p@ss:w/rd", TLS: true, ClientCertificates: true}
	for name, start := range map[string]func() string{
		"one_server": func() string { return redistest.Start(t, o).URL },
		"sentinel":   func() string { return redistest.StartSentinel(t, o).URL },
		"cluster":    func() string { return redistest.StartCluster(t, o, false).URL },
	} {
		t.Run(name+"_by_mutual_tls_keeps_sessions", func(t *testing.T) {
			b := newRig(t, section("session", map[string]any{"store": start()})).browser()
			// On a busy machine the first handshakes may take longer than a store has.
			patiently := func(ask func() int) (status int) {
				for status = ask(); status == http.StatusServiceUnavailable; {
					status = ask()
				}
				return status
			}
			fetch := func(method, path string) int {
				return patiently(func() int {
					res, _ := b.fetch(method, path, "")
					return res.StatusCode
				})
			}
			if status := patiently(func() int { return b.signIn("alice@example.com", "/api/x").status }); status != 200 {
				t.Errorf("sign-in: %d", status)
			}
			if status := fetch("GET", "/api/x"); status != 200 {
				t.Errorf("call: %d", status)
			}
			if status := fetch("POST", "/auth/logout"); status != 200 {
				t.Errorf("logout: %d", status)
			}
			if status := fetch("GET", "/api/x"); status != 401 {
				t.Errorf("call after the logout: %d, want 401", status)
			}
		})
	}
}

// TestAnotherClientTakesNoSession: gateways with the same keys at the same Redis
// have the same sessions only if they serve the same client of the same pool.
func TestAnotherClientTakesNoSession(t *testing.T) {
	shared := section("session", map[string]any{
		"store": redistest.Start(t, redistest.Options{}).URL, "keys": []string{secret.NewKey()},
	})
	r := newRig(t, shared)
	b := r.signedIn("alice@example.com")
	for name, c := range map[string]struct {
		cognito map[string]any
		want    int
	}{
		"the_same":       {map[string]any{}, http.StatusOK},
		"another_client": {map[string]any{"client_id": "1h57kf5cpq17m0eml12EXAMPLE"}, http.StatusUnauthorized},
		"another_issuer": {map[string]any{"issuer": r.idp + "/eu-west-1_Another01", "user_pool_id": "eu-west-1_Another01"}, http.StatusUnauthorized},
	} {
		t.Run(name, func(t *testing.T) {
			there := r.balanced([]instance{r.instance(shared, section("cognito", c.cognito))})
			there.http.Jar = b.http.Jar
			if res, body := there.fetch("GET", "/api/x", ""); res.StatusCode != c.want {
				t.Errorf("answered %d %s, want %d", res.StatusCode, body, c.want)
			}
		})
	}
}
