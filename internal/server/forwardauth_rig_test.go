package server_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/fronttest"
)

// asking is how a test starts a front that asks, by its page in docs/forward-auth. Where
// via is set, the front asks there and not at the address that it is given.
type asking func(t *testing.T, via func(address string) string, change ...settings) *fronted

var askingFronts = map[string]asking{"nginx": askingNginx, "Caddy": askingCaddy, "HAProxy": askingHAProxy}

func directly(address string) string { return address }

func askingNginx(t *testing.T, via func(string) string, change ...settings) *fronted {
	t.Helper()
	return askingNginxWith(t, askingPage(t, "nginx", "nginx"), via, change...)
}

// askingNginxWith is askingNginx with another configuration than its page's.
func askingNginxWith(t *testing.T, conf string, via func(string) string, change ...settings) *fronted {
	t.Helper()
	f := newFronted(t, "/", askingPage(t, "nginx", "yaml"), change...)
	listening(t, f.verify)
	fronttest.Nginx(t, replaced(t, conf,
		"listen 443 ssl;", "listen "+f.front+" ssl;",
		"gateway:8080", f.gateway, "gateway:8081", via(f.verify), "orders.internal:9000", host(f.api.URL),
		"/etc/nginx/tls/app.example.com.crt", f.certFile,
		"/etc/nginx/tls/app.example.com.key", f.keyFile), f.front)
	return f
}

func askingCaddy(t *testing.T, via func(string) string, change ...settings) *fronted {
	t.Helper()
	f := newFronted(t, "/", askingPage(t, "caddy", "yaml"), change...)
	fronttest.Caddy(t, replaced(t, askingPage(t, "caddy", "caddyfile"),
		"app.example.com {", fmt.Sprintf("%s {\n\tbind 127.0.0.1\n\ttls %s %s", host(f.url), f.certFile, f.keyFile),
		"forward_auth gateway:8080", "forward_auth "+via(f.gateway),
		"gateway:8080", f.gateway, "orders.internal:9000", host(f.api.URL), "{$VERIFY_SECRET}", verifySecret), f.front)
	return f
}

func askingHAProxy(t *testing.T, via func(string) string, change ...settings) *fronted {
	t.Helper()
	f := newFronted(t, "/", askingPage(t, "haproxy", "yaml"), change...)
	listening(t, f.verify)
	dir := t.TempDir()
	write := func(name, text string) string {
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	pair := ""
	for _, name := range []string{f.certFile, f.keyFile} {
		part, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		pair += string(part)
	}
	fronttest.HAProxy(t, replaced(t, askingPage(t, "haproxy", "haproxy"),
		"bind :443", "bind "+f.front,
		"/etc/haproxy/app.example.com.pem", write("pair.pem", pair),
		"/etc/haproxy/gatehouse.lua", write("gatehouse.lua", replaced(t, askingPage(t, "haproxy", "lua"), "gateway:8081", via(f.verify))),
		"gateway:8080", f.gateway, "orders.internal:9000", host(f.api.URL)), f.front)
	return f
}

// askingPage returns the first block of a language on a page of docs/forward-auth.
func askingPage(t *testing.T, page, language string) string {
	t.Helper()
	data, err := os.ReadFile("../../docs/forward-auth/" + page + ".md")
	if err != nil {
		t.Fatal(err)
	}
	text, there := block(string(data), language)
	if !there {
		t.Fatalf("%s.md has no block of %s", page, language)
	}
	return text
}

// host is what stands behind an address's scheme.
func host(address string) string { return address[strings.Index(address, "://")+len("://"):] }

// questions are what a front asked.
type questions struct {
	mu   sync.Mutex
	uris []string
}

// overhear stands between a front and the address at which it asks.
func (q *questions) overhear(t *testing.T) func(address string) string {
	return func(address string) string {
		relay := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: address})
		between := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			q.mu.Lock()
			q.uris = append(q.uris, r.Header.Get("X-Forwarded-Uri"))
			q.mu.Unlock()
			relay.ServeHTTP(w, r)
		}))
		t.Cleanup(between.Close)
		return host(between.URL)
	}
}

// take returns what was asked since it was called last.
func (q *questions) take() []string {
	q.mu.Lock()
	defer q.mu.Unlock()
	uris := q.uris
	q.uris = nil
	return uris
}
