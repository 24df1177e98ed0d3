package server_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/cognitoemu"
	"github.com/gatehouse-auth/gatehouse/internal/freeport"
	"github.com/gatehouse-auth/gatehouse/internal/fronttest"
	"github.com/gatehouse-auth/gatehouse/internal/server"
)

// smuggled is a request that one of two readers would find behind a malformed one.
const smuggled = "GET /smuggled HTTP/1.1\r\nHost: HOST\r\n\r\n"

// desyncs are requests that readers disagree about. Where some reader waits for more of the
// body, what stands behind is enough for it.
var desyncs = []struct{ name, text string }{
	{"`Content-Length` and `Transfer-Encoding`", post("Content-Length: 6\r\nTransfer-Encoding: chunked\r\n") + "0\r\n\r\n" + smuggled},
	{"`Transfer-Encoding` and `Content-Length`", post("Transfer-Encoding: chunked\r\nContent-Length: 6\r\n") + "0\r\n\r\n" + smuggled},
	{"`Content-Length: 0` and `Transfer-Encoding`", post("Content-Length: 0\r\nTransfer-Encoding: chunked\r\n") + "0\r\n\r\n" + smuggled},
	{"two values of `Content-Length`", post("Content-Length: 5\r\nContent-Length: 0\r\n") + "12345" + smuggled},
	{"`Content-Length` with a list", post("Content-Length: 5, 0\r\n") + "12345" + smuggled},
	{"`Content-Length` with a sign", post("Content-Length: +5\r\n") + "12345" + smuggled},
	{"`Content-Length` in hexadecimal", post("Content-Length: 0x5\r\n") + "12345" + smuggled},
	{"`Content-Length` of no number", post("Content-Length: five\r\n") + smuggled},
	{"`Content-Length` of 2⁶⁴ and 5", post("Content-Length: 18446744073709551621\r\n") + "12345" + smuggled},
	{"a blank before the colon of `Content-Length`", post("Content-Length : 5\r\n") + "12345" + smuggled},
	{"a blank before the colon of `Transfer-Encoding`", post("Transfer-Encoding : chunked\r\n") + "0\r\n\r\n" + smuggled},
	{"`Transfer-Encoding` twice", post("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n") + "0\r\n\r\n" + smuggled},
	{"`Transfer-Encoding: xchunked`", post("Transfer-Encoding: xchunked\r\n") + "0\r\n\r\n" + smuggled},
	{"`Transfer-Encoding: chunked, identity`", post("Transfer-Encoding: chunked, identity\r\n") + "0\r\n\r\n" + smuggled},
	{"`Transfer-Encoding: gzip, chunked`", post("Transfer-Encoding: gzip, chunked\r\n") + "0\r\n\r\n" + smuggled},
	{"`Transfer-Encoding` with a vertical tab", post("Transfer-Encoding: \x0bchunked\r\n") + "0\r\n\r\n" + smuggled},
	{"`Transfer-Encoding` with NUL", post("Transfer-Encoding: chunked\x00\r\n") + "0\r\n\r\n" + smuggled},
	{"`Transfer-Encoding` in quotes", post("Transfer-Encoding: \"chunked\"\r\n") + "0\r\n\r\n" + smuggled},
	{"`Transfer-Encoding` on a folded line", post("Transfer-Encoding:\r\n chunked\r\n") + "0\r\n\r\n" + smuggled},
	{"`Transfer-Encoding` in HTTP/1.0", "POST /desync HTTP/1.0\r\nHost: HOST\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + smuggled},
	{"a folded line", post("A: b\r\n c\r\nContent-Length: 0\r\n") + smuggled},
	{"a first line that is folded", "POST /desync HTTP/1.1\r\n Host: HOST\r\nHost: HOST\r\nContent-Length: 0\r\n\r\n" + smuggled},
	{"LF alone behind the request line", "POST /desync HTTP/1.1\nHost: HOST\r\nContent-Length: 0\r\n\r\n" + smuggled},
	{"LF alone behind a header", post("A: b\nContent-Length: 0\r\n") + smuggled},
	{"LF alone at the end of the head", "POST /desync HTTP/1.1\r\nHost: HOST\r\nContent-Length: 0\r\n\n" + smuggled},
	{"CR alone in a header", post("A: b\rContent-Length: 40\r\nContent-Length: 0\r\n") + smuggled},
	{"CR alone in the request line", "POST /desync\rX HTTP/1.1\r\nHost: HOST\r\nContent-Length: 0\r\n\r\n" + smuggled},
	{"NUL in a header", post("A: b\x00c\r\nContent-Length: 0\r\n") + smuggled},
	{"NUL in a header's name", post("A\x00: b\r\nContent-Length: 0\r\n") + smuggled},
	{"a header without a name", post(": b\r\nContent-Length: 0\r\n") + smuggled},
	{"a line that is no header", post("nothing\r\nContent-Length: 0\r\n") + smuggled},
	{"no `Host`", "POST /desync HTTP/1.1\r\nContent-Length: 0\r\n\r\n" + smuggled},
	{"`Host` twice", post("Host: other.example\r\nContent-Length: 0\r\n") + smuggled},
	{"HTTP/1.1 in lower case", "POST /desync http/1.1\r\nHost: HOST\r\nContent-Length: 0\r\n\r\n" + smuggled},
	{"HTTP/1.11", "POST /desync HTTP/1.11\r\nHost: HOST\r\nContent-Length: 0\r\n\r\n" + smuggled},
	{"two blanks in the request line", "POST /desync  HTTP/1.1\r\nHost: HOST\r\nContent-Length: 0\r\n\r\n" + smuggled},
	{"a chunk's size with a sign", inChunks("+5\r\n12345\r\n0\r\n\r\n") + smuggled},
	{"a chunk's size as 0x5", inChunks("0x5\r\n12345\r\n0\r\n\r\n") + smuggled},
	{"a chunk's size with a blank", inChunks("5 \r\n12345\r\n0\r\n\r\n") + smuggled},
	{"a chunk's size of 17 digits", inChunks("10000000000000005\r\n12345\r\n0\r\n\r\n") + smuggled},
	{"LF alone behind a chunk's size", inChunks("5\n12345\r\n0\r\n\r\n") + smuggled},
	{"LF alone in a chunk's extension", inChunks("5;a\nb\r\n12345\r\n0\r\n\r\n") + smuggled},
	{"LF alone behind a chunk", inChunks("5\r\n12345\n0\r\n\r\n") + smuggled},
	{"a chunk longer than its size", inChunks("5\r\n123456\r\n0\r\n\r\n") + smuggled},
	{"a folded trailer", inChunks("0\r\nA: b\r\n c\r\n\r\n") + smuggled},
	{"LF alone behind the last chunk", inChunks("0\n\r\n") + smuggled},
}

func post(lines string) string { return "POST /desync HTTP/1.1\r\nHost: HOST\r\n" + lines + "\r\n" }

func inChunks(body string) string { return post("Transfer-Encoding: chunked\r\n") + body }

// wayIn is one by which a malformed request comes to the gateway.
type wayIn struct {
	name    string
	address string
	tls     bool
}

// desyncRig is a gateway without TLS, its fronts, and an API that tells what reached it.
type desyncRig struct {
	*rig
	host string
	read atomic.Int64 // bytes that the gateway has read

	mu     sync.Mutex
	served []string // of the API
}

func newDesyncRig(t *testing.T) (*desyncRig, []wayIn) {
	d := &desyncRig{rig: &rig{t: t, wire: &wire{}, logs: &logs{}, issued: &tokens{}, seen: &apiRequests{}}}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	d.host = "localhost:" + port
	d.url = "http://" + d.host
	d.api = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, err := io.Copy(io.Discard, r.Body)
		d.mu.Lock()
		defer d.mu.Unlock()
		if err == nil { // what is broken off is no request, and the API knows
			d.served = append(d.served, r.URL.Path)
		}
	}))
	t.Cleanup(d.api.Close)
	d.emulate = func(o *cognitoemu.Options) {
		o.Seed = cognitoemu.DefaultSeed([]string{d.url + "/auth/callback"}, []string{d.url + "/auth/signed-out"})
	}
	d.startPool()
	d.serve(d.config([]settings{func(doc map[string]any) { doc["trusted_proxies"] = []string{"127.0.0.0/8"} }}),
		server.Options{Logs: d.logs, Listener: &countedListener{listener, &d.read}})
	ways := []wayIn{{"the gateway itself", listener.Addr().String(), false}}
	front := func(name string, start func(address string)) {
		address := freeport.Addr(t)
		start(address)
		ways = append(ways, wayIn{name, address, false})
	}
	gateway := listener.Addr().String()
	front("nginx", func(at string) {
		fronttest.Nginx(t, "server { listen "+at+"; location / { proxy_pass http://"+gateway+"; proxy_http_version 1.1;\n"+
			`proxy_set_header Host $http_host; proxy_set_header Connection ""; } }`, at)
	})
	front("HAProxy", func(at string) {
		fronttest.HAProxy(t, "defaults\n mode http\n timeout connect 10s\n timeout client 1m\n timeout server 1m\nfrontend clients\n bind "+at+"\n default_backend gateway\nbackend gateway\n server one "+gateway+"\n", at)
	})
	front("Caddy", func(at string) {
		_, port, _ := net.SplitHostPort(at)
		fronttest.Caddy(t, "http://:"+port+" {\n bind 127.0.0.1\n reverse_proxy "+gateway+"\n}", at)
	})
	return d, ways
}

type countedListener struct {
	net.Listener
	read *atomic.Int64
}

func (l *countedListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &countedConn{c, l.read}, nil
}

type countedConn struct {
	net.Conn
	read *atomic.Int64
}

func (c *countedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.read.Add(int64(n))
	return n, err
}

// send sends a malformed request and a marker behind it, and returns the statuses of the
// answers, up to the end of the connection, and what the API has served meanwhile.
func (d *desyncRig) send(t *testing.T, way wayIn, text string) (statuses []int, served []string, reached bool) {
	t.Helper()
	d.mu.Lock()
	d.served = nil
	d.mu.Unlock()
	before := d.read.Load()
	conn, err := net.Dial("tcp", way.address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	text += "GET /marker HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\n\r\n"
	if _, err := io.WriteString(conn, strings.ReplaceAll(text, "HOST", d.host)); err != nil {
		t.Logf("the request is not taken whole: %v", err)
	}
	_ = conn.SetReadDeadline(time.Now().Add(time.Minute)) // only where nobody ever answers
	for in := bufio.NewReader(conn); ; {
		res, err := http.ReadResponse(in, nil)
		if err != nil {
			break
		}
		_, _ = io.Copy(io.Discard, res.Body)
		statuses = append(statuses, res.StatusCode)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return statuses, slices.Clone(d.served), d.read.Load() > before
}

// TestDesyncs sends what readers disagree about to the gateway, and by real fronts. A
// request that one of them might find inside another is never served.
func TestDesyncs(t *testing.T) {
	d, ways := newDesyncRig(t)
	var table strings.Builder
	table.WriteString("| request | the gateway itself | behind nginx | behind HAProxy | behind Caddy |\n| --- | --- | --- | --- | --- |\n")
	for _, attack := range desyncs {
		fmt.Fprintf(&table, "| %s |", attack.name)
		for _, way := range ways {
			statuses, served, reached := d.send(t, way, attack.text)
			if len(statuses) == 0 {
				statuses = []int{0}
			}
			name := way.name + ", " + attack.name
			if !agreed(served) {
				t.Errorf("%s: the API served %v", name, served)
			}
			if way.name == ways[0].name && (statuses[0] < 400 || len(statuses) > 1 || len(served) > 0) {
				t.Errorf("%s: answered %v, and the API served %v", name, statuses, served)
			}
			fmt.Fprintf(&table, " %s |", verdict(statuses[0], way.name == ways[0].name || reached))
		}
		table.WriteString("\n")
	}
	page, err := os.ReadFile("../../docs/fronts.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(page), table.String()) {
		t.Errorf("docs/fronts.md has another table than this:\n%s", table.String())
	}
}

// agreed reports whether the API has served a beginning of what was sent: the request, what
// stands behind it, and the marker. A front has made a well-formed request of it then, and
// all know where that ends.
func agreed(served []string) bool {
	sent := []string{"/desync", "/smuggled", "/marker"}
	return len(served) <= len(sent) && slices.Equal(served, sent[:len(served)])
}

// verdict is the cell of a request: who refuses it, and how.
func verdict(status int, reached bool) string {
	switch {
	case status == 0:
		return "closed"
	case status < 400:
		return "made well-formed"
	case !reached || status == http.StatusBadGateway:
		return fmt.Sprintf("%d by the front", status)
	}
	return strconv.Itoa(status)
}
