package server_test

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// slowSite has what slow clients ask for: a file and answers that are larger than what the
// system takes off a server's hands.
type slowSite struct {
	api, dir string
}

func newSlowSite(t *testing.T) slowSite {
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/socket":
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				return
			}
			defer func() { _ = conn.Close() }()
			_, _ = io.WriteString(conn, switching)
			frame := append([]byte{0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0}, make([]byte, 1<<16)...)
			for {
				if _, err := conn.Write(frame); err != nil {
					return
				}
			}
		case "/large":
			piece := make([]byte, 1<<16)
			for r.Context().Err() == nil {
				if _, err := w.Write(piece); err != nil {
					return
				}
			}
		default:
			_, _ = io.Copy(io.Discard, r.Body)
			_, _ = io.WriteString(w, "an answer")
		}
	}))
	t.Cleanup(api.Close)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "large.bin"), make([]byte, 32<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	return slowSite{api.URL, dir}
}

// routes serves it to everybody, with limits.
func (s slowSite) routes(limits map[string]any) settings {
	return func(doc map[string]any) {
		doc["routes"] = []any{
			map[string]any{"path": "/guarded/", "upstream": s.api},
			map[string]any{"path": "/files/", "static": s.dir, "strip_prefix": true, "auth": "none"},
			map[string]any{"path": "/", "upstream": s.api, "auth": "none", "idle_timeout": limits["body_timeout"]},
		}
		section("limits", limits)(doc)
	}
}

// slowWays are ways to hold a connection: each sends what it does and nothing more, and reads
// nothing.
var slowWays = map[string]func(c *slowClient){
	"a handshake":               func(*slowClient) {},
	"a header":                  func(c *slowClient) { c.say("GET / HTTP/1.1\r\nHost: example.com\r\n") },
	"a header after a request":  func(c *slowClient) { c.say("GET /auth/healthz HTTP/1.1\r\nHost: h\r\n\r\nGET /") },
	"the next request":          func(c *slowClient) { c.say("GET /auth/healthz HTTP/1.1\r\nHost: h\r\n\r\n") },
	"a body":                    func(c *slowClient) { c.call("POST", "/auth/logout", "Content-Length: 100") },
	"a body in chunks":          func(c *slowClient) { c.call("POST", "/auth/logout", "Transfer-Encoding: chunked") },
	"a body that is refused":    func(c *slowClient) { c.call("POST", "/auth/refresh", "Content-Length: 100") },
	"a body for an upstream":    func(c *slowClient) { c.call("POST", "/upload", "Content-Length: 100") },
	"a long one":                func(c *slowClient) { c.call("POST", "/upload", "Content-Length: 1000000") },
	"a body for a file":         func(c *slowClient) { c.call("GET", "/files/large.bin", "Content-Length: 100") },
	"a body for a page":         func(c *slowClient) { c.call("POST", "/guarded/x", "Content-Length: 100", "Sec-Fetch-Mode: navigate") },
	"HTTP/2 in HTTP/1.1":        func(c *slowClient) { c.say("PRI * HTTP/2.0\r\nHost: example.com\r\nContent-Length: 100\r\n\r\n") },
	"an answer of an upstream":  func(c *slowClient) { c.call("GET", "/large") },
	"a file":                    func(c *slowClient) { c.call("GET", "/files/large.bin") },
	"answers of the gateway":    func(c *slowClient) { c.pipeline("/auth/sdk/index.js", 2000) },
	"a WebSocket":               func(c *slowClient) { c.call("GET", "/socket", webSocketHead...) },
	"HTTP/2 without a preface":  func(c *slowClient) { c.say("PRI * HTTP/2.0\r\n") },
	"HTTP/2, a file":            func(c *slowClient) { c.streams("/files/large.bin") },
	"HTTP/2, an upstream":       func(c *slowClient) { c.streams("/large") },
	"HTTP/2, a short answer":    func(c *slowClient) { c.streams("/x") },
	"HTTP/2, a page of its own": func(c *slowClient) { c.streams("/auth/config") },
	"HTTP/2, modules":           func(c *slowClient) { c.streams("/auth/sdk/index.js") },
}

var webSocketHead = []string{"Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="}

// slowClient is a connection that takes nothing: its window is as small as the system lets
// it be.
type slowClient struct {
	t    testing.TB
	rig  *rig
	conn net.Conn // nil where it could not be made
	h2   bool
}

// slowClient connects, with a TLS handshake unless it is that which it is slow at.
func (r *rig) slowClient(way string) *slowClient {
	c := &slowClient{t: r.t, rig: r, h2: strings.HasPrefix(way, "HTTP/2")}
	tcp, err := net.Dial("tcp", strings.Replace(r.url, "https://example.com", "127.0.0.1", 1))
	if err != nil {
		return c
	}
	_ = tcp.(*net.TCPConn).SetReadBuffer(4 << 10)
	if c.conn = tcp; way == "a handshake" {
		return c
	}
	o := &tls.Config{RootCAs: r.roots, ServerName: "example.com"}
	if c.h2 {
		o.NextProtos = []string{"h2"}
	}
	secured := tls.Client(tcp, o)
	if err := secured.Handshake(); err != nil {
		_ = tcp.Close()
		c.conn = nil
		return c
	}
	c.conn = secured
	slowWays[way](c)
	return c
}

func (c *slowClient) close() {
	if c.conn != nil {
		_ = c.conn.Close()
	}
}

func (c *slowClient) say(text string) { _, _ = io.WriteString(c.conn, text) }

func (c *slowClient) call(method, path string, lines ...string) {
	head := []string{method + " " + path + " HTTP/1.1", "Host: " + strings.TrimPrefix(c.rig.url, "https://"), "Origin: " + c.rig.url}
	c.say(strings.Join(append(head, lines...), "\r\n") + "\r\n\r\n")
}

// pipeline asks again and again, as fast as it is taken.
func (c *slowClient) pipeline(path string, times int) {
	go func() {
		for range times {
			c.call("GET", path)
		}
	}()
}

// streams asks for it three times at once, by HTTP/2 with a window of nothing.
func (c *slowClient) streams(path string) {
	c.say(http2.ClientPreface)
	framer := http2.NewFramer(c.conn, c.conn)
	_ = framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
	for i := range 3 {
		var block bytes.Buffer
		e := hpack.NewEncoder(&block)
		for _, f := range [][2]string{{":method", "GET"}, {":scheme", "https"}, {":authority", strings.TrimPrefix(c.rig.url, "https://")}, {":path", path}} {
			_ = e.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]})
		}
		_ = framer.WriteHeaders(http2.HeadersFrameParam{StreamID: uint32(2*i + 1), BlockFragment: block.Bytes(), EndStream: true, EndHeaders: true})
	}
}

// soon are limits that soon come to an end.
var soon = map[string]any{"header_timeout": "1s", "body_timeout": "1s", "rest_timeout": "1s", "write_timeout": "1s", "keep_alive": "1s"}

// TestSlowClientsAreLetGo: whatever clients are slow at, in the end they hold neither a
// connection nor a goroutine, though they leave neither.
func TestSlowClientsAreLetGo(t *testing.T) {
	site := newSlowSite(t)
	r, a := withAdmin(t, site.routes(soon))
	r.browser().fetch("HEAD", "/files/large.bin", "") // its tag is known from here on
	connections := func() int { n, _ := a.metric("gatehouse_client_connections"); return int(n) }
	until(t, "the browser's connection to be closed", func() bool { return connections() == 0 })
	before := runtime.NumGoroutine()
	const each = 3
	for way := range slowWays {
		for range each {
			c := r.slowClient(way)
			t.Cleanup(c.close)
		}
	}
	if n := connections(); n < each {
		t.Errorf("%d connections were made", n)
	}
	until(t, "all connections to be closed", func() bool { return connections() == 0 })
	until(t, "their goroutines to end", func() bool { return runtime.NumGoroutine() <= before+each }) // the clients' own pipelines
	if n, _ := a.metric("gatehouse_client_connections_displaced_total"); n > 0 {
		t.Errorf("%v were closed to make room", n)
	}
}

// TestFloodOfSlowClients: however many connections are left lying, there are never more
// than may be, and whoever asks is served.
func TestFloodOfSlowClients(t *testing.T) {
	const most, each = 40, 6
	site := newSlowSite(t)
	r, a := withAdmin(t, site.routes(map[string]any{"connections": most}))
	for range each {
		for way := range slowWays {
			if strings.HasPrefix(way, "HTTP/2,") {
				continue // those are served, for as long as a client may take
			}
			c := r.slowClient(way)
			t.Cleanup(c.close)
		}
	}
	b := r.browser()
	b.http.Transport.(*http.Transport).DisableKeepAlives = true
	for i := range 50 {
		if res, body := b.fetch("GET", "/x", ""); res.StatusCode != http.StatusOK || body != "an answer" {
			t.Fatalf("request %d: %d %s", i, res.StatusCode, body)
		}
	}
	if n, _ := a.metric("gatehouse_client_connections"); n > most {
		t.Errorf("%v connections, want %d at most", n, most)
	}
	if n, _ := a.metric("gatehouse_client_connections_displaced_total"); n < each*float64(len(slowWays)/2)-most {
		t.Errorf("%v have made room", n)
	}
	if n, _ := a.metric("gatehouse_client_connections_refused_total"); n > 0 {
		t.Errorf("%v were refused, though others waited", n)
	}
}
