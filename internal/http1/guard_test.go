package http1_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/http1"
	"github.com/gatehouse-auth/gatehouse/internal/http1/http1test"
)

// net/http's transport, over a guard, makes of every answer what a reader does.
func TestGuard_makes_of_each_answer_what_it_is(t *testing.T) {
	net := newSockets(t)
	for _, a := range http1test.Answers() {
		t.Run(a.Name, func(t *testing.T) {
			got, excess := roundTrip(t, &line{sockets: net, hangsUp: a.HangsUp, answer: []string{a.Raw}}, &a)
			checkGuarded(t, &a, got)
			if excess != (a.End == http1test.Excess) {
				t.Errorf("excess is %v", excess)
			}
		})
	}
}

func TestGuard_reads_in_pieces_what_it_reads_at_once(t *testing.T) {
	net := newSockets(t)
	for _, a := range http1test.Answers() {
		try := func(pieces ...string) {
			t.Helper()
			got, _ := roundTrip(t, &line{sockets: net, hangsUp: a.HangsUp, answer: pieces}, &a)
			checkGuarded(t, &a, got)
		}
		if len(a.Raw) < 4096 {
			try(strings.Split(a.Raw, "")...)
		}
		for at := range a.Raw {
			// The reader beneath is cut at every position, and a transport above costs much.
			if far(at, len(a.Raw)) || at%7 != 0 {
				continue
			}
			if try(a.Raw[:at], a.Raw[at:]); t.Failed() {
				t.Fatalf("%s, cut at %d", a.Name, at)
			}
		}
	}
}

// checkGuarded is check for an answer by net/http's transport, which adds
// Cache-Control and takes Connection away. A guard keeps no connection that would have
// to rest.
func checkGuarded(t *testing.T, a *http1test.Answer, got http1test.Verdict) {
	t.Helper()
	want := *a
	want.Header = a.Header.Clone()
	delete(got.Header, "Trailer")
	delete(got.Header, "Connection")
	delete(want.Header, "Connection")
	if got.Body == "" && strings.Contains(a.Raw, "chunked") {
		delete(got.Header, "Content-Length") // the relay leaves it out
	}
	if a.End != http1test.Kept {
		want.End = http1test.Closed
	}
	// Where net/http is the first to find fault, it has its own words.
	for _, words := range []string{"header line too long", "suspiciously long trailer", "EOF reading trailer"} {
		if strings.Contains(got.Broken, words) {
			got.Broken = a.Broken
		}
	}
	check(t, &want, got)
}

// roundTrip asks twice over a guard, and returns what the first answer was, and
// whether the guard has told of excess by then.
func roundTrip(t *testing.T, conn *line, a *http1test.Answer) (got http1test.Verdict, excess bool) {
	t.Helper()
	var dialled, told atomic.Int64
	client := &http.Transport{
		DisableCompression: true, MaxResponseHeaderBytes: http1.MaxHeadBytes,
		DialContext: func(context.Context, string, string) (net.Conn, error) {
			if dialled.Add(1) > 1 {
				return nil, errors.New("the connection is not used again")
			}
			return http1.NewGuard(conn, func() { told.Add(1) }), nil
		},
	}
	defer client.CloseIdleConnections()
	ask := func() (*http.Response, error) {
		r, _ := http.NewRequest(a.RequestMethod(), "http://upstream.example/", nil)
		return client.RoundTrip(r)
	}
	res, err := ask()
	if err != nil {
		return http1test.Verdict{Refused: err.Error()}, told.Load() > 0
	}
	text, err := io.ReadAll(res.Body)
	_ = res.Body.Close()
	got = http1test.Verdict{Status: res.StatusCode, Header: res.Header, Body: string(text), Trailer: came(res.Trailer)}
	if err != nil {
		got.Broken = err.Error()
	}
	if again, err := ask(); err == nil {
		got.End = http1test.Kept
		_ = again.Body.Close()
	}
	return got, told.Load() > 0
}

// line is a connection without a network, so that what comes at once is up to the
// test: to each request there come the pieces of the answer, one with each reading.
type line struct {
	net.Conn // nil; none of its other methods is called
	sockets  *sockets
	answer   []string
	hangsUp  bool // the other side closes behind its answer

	mu      sync.Mutex
	changed *sync.Cond
	coming  []string
	ended   bool // by the other side
	closed  bool // by this one
}

func (l *line) lock() {
	l.mu.Lock()
	if l.changed == nil {
		l.changed = sync.NewCond(&l.mu)
	}
}

// Write takes a request, or a part of one.
func (l *line) Write(p []byte) (int, error) {
	l.lock()
	defer l.mu.Unlock()
	if strings.Contains(string(p), " HTTP/1.1\r\n") {
		l.coming = append(l.coming, l.answer...)
		l.ended = l.hangsUp
		l.changed.Broadcast()
	}
	return len(p), nil
}

func (l *line) Read(p []byte) (int, error) {
	l.lock()
	defer l.mu.Unlock()
	for {
		switch {
		case l.closed:
			return 0, net.ErrClosed
		case len(l.coming) > 0 && l.coming[0] == "":
			l.coming = l.coming[1:]
		case len(l.coming) > 0:
			n := copy(p, l.coming[0])
			l.coming[0] = l.coming[0][n:]
			return n, nil
		case l.ended:
			return 0, io.EOF
		default:
			l.changed.Wait()
		}
	}
}

func (l *line) Close() error {
	l.lock()
	defer l.mu.Unlock()
	l.closed = true
	l.changed.Broadcast()
	return nil
}

// SyscallConn implements [syscall.Conn], for who looks whether something has come.
func (l *line) SyscallConn() (syscall.RawConn, error) { return peeked{l}, nil }

// peeked shows a socket that is as the line is.
type peeked struct{ *line }

func (p peeked) Control(look func(fd uintptr)) error {
	p.lock()
	defer p.mu.Unlock()
	socket := p.sockets.silent
	switch coming := strings.Join(p.coming, ""); {
	case strings.HasPrefix(coming, "HTTP/1.1 408"):
		socket = p.sockets.timedOut
	case coming != "":
		socket = p.sockets.speaking
	case p.ended || p.closed:
		socket = p.sockets.ended
	}
	return socket.Control(look)
}
func (peeked) Read(func(uintptr) bool) error  { return errors.ErrUnsupported }
func (peeked) Write(func(uintptr) bool) error { return errors.ErrUnsupported }

// sockets are one in each state that a look can find. timedOut has said so.
type sockets struct{ silent, speaking, timedOut, ended syscall.RawConn }

func newSockets(t *testing.T) *sockets {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	pair := func() (near syscall.RawConn, far net.Conn) {
		conn, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		if far, err = ln.Accept(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = far.Close() })
		near, err = conn.(*net.TCPConn).SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		return near, far
	}
	var s sockets
	var far net.Conn
	s.silent, _ = pair()
	s.speaking, far = pair()
	_, _ = io.WriteString(far, "x")
	arrival(t, s.speaking)
	s.timedOut, far = pair()
	_, _ = io.WriteString(far, "HTTP/1.1 408 Request Timeout\r\n\r\n")
	arrival(t, s.timedOut)
	s.ended, far = pair()
	_ = far.Close()
	arrival(t, s.ended)
	return &s
}

// arrival waits until something has come, or the end.
func arrival(t *testing.T, socket syscall.RawConn) {
	t.Helper()
	if err := socket.Read(func(fd uintptr) bool {
		_, _, err := syscall.Recvfrom(int(fd), make([]byte, 1), syscall.MSG_PEEK)
		return !errors.Is(err, syscall.EAGAIN)
	}); err != nil {
		t.Fatal(err)
	}
}

// An answer may come before its request was written to the end. What is written then
// is no request: taken for one, it would have the next answer measured by the wrong
// method. And an upstream that has not read a body may answer that too.
func TestGuard_takes_no_body_for_a_request(t *testing.T) {
	net := newSockets(t)
	const head = "POST / HTTP/1.1\r\nHost: a\r\n"
	for name, test := range map[string]struct {
		written []string // before and after the answer
		kept    bool
	}{
		"no body":                       {[]string{"GET / HTTP/1.1\r\nHost: a\r\n\r\n", ""}, true},
		"a head in two":                 {[]string{"GET / HTTP/1.1\r\nHost: a\r\n", "\r\n"}, false},
		"all of a body":                 {[]string{head + "Content-Length: 4\r\n\r\nHEAD", ""}, false},
		"a body in two":                 {[]string{head + "Content-Length: 31\r\n\r\n", "HEAD / HTTP/1.1\r\nHost: evil\r\n\r\n"}, false},
		"all of a body in chunks":       {[]string{head + "Transfer-Encoding: chunked\r\n\r\n4\r\nHEAD\r\n0\r\n\r\n", ""}, false},
		"a body in chunks without end":  {[]string{head + "Transfer-Encoding: chunked\r\n\r\n", "4\r\nHEAD\r\n0\r\n\r\n"}, false},
		"a body in chunks without last": {[]string{head + "Transfer-Encoding: chunked\r\n\r\n4\r\nHEAD\r\n", "0\r\n\r\n"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			conn := &line{sockets: net, answer: []string{"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"}}
			guard := http1.NewGuard(conn, func() { t.Error("it tells of excess") })
			defer func() { _ = guard.Close() }()
			if _, err := io.WriteString(guard, test.written[0]); err != nil {
				t.Fatal(err)
			}
			res, err := io.ReadAll(io.LimitReader(guard, int64(len(conn.answer[0]))))
			if err != nil || string(res) != conn.answer[0] {
				t.Fatalf("answer %q, %v", res, err)
			}
			if rest := test.written[1]; rest != "" {
				if _, err := io.WriteString(guard, rest); err != nil {
					t.Errorf("the rest of the request: %v", err)
				}
			}
			_, err = io.WriteString(guard, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
			if kept := err == nil; kept != test.kept {
				t.Errorf("the next request may be written: %v", kept)
			}
		})
	}
}

// What comes on an idle connection is nobody's answer. An upstream that says 408 before
// it closes one does no wrong (https://go.dev/issue/32310).
func TestGuard_reads_nothing_that_came_unasked(t *testing.T) {
	net := newSockets(t)
	for name, test := range map[string]struct {
		came   string
		excess bool
	}{
		"the end":   {"", false},
		"408":       {"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n", false},
		"an answer": {"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged", true},
		"a byte":    {"\n", true},
	} {
		conn := &line{sockets: net, answer: []string{"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"}}
		told := false
		guard := http1.NewGuard(conn, func() { told = true })
		const request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
		_, _ = io.WriteString(guard, request)
		if _, err := io.ReadFull(guard, make([]byte, len(conn.answer[0]))); err != nil {
			t.Fatal(err)
		}
		conn.lock()
		conn.coming, conn.ended = []string{test.came}, true
		conn.mu.Unlock()
		if n, err := io.WriteString(guard, request); err == nil || n != 0 {
			t.Errorf("%s: the next request is written", name)
		}
		if told != test.excess {
			t.Errorf("%s: it tells of excess: %v", name, told)
		}
		_ = guard.Close()
	}
}

// A guard that is closed while it waits for a request has no answer to it, nor a part of
// one: whoever asks would take the request for one that was read.
func TestGuard_has_nothing_to_say_to_a_request_that_never_came(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	conn, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	upstream, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = upstream.Close() }()
	g := http1.NewGuard(conn, func() {})
	if _, err := io.WriteString(g, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(upstream, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(g), nil)
	if err != nil {
		t.Fatal(err)
	}
	if body, err := io.ReadAll(res.Body); string(body) != "ok" || err != nil {
		t.Fatalf("the answer before: %q, %v", body, err)
	}
	_ = g.Close()
	if n, err := g.Read(make([]byte, 100)); n != 0 || !errors.Is(err, net.ErrClosed) {
		t.Errorf("%d bytes, %v", n, err)
	}
}
