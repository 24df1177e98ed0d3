package proxy_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-auth/gatehouse/internal/http1/http1test"
	"github.com/gatehouse-auth/gatehouse/internal/problem"
	"github.com/gatehouse-auth/gatehouse/internal/proxy"
	"github.com/gatehouse-auth/gatehouse/internal/routing"
	"github.com/gatehouse-auth/gatehouse/internal/telemetry"
	"github.com/gatehouse-auth/gatehouse/internal/urlpath"
)

// Whichever way a request goes to its upstream, the client gets the same.
func TestReverse_makes_of_each_answer_what_it_is(t *testing.T) {
	answers := http1test.Answers()
	up := newScripted(t)
	for _, way := range waysTo(t, up) {
		for i := range answers {
			a := &answers[i]
			t.Run(fmt.Sprintf("%s/%s", way.name, a.Name), func(t *testing.T) {
				up.plays(a.Raw, a.HangsUp)
				checkRelayed(t, a, way.ask(t, a.RequestMethod(), leavesOpen(a)))
			})
		}
	}
}

// leavesOpen reports whether the connection is to be kept behind the answer.
func leavesOpen(a *http1test.Answer) bool {
	return a.Refused == "" && a.Broken == "" && a.End == http1test.Kept
}

// checkRelayed fails unless the answer came to what it should behind the relay.
func checkRelayed(t *testing.T, a *http1test.Answer, got relayed) {
	t.Helper()
	want := relayed{status: a.Status, header: passedOn(a), body: a.Body, trailer: passedTrailers(a.Trailer), excess: a.End == http1test.Excess, kept: a.End == http1test.Kept}
	switch {
	case a.Refused != "":
		want = relayed{status: http.StatusBadGateway, header: http.Header{}, failure: wordsOf(a.Refused)}
	case a.Broken != "":
		want.aborted, want.failure = true, wordsOf(a.Broken)
		got.body = "" // it may be any beginning of it
	}
	if strings.Contains(got.failure, want.failure) || want.aborted && strings.Contains(got.failure, transportWords) {
		got.failure = want.failure
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(relayed{})); diff != "" {
		t.Errorf("%.200q (-want +got):\n%.2000s", a.Raw, diff)
	}
}

// transportWords is what the log says where net/http is the first to find fault with
// chunks, or with trailers.
const transportWords = "the message is malformed, or the connection broke"

// wordsOf are what the log says of an error.
func wordsOf(text string) string {
	switch text {
	case "EOF":
		return "the connection ended where a message was due"
	case "unexpected EOF":
		return "the connection ended in the middle of a message"
	}
	return text
}

// passedOn are the headers that the relay passes on.
func passedOn(a *http1test.Answer) http.Header {
	h := a.Header.Clone()
	for _, line := range a.Header["Connection"] {
		for name := range strings.SplitSeq(line, ",") {
			h.Del(strings.Trim(name, " \t"))
		}
	}
	delete(h, "Connection")
	delete(h, "Keep-Alive")
	length, err := strconv.Atoi(h.Get("Content-Length"))
	if err != nil || a.Status == http.StatusNoContent || a.Status == http.StatusNotModified {
		delete(h, "Content-Length")
		return h
	}
	h.Set("Content-Length", strconv.Itoa(length))
	return h
}

// passedTrailers are the trailers that the relay passes on, none of which frames.
func passedTrailers(h http.Header) http.Header {
	h = h.Clone()
	delete(h, "Content-Length")
	delete(h, "Transfer-Encoding")
	return h
}

// relayed is what a client gets, what the log is told, and what becomes of the
// connection to the upstream.
type relayed struct {
	status  int
	header  http.Header
	body    string
	trailer http.Header
	aborted bool
	failure string
	excess  bool
	kept    bool
}

// way is one to the upstream.
type way struct {
	name  string
	up    *scripted
	relay *proxy.Dispatcher
	route *routing.Route
	stats *proxy.Upstreams
}

// waysTo are both to the upstream. A connection that has to rest does so for longer
// than any test.
func waysTo(t *testing.T, up *scripted) []*way {
	t.Helper()
	var all []*way
	for _, standard := range []bool{false, true} {
		w := &way{name: fmt.Sprintf("standard %v", standard), up: up, stats: &proxy.Upstreams{}}
		routes := table(t, routing.Route{
			Path: "/", Upstreams: routing.To(up.url), StandardTransport: standard, Access: routing.Access{Auth: routing.AuthNone},
			UpstreamIdle: time.Hour, UpstreamRest: time.Hour, UpstreamConnections: 4, Timeout: patience,
		})
		w.route = routes.Routes()[0]
		relay, err := proxy.NewRelay(routes, proxy.Options{Upstreams: w.stats})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(relay.Close)
		w.relay = relay
		all = append(all, w)
	}
	return all
}

// ask asks the upstream until its connection is kept or not, as it should be. net/http
// gives one up whose writer has not told it within 50 ms that the request is written,
// which on a busy machine happens.
func (w *way) ask(t *testing.T, method string, kept bool) relayed {
	t.Helper()
	got := w.askOnce(t, method)
	for tries := 10; tries > 0 && got.kept != kept; tries-- {
		got = w.askOnce(t, method)
	}
	return got
}

// askOnce asks the upstream, and then for something else that nothing is wrong with.
func (w *way) askOnce(t *testing.T, method string) relayed {
	t.Helper()
	before := w.excess()
	got, first := w.relayOnce(t, method, "/answer")
	got.excess = w.excess() > before
	after, second := w.relayOnce(t, http.MethodGet, "/after")
	if after.status != http.StatusOK || after.body != "after" {
		t.Fatalf("what is asked for next is answered by %+v", after)
	}
	got.kept = first == second
	return got
}

func (w *way) excess() uint64 { return w.stats.Figures()[0].Excess.Load() }

// relayOnce relays one request, and returns the connection it went by, by number.
func (w *way) relayOnce(t *testing.T, method, path string) (got relayed, by int) {
	t.Helper()
	p, err := urlpath.Parse(path)
	if err != nil {
		t.Fatal(err)
	}
	event := telemetry.Event{}
	rec := httptest.NewRecorder()
	func() {
		defer func() {
			if r := recover(); r != nil {
				if err, ok := r.(error); !ok || !errors.Is(err, http.ErrAbortHandler) {
					panic(r)
				}
				got.aborted = true
			}
		}()
		r := httptest.NewRequestWithContext(t.Context(), method, path, nil)
		err = w.relay.Relay(rec, r, &proxy.Decision{Route: w.route, Path: p, Host: "app.example", Client: "192.0.2.7", Event: &event})
	}()
	var failed *problem.Error
	if errors.As(err, &failed) {
		return relayed{status: failed.Status, header: http.Header{}, failure: failed.Err.Error()}, w.up.last()
	}
	res := rec.Result()
	got.status, got.header, got.body = res.StatusCode, http.Header{}, rec.Body.String()
	for name, values := range res.Header {
		if len(values) > 0 && name != "Trailer" {
			got.header[name] = values
		}
	}
	for name, values := range res.Trailer {
		if len(values) > 0 {
			if got.trailer == nil {
				got.trailer = http.Header{}
			}
			got.trailer[name] = values
		}
	}
	if event.Err != nil {
		got.failure = event.Err.Error()
	}
	return got, w.up.last()
}

// scripted is an upstream that answers /answer with the bytes it is told, and all else
// properly.
type scripted struct {
	url *url.URL

	mu      sync.Mutex
	raw     string
	hangsUp bool
	accepts int
	asked   int // the connection that was last asked over
}

func newScripted(t *testing.T) *scripted {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	s := &scripted{url: parse(t, "http://"+ln.Addr().String())}
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			s.accepts++
			number := s.accepts
			s.mu.Unlock()
			go s.serve(conn, number)
		}
	}()
	return s
}

// plays says what is answered next.
func (s *scripted) plays(raw string, hangsUp bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.raw, s.hangsUp = raw, hangsUp
}

func (s *scripted) last() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked
}

func (s *scripted) serve(conn net.Conn, number int) {
	defer func() { _ = conn.Close() }()
	br := bufio.NewReader(conn)
	for {
		r, err := http.ReadRequest(br)
		if err != nil {
			return
		}
		s.mu.Lock()
		s.asked = number
		raw, hangsUp := s.raw, s.hangsUp
		s.mu.Unlock()
		if r.URL.Path != "/answer" {
			raw, hangsUp = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nafter", true
		}
		if _, err := io.WriteString(conn, raw); err != nil || hangsUp {
			return
		}
	}
}

// TestReverse_treats_generated_answers_alike compares the ways over answers that nobody
// has thought of. They may differ in these things only:
//
//   - net/http makes Cache-Control of Pragma;
//   - what a client gets of a body that breaks off, and how the log words that where
//     net/http is the first to find fault;
//   - how the log words a switch of protocols that nobody asked for;
//   - a connection that has to rest is kept by the pool alone.
func TestReverse_treats_generated_answers_alike(t *testing.T) {
	const count, seed = 2000, 12
	up := newScripted(t)
	ways := waysTo(t, up)
	passed, aborted, kept := 0, 0, 0
	for _, a := range http1test.Generate(seed, count) {
		up.plays(a.Raw, a.HangsUp)
		pool := ways[0].askOnce(t, a.Method)
		standard := ways[1].ask(t, a.Method, pool.kept)
		if pool.aborted && standard.aborted {
			pool.body = standard.body
			if strings.Contains(standard.failure, transportWords) {
				pool.failure = standard.failure
			}
		}
		if strings.HasPrefix(standard.failure, pool.failure+", or without the right Sec-WebSocket-Accept") {
			pool.failure = standard.failure
		}
		if strings.Contains(strings.ToLower(a.Raw), "\r\npragma:") {
			delete(standard.header, "Cache-Control")
		}
		if a.HangsUp {
			pool.kept = standard.kept // which is up to when the end is seen
		}
		if diff := cmp.Diff(pool, standard, cmp.AllowUnexported(relayed{})); diff != "" {
			t.Errorf("%s: %s %.600q, hangs up: %v (-pool +standard):\n%.2000s", a.Name, a.Method, a.Raw, a.HangsUp, diff)
		}
		switch {
		case pool.aborted:
			aborted++
		case pool.status != http.StatusBadGateway:
			passed++
		}
		if pool.kept {
			kept++
		}
	}
	t.Logf("of %d answers %d passed, %d broke off, and %d left their connection open", count, passed, aborted, kept)
	if passed < count/4 || aborted < count/50 || kept < count/20 {
		t.Error("the generator makes too few of a kind: this shows little")
	}
}
