package proxy_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/gatehouse-auth/gatehouse/internal/proxy"
	"github.com/gatehouse-auth/gatehouse/internal/routing"
)

// Whoever words a failure, and the log, look at the request afterwards.
func TestReverse_leaves_the_clients_request_as_it_is(t *testing.T) {
	up, _ := recorder(t, nil)
	f := newFront(t, proxy.Options{}, routing.Route{Path: "/up/", Upstreams: routing.To(up), StripPrefix: true},
		routing.Route{Path: "/down/", Upstreams: routing.To(parse(t, closedPort(t)))})
	for _, path := range []string{"/up/x", "/down/x"} {
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader("POST " + path + "?a=b;c HTTP/1.1\r\nHost: app.example\r\n" +
			"Accept: text/html\r\nX-Listed: 1\r\nConnection: x-listed, accept\r\nTE: trailers\r\nX-Forwarded-For: 6.6.6.6\r\nAuthorization: Basic x\r\n" +
			"Cookie: a=b; __Host-Http-gatehouse=secret\r\nCookie: __Host-Http-gatehouse-1=secret\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n" +
			"2\r\nok\r\n0\r\nX-Sum: 1\r\n\r\n")))
		if err != nil {
			t.Fatal(err)
		}
		before, body := r.Clone(t.Context()), r.Body
		_ = f.serve(httptest.NewRecorder(), r, nil)
		ignored := cmpopts.IgnoreFields(http.Request{}, "Body", "Trailer")
		if diff := cmp.Diff(before, r, ignored, cmpopts.IgnoreUnexported(http.Request{})); diff != "" {
			t.Errorf("%s: %s", path, diff)
		}
		if r.Body != body {
			t.Errorf("%s: the body is another", path)
		}
	}
}

func TestReverse_passes_nothing_of_one_connection_to_the_upstream(t *testing.T) {
	up, seen := recorder(t, nil)
	f := newFront(t, proxy.Options{}, routing.Route{Path: "/", Upstreams: routing.To(up)})
	f.talk(t, request("/x", "Keep-Alive: 5", "Proxy-Authorization: Basic x", "Proxy-Authenticate: Basic", "Proxy-Connection: close",
		"Trailer: X-Sum", "Upgrade: h2c", "TE: gzip, Trailers;q=1, deflate", "X-One: 1", "X-Two: 2", "X-Three: 3",
		"Connection: x-one,\tX-TWO ,,keep-alive", "Connection: ,te"))
	got := seen.last(t).Header
	for _, name := range []string{"Keep-Alive", "Proxy-Authorization", "Proxy-Authenticate", "Proxy-Connection", "Trailer", "Upgrade", "Te", "X-One", "X-Two", "Connection"} {
		if v, ok := got[name]; ok {
			t.Errorf("%s: %q arrives", name, v)
		}
	}
	if got.Get("X-Three") != "3" {
		t.Error("what no Connection header names is gone too")
	}
}

func TestReverse_says_upstream_that_trailers_are_welcome(t *testing.T) {
	up, seen := recorder(t, nil)
	f := newFront(t, proxy.Options{}, routing.Route{Path: "/", Upstreams: routing.To(up)})
	for te, want := range map[string][]string{
		"trailers": {"trailers"}, "gzip;q=0.5 , TRAILERS": {"trailers"}, "gzip": nil, "": nil, "xtrailers": nil,
	} {
		f.talk(t, request("/x", "TE: "+te, "Connection: TE"))
		if diff := cmp.Diff(want, seen.last(t).Header["Te"]); diff != "" {
			t.Errorf("TE: %s: %s", te, diff)
		}
	}
}

func TestReverse_does_not_end_the_upstreams_connection_with_the_clients(t *testing.T) {
	up, seen := recorder(t, nil)
	f := newFront(t, proxy.Options{}, routing.Route{Path: "/", Upstreams: routing.To(up)})
	f.talk(t, request("/x"))
	if r := seen.last(t); r.Close || len(r.Header["Connection"]) > 0 {
		t.Errorf("the upstream is asked to close: %v", r.Header)
	}
}

// An idle connection that the upstream has closed is nobody's failure.
func TestReverse_asks_again_where_a_kept_connection_had_ended(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = conn.Close() }()
				br := bufio.NewReader(conn)
				if _, err := http.ReadRequest(br); err == nil {
					_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
					_, _ = http.ReadRequest(br) // and no answer to that one
				}
			}()
		}
	}()
	f := newFront(t, proxy.Options{}, routing.Route{Path: "/", Upstreams: routing.To(parse(t, "http://"+ln.Addr().String()))})
	for range 5 {
		if answer := f.talk(t, request("/x")); status(t, answer) != "200 OK" {
			t.Fatal(answer)
		}
	}
}

// A transport closes the body of a request it could not send. Were that the
// client's own body, the server would now wait for what the client only sends
// when it is told to.
func TestReverse_does_not_wait_for_a_body_that_it_never_asked_for(t *testing.T) {
	f := newFront(t, proxy.Options{}, routing.Route{Path: "/", Upstreams: routing.To(parse(t, closedPort(t)))})
	conn := f.dial(t)
	_, _ = io.WriteString(conn, "POST /x HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || res.StatusCode != http.StatusBadGateway {
		t.Errorf("answer: %v, %v", res, err)
	}
}

func TestReverse_panics_when_the_answer_breaks_off(t *testing.T) {
	f := newFront(t, proxy.Options{}, routing.Route{Path: "/", Upstreams: routing.To(rawUpstream(t, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"))})
	defer func() {
		if err, ok := recover().(error); !ok || !errors.Is(err, http.ErrAbortHandler) {
			t.Errorf("panic: %v", err)
		}
	}()
	err := f.serve(httptest.NewRecorder(), httptest.NewRequest("GET", "/x", nil), nil)
	t.Errorf("it returns %v", err)
}
