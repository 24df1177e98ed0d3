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
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/problem"
	"github.com/gatehouse-auth/gatehouse/internal/proxy"
	"github.com/gatehouse-auth/gatehouse/internal/routing"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/telemetry"
)

const bearer = "Bearer real-token"

// front is a gateway reduced to what surrounds a relay.
type front struct {
	*httptest.Server
	table *routing.Table
	relay proxy.Relay
	// decide completes the decision of each request.
	decide func(d *proxy.Decision, r *http.Request)
	left   atomic.Int64 // streams that have left their handlers

	mu     sync.Mutex
	events []telemetry.Event
	errs   []error
}

var own = []string{"__Host-Http-gatehouse", "__Host-Http-gatehouse-login"}

// newFront serves the routes.
func newFront(t testing.TB, o proxy.Options, routes ...routing.Route) *front {
	t.Helper()
	f := &front{table: table(t, routes...), decide: func(*proxy.Decision, *http.Request) {}}
	o.CookieNames = own
	relay, err := proxy.NewRelay(f.table, o)
	if err != nil {
		t.Fatal(err)
	}
	f.relay = relay
	f.Server = httptest.NewUnstartedServer(f)
	// The server logs what went wrong in its own dealings with a client, such as
	// a panic over a body that two read.
	f.Config.ErrorLog = log.New(complaints{t}, "", 0)
	f.Start()
	t.Cleanup(func() {
		f.Close()
		relay.Close()
	})
	return f
}

type complaints struct{ testing.TB }

func (c complaints) Write(p []byte) (int, error) {
	c.Errorf("the server says: %s", p)
	return len(p), nil
}

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	event := telemetry.Event{}
	w.Header().Set("X-Request-Id", "gateway-id")
	var err error
	func() {
		defer func() { // also when the relay cuts the answer short
			f.mu.Lock()
			f.events, f.errs = append(f.events, event), append(f.errs, err)
			f.mu.Unlock()
			if event.Recorded != nil {
				event.Recorded()
			}
		}()
		err = f.serve(w, r, &event)
	}()
	var p *problem.Error
	if errors.As(err, &p) {
		for name, values := range p.Header {
			w.Header()[name] = values
		}
		w.Header().Set("X-Problem", string(p.Code))
		w.WriteHeader(p.Status)
	} else if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
	}
}

func (f *front) serve(w http.ResponseWriter, r *http.Request, event *telemetry.Event) error {
	f.mu.Lock()
	table, relay := f.table, f.relay
	f.mu.Unlock()
	route, p, err := table.Judge(routing.TargetOf(r, ""))
	if err != nil {
		return err
	}
	d := &proxy.Decision{
		Route: route, Path: p, RequestID: "gateway-id", Proto: "https", Host: "app.example",
		Client: "192.0.2.7", Event: event,
	}
	if route.Access.Auth == routing.AuthSession {
		d.Bearer, d.Private = secret.NewText(bearer), true
	}
	f.decide(d, r)
	err = relay.Relay(w, r, d)
	if d.Stream != nil {
		f.left.Add(1)
		stop := context.AfterFunc(r.Context(), func() { d.Stream.End(context.Cause(r.Context())) })
		defer stop()
		d.Stream.Run()
	}
	return err
}

// swap serves by another table from now on, and returns the relay of the one before.
func (f *front) swap(table *routing.Table, relay *proxy.Dispatcher) *proxy.Dispatcher {
	f.mu.Lock()
	defer f.mu.Unlock()
	old := f.relay.(*proxy.Dispatcher)
	f.table, f.relay = table, relay
	return old
}

// last waits for nothing: it returns what the latest finished request left.
func (f *front) last() (telemetry.Event, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.events[len(f.events)-1], f.errs[len(f.errs)-1]
}

// seen is what an upstream was asked.
type seen struct {
	mu       sync.Mutex
	requests []*http.Request
	bodies   []string
}

func (s *seen) add(r *http.Request, body string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests, s.bodies = append(s.requests, r.Clone(context.Background())), append(s.bodies, body)
}

func (s *seen) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.requests)
}

// texts returns the bodies so far.
func (s *seen) texts() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.bodies...)
}

func (s *seen) last(t testing.TB) *http.Request {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.requests) == 0 {
		t.Fatal("the upstream was not asked")
	}
	return s.requests[len(s.requests)-1]
}

// recorder is an upstream that notes what it is asked, and answers with answer.
func recorder(t testing.TB, answer http.HandlerFunc) (*url.URL, *seen) {
	t.Helper()
	s := &seen{}
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		s.add(r, string(body))
		if answer != nil {
			answer(w, r)
		}
	}))
	t.Cleanup(up.Close)
	return parse(t, up.URL), s
}

func parse(t testing.TB, raw string) *url.URL {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// rawUpstream is an upstream made by hand: for each connection it reads one
// request, writes the bytes of script, and closes.
func rawUpstream(t testing.TB, script string) *url.URL {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = conn.Close() }()
				if _, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
					_, _ = io.WriteString(conn, script)
				}
			}()
		}
	}()
	return parse(t, "http://"+ln.Addr().String())
}

// talk writes message to the front and returns all that comes back. The message
// should ask for the connection to be closed.
func (f *front) talk(t testing.TB, message string) string {
	t.Helper()
	conn := f.dial(t)
	if _, err := io.WriteString(conn, message); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	return string(answer)
}

// patience is how long a test waits for what comes at once, unless the machine is
// busy: only what never comes takes it.
const patience = 2 * time.Minute

func (f *front) dial(t testing.TB) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", f.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	// What hangs is to fail here, not at the time limit of all tests.
	_ = conn.SetDeadline(time.Now().Add(patience))
	return conn
}

// request is a GET in raw form with further header lines.
func request(target string, lines ...string) string {
	return "GET " + target + " HTTP/1.1\r\nHost: app.example\r\n" + strings.Join(append(lines, "Connection: close"), "\r\n") + "\r\n\r\n"
}

func status(t testing.TB, answer string) string {
	t.Helper()
	line, _, _ := strings.Cut(answer, "\r\n")
	_, status, _ := strings.Cut(line, " ")
	return status
}

func table(t testing.TB, routes ...routing.Route) *routing.Table {
	t.Helper()
	table, err := routing.NewTable(routes, "/auth")
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// checkProblem fails unless err is a problem of that status and code.
func checkProblem(t testing.TB, err error, status int, code string) {
	t.Helper()
	var p *problem.Error
	if !errors.As(err, &p) {
		t.Fatalf("error is %v, want the problem %d %s", err, status, code)
	}
	if p.Status != status || string(p.Code) != code {
		t.Errorf("problem is %d %s (%v), want %d %s", p.Status, p.Code, p.Err, status, code)
	}
}
