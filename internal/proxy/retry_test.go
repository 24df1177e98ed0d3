package proxy_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-auth/gatehouse/internal/proxy"
	"github.com/gatehouse-auth/gatehouse/internal/routing"
)

// closer is an upstream that closes kept connections: it answers the first
// request of each connection, reads the second, writes what last says, and
// closes. It counts all of them.
type closer struct {
	mu      sync.Mutex
	seen    []string // method, key and body of each request
	dialled int
	hold    sync.WaitGroup // requests for /hold wait for each other
}

func newCloser(t *testing.T, last string) (*closer, *url.URL) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	c := &closer{}
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go c.serve(conn, last)
		}
	}()
	return c, parse(t, "http://"+ln.Addr().String())
}

func (c *closer) serve(conn net.Conn, last string) {
	defer func() { _ = conn.Close() }()
	br := bufio.NewReader(conn)
	c.mu.Lock()
	c.dialled++
	c.mu.Unlock()
	if path := c.read(br); path == "/hold" {
		c.hold.Done()
		c.hold.Wait()
	}
	_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
	if c.read(br) != "" {
		_, _ = io.WriteString(conn, last)
	}
}

func (c *closer) read(br *bufio.Reader) (path string) {
	r, err := http.ReadRequest(br)
	if err != nil {
		return ""
	}
	body, _ := io.ReadAll(r.Body)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen = append(c.seen, fmt.Sprintf("%s %s%s%.20s %d", r.Method, r.Header.Get("Idempotency-Key"), r.Header.Get("X-Idempotency-Key"), body, len(body)))
	return r.URL.Path
}

// took returns the requests since the last time it was asked.
func (c *closer) took() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	seen := c.seen
	c.seen = nil
	return seen
}

func (c *closer) connections() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.dialled
}

// message is a request in raw form, its body chunked where head says so.
func message(method, path, head, body string) string {
	return method + " " + path + " HTTP/1.1\r\nHost: app.example\r\nConnection: close\r\n" + head + "\r\n" + body
}

func TestReverse_asks_once_more_what_may_be_asked_twice(t *testing.T) {
	const long = 64<<10 + 1
	length := func(body string) string { return fmt.Sprintf("Content-Length: %d\r\n", len(body)) }
	for name, test := range map[string]struct {
		method, head, body string
		last               string // what comes back on the kept connection
		want               []string
		status             string
		streamed           bool // only ever by net/http's transport
	}{
		"GET":                         {"GET", "", "", "", []string{"GET  0", "GET  0"}, "200 OK", false},
		"DELETE":                      {"DELETE", "", "", "", []string{"DELETE  0", "DELETE  0"}, "200 OK", false},
		"DELETE with a body":          {"DELETE", length("abc"), "abc", "", []string{"DELETE abc 3", "DELETE abc 3"}, "200 OK", false},
		"PUT":                         {"PUT", length("abc"), "abc", "", []string{"PUT abc 3", "PUT abc 3"}, "200 OK", false},
		"PUT of nothing":              {"PUT", length(""), "", "", []string{"PUT  0", "PUT  0"}, "200 OK", false},
		"PUT in chunks":               {"PUT", "Transfer-Encoding: chunked\r\n", "3\r\nabc\r\n0\r\n\r\n", "", []string{"PUT abc 3", "PUT abc 3"}, "200 OK", true},
		"PUT of much":                 {"PUT", length(strings.Repeat("x", long)), strings.Repeat("x", long), "", []string{"PUT xxxxxxxxxxxxxxxxxxxx 65537"}, "502 Bad Gateway", true},
		"PUT with a key":              {"PUT", "Idempotency-Key: k\r\n" + length("abc"), "abc", "", []string{"PUT kabc 3", "PUT kabc 3"}, "200 OK", false},
		"PUT that was half answered":  {"PUT", length("abc"), "abc", "HTTP/1.1 2", []string{"PUT abc 3"}, "502 Bad Gateway", false},
		"PUT that was ill answered":   {"PUT", length("abc"), "abc", "x\r\n", []string{"PUT abc 3"}, "502 Bad Gateway", false},
		"POST":                        {"POST", length("abc"), "abc", "", []string{"POST abc 3"}, "502 Bad Gateway", false},
		"POST of nothing":             {"POST", length(""), "", "", []string{"POST  0"}, "502 Bad Gateway", false},
		"POST with a key":             {"POST", "Idempotency-Key: k\r\n" + length(""), "", "", []string{"POST k 0"}, "502 Bad Gateway", false},
		"POST with a key and a body":  {"POST", "Idempotency-Key: k\r\n" + length("abc"), "abc", "", []string{"POST kabc 3"}, "502 Bad Gateway", false},
		"POST with the other key":     {"POST", "X-Idempotency-Key: k\r\n" + length(""), "", "", []string{"POST k 0"}, "502 Bad Gateway", false},
		"PATCH":                       {"PATCH", length("abc"), "abc", "", []string{"PATCH abc 3"}, "502 Bad Gateway", false},
		"a method of somebody's own":  {"FROB", "", "", "", []string{"FROB  0"}, "502 Bad Gateway", false},
		"GET that was badly answered": {"GET", "", "", "x\r\n", []string{"GET  0"}, "502 Bad Gateway", false},
	} {
		for _, standard := range []bool{false, true} {
			if !standard && test.streamed {
				continue // its kept connection is not the one of the request before
			}
			t.Run(fmt.Sprintf("%s, standard %v", name, standard), func(t *testing.T) {
				c, up := newCloser(t, test.last)
				f := newFront(t, proxy.Options{}.WithPatience(), routing.Route{Path: "/", Upstreams: routing.To(up), UpstreamIdle: time.Hour, StandardTransport: standard})
				f.talk(t, request("/first")) // opens the connection that is kept
				c.took()
				answer := f.talk(t, message(test.method, "/x", test.head, test.body))
				if status(t, answer) != test.status {
					t.Errorf("answer: %s", answer)
				}
				if diff := cmp.Diff(test.want, c.took()); diff != "" {
					t.Errorf("the upstream was asked (-want +got):\n%s", diff)
				}
				event, _ := f.last()
				if noted := strings.Contains(event.Note, "asked again"); noted != (len(test.want) == 2 && !(standard && test.method == "GET")) {
					t.Errorf("note: %q", event.Note)
				}
			})
		}
	}
}

// Where one kept connection has ended, all of them have.
func TestReverse_asks_once_more_over_a_connection_of_its_own(t *testing.T) {
	const kept = 5
	for _, method := range []string{"PUT", "DELETE"} {
		c, up := newCloser(t, "")
		f := newFront(t, proxy.Options{}.WithPatience(), routing.Route{Path: "/", Upstreams: routing.To(up), UpstreamIdle: time.Hour})
		c.hold.Add(kept)
		var all sync.WaitGroup
		for range kept {
			all.Go(func() { f.talk(t, request("/hold")) })
		}
		all.Wait()
		c.took()
		if answer := f.talk(t, message(method, "/x", "Content-Length: 3\r\n", "abc")); status(t, answer) != "200 OK" {
			t.Errorf("%s: %s", method, answer)
		}
		if got, dialled := c.took(), c.connections(); len(got) != 2 || dialled != kept+1 {
			t.Errorf("%s: the upstream was asked %q, over %d connections", method, got, dialled)
		}
	}
}

// An upstream that closes a new connection has its reasons.
func TestReverse_asks_nobody_twice_who_closes_a_new_connection(t *testing.T) {
	for _, method := range []string{"GET", "PUT", "DELETE", "POST"} {
		asked := make(chan struct{}, 10)
		up, _ := recorder(t, func(w http.ResponseWriter, _ *http.Request) {
			asked <- struct{}{}
			panic(http.ErrAbortHandler)
		})
		f := newFront(t, proxy.Options{}, routing.Route{Path: "/", Upstreams: routing.To(up)})
		if answer := f.talk(t, message(method, "/x", "Content-Length: 0\r\n", "")); status(t, answer) != "502 Bad Gateway" || len(asked) != 1 {
			t.Errorf("%s: asked %d times: %s", method, len(asked), answer)
		}
	}
}

// An upstream that is slow may be at work.
func TestReverse_asks_nobody_twice_who_takes_long(t *testing.T) {
	t.Parallel()
	slow := make(chan struct{}, 10)
	up, _ := recorder(t, func(_ http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut {
			slow <- struct{}{}
			<-r.Context().Done()
		}
	})
	f := newFront(t, proxy.Options{}, routing.Route{Path: "/", Upstreams: routing.To(up), Timeout: 3 * time.Second})
	f.talk(t, request("/first"))
	if answer := f.talk(t, message("PUT", "/x", "Content-Length: 3\r\n", "abc")); status(t, answer) != "504 Gateway Timeout" || len(slow) > 1 {
		t.Errorf("asked %d times: %s", len(slow), answer)
	}
}

func TestReverse_asks_once_more_over_HTTP2(t *testing.T) {
	for name, test := range map[string]struct {
		end, method, status string
		left                int // of two answers
	}{
		"a connection that ended":             {hangUp, "PUT", "200 OK", 0},
		"one that ended under a POST":         {hangUp, "POST", "502 Bad Gateway", 1},
		"not a stream that the upstream tore": {reset, "PUT", "502 Bad Gateway", 1},
	} {
		answers := make(chan []string, 4)
		f := newFront(t, proxy.Options{}, routing.Route{Path: "/", Upstreams: routing.To(lengthsUpstream(t, answers)), UpstreamIdle: time.Hour})
		answers <- []string{"2"}
		f.talk(t, request("/first"))
		answers <- []string{test.end}
		answers <- []string{"2"}
		if answer := f.talk(t, message(test.method, "/x", "Content-Length: 3\r\n", "abc")); status(t, answer) != test.status || len(answers) != test.left {
			t.Errorf("%s: %d answers not asked for: %s", name, len(answers), answer)
		}
	}
}

// TestReverse_waits_for_who_refuses_streams_no_longer_than_for_others: net/http asks
// such an upstream again for as long as the client stays.
func TestReverse_waits_for_who_refuses_streams_no_longer_than_for_others(t *testing.T) {
	for _, sent := range []string{
		message("GET", "/x", "", ""), message("POST", "/x", "Content-Length: 3\r\n", "abc"), message("PUT", "/x", "", ""),
	} {
		answers := make(chan []string, 1)
		stop := make(chan struct{})
		go func() {
			for {
				select {
				case answers <- []string{refuse}:
				case <-stop:
					return
				}
			}
		}()
		f := newFront(t, proxy.Options{}, routing.Route{Path: "/", Upstreams: routing.To(lengthsUpstream(t, answers)), Timeout: 50 * time.Millisecond})
		if answer := f.talk(t, sent); status(t, answer) != "504 Gateway Timeout" {
			t.Errorf("answer to %.4s: %s", sent, answer)
		}
		close(stop)
	}
}

// The gateway closes first, so that nothing is ever on its way to what is closed.
func TestReverse_keeps_connections_no_longer_than_it_is_told(t *testing.T) {
	closed := make(chan struct{}, 1)
	up := httptest.NewUnstartedServer(nil)
	up.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateClosed {
			closed <- struct{}{}
		}
	}
	up.Start()
	t.Cleanup(up.Close)
	f := newFront(t, proxy.Options{}, routing.Route{Path: "/", Upstreams: routing.To(parse(t, up.URL)), UpstreamIdle: time.Millisecond})
	f.talk(t, request("/x"))
	select {
	case <-closed:
	case <-time.After(patience):
		t.Error("the connection is kept")
	}
}
