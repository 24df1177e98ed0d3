package server_test

import (
	"net/http"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/redistest"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// TestStorePassword keeps sessions behind a user and a password that no address
// takes as they are.
func TestStorePassword(t *testing.T) {
	const password = "a#/?%41@ü"
	redis := redistest.Start(t, redistest.Options{User: "gate%house", Password: password})
	r := newRig(t, section("session", map[string]any{
		"store": "redis://" + redis.Addr, "store_username": "gate%house", "store_password": password, "keys": []string{secret.NewKey()},
	}))
	b := r.browser()
	b.signIn("alice@example.com", "/api/x")
	if res, body := b.fetch("GET", "/api/x", ""); res.StatusCode != http.StatusOK {
		t.Errorf("signed in: %d %s", res.StatusCode, body)
	}
}
