package proxy_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/proxy"
	"github.com/gatehouse-auth/gatehouse/internal/routing"
	"github.com/gatehouse-auth/gatehouse/internal/telemetry"
	"github.com/gatehouse-auth/gatehouse/internal/tunnel"
)

const eventsHead = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"

// inHand is an upstream whose one connection the test has in hand, once the request has
// come over it.
func inHand(t *testing.T) (at *url.URL, asked <-chan net.Conn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	conns := make(chan net.Conn, 1)
	go func() {
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		if _, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
			conns <- conn
		}
	}()
	t.Cleanup(func() { _ = ln.Close() })
	return &url.URL{Scheme: "http", Host: ln.Addr().String()}, conns
}

func say(t *testing.T, conn net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
}

// listener is a client with an event stream open that has left its handler.
type listener struct {
	*front
	net.Conn
	reader   *bufio.Reader
	response *http.Response
	upstream net.Conn
	streams  *tunnel.Registry
}

func listen(t *testing.T, route routing.Route, head string) listener {
	t.Helper()
	at, asked := inHand(t)
	route.Path, route.Upstreams = "/", routing.To(at)
	l := listener{streams: &tunnel.Registry{}}
	l.front = newFront(t, proxy.Options{Streams: l.streams}, route)
	l.Conn = l.dial(t)
	say(t, l.Conn, request("/x"))
	l.upstream = <-asked
	t.Cleanup(func() { _ = l.upstream.Close() })
	say(t, l.upstream, head)
	l.reader = bufio.NewReader(l.Conn)
	var err error
	if l.response, err = http.ReadResponse(l.reader, nil); err != nil {
		t.Fatal(err)
	}
	return l
}

// over waits until the stream is, and returns its record.
func (l listener) over(t *testing.T) (note string, bytes int64, failure error) {
	t.Helper()
	for {
		l.mu.Lock()
		n := len(l.events)
		l.mu.Unlock()
		if n > 0 {
			break
		}
		time.Sleep(time.Millisecond)
	}
	event, err := l.last()
	if err != nil {
		t.Fatal(err)
	}
	return event.Note, event.Bytes, event.Err
}

const chunkedHead = eventsHead + "Transfer-Encoding: chunked\r\n\r\n"

func TestStream_passes_events_on_to_the_end(t *testing.T) {
	large := "data: " + strings.Repeat("x", 70_000) + "\n\n"
	for name, test := range map[string]struct {
		head   string
		pieces []string
		end    func(t *testing.T, up net.Conn)
		want   string
	}{
		"in chunks": {chunkedHead, []string{"9\r\ndata: 1\n\n\r\n", "9\r\ndata: 2\n\n\r\n"},
			func(t *testing.T, up net.Conn) { say(t, up, "0\r\n\r\n") }, "data: 1\n\ndata: 2\n\n"},
		"up to the end of the connection": {eventsHead + "\r\n", []string{"data: 1\n\n"},
			func(_ *testing.T, up net.Conn) { _ = up.(*net.TCPConn).CloseWrite() }, "data: 1\n\n"},
		"in large ones": {chunkedHead, []string{"11178\r\n" + large + "\r\n"},
			func(t *testing.T, up net.Conn) { say(t, up, "0\r\n\r\n") }, large},
		"without any": {chunkedHead, nil, func(t *testing.T, up net.Conn) { say(t, up, "0\r\n\r\n") }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			l := listen(t, routing.Route{}, test.head)
			if l.streams.Len() != 1 {
				t.Errorf("%d streams have left their handlers", l.streams.Len())
			}
			if l.response.Header.Get("Date") == "" || !l.response.Close || l.response.Header.Get("X-Accel-Buffering") != "no" {
				t.Errorf("%v", l.response.Header)
			}
			go func() {
				for _, piece := range test.pieces {
					_, _ = io.WriteString(l.upstream, piece)
				}
				test.end(t, l.upstream)
			}()
			body, err := io.ReadAll(l.response.Body)
			if err != nil || string(body) != test.want {
				t.Errorf("%d bytes, %v; want %d", len(body), err, len(test.want))
			}
			if rest, err := io.ReadAll(l.reader); len(rest) > 0 || err != nil {
				t.Errorf("behind it: %q, %v", rest, err)
			}
			note, bytes, failure := l.over(t)
			if note != "" || bytes != int64(len(test.want)) || failure != nil {
				t.Errorf("note %q, %d bytes, %v", note, bytes, failure)
			}
			if l.streams.Close(); l.streams.Wait(t.Context()) != nil {
				t.Error("it is still open")
			}
		})
	}
}

func TestStream_filters_trailers(t *testing.T) {
	l := listen(t, routing.Route{}, chunkedHead)
	say(t, l.upstream, "2\r\nok\r\n0\r\nSet-Cookie: __Host-Http-gatehouse=evil\r\nX-Checksum: 42\r\n\r\n")
	if _, err := io.ReadAll(l.response.Body); err != nil {
		t.Fatal(err)
	}
	if got := l.response.Trailer; got.Get("X-Checksum") != "42" || len(got) != 1 {
		t.Errorf("trailers: %v", got)
	}
}

// A stream that breaks off must not look as if it had come to its end.
func TestStream_breaks_off(t *testing.T) {
	for name, test := range map[string]struct {
		route   routing.Route
		end     func(t *testing.T, l listener)
		note    string
		failure bool // of the upstream
	}{
		"with its upstream": {end: func(_ *testing.T, l listener) { _ = l.upstream.Close() }, note: "answer cut short", failure: true},
		"in garbage":        {end: func(t *testing.T, l listener) { say(t, l.upstream, "no chunk\r\n") }, note: "answer cut short", failure: true},
		"in silence": {route: routing.Route{IdleTimeout: 50 * time.Millisecond}, end: func(*testing.T, listener) {},
			note: "ended as nothing was sent within idle_timeout; answer cut short"},
		"with the gateway": {end: func(_ *testing.T, l listener) { l.streams.Close() }, note: "ended by the stop of the gateway; answer cut short"},
	} {
		t.Run(name, func(t *testing.T) {
			l := listen(t, test.route, chunkedHead)
			say(t, l.upstream, "9\r\ndata: 1\n\n\r\n")
			if _, err := io.ReadFull(l.response.Body, make([]byte, 9)); err != nil {
				t.Fatal(err)
			}
			test.end(t, l)
			if rest, err := io.ReadAll(l.response.Body); len(rest) > 0 || !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("%q, %v", rest, err)
			}
			note, bytes, failure := l.over(t)
			if note != test.note || bytes != 9 || (failure != nil) != test.failure {
				t.Errorf("note %q, %d bytes, %v", note, bytes, failure)
			}
			if _, err := l.upstream.Read(make([]byte, 1)); err == nil {
				t.Error("the upstream is still asked")
			}
		})
	}
}

// An answer without chunks ends with the upstream's connection, but only by a proper end.
func TestStream_breaks_off_with_a_connection_that_is_reset(t *testing.T) {
	l := listen(t, routing.Route{}, eventsHead+"\r\n")
	say(t, l.upstream, "data: 1\n\n")
	if _, err := io.ReadFull(l.response.Body, make([]byte, 9)); err != nil {
		t.Fatal(err)
	}
	time.Sleep(10 * time.Millisecond) // so that it mostly is waited for more
	_, _ = l.upstream.(*net.TCPConn).SetLinger(0), l.upstream.Close()
	if rest, err := io.ReadAll(l.response.Body); len(rest) > 0 || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("%q, %v", rest, err)
	}
	if note, bytes, failure := l.over(t); note != "answer cut short" || bytes != 9 || failure == nil {
		t.Errorf("note %q, %d bytes, %v", note, bytes, failure)
	}
}

// A client that leaves ends the stream though nothing comes that it could not take.
func TestStream_ends_with_its_client(t *testing.T) {
	for name, leave := range map[string]func(net.Conn){
		"that closes":      func(c net.Conn) { _ = c.Close() },
		"that ends a half": func(c net.Conn) { _ = c.(*net.TCPConn).CloseWrite() },
		"that resets":      func(c net.Conn) { _, _ = c.(*net.TCPConn).SetLinger(0), c.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			l := listen(t, routing.Route{}, chunkedHead)
			leave(l.Conn)
			if _, err := l.upstream.Read(make([]byte, 1)); err == nil {
				t.Error("the upstream is still asked")
			}
			if note, _, failure := l.over(t); note != "answer cut short" || failure != nil {
				t.Errorf("note %q, %v", note, failure)
			}
		})
	}
}

// The upstream's connection is for others once the answer has come, though the client has
// not closed its own yet.
func TestStream_leaves_its_upstream_before_its_client(t *testing.T) {
	up, asked := recorder(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/events" {
			w.Header().Set("Content-Type", "text/event-stream")
			_ = http.NewResponseController(w).Flush()
		}
	})
	f := newFront(t, proxy.Options{}, routing.Route{Path: "/", Upstreams: routing.To(up)})
	for range 100 {
		conn := f.dial(t)
		say(t, conn, request("/events"))
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, res.Body); err != nil {
			t.Fatal(err)
		}
		over := asked.last(t).RemoteAddr
		time.Sleep(10 * time.Millisecond) // which mostly is enough to leave it
		f.talk(t, request("/x"))
		if asked.last(t).RemoteAddr == over {
			return
		}
		_ = conn.Close()
	}
	t.Error("it is kept from others")
}

// What a client sends behind its request is no request any more, and ends nothing.
func TestStream_takes_no_further_request(t *testing.T) {
	l := listen(t, routing.Route{}, chunkedHead)
	say(t, l.Conn, request("/other"))
	say(t, l.upstream, "2\r\nok\r\n0\r\n\r\n")
	body, err := io.ReadAll(l.response.Body)
	if rest, _ := io.ReadAll(l.reader); string(body) != "ok" || err != nil || len(rest) > 0 {
		t.Errorf("%q, %v; behind it %q", body, err, rest)
	}
}

// Whoever stops waits for handlers, so what begins then stays with its own.
func TestStream_stays_while_the_gateway_stops(t *testing.T) {
	up := rawUpstream(t, chunkedHead+"2\r\nok\r\n0\r\n\r\n")
	streams := &tunnel.Registry{}
	streams.Close()
	f := newFront(t, proxy.Options{Streams: streams}, routing.Route{Path: "/", Upstreams: routing.To(up)})
	if answer := f.talk(t, request("/x")); status(t, answer) != "200 OK" || !strings.HasSuffix(answer, "2\r\nok\r\n0\r\n\r\n") {
		t.Errorf("answer: %q", answer)
	}
}

func TestStream_stays_where_it_cannot_leave(t *testing.T) {
	for name, test := range map[string]struct{ asked, answer string }{
		"HTTP/1.0":          {"GET /x HTTP/1.0\r\nHost: app.example\r\n\r\n", chunkedHead + "2\r\nok\r\n0\r\n\r\n"},
		"a HEAD":            {"HEAD /x HTTP/1.1\r\nHost: app.example\r\nConnection: close\r\n\r\n", eventsHead + "\r\n"},
		"of a known length": {request("/x"), eventsHead + "Content-Length: 2\r\n\r\nok"},
		"of another kind":   {request("/x"), "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"},
		"with trailers":     {request("/x"), eventsHead + "Transfer-Encoding: chunked\r\nTrailer: X-A\r\n\r\n2\r\nok\r\n0\r\nX-A: 1\r\n\r\n"},
		"an error":          {request("/x"), "HTTP/1.1 500 No\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			up := rawUpstream(t, test.answer)
			f := newFront(t, proxy.Options{}, routing.Route{Path: "/", Upstreams: routing.To(up)})
			answer := f.talk(t, test.asked)
			if n := f.left.Load(); n != 0 || status(t, answer) == "" {
				t.Errorf("%d have left: %q", n, answer)
			}
		})
	}
}

// hasty is what a client is written to that leaves when it has the head.
type hasty struct {
	http.ResponseWriter
	leave context.CancelFunc
}

// Unwrap serves http.ResponseController.
func (h hasty) Unwrap() http.ResponseWriter { return h.ResponseWriter }

// FlushError serves http.ResponseController.
func (h hasty) FlushError() error {
	h.leave()
	return http.NewResponseController(h.ResponseWriter).Flush()
}

// A request that ends while its answer leaves the handler ends the stream, and the upstream
// is not to blame.
func TestStream_ends_with_a_request_that_ends_meanwhile(t *testing.T) {
	f := newFront(t, proxy.Options{}, routing.Route{Path: "/", Upstreams: routing.To(rawUpstream(t, chunkedHead+"2\r\nok\r\n"))})
	over := make(chan telemetry.Event, 1)
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		route, path, err := f.table.Judge(routing.TargetOf(r, ""))
		if err != nil {
			t.Error(err)
			return
		}
		ctx, leave := context.WithCancel(r.Context())
		d := &proxy.Decision{Route: route, Path: path, Event: &telemetry.Event{}}
		if err := f.relay.Relay(hasty{w, leave}, r.WithContext(ctx), d); err != nil || d.Stream == nil {
			t.Errorf("%v, %v", d.Stream, err)
			return
		}
		d.Stream.Run()
		over <- *d.Event
	}))
	defer front.Close()
	res, err := http.Get(front.URL + "/x")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if event := <-over; event.Err != nil || event.Note != "answer cut short" {
		t.Errorf("note %q, %v", event.Note, event.Err)
	}
}
