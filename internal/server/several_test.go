package server_test

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/freeport"
)

// TestSeveralUpstreams: a route goes on while one of its upstreams is away, says so, and
// has it back by its check.
func TestSeveralUpstreams(t *testing.T) {
	serve := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if token := strings.HasPrefix(r.Header.Get("Authorization"), "Bearer "); token == (r.URL.Path == "/healthz") {
			t.Errorf("%s is asked for with a token: %v", r.URL, token)
		}
	})
	there := httptest.NewServer(serve)
	defer there.Close()
	away := freeport.Addr(t)
	r, a := withAdmin(t, func(doc map[string]any) {
		doc["routes"] = []any{map[string]any{
			"path": "/api/", "upstream": []string{there.URL, "http://" + away + " weight=3"},
			"health_check": map[string]any{"path": "/healthz", "interval": "100ms"},
		}}
	})
	healthy := func(address string, want float64) func() bool {
		return func() bool {
			got, ok := a.metric(fmt.Sprintf("gatehouse_upstream_healthy{upstream=%q}", address))
			return ok && got == want
		}
	}
	b := r.signedIn("alice@example.com")
	until(t, "an upstream that is out", healthy("http://"+away, 0))
	for range 20 {
		if res, body := b.fetch("GET", "/api/x", ""); res.StatusCode != http.StatusOK {
			t.Errorf("while one is away: %d %s", res.StatusCode, body)
		}
	}
	if !healthy(there.URL, 1)() {
		t.Error("the other is out, too")
	}
	a.wantMetric(fmt.Sprintf("gatehouse_upstream_health_changes_total{upstream=%q}", "http://"+away), 1)
	ln, err := net.Listen("tcp", away)
	if err != nil {
		t.Fatal(err)
	}
	back := &httptest.Server{Listener: ln, Config: &http.Server{Handler: serve}}
	back.Start()
	defer back.Close()
	until(t, "an upstream that is back", healthy("http://"+away, 1))
	a.wantMetric(fmt.Sprintf("gatehouse_upstream_health_changes_total{upstream=%q}", "http://"+away), 2)
	for _, line := range []string{
		`"msg":"an upstream is out","upstream":"http://` + away + `"`, `"msg":"an upstream is back","upstream":"http://` + away + `"`,
		`"to":"` + there.URL + ", http://" + away + ` weight=3"`,
	} {
		until(t, line, func() bool { return strings.Contains(r.logs.String(), line) })
	}
}
