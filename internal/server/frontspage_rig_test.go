package server_test

import (
	"context"
	"crypto/sha1"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/gatehouse-auth/gatehouse/internal/cognitoemu"
	"github.com/gatehouse-auth/gatehouse/internal/freeport"
	"github.com/gatehouse-auth/gatehouse/internal/fronttest"
	"github.com/gatehouse-auth/gatehouse/internal/server"
)

// visitorAddress is where browsers are, so that they can be told from the front. Not
// every system has it on loopback unasked (macOS: ifconfig lo0 alias 127.0.0.2).
const visitorAddress = "127.0.0.2"

// largeHeader is more than nginx takes of an answer's header by default, in bytes.
const largeHeader = 12_000

// fronted is a gateway in plain http behind a front that ends TLS.
type fronted struct {
	*rig
	base    string // the path of the site that is the gateway's, with slashes
	gateway string // where the front finds it
	front   string // where the front listens
	verify  string // where it asks, if the gateway has a listener for that

	certFile, keyFile string

	// What the API does: it reads an upload, waits until a line was received before it
	// writes the next one, and notices that a client has gone.
	reading, received, gone chan struct{}
}

// behindNginx takes the chapter on nginx of docs/fronts.md and, where the gateway has
// only a path of the site, the one on that. change, if set, makes a mistake.
func behindNginx(t *testing.T, base string, change func(conf string) string) *fronted {
	t.Helper()
	chapter := "nginx"
	if base != "/" {
		chapter = "A path of a site"
	}
	f := newFronted(t, base, documented(t, chapter, "yaml"))
	conf := replaced(t, documented(t, "nginx", "nginx"),
		"listen 443 ssl;", "listen "+f.front+" ssl;",
		"gateway:8080", f.gateway,
		"/etc/nginx/tls/app.example.com.crt", f.certFile,
		"/etc/nginx/tls/app.example.com.key", f.keyFile,
		"location / {", "location "+base+" {")
	if change != nil {
		conf = change(conf)
	}
	fronttest.Nginx(t, conf, f.front)
	return f
}

func behindCaddy(t *testing.T, change func(conf string) string) *fronted {
	t.Helper()
	f := newFronted(t, "/", documented(t, "Caddy", "yaml"))
	conf := replaced(t, documented(t, "Caddy", "caddyfile"),
		"app.example.com {", fmt.Sprintf("%s {\n\tbind 127.0.0.1\n\ttls %s %s", strings.TrimPrefix(f.url, "https://"), f.certFile, f.keyFile),
		"gateway:8080", f.gateway)
	if change != nil {
		conf = change(conf)
	}
	fronttest.Caddy(t, conf, f.front)
	return f
}

// newFronted starts all but the front.
func newFronted(t *testing.T, base, keys string, change ...settings) *fronted {
	t.Helper()
	f := &fronted{
		rig:  &rig{t: t, wire: &wire{}, logs: &logs{}, issued: &tokens{}, seen: &apiRequests{}},
		base: base, front: freeport.Addr(t), verify: freeport.Addr(t),
		reading: make(chan struct{}, 1), received: make(chan struct{}, 1), gone: make(chan struct{}, 1),
	}
	f.lendCertificate()
	_, port, _ := net.SplitHostPort(f.front)
	f.url = "https://app.example.com:" + port
	f.api = httptest.NewServer(http.HandlerFunc(f.serveAPI))
	t.Cleanup(f.api.Close)
	f.emulate = func(o *cognitoemu.Options) {
		o.Seed = cognitoemu.DefaultSeed([]string{f.url + base + "auth/callback"}, []string{f.url + base + "auth/signed-out"})
	}
	f.startPool()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f.gateway = listener.Addr().String()
	f.serve(f.config(append([]settings{f.documentedKeys(keys)}, change...)), server.Options{Logs: f.logs, Listener: listener})
	return f
}

// documentedKeys are the keys that the page gives, with this machine's addresses.
func (f *fronted) documentedKeys(text string) settings {
	text = replaced(f.t, text, "https://app.example.com", f.url, "10.0.0.0/8", "127.0.0.1/32")
	if f.base != "/" {
		dist := f.t.TempDir()
		if err := os.WriteFile(filepath.Join(dist, "index.html"), []byte(thePage), 0o600); err != nil {
			f.t.Fatal(err)
		}
		text = replaced(f.t, text, "http://orders.internal:9000", f.api.URL, "./dist", dist)
	}
	text = strings.NewReplacer("http://orders.internal:9000", f.api.URL, ":8081", f.verify, "${VERIFY_SECRET}", verifySecret).Replace(text)
	return func(doc map[string]any) {
		var keys map[string]any
		if err := yaml.Unmarshal([]byte(text), &keys); err != nil {
			f.t.Fatal(err)
		}
		maps.Copy(doc, keys)
	}
}

// documented returns the first block of a language in a chapter of docs/fronts.md.
func documented(t *testing.T, chapter, language string) string {
	t.Helper()
	page, err := os.ReadFile("../../docs/fronts.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(page), "\n## "+chapter+"\n")
	rest, _, _ = strings.Cut(rest, "\n## ")
	text, there := block(rest, language)
	if !found || !there {
		t.Fatalf("docs/fronts.md has no block of %s in its chapter %s", language, chapter)
	}
	return text
}

// block returns the first block of a language in a page.
func block(page, language string) (text string, there bool) {
	_, rest, begins := strings.Cut(page, "\n```"+language+"\n")
	text, _, ends := strings.Cut(rest, "\n```\n")
	return text + "\n", begins && ends
}

// replaced is text with what stands there for the reader's own.
func replaced(t testing.TB, text string, pairs ...string) string {
	t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(text, pairs[i]) {
			t.Fatalf("the page does not say %q in:\n%s", pairs[i], text)
		}
		text = strings.ReplaceAll(text, pairs[i], pairs[i+1])
	}
	return text
}

// lendCertificate writes down the certificate that httptest has for *.example.com.
func (f *fronted) lendCertificate() {
	f.t.Helper()
	lend := httptest.NewTLSServer(nil)
	lend.Close()
	f.roots = x509.NewCertPool()
	f.roots.AddCert(lend.Certificate())
	key, err := x509.MarshalPKCS8PrivateKey(lend.TLS.Certificates[0].PrivateKey)
	if err != nil {
		f.t.Fatal(err)
	}
	file := func(name, kind string, der []byte) string {
		name = filepath.Join(f.t.TempDir(), name)
		if err := os.WriteFile(name, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			f.t.Fatal(err)
		}
		return name
	}
	f.certFile = file("cert", "CERTIFICATE", lend.Certificate().Raw)
	f.keyFile = file("key", "PRIVATE KEY", key)
}

// visitor opens a browser at visitorAddress.
func (f *fronted) visitor() *browser {
	b := f.browser()
	b.http.Transport.(*http.Transport).DialTLSContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		from := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(visitorAddress)}}
		conn, err := from.DialContext(ctx, network, f.front)
		if err != nil {
			return nil, err
		}
		secured := tls.Client(conn, &tls.Config{RootCAs: f.roots, ServerName: "app.example.com"})
		return recordedConn{secured, f.wire}, secured.HandshakeContext(ctx)
	}
	return b
}

// await waits for what the API says.
func (f *fronted) await(t *testing.T, said <-chan struct{}, what string) {
	t.Helper()
	select {
	case <-said:
	case <-time.After(patience):
		t.Errorf("waited %v in vain for %s", patience, what)
	}
}

// serveAPI is the API behind the gateway.
func (f *fronted) serveAPI(w http.ResponseWriter, r *http.Request) {
	f.seen.add(r)
	switch path.Base(r.URL.Path) {
	case "upload":
		first := make([]byte, 1)
		_, _ = io.ReadFull(r.Body, first)
		f.reading <- struct{}{}
		n, _ := io.Copy(io.Discard, r.Body)
		_, _ = fmt.Fprint(w, n+1)
	case "stream":
		f.stream(w, r)
	case "socket":
		echo(w, r)
	case "large":
		w.Header().Set("X-Large", strings.Repeat("0", largeHeader))
	}
}

// stream writes lines until the client leaves.
func (f *fronted) stream(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	for {
		_, _ = io.WriteString(w, "line\n")
		_ = http.NewResponseController(w).Flush()
		select {
		case <-f.received:
		case <-r.Context().Done():
			f.gone <- struct{}{}
			return
		}
	}
}

// echo is a WebSocket whose peer gets back what it says (RFC 6455 §1.3).
func echo(w http.ResponseWriter, r *http.Request) {
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer func() { _ = conn.Close() }()
	sum := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	_, _ = fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: %s\r\n\r\n",
		base64.StdEncoding.EncodeToString(sum[:]))
	_, _ = io.Copy(conn, buffered)
}
