package server_test

import (
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/redistest"
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
			b.signIn("alice@example.com", "/api/x")
			if res, body := b.fetch("GET", "/api/x", ""); res.StatusCode != 200 {
				t.Errorf("call: %d %s", res.StatusCode, body)
			}
			if res, body := b.fetch("POST", "/auth/logout", ""); res.StatusCode != 200 {
				t.Errorf("logout: %d %s", res.StatusCode, body)
			}
			if res, _ := b.fetch("GET", "/api/x", ""); res.StatusCode != 401 {
				t.Errorf("call after the logout: %d, want 401", res.StatusCode)
			}
		})
	}
}
