package command

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/freeport"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// connectProxy is a forward proxy that asks for a password and connects to one
// place, whatever it is asked for.
type connectProxy struct {
	t     *testing.T
	place string // host:port

	mu    sync.Mutex
	asked []string
}

func (p *connectProxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.asked = append(p.asked, r.Method+" "+r.Host)
	p.mu.Unlock()
	if r.Method != http.MethodConnect || r.Header.Get("Proxy-Authorization") != "Basic Z2F0ZTpzM2NyM3RA" { // gate:s3cr3t@
		w.WriteHeader(http.StatusProxyAuthRequired)
		return
	}
	up, err := net.Dial("tcp", p.place)
	if err != nil {
		p.t.Error(err)
		return
	}
	down, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		p.t.Error(err)
		return
	}
	_, _ = io.WriteString(down, "HTTP/1.1 200 Connected\r\n\r\n")
	go func() { _, _ = io.Copy(up, buffered); _ = up.Close() }()
	_, _ = io.Copy(down, up)
	_ = down.Close()
}

// TestServe_reaches_the_user_pool_through_a_proxy that only the environment
// names: a process of its own, in which nothing else leads to the pool.
func TestServe_reaches_the_user_pool_through_a_proxy(t *testing.T) {
	idp := newProvider(t)
	pool := httptest.NewTLSServer(idp.Config.Handler) // its certificate is for example.com
	t.Cleanup(pool.Close)
	idp.URL = "https://example.com"
	authority := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(authority, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pool.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	via := &connectProxy{t: t, place: pool.Listener.Addr().String()}
	proxy := httptest.NewServer(via)
	t.Cleanup(proxy.Close)
	address := "http://gate:s3cr3t%40@" + proxy.Listener.Addr().String()
	environ := []string{
		"HTTPS_PROXY=" + address, "http_proxy=http://127.0.0.1:1", "NO_PROXY=elsewhere.example", "SSL_CERT_FILE=" + authority,
		"KEY=" + secret.NewKey(),
	}

	g, said := startProcess(t, idp, environ)
	roots := x509.NewCertPool()
	roots.AddCert(pool.Certificate())
	jar, _ := cookiejar.New(nil)
	browser := &http.Client{Jar: jar, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			if addr == "example.com:443" {
				addr = pool.Listener.Addr().String()
			}
			return new(net.Dialer).DialContext(ctx, network, addr)
		},
	}}
	res, body := send(t, browser, "GET", g.url+"/auth/login?return_to=/auth/session", "Accept", "text/html")
	if res.StatusCode != 200 || !strings.Contains(body, `"authenticated":true`) {
		t.Errorf("the login ended with %d %s", res.StatusCode, body)
	}
	g.stop()
	via.mu.Lock()
	defer via.mu.Unlock()
	other := func(asked string) bool { return asked != "CONNECT example.com:443" }
	if len(via.asked) == 0 || slices.ContainsFunc(via.asked, other) {
		t.Errorf("the proxy was asked for %q, want CONNECT example.com:443 alone", via.asked)
	}
	if strings.Contains(said.String(), "s3cr3t") {
		t.Errorf("the proxy's password is in the log:\n%s", said)
	}

	var out bytes.Buffer
	if status := run(t.Context(), []string{"config", "print", "--config", g.file}, process{environ: environ, stdout: &out, stderr: &out}); status != 0 {
		t.Fatalf("config print: %d\n%s", status, &out)
	}
	want := "https_proxy: http://xxxxx:xxxxx@" + proxy.Listener.Addr().String() + "\nhttp_proxy: http://127.0.0.1:1\nno_proxy: [elsewhere.example]\n"
	if !strings.Contains(out.String(), want) || strings.Contains(out.String(), "s3cr3t") {
		t.Errorf("config print has not\n%s:\n%s", want, &out)
	}
}

// TestCommands_call_gateways_without_a_proxy: it would see the admin token.
func TestCommands_call_gateways_without_a_proxy(t *testing.T) {
	asked := make(chan string, 10)
	proxy := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { asked <- r.RequestURI }))
	defer proxy.Close()
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("Xk8sl2Pqw0vbnM3zQx7r"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"health", "--url", "http://192.0.2.1:8080/auth/healthz", "--timeout", "1s"},
		{"sessions", "stats", "--admin", "http://192.0.2.1:9090", "--token-file", token, "--timeout", "1s"},
	} {
		cmd := exec.Command("gateway", args...)
		cmd.Env = []string{"HTTP_PROXY=" + proxy.URL, "http_proxy=" + proxy.URL}
		if out, err := cmd.CombinedOutput(); err == nil { // nobody is there
			t.Errorf("gateway %s: %s", args[0], out)
		}
		if len(asked) > 0 {
			t.Errorf("gateway %s asked the proxy for %s", args[0], <-asked)
		}
	}
}

// startProcess runs `gateway serve` as a process with this environment alone.
func startProcess(t *testing.T, idp *provider, environ []string) (running, *bytes.Buffer) {
	t.Helper()
	listen := freeport.Addr(t)
	_, port, _ := net.SplitHostPort(listen)
	g := running{url: "http://localhost:" + port, file: filepath.Join(t.TempDir(), "gatehouse.yaml")}
	yaml := fmt.Sprintf(`
listen: %s
admin_listen: 127.0.0.1:0
public_url: %s
cognito: {region: eu-west-1, user_pool_id: eu-west-1_Any, client_id: any, domain: %s, issuer: %s, api_endpoint: %s, scopes: [openid]}
session: {store: "memory:", keys: ["${KEY}"]}
`, listen, g.url, idp.URL, idp.URL, idp.URL)
	if err := os.WriteFile(g.file, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	said := new(bytes.Buffer)
	cmd := exec.Command("gateway", "serve", "--config", g.file)
	cmd.Env, cmd.Stderr = environ, said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan int, 1)
	go func() {
		_ = cmd.Wait()
		done <- cmd.ProcessState.ExitCode()
	}()
	g.stop = sync.OnceFunc(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-done:
		case <-time.After(patience):
			_ = cmd.Process.Kill()
			t.Error("the process did not stop")
		}
	})
	t.Cleanup(g.stop)
	waitHealthy(t, g, done, said)
	return g, said
}
