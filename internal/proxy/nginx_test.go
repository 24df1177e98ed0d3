package proxy_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/problem"
	"github.com/gatehouse-auth/gatehouse/internal/urlpath"
)

// nginx starts a real nginx that answers each path with the location it fell on,
// and returns what asks it about a path.
func nginx(t *testing.T, locations ...string) func(path string) string {
	t.Helper()
	program, err := exec.LookPath("nginx")
	if err != nil {
		program = "/usr/sbin/nginx" // not in everybody's PATH
	}
	dir, err := os.MkdirTemp("", "nginx") // short: the name of a socket has a limit
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	var server strings.Builder
	for _, l := range locations {
		if bare := strings.TrimSuffix(l, "/"); bare != "" {
			fmt.Fprintf(&server, "location = %s { return 200 %q; }\n", bare, l)
		}
		fmt.Fprintf(&server, "location %s { return 200 %q; }\n", l, l)
	}
	conf := filepath.Join(dir, "conf")
	if err := os.WriteFile(conf, fmt.Appendf(nil, `daemon off; master_process off; pid %[1]s/pid; error_log %[1]s/log;
events {}
http {
  access_log off; keepalive_requests 1000000;
  client_body_temp_path %[1]s; proxy_temp_path %[1]s; fastcgi_temp_path %[1]s; uwsgi_temp_path %[1]s; scgi_temp_path %[1]s;
  server { listen unix:%[1]s/socket; %[2]s }
}`, dir, server.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "-e", filepath.Join(dir, "log"), "-p", dir, "-c", conf)
	if err := cmd.Start(); err != nil {
		t.Fatalf("this test needs nginx (apt-get install nginx): %v", err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	conn := dialSoon(t, filepath.Join(dir, "socket"), filepath.Join(dir, "log"))
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

// dialSoon connects to a server that is just starting.
func dialSoon(t *testing.T, socket, log string) net.Conn {
	t.Helper()
	for range 3000 {
		if conn, err := net.Dial("unix", socket); err == nil {
			t.Cleanup(func() { _ = conn.Close() })
			return conn
		}
		time.Sleep(10 * time.Millisecond)
	}
	text, _ := os.ReadFile(log)
	t.Fatalf("nginx does not start: %s", text)
	return nil
}

// nginx decodes %2F and merges slashes unless told otherwise.
func TestMatch_agrees_with_a_real_nginx(t *testing.T) {
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
			route, err := routes.Match("app.example", p, "GET")
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
