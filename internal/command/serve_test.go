package command

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/freeport"
	"github.com/gatehouse-auth/gatehouse/internal/redistest"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// TestServe runs `gateway serve` with a file, a Redis and an OpenID provider
// that is not Cognito, and does the whole job with it.
func TestServe(t *testing.T) {
	redis := redistest.Start(t, redistest.Options{})
	idp := newProvider(t)
	var (
		mu   sync.Mutex
		last http.Header
	)
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		last = r.Header.Clone()
		mu.Unlock()
		_, _ = fmt.Fprintf(w, "path=%s", r.URL.Path)
	}))
	defer api.Close()
	g := startServe(t, idp, redis.URL, api.URL)

	jar, _ := cookiejar.New(nil)
	client := &http.Client{Jar: jar}
	get := func(path string, headers ...string) (*http.Response, string) {
		t.Helper()
		return send(t, client, "GET", g.url+path, headers...)
	}
	if res, body := get("/api/x", "Sec-Fetch-Mode", "cors", "Sec-Fetch-Site", "same-origin"); res.StatusCode != 401 || !strings.Contains(body, `"unauthenticated"`) {
		t.Fatalf("anonymous call: %d %s", res.StatusCode, body)
	}
	res, body := get("/api/x?a=1", "Accept", "text/html")
	if res.StatusCode != 200 || body != "path=/x" || res.Request.URL.String() != g.url+"/api/x?a=1" {
		t.Fatalf("navigation ended with %d %q at %s", res.StatusCode, body, res.Request.URL)
	}
	mu.Lock()
	if auth := last.Get("Authorization"); !strings.HasPrefix(auth, "Bearer ey") || last.Get("Cookie") != "" {
		t.Errorf("the API saw Authorization %.12q, Cookie %q", auth, last.Get("Cookie"))
	}
	mu.Unlock()
	if _, body := get("/auth/session"); !strings.Contains(body, `"user@example.com"`) {
		t.Errorf("session: %s", body)
	}
	if res, _ := send(t, client, "POST", g.url+"/api/x", "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "cors", "Origin", "https://evil.test"); res.StatusCode != 403 {
		t.Errorf("cross-site POST: %d", res.StatusCode)
	}
	if dump := redis.Dump(); len(dump) < 1000 {
		t.Errorf("the dump has %d bytes: nothing to look at", len(dump))
	} else {
		for _, token := range idp.issued {
			for part := range strings.SplitSeq(token, ".") {
				if bytes.Contains(dump, []byte(part)) {
					t.Errorf("the Redis dump holds part of a token: %.12s…", part)
				}
			}
		}
	}
	if res, body := send(t, client, "POST", g.url+"/auth/logout", "Sec-Fetch-Site", "same-origin"); res.StatusCode != 200 || !strings.Contains(body, idp.URL+"/logout?") {
		t.Errorf("logout: %d %s", res.StatusCode, body)
	}
	if res, _ := get("/api/x", "Sec-Fetch-Mode", "cors", "Sec-Fetch-Site", "same-origin"); res.StatusCode != 401 {
		t.Errorf("after the logout: %d", res.StatusCode)
	}
	for path, want := range map[string]string{"/healthz": "ok", "/readyz": "ready", "/metrics": "gatehouse_requests_total"} {
		if res, body := send(t, http.DefaultClient, "GET", g.admin+path); res.StatusCode != 200 || !strings.Contains(body, want) {
			t.Errorf("admin %s: %d %.60s", path, res.StatusCode, body)
		}
	}
	if res, _ := get("/metrics"); res.StatusCode != 404 {
		t.Errorf("/metrics on the public listener: %d", res.StatusCode)
	}
	g.stop()
	if len(idp.revoke) != 1 {
		t.Errorf("%d refresh tokens were revoked by the end, want 1", len(idp.revoke))
	}
}

// patience is how long a test waits for what comes soon, unless the machine is
// busy: only what never comes takes it.
const patience = 3 * time.Minute

type running struct {
	url, admin string
	file       string // its configuration, in which ${KEY} is left open
	stop       func()
}

// startServe runs a gateway; more are further lines of its configuration.
func startServe(t *testing.T, idp *provider, store, api string, more ...string) running {
	t.Helper()
	listen, admin := freeport.Addr(t), freeport.Addr(t)
	_, port, _ := net.SplitHostPort(listen)
	g := running{url: "http://localhost:" + port, admin: "http://" + admin}
	g.file = filepath.Join(t.TempDir(), "gatehouse.yaml")
	yaml := fmt.Sprintf(`
listen: %s
admin_listen: %s
public_url: %s
cognito: {region: eu-west-1, user_pool_id: eu-west-1_Any, client_id: any, domain: %s, issuer: %s, api_endpoint: %s, scopes: [openid]}
session: {store: %s, keys: ["${KEY}"]}
routes: [{path: /api/, upstream: %s, strip_prefix: true}]
`, listen, admin, g.url, idp.URL, idp.URL, idp.URL, store, api)
	if err := os.WriteFile(g.file, []byte(yaml+strings.Join(more, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan int, 1)
	var stderr bytes.Buffer
	go func() {
		done <- run(ctx, []string{"serve", "--config", g.file}, process{
			environ: []string{"KEY=" + strings.TrimSpace(secret.NewKey())}, stdout: io.Discard, stderr: &stderr,
		})
	}()
	g.stop = sync.OnceFunc(func() {
		cancel()
		if status := <-done; status != 0 {
			t.Errorf("serve ended with status %d:\n%s", status, stderr.String())
		}
	})
	t.Cleanup(g.stop)
	waitHealthy(t, g, done, &stderr)
	return g
}

func waitHealthy(t *testing.T, g running, done chan int, stderr *bytes.Buffer) {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if status := run(context.Background(), []string{"health", "--url", g.url + "/auth/healthz"},
			process{stdout: io.Discard, stderr: io.Discard}); status == 0 {
			return
		}
		select {
		case status := <-done:
			t.Fatalf("serve ended with status %d:\n%s", status, stderr.String())
		default:
		}
	}
	t.Fatalf("serve is not healthy after %v", patience)
}

func send(t *testing.T, c *http.Client, method, address string, headers ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequest(method, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(body)
}
