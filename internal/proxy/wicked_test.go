package proxy_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// rest is how long, by default, a connection is left alone after an answer without a
// body. What an upstream sends later than that is no fault of the relay's.
const rest = 20 * time.Millisecond

// nonce names one request. It stands in the request's path, header and body, and in
// all that the upstream says to it.
type nonce string

var nonces atomic.Int64

func newNonce() nonce { return nonce(fmt.Sprintf("nonce-%08x-", nonces.Add(1))) }

var nonceForm = regexp.MustCompile(`nonce-[0-9a-f]{8}-`)

// foreign returns the first nonce in what was read that is not n, and whether there
// is one.
func (n nonce) foreign(read string) (nonce, bool) {
	if read == fill(len(read), n) { // most often; a pattern takes its time
		return "", false
	}
	for _, other := range nonceForm.FindAllString(read, -1) {
		if other != string(n) {
			return nonce(other), true
		}
	}
	return "", false
}

// How the upstream treats a request: the first segment of the path.
const (
	honest = "honest" // as it should
	excess = "excess" // a whole answer of its own making comes in one write with the real one
	late   = "late"   // it comes up to 10 ms behind the real one
	early  = "early"  // it comes with the real one, both before the request's body is read
	busy   = "busy"   // as excess, after up to 3 ms
	broken = "broken" // half of the real one comes, then the connection is reset
	hinted = "hinted" // as excess, behind interim answers
	silent = "silent" // no answer comes
)

// How the answer is framed: the second segment. The third is the nonce.
const (
	length     = "length" // a Content-Length
	chunks     = "chunks"
	empty      = "empty" // a Content-Length of 0
	none       = "none"  // 204
	unmodified = "unmodified"
)

// wicked is an upstream of HTTP/1.1 that treats each request as its path says. A
// client of its own that reads answers as they are framed is never misled by it; one
// that takes the next bytes for the next answer is.
type wicked struct {
	url            *url.URL
	tls, clientTLS *tls.Config // its own, and of those who ask it; nil without TLS

	mu      sync.Mutex
	asked   map[nonce]int
	excused map[nonce]bool // their excess came too late to be seen by anybody
	mixed   []string       // requests with the nonces of several, or with none
}

func newWicked(t testing.TB, scheme string) *wicked {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	u := &wicked{url: parse(t, scheme+"://"+ln.Addr().String()), asked: make(map[nonce]int), excused: make(map[nonce]bool)}
	if scheme == "https" {
		u.tls, u.clientTLS = lendTLS()
	}
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go u.serve(conn.(*net.TCPConn))
		}
	}()
	return u
}

// lendTLS returns what both sides need to speak TLS, and over it HTTP/1.1 alone.
func lendTLS() (server, client *tls.Config) {
	lender := httptest.NewTLSServer(nil)
	defer lender.Close()
	roots := x509.NewCertPool()
	roots.AddCert(lender.Certificate())
	return &tls.Config{Certificates: lender.TLS.Certificates, NextProtos: []string{"http/1.1"}, MinVersion: tls.VersionTLS12},
		&tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
}

// wickedConn is a connection of the upstream's.
type wickedConn struct {
	of    *wicked // nil where the test itself answers
	tcp   *net.TCPConn
	out   corked
	plain net.Conn // what is written to it goes to out, encrypted where TLS is spoken
}

// corked collects what is written, so that several TLS records go out in one write.
type corked struct {
	net.Conn
	held bytes.Buffer
	on   bool
}

func (c *corked) Write(p []byte) (int, error) {
	if c.on {
		return c.held.Write(p)
	}
	return c.Conn.Write(p)
}

func (c *corked) release() {
	c.on = false
	_, _ = c.held.WriteTo(c.Conn)
}

func newWickedConn(tcp *net.TCPConn, config *tls.Config) *wickedConn {
	c := &wickedConn{tcp: tcp, out: corked{Conn: tcp}}
	c.plain = &c.out
	if config != nil {
		c.plain = tls.Server(&c.out, config)
	}
	return c
}

func (u *wicked) serve(tcp *net.TCPConn) {
	defer func() { _ = tcp.Close() }()
	c := newWickedConn(tcp, u.tls)
	c.of = u
	in := bufio.NewReader(c.plain)
	for {
		r, err := http.ReadRequest(in)
		if err != nil || !c.answer(r) {
			return
		}
	}
}

// answer answers a request, and reports whether the connection goes on.
func (c *wickedConn) answer(r *http.Request) bool {
	path := strings.Split(strings.TrimPrefix(r.URL.Path, "/"), "/")
	if len(path) != 3 {
		c.of.mix(r.URL.Path)
		return false
	}
	how, framing, n := path[0], path[1], nonce(path[2])
	c.of.note(n, r)
	if r.Header.Get("Expect") != "" {
		c.write("HTTP/1.1 100 Continue\r\n\r\n")
	}
	real, forged := c.honestAnswer(r.Method, framing, n), forgedAnswer(n)
	if how == early {
		c.write(real, forged)
	}
	if !c.readBody(r, n) {
		return false
	}
	switch how {
	case honest:
		c.write(real)
	case busy:
		time.Sleep(rand.N(3 * time.Millisecond))
		c.write(real, forged)
	case excess:
		c.write(real, forged)
	case hinted:
		hint := "HTTP/1.1 103 Early Hints\r\nX-Nonce: " + string(n) + "\r\n\r\n"
		c.write(hint, "HTTP/1.1 102 Processing\r\n\r\n", real, forged)
	case silent:
		_, _ = io.Copy(io.Discard, c.plain)
		return false
	case late:
		c.writeLate(real, forged, n)
	case broken:
		c.write(real[:len(real)*3/4])
		_ = c.tcp.SetLinger(0)
		return false
	}
	return true
}

// readBody reads the request's body, and reports whether it is whole and its own.
func (c *wickedConn) readBody(r *http.Request, n nonce) bool {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return false // the client has left
	}
	if other, ok := n.foreign(string(body)); ok {
		c.of.mix(string(n) + " in its body: " + string(other))
	}
	return true
}

// honestAnswer is the answer that the request should get. Its parts often end where
// a reader's buffer may end, so that what follows is not in the buffer with it.
func (c *wickedConn) honestAnswer(method, framing string, n nonce) string {
	head := "Content-Type: text/plain\r\nX-Nonce: " + string(n) + "\r\n"
	size := []int{40, 1000, 4096, 8192, 40_000}[rand.IntN(5)]
	switch framing {
	case none:
		return "HTTP/1.1 204 No Content\r\n" + head + "\r\n"
	case unmodified:
		return "HTTP/1.1 304 Not Modified\r\nEtag: \"x\"\r\n" + head + "\r\n"
	case empty:
		return "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n" + head + "\r\n"
	case chunks:
		head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n" + head + "\r\n"
		if method == http.MethodHead {
			return head
		}
		body := fill(size, n)
		half := len(body) / 2
		return head + chunk(body[:half]) + chunk(body[half:]) + "0\r\n\r\n"
	}
	head = "HTTP/1.1 200 OK\r\n" + head + "Content-Length: "
	const behind = len("12345\r\n\r\n")
	if size > len(head)+behind+1000 {
		size -= len(head) + behind // the whole answer has a round size
	}
	head += fmt.Sprintf("%05d\r\n\r\n", size)
	if method == http.MethodHead {
		return head
	}
	return head + fill(size, n)
}

func chunk(data string) string { return fmt.Sprintf("%x\r\n%s\r\n", len(data), data) }

// fill returns the nonce, over and over, in that many bytes.
func fill(size int, n nonce) string {
	return (strings.Repeat(string(n), size/len(n)) + strings.Repeat(".", len(n)))[:size]
}

const forgery = "forged"

func forgedAnswer(n nonce) string {
	body := forgery + " for " + string(n)
	return fmt.Sprintf("HTTP/1.1 200 OK\r\nX-Nonce: %s\r\nContent-Length: %d\r\n\r\n%s", n, len(body), body)
}

// write sends the parts in one write; with TLS each is a record of its own at least.
func (c *wickedConn) write(parts ...string) {
	c.out.on = true
	for _, part := range parts {
		_, _ = io.WriteString(c.plain, part)
	}
	c.out.release()
}

// writeLate sends the real answer, and up to 10 ms later the other. A busy machine may
// take longer, and then nobody can tell the forged answer from one to the next request.
func (c *wickedConn) writeLate(real, forged string, n nonce) {
	start := time.Now()
	c.write(real)
	time.Sleep(rand.N(10 * time.Millisecond))
	if time.Since(start) > rest*3/4 {
		return
	}
	c.write(forged)
	for !delivered(c.tcp) && time.Since(start) < rest {
		time.Sleep(100 * time.Microsecond)
	}
	if time.Since(start) >= rest {
		c.of.excuse(n)
	}
}

func (u *wicked) note(n nonce, r *http.Request) {
	if r.Header.Get("X-Nonce") != string(n) {
		u.mix(fmt.Sprintf("%s with the header %q", r.URL.Path, r.Header["X-Nonce"]))
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.asked[n]++
}

func (u *wicked) mix(what string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.mixed = append(u.mixed, what)
}

func (u *wicked) excuse(n nonce) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.excused[n] = true
}

func (u *wicked) excuses(n nonce) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.excused[n]
}

func (u *wicked) times(n nonce) int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.asked[n]
}
