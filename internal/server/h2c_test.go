package server_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestH2CUpstream: a route whose upstream speaks HTTP/2 without TLS gets the call
// with the token, and the browser the answer with its trailer.
func TestH2CUpstream(t *testing.T) {
	upstream := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Proto != "HTTP/2.0" || !strings.HasPrefix(r.Header.Get("Authorization"), "Bearer ") {
			t.Errorf("asked over %s, Authorization %.7q", r.Proto, r.Header.Get("Authorization"))
		}
		w.Header().Set("Content-Type", "application/grpc")
		_, _ = w.Write([]byte("message"))
		_ = http.NewResponseController(w).Flush() // so that it has no length, as in gRPC
		w.Header().Set(http.TrailerPrefix+"Grpc-Status", "0")
	}))
	upstream.Config.Protocols = new(http.Protocols)
	upstream.Config.Protocols.SetUnencryptedHTTP2(true)
	upstream.Start()
	defer upstream.Close()
	address := strings.Replace(upstream.URL, "http://", "h2c://", 1)
	r := newRig(t, func(doc map[string]any) { toAPI(doc, address, "1m") })
	b := r.browser()
	b.signIn("alice@example.com", "/auth/session")
	res, body := b.fetch("POST", "/api/orders.Orders/List", "{}", "Te", "trailers")
	if res.StatusCode != http.StatusOK || body != "message" || res.Trailer.Get("Grpc-Status") != "0" {
		t.Errorf("%d %q, trailers %v", res.StatusCode, body, res.Trailer)
	}
}
