package proxy_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/freeport"
	"github.com/gatehouse-auth/gatehouse/internal/problem"
	"github.com/gatehouse-auth/gatehouse/internal/proxy"
	"github.com/gatehouse-auth/gatehouse/internal/routing"
	"github.com/gatehouse-auth/gatehouse/internal/telemetry"
	"github.com/gatehouse-auth/gatehouse/internal/urlpath"
)

// closedPort returns an address that nobody listens on.
func closedPort(t testing.TB) string {
	t.Helper()
	return "http://" + freeport.Addr(t)
}

func TestReverse_words_failures_of_upstreams(t *testing.T) {
	silent := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	t.Cleanup(silent.Close)
	plain := httptest.NewServer(nil)
	t.Cleanup(plain.Close)
	for name, test := range map[string]struct {
		upstream string
		status   int
		code     string
	}{
		"refused":           {closedPort(t), 502, "upstream_unavailable"},
		"unknown host":      {"http://no-such-host.invalid", 502, "upstream_unavailable"},
		"reset":             {rawUpstream(t, "").String(), 502, "upstream_unavailable"},
		"not HTTP":          {rawUpstream(t, "SSH-2.0-OpenSSH\r\n").String(), 502, "upstream_unavailable"},
		"half a header":     {rawUpstream(t, "HTTP/1.1 200 OK\r\nX: ").String(), 502, "upstream_unavailable"},
		"two lengths":       {rawUpstream(t, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab").String(), 502, "upstream_unavailable"},
		"a huge header":     {rawUpstream(t, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX: "+strings.Repeat("x", 1<<20)+"\r\n\r\n").String(), 502, "upstream_unavailable"},
		"TLS to plain text": {strings.Replace(plain.URL, "http", "https", 1), 502, "upstream_unavailable"},
		"silent":            {silent.URL, 504, "upstream_timeout"},
	} {
		t.Run(name, func(t *testing.T) {
			timeout := time.Minute // of which none but the silent one makes use
			if test.status == http.StatusGatewayTimeout {
				timeout = time.Second
			}
			f := newFront(t, proxy.Options{}, routing.Route{Path: "/", Upstreams: routing.To(parse(t, test.upstream)), Timeout: timeout})
			answer := f.talk(t, request("/x"))
			_, err := f.last()
			checkProblem(t, err, test.status, test.code)
			if !strings.Contains(answer, "X-Problem: "+test.code) || !strings.Contains(answer, "X-Request-Id: gateway-id") {
				t.Errorf("answer: %s", answer)
			}
		})
	}
}

// What a name stands for is looked at where the connection is made, by either way, and
// with or without TLS.
func TestReverse_connects_to_no_link_local_address(t *testing.T) {
	for _, upstream := range []string{
		"http://169.254.169.254", "https://169.254.169.254", "h2c://169.254.169.254", "http://[fd00:ec2::254]:8080", "http://[::ffff:a9fe:a9fe]",
	} {
		for _, transport := range transports {
			route := routing.Route{Path: "/", Upstreams: routing.To(parse(t, upstream)), StandardTransport: transport.standard()}
			f := newFront(t, proxy.Options{}, route)
			f.talk(t, request("/x"))
			_, err := f.last()
			checkProblem(t, err, 502, "upstream_unavailable")
			if !strings.Contains(err.Error(), "set allow_link_local for the route") {
				t.Errorf("%s, %s: %v", upstream, transport, err)
			}
		}
	}
	allowed := routing.Route{Path: "/", Upstreams: routing.To(parse(t, "http://169.254.169.254:9")), AllowLinkLocal: true}
	f := newFront(t, proxy.Options{}, allowed)
	f.talk(t, request("/x")) // which fails otherwise, where nobody is
	if _, err := f.last(); err != nil && strings.Contains(err.Error(), "allow_link_local") {
		t.Errorf("allowed: %v", err)
	}
}

// An upstream that quotes what it was sent may quote the token.
func TestReverse_tells_the_log_nothing_that_an_upstream_wrote(t *testing.T) {
	const token = "real-token"
	head := "HTTP/1.1 200 OK\r\n"
	chunked := head + "Transfer-Encoding: chunked\r\n\r\n"
	for name, script := range map[string]string{
		"no HTTP":               token + "\r\n\r\n",
		"version":               "HTTP/" + token + " 200 OK\r\n\r\n",
		"status":                "HTTP/1.1 " + token + " OK\r\n\r\n",
		"status of two digits":  "HTTP/1.1 20 " + token + "\r\n\r\n",
		"no colon":              head + "Authorization " + token + "\r\n\r\n",
		"value":                 head + "X: " + token + "\x00\r\n\r\n",
		"first line folded":     head + " " + token + "\r\n\r\n",
		"length":                head + "Content-Length: " + token + "\r\n\r\n",
		"lengths":               head + "Content-Length: 1\r\nContent-Length: " + token + "\r\n\r\n",
		"encoding":              head + "Transfer-Encoding: " + token + "\r\n\r\n",
		"encodings":             head + "Transfer-Encoding: chunked\r\nTransfer-Encoding: " + token + "\r\n\r\n",
		"trailer's name":        head + "Trailer: Content-Length, " + token + "\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"chunk size":            chunked + token + "\r\n",
		"behind a chunk":        chunked + "1\r\nx" + token + "\r\n",
		"trailer without colon": chunked + "0\r\nAuthorization " + token + "\r\n\r\n",
		"switch":                "HTTP/1.1 101 " + token + "\r\n\r\n",
		"interim":               "HTTP/1.1 103 Hints\r\n" + token + "\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			f := newFront(t, proxy.Options{}, routing.Route{Path: "/", Upstreams: routing.To(rawUpstream(t, script))})
			conn := f.dial(t)
			_, _ = io.WriteString(conn, request("/x"))
			_, _ = io.Copy(io.Discard, conn)
			f.Close() // the event is complete
			event, err := f.last()
			var p *problem.Error
			told := err
			if errors.As(err, &p) {
				told = p.Err
			} else if told == nil {
				told = event.Err
			}
			if told == nil {
				t.Fatal("nothing is told at all: this shows nothing")
			}
			if text := told.Error(); strings.Contains(strings.ToLower(text), token) || strings.Contains(text, "x00") {
				t.Errorf("the log would hold %q", text)
			}
		})
	}
}

func TestReverse_tells_the_log_what_kind_of_failure_it_was(t *testing.T) {
	plain := httptest.NewServer(nil)
	t.Cleanup(plain.Close)
	secure := httptest.NewUnstartedServer(nil)
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	t.Cleanup(secure.Close)
	for upstream, want := range map[string]string{
		closedPort(t):                                     "dial: connection refused",
		"http://no-such-host.invalid":                     "look up the host: ",
		rawUpstream(t, "").String():                       "the connection ended where a message was due",
		rawUpstream(t, "HTTP/1.1 200 OK\r\nX: ").String(): "in the middle of a message",
		rawUpstream(t, "HTTP/1.1 200 OK\r\nX: "+strings.Repeat("x", 1<<20)+"\r\n\r\n").String(): "longer than 256 kB",
		rawUpstream(t, "HTTP/1.1 200 OK\r\nno colon\r\n\r\n").String():                          "the name of a header is no token",
		strings.Replace(plain.URL, "http", "https", 1):                                          "TLS: the other side does not speak it",
		secure.URL: "TLS: the certificate is of an unknown authority",
	} {
		f := newFront(t, proxy.Options{}, routing.Route{Path: "/", Upstreams: routing.To(parse(t, upstream))})
		f.talk(t, request("/x"))
		_, err := f.last()
		var p *problem.Error
		if !errors.As(err, &p) || !strings.Contains(p.Err.Error(), want) {
			t.Errorf("%s: %v, want %q in it", upstream, err, want)
		}
	}
}

func TestReverse_writes_nothing_when_it_fails(t *testing.T) {
	f := newFront(t, proxy.Options{}, routing.Route{Path: "/", Upstreams: routing.To(parse(t, closedPort(t)))})
	p, err := urlpath.Parse("/x")
	if err != nil {
		t.Fatal(err)
	}
	w := &untouched{t: t}
	err = f.relay.Relay(w, httptest.NewRequest("POST", "/x", strings.NewReader("body")), &proxy.Decision{Route: f.table.Routes()[0], Path: p})
	checkProblem(t, err, http.StatusBadGateway, "upstream_unavailable")
	if len(w.header) != 0 {
		t.Errorf("headers are left: %v", w.header)
	}
}

// untouched fails the test when anything is answered.
type untouched struct {
	t      *testing.T
	header http.Header
}

func (w *untouched) Header() http.Header {
	if w.header == nil {
		w.header = make(http.Header)
	}
	return w.header
}
func (w *untouched) WriteHeader(status int)      { w.t.Errorf("status %d is written", status) }
func (w *untouched) Write(p []byte) (int, error) { w.t.Errorf("%q is written", p); return len(p), nil }

func TestReverse_bounds_bodies(t *testing.T) {
	up, seen := recorder(t, nil)
	f := newFront(t, proxy.Options{}, routing.Route{Path: "/", BodyBytes: 8, Upstreams: routing.To(up)})
	const head = "POST /x HTTP/1.1\r\nHost: a\r\n"
	for name, test := range map[string]struct{ message, status string }{
		"exactly":          {head + "Connection: close\r\nContent-Length: 8\r\n\r\n12345678", "200 OK"},
		"chunked exactly":  {head + "Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n12345678\r\n0\r\n\r\n", "200 OK"},
		"over":             {head + "Content-Length: 9\r\n\r\n123456789", "413 Request Entity Too Large"},
		"chunked over":     {head + "Transfer-Encoding: chunked\r\n\r\n9\r\n123456789\r\n0\r\n\r\n", "413 Request Entity Too Large"},
		"chunked far over": {head + "Transfer-Encoding: chunked\r\n\r\n10000\r\n" + strings.Repeat("x", 0x10000) + "\r\n0\r\n\r\n", "413 Request Entity Too Large"},
	} {
		answer := f.talk(t, test.message)
		if status(t, answer) != test.status {
			t.Errorf("%s: %s", name, answer)
		}
		if strings.HasPrefix(test.status, "413") {
			_, err := f.last()
			checkProblem(t, err, http.StatusRequestEntityTooLarge, "body_too_large")
		}
	}
	for _, body := range seen.texts() {
		if len(body) > 8 {
			t.Errorf("%d bytes went upstream", len(body))
		}
	}
}

func TestReverse_asks_no_upstream_about_a_body_of_too_great_a_length(t *testing.T) {
	// To ask this one would be a 502.
	f := newFront(t, proxy.Options{}, routing.Route{Path: "/", BodyBytes: 8, Upstreams: routing.To(parse(t, closedPort(t)))})
	answer := f.talk(t, "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n123456789")
	if status(t, answer) != "413 Request Entity Too Large" {
		t.Error(answer)
	}
}

func TestReverse_blames_the_client_for_a_malformed_body(t *testing.T) {
	up, _ := recorder(t, nil)
	f := newFront(t, proxy.Options{}, routing.Route{Path: "/", Upstreams: routing.To(up)})
	for _, chunks := range []string{"0x5\r\nhello\r\n0\r\n\r\n", "-1\r\n\r\n", "2\r\nabcd\r\n0\r\n\r\n", "zz\r\n\r\n"} {
		answer := f.talk(t, "POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"+chunks)
		if status(t, answer) != "400 Bad Request" {
			t.Errorf("%q: %s", chunks, answer)
			continue
		}
		_, err := f.last()
		checkProblem(t, err, http.StatusBadRequest, "malformed_body")
	}
}

func TestReverse_returns_the_contexts_error_when_the_client_is_gone(t *testing.T) {
	arrived := make(chan struct{})
	up := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-r.Context().Done()
	}))
	t.Cleanup(up.Close)
	f := newFront(t, proxy.Options{}, routing.Route{Path: "/", Upstreams: routing.To(parse(t, up.URL))})
	done := make(chan error, 1)
	f.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.ServeHTTP(w, r)
		_, err := f.last()
		done <- err
	})
	conn := f.dial(t)
	_, _ = io.WriteString(conn, "GET /x HTTP/1.1\r\nHost: a\r\n\r\n")
	<-arrived
	_ = conn.Close()
	err := <-done
	if p := (*problem.Error)(nil); !errors.Is(err, context.Canceled) || errors.As(err, &p) {
		t.Errorf("error: %v", err)
	}
}

func TestReverse_cuts_the_answer_short_when_the_upstream_dies(t *testing.T) {
	for name, script := range map[string]string{
		"length":  "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf",
		"chunked": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			f := newFront(t, proxy.Options{}, routing.Route{Path: "/", Upstreams: routing.To(rawUpstream(t, script))})
			conn := f.dial(t)
			_, _ = io.WriteString(conn, "GET /x HTTP/1.1\r\nHost: a\r\n\r\n")
			res, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
				return // not even the header went out
			}
			if err != nil {
				t.Fatal(err)
			}
			if body, err := io.ReadAll(res.Body); err == nil {
				t.Errorf("the half looks whole: %q", body)
			}
		})
	}
}

func TestReverse_remembers_nothing_of_the_request_before(t *testing.T) {
	up, requests := echoSocket(t)
	f := newFront(t, proxy.Options{}, routing.Route{Path: "/", Upstreams: routing.To(up)}, routing.Route{Path: "/down/", Upstreams: routing.To(parse(t, closedPort(t)))})
	// What a finished trip leaves behind is used again, though not always.
	for range 10 {
		conn := f.dial(t)
		_, _ = io.WriteString(conn, handshake)
		br := bufio.NewReader(conn)
		if _, err := http.ReadResponse(br, nil); err != nil {
			t.Fatal(err)
		}
		<-requests
		_ = conn.(*net.TCPConn).CloseWrite()
		_, _ = io.Copy(io.Discard, br)
		if got := status(t, f.talk(t, request("/down/x"))); got != "502 Bad Gateway" {
			t.Fatalf("after a WebSocket: %s", got)
		}
	}
}

// gone is a client whose connection breaks when the server lets go of it.
type gone struct{ untouched }

func (*gone) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	near, far := net.Pipe()
	_ = far.Close()
	return near, bufio.NewReadWriter(bufio.NewReader(near), bufio.NewWriter(near)), nil
}

func TestReverse_returns_no_error_once_the_connection_is_taken(t *testing.T) {
	up, _ := echoSocket(t)
	f := newFront(t, proxy.Options{}, routing.Route{Path: "/", Upstreams: routing.To(up)})
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(handshake)))
	if err != nil {
		t.Fatal(err)
	}
	p, err := routing.TargetOf(r, "").Canonical()
	if err != nil {
		t.Fatal(err)
	}
	event := telemetry.Event{}
	w := &gone{untouched{t: t}}
	d := proxy.Decision{Route: f.table.Routes()[0], Path: p, Event: &event}
	if err := f.relay.Relay(w, r.WithContext(t.Context()), &d); err != nil {
		t.Errorf("error: %v, which nobody could answer", err)
	}
	d.Stream.Run()
	if event.Err == nil || event.Status != http.StatusSwitchingProtocols {
		t.Errorf("event: status %d, error %v", event.Status, event.Err)
	}
}
