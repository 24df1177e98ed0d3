package server_test

import (
	"net/http"
	"testing"
)

// TestForwardAuthMovesTheCookie: with the store cookie: a session that is used gets another
// cookie, and the browser gets that from a front that passes it on, every chunk.
func TestForwardAuthMovesTheCookie(t *testing.T) {
	f := askingHAProxy(t, directly, section("session", map[string]any{"store": "cookie:", "idle_timeout": "30s"}))
	b := f.visitor()
	f.carriesALogin(t, b)
	before := b.chunks()
	until(t, "a use that moves the cookie", func() bool {
		res, body := b.fetch("GET", "/api/orders", "")
		if res.StatusCode != http.StatusOK {
			t.Fatalf("a call: %d %s", res.StatusCode, body)
		}
		return len(res.Cookies()) > 0
	})
	if len(before) < 2 {
		t.Fatalf("the session is in %d chunks, which is no test of several", len(before))
	}
	for name, value := range b.chunks() {
		if before[name] == value {
			t.Errorf("%s is the one from before", name)
		}
	}
	if res, body := b.fetch("GET", "/api/orders", ""); res.StatusCode != http.StatusOK {
		t.Errorf("a call with it: %d %s", res.StatusCode, body)
	}
}
