package routing_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/freeport"
	"github.com/gatehouse-auth/gatehouse/internal/fronttest"
	"github.com/gatehouse-auth/gatehouse/internal/problem"
	"github.com/gatehouse-auth/gatehouse/internal/urlpath"
)

// nginx starts a real nginx that answers each path with the location it fell on,
// and returns what asks it about a path.
func nginx(t *testing.T, locations ...string) func(path string) string {
	t.Helper()
	var server strings.Builder
	for _, l := range locations {
		if bare := strings.TrimSuffix(l, "/"); bare != "" {
			fmt.Fprintf(&server, "location = %s { return 200 %q; }\n", bare, l)
		}
		fmt.Fprintf(&server, "location %s { return 200 %q; }\n", l, l)
	}
	addr := freeport.Addr(t)
	fronttest.Nginx(t, fmt.Sprintf("keepalive_requests 1000000; server { listen %s; %s }", addr, server.String()), addr)
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	br := bufio.NewReader(conn)
	return func(path string) string {
		_, _ = io.WriteString(conn, "GET "+path+" HTTP/1.1\r\nHost: app.example\r\n\r\n")
		res, err := http.ReadResponse(br, nil)
		if err != nil {
			t.Fatalf("nginx about %s: %v", path, err)
		}
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		if res.StatusCode != http.StatusOK {
			t.Fatalf("nginx about %s: %s", path, res.Status)
		}
		return string(body)
	}
}

// nginx decodes %2F and merges slashes unless told otherwise.
func TestJudge_agrees_with_a_real_nginx(t *testing.T) {
	ask := nginx(t, "/", "/api/", "/api/open/", "/x/api/", "/cut/", "/cut/api/", "/auth/")
	routes := table(t, loose...)
	for _, evading := range []string{"/%2Fapi/x", "/%2fapi%2fx"} {
		if got := ask(evading); got != "/api/" {
			t.Fatalf("nginx reads %s as %s: this shows nothing", evading, got)
		}
	}
	alphabet := []string{"/", "%2F", "api", "x", ";", ".", "%25", "2F", "%3F", "open", "auth"}
	accepted := 0
	var walk func(prefix string, depth int)
	walk = func(prefix string, depth int) {
		if p, err := urlpath.Parse(prefix); err == nil {
			route, err := match(t, routes, "app.example", prefix, "GET")
			var e *problem.Error
			switch {
			case err == nil:
				accepted++
				if got := strings.TrimSuffix(ask(p.Escaped()), "/"); got != strings.TrimSuffix(route.Path, "/") {
					t.Errorf("%s falls on %s, and nginx serves %s", prefix, route.Path, got)
				}
			case !errors.As(err, &e) || e.Status != http.StatusBadRequest:
				t.Errorf("%s: %v", prefix, err)
			}
		}
		if depth == 0 || t.Failed() {
			return
		}
		for _, s := range alphabet {
			walk(prefix+s, depth-1)
		}
	}
	walk("/", 4)
	if accepted < 1000 {
		t.Errorf("%d paths accepted only: this shows nothing", accepted)
	}
}
