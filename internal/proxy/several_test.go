package proxy_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/freeport"
	"github.com/gatehouse-auth/gatehouse/internal/proxy"
	"github.com/gatehouse-auth/gatehouse/internal/routing"
)

// ailing is an upstream that can be made ill in several ways, and well again.
type ailing struct {
	t       testing.TB
	address string

	mu    sync.Mutex
	ln    net.Listener // nil while nobody listens
	conns map[net.Conn]bool
	state illness
	asked map[string]int // by method and path, answered or not

	answered atomic.Int64 // requests of users that it answered well
}

type illness string

const (
	well      illness = "well"
	killed    illness = "killed"     // nobody listens
	hanging   illness = "hanging"    // it accepts, and says nothing
	garbled   illness = "garbled"    // what it says is no HTTP
	hangingUp illness = "hanging up" // it reads a request, and ends the connection
)

func newAiling(t testing.TB) *ailing {
	a := &ailing{t: t, address: freeport.Addr(t), conns: make(map[net.Conn]bool), asked: make(map[string]int)}
	a.become(well)
	t.Cleanup(func() { a.become(killed) })
	return a
}

func (a *ailing) url() *url.URL { return parse(a.t, "http://"+a.address) }

// become changes its state. What was said to it before, it answers no more.
func (a *ailing) become(state illness) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.state = state
	for conn := range a.conns {
		_ = conn.Close()
	}
	switch {
	case state == killed && a.ln != nil:
		_ = a.ln.Close()
		a.ln = nil
	case state != killed && a.ln == nil:
		ln, err := net.Listen("tcp", a.address)
		if err != nil {
			a.t.Error(err)
			return
		}
		a.ln = ln
		go a.accept(ln)
	}
}

func (a *ailing) accept(ln net.Listener) {
	for {
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		a.mu.Lock()
		a.conns[conn] = true
		a.mu.Unlock()
		go a.serve(conn)
	}
}

func (a *ailing) serve(conn net.Conn) {
	defer func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		delete(a.conns, conn)
		_ = conn.Close()
	}()
	in := bufio.NewReader(conn)
	for {
		r, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		_, _ = io.Copy(io.Discard, r.Body)
		a.mu.Lock()
		state := a.state
		a.asked[r.Method+" "+r.URL.Path]++
		a.mu.Unlock()
		switch state {
		case well:
			_, _ = io.WriteString(conn, answerOf(a.address))
			if r.URL.Path != "/healthz" {
				a.answered.Add(1)
			}
		case garbled:
			_, _ = io.WriteString(conn, "\x15\x03\x01\x00\x02\x02\x50")
			return
		case hangingUp, killed: // killed as the connection was being accepted
			return
		case hanging: // its end closes the connection
		}
	}
}

// times is how often it was asked that.
func (a *ailing) times(what string) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.asked[what]
}

// ask makes one request of its own, and returns the status and the body.
func (f *front) ask(t testing.TB, method, path string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(context.Background(), method, f.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := f.Client().Do(r)
	if err != nil {
		t.Error(err)
		return 0, ""
	}
	defer func() { _ = res.Body.Close() }()
	body, _ := io.ReadAll(res.Body)
	return res.StatusCode, string(body)
}

// clientele asks all the time, until it is stopped, and counts.
type clientele struct {
	asked, failed atomic.Int64
	each          []atomic.Int64 // what each client has asked
	stop          func()
}

func (f *front) serveClients(t testing.TB, count int) *clientele {
	c := &clientele{each: make([]atomic.Int64, count)}
	f.Client().Transport.(*http.Transport).MaxIdleConnsPerHost = count
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	for n := range count {
		all.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				method := [...]string{"GET", "PUT", "DELETE", "OPTIONS"}[i%4]
				if status, _ := f.ask(t, method, "/x"); status != http.StatusOK {
					c.failed.Add(1)
				}
				c.asked.Add(1)
				c.each[n].Add(1)
			}
		})
	}
	c.stop = sync.OnceFunc(func() { cancel(); all.Wait() })
	t.Cleanup(c.stop)
	return c
}

// more waits until so many more requests have been made.
func (c *clientele) more(n int64) {
	for until := c.asked.Load() + n; c.asked.Load() < until; {
		time.Sleep(time.Millisecond)
	}
}

// TestRelay_goes_on_without_ill_upstreams: what is idempotent fails until three requests
// have shown that an upstream is ill, and no longer; and not even that long where they can
// go to another.
func TestRelay_goes_on_without_ill_upstreams(t *testing.T) {
	t.Parallel()
	const clients, rounds = 8, 1000
	const few = 3 * clients // each client may meet the ill one until three have failed
	for _, transport := range transports {
		for name, test := range map[string]struct {
			ill  []illness
			most int64 // requests that may fail until all of them are out
		}{
			"one killed":        {[]illness{killed}, 0},
			"one hanging up":    {[]illness{hangingUp}, 0},
			"one garbled":       {[]illness{garbled}, few},
			"one hanging":       {[]illness{hanging}, few},
			"one of every kind": {[]illness{killed, hanging, garbled}, 2 * few},
		} {
			t.Run(name+", "+string(transport), func(t *testing.T) {
				t.Parallel()
				known := &proxy.Upstreams{}
				ups := []*ailing{newAiling(t)}
				for len(ups) < max(3, len(test.ill)+1) {
					ups = append(ups, newAiling(t))
				}
				var addresses []*url.URL
				for _, up := range ups {
					addresses = append(addresses, up.url())
				}
				f := newFront(t, proxy.Options{Upstreams: known}, routing.Route{
					Path: "/", Upstreams: routing.To(addresses...), StandardTransport: transport.standard(), Timeout: 3 * time.Second,
					HealthCheck: routing.HealthCheck{Path: "/healthz", Interval: 50 * time.Millisecond, Timeout: 10 * time.Second, Rise: 1, Fall: 2},
				})
				f.runChecks(t, known)
				c := f.serveClients(t, clients)
				c.more(100)
				for i, ill := range test.ill {
					ups[i+1].become(ill)
				}
				for i := range test.ill {
					f.await(t, known, ups[i+1], false)
				}
				c.turn()
				failed := c.failed.Load()
				if failed > test.most {
					t.Errorf("%d requests failed until the ill were out, want at most %d", failed, test.most)
				}
				c.more(rounds)
				if more := c.failed.Load() - failed; more != 0 {
					t.Errorf("%d of %d requests failed after that", more, rounds)
				}
				for i := range test.ill {
					ups[i+1].become(well)
				}
				for i := range test.ill {
					f.await(t, known, ups[i+1], true)
					before := ups[i+1].answered.Load()
					for ups[i+1].answered.Load() == before {
						c.more(1)
					}
				}
				c.stop()
				if t.Failed() {
					t.Logf("what went wrong: %v", errors.Join(f.errs...))
				}
				if more := c.failed.Load() - failed; more != 0 {
					t.Errorf("%d requests failed by the time the ill were back", more)
				}
				for _, figures := range known.Figures() {
					if figures.Pending != 0 || figures.Changed%2 != 0 {
						t.Errorf("afterwards %+v", figures)
					}
				}
			})
		}
	}
}

// turn waits until what is on its way now has ended.
func (c *clientele) turn() {
	for i := range c.each {
		for until := c.each[i].Load() + 1; c.each[i].Load() < until; {
			time.Sleep(time.Millisecond)
		}
	}
}

// runChecks runs the health checks until the end of the test.
func (f *front) runChecks(t testing.TB, known *proxy.Upstreams) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		known.Run(ctx)
	}()
	t.Cleanup(func() { cancel(); <-done })
}

// await waits until the upstream is known to be in, or out.
func (f *front) await(t testing.TB, known *proxy.Upstreams, up *ailing, healthy bool) {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(time.Millisecond) {
		for _, figures := range known.Figures() {
			if figures.Name == "http://"+up.address && figures.Healthy == healthy {
				return
			}
		}
	}
	t.Fatalf("after %v %s is not known to be healthy: %v", patience, up.address, healthy)
}

// What nobody may have got can go to another; what may have been done only if it may be
// done twice.
func TestRelay_sends_to_another_upstream_what_may_be_sent_twice(t *testing.T) {
	const long = 64<<10 + 1
	for _, transport := range transports {
		for name, test := range map[string]struct {
			ill          illness
			method, head string
			body         string
			status       string
		}{
			"a GET that nobody got":                 {killed, "GET", "", "", "200 OK"},
			"a POST that nobody got":                {killed, "POST", "Content-Length: 3\r\n", "abc", "200 OK"},
			"a POST in chunks that nobody got":      {killed, "POST", "Transfer-Encoding: chunked\r\n", "3\r\nabc\r\n0\r\n\r\n", "200 OK"},
			"a long POST that nobody got":           {killed, "POST", fmt.Sprintf("Content-Length: %d\r\n", long), strings.Repeat("x", long), "200 OK"},
			"a GET without an answer":               {hangingUp, "GET", "", "", "200 OK"},
			"a HEAD without an answer":              {hangingUp, "HEAD", "", "", "200 OK"},
			"a PUT without an answer":               {hangingUp, "PUT", "Content-Length: 3\r\n", "abc", "200 OK"},
			"a PUT in chunks without an answer":     {hangingUp, "PUT", "Transfer-Encoding: chunked\r\n", "3\r\nabc\r\n0\r\n\r\n", "200 OK"},
			"a PUT without an answer, too long":     {hangingUp, "PUT", fmt.Sprintf("Content-Length: %d\r\n", long), strings.Repeat("x", long), "502 Bad Gateway"},
			"a POST without an answer":              {hangingUp, "POST", "Content-Length: 3\r\n", "abc", "502 Bad Gateway"},
			"a POST without an answer, with a key":  {hangingUp, "POST", "Idempotency-Key: k\r\nContent-Length: 3\r\n", "abc", "502 Bad Gateway"},
			"a PATCH without an answer":             {hangingUp, "PATCH", "Content-Length: 3\r\n", "abc", "502 Bad Gateway"},
			"a GET with an answer that is none":     {garbled, "GET", "", "", "502 Bad Gateway"},
			"a GET that takes too long":             {hanging, "GET", "", "", "504 Gateway Timeout"},
			"a handshake of a WebSocket nobody got": {killed, "GET", "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n", "", "200 OK"},
			"a POST that waits for 100 (Continue)":  {killed, "POST", "Expect: 100-continue\r\nContent-Length: 3\r\n", "abc", "200 OK"},
		} {
			t.Run(name+", "+string(transport), func(t *testing.T) {
				t.Parallel()
				ill, other := newAiling(t), newAiling(t)
				ill.become(test.ill)
				timeout := patience
				if test.ill == hanging {
					timeout = 200 * time.Millisecond
				}
				f := newFront(t, proxy.Options{}, routing.Route{
					Path: "/", Timeout: timeout, StandardTransport: transport.standard(),
					Upstreams: []routing.Upstream{{URL: ill.url(), Weight: 1000}, {URL: other.url()}},
				})
				for range 100 { // until it is the ill one's turn
					answer := f.talk(t, message(test.method, "/x", test.head, test.body))
					answer = strings.TrimPrefix(answer, "HTTP/1.1 100 Continue\r\n\r\n")
					event, _ := f.last()
					if ill.times(test.method+" /x") == 0 && !strings.Contains(event.Note, "sent to another") && status(t, answer) == "200 OK" {
						continue
					}
					if status(t, answer) != test.status {
						t.Errorf("want %s; answer: %.300s", test.status, answer)
					}
					if strings.HasPrefix(test.status, "200") != strings.Contains(event.Note, "sent to another upstream, as "+ill.address) {
						t.Errorf("note: %q", event.Note)
					}
					if n := ill.times(test.method + " /x"); n > 1 {
						t.Errorf("the ill one was asked %d times", n)
					}
					return
				}
				t.Error("it was never the ill one's turn")
			})
		}
	}
}

// However many are ill, a request is tried three times at most, and all requests together
// a few times more than there are of them.
func TestRelay_bounds_its_tries(t *testing.T) {
	known := &proxy.Upstreams{}
	var ups []*ailing
	var addresses []*url.URL
	for range 5 {
		up := newAiling(t)
		up.become(hangingUp)
		ups, addresses = append(ups, up), append(addresses, up.url())
	}
	f := newFront(t, proxy.Options{Upstreams: known}, routing.Route{Path: "/", Upstreams: routing.To(addresses...)})
	asked := func() (n int) {
		for _, up := range ups {
			n += up.times("GET /x")
		}
		return n
	}
	if status, _ := f.ask(t, "GET", "/x"); status != http.StatusBadGateway || asked() != 3 {
		t.Errorf("%d after %d tries, want 502 after 3", status, asked())
	}
	const n = 500
	window := func() int { return int(time.Now().UnixNano() / int64(10*time.Second)) }
	begin := window()
	for range n - 1 {
		f.ask(t, "GET", "/x")
	}
	windows := window() - begin + 2 // and the one of the first request
	if got, most := asked(), n+windows*(n/5+10); got > most {
		t.Errorf("%d requests were sent %d times, want at most %d", n, got, most)
	}
	var moved, unmoved uint64
	for _, figures := range known.Figures() {
		moved, unmoved = moved+figures.Moved, unmoved+figures.Unmoved
	}
	if int(moved) != asked()-n || unmoved == 0 {
		t.Errorf("%d tries more, and %d not made; the upstreams were asked %d times for %d requests", moved, unmoved, asked(), n)
	}
}

// TestUpstreams_outlive_a_reload: what a reload does not change keeps its connections and
// its health, what it takes away ends when it is idle, and requests under way end where they
// began.
func TestUpstreams_outlive_a_reload(t *testing.T) {
	release := make(chan struct{})
	arrived := make(chan struct{}, 1)
	slow, _ := recorder(t, func(w http.ResponseWriter, _ *http.Request) {
		arrived <- struct{}{}
		<-release
		_, _ = io.WriteString(w, "the end")
	})
	var connections sync.Map
	kept, _ := recorder(t, func(w http.ResponseWriter, r *http.Request) {
		connections.Store(r.RemoteAddr, true)
		_, _ = io.WriteString(w, "ok")
	})
	gone := newAiling(t)
	gone.become(killed)
	known := &proxy.Upstreams{}
	stays := routing.Route{Path: "/", Upstreams: routing.To(kept, gone.url()), UpstreamIdle: time.Hour}
	f := newFront(t, proxy.Options{Upstreams: known}, stays, routing.Route{Path: "/slow/", Upstreams: routing.To(slow)})
	f.runChecks(t, known)
	for known.Figures()[0].Healthy && known.Figures()[1].Healthy && known.Figures()[2].Healthy {
		f.ask(t, "GET", "/x")
	}
	type answer struct {
		status int
		body   string
	}
	late := make(chan answer, 1)
	go func() {
		status, body := f.ask(t, "GET", "/slow/x")
		late <- answer{status, body}
	}()
	<-arrived

	next := table(t, stays)
	relay, err := proxy.NewRelay(next, proxy.Options{Upstreams: known, CookieNames: own})
	if err != nil {
		t.Fatal(err)
	}
	defer relay.Close()
	old := f.swap(next, relay)
	old.Close()
	old.Close() // does nothing
	for range 20 {
		if status, _ := f.ask(t, "GET", "/x"); status != http.StatusOK {
			t.Errorf("after the reload: %d", status)
		}
	}
	n := 0
	connections.Range(func(_, _ any) bool { n++; return true })
	if n != 1 {
		t.Errorf("%d connections, want the one that was kept", n)
	}
	for _, figures := range known.Figures() {
		if figures.Name == "http://"+gone.address && (figures.Healthy || figures.Changed != 1) {
			t.Errorf("what was out before: %+v", figures)
		}
	}
	close(release)
	if got := <-late; got != (answer{200, "the end"}) {
		t.Errorf("the request under way ended with %+v", got)
	}
}

// TestUpstreams_check_only_what_a_route_names: and only while one does, and with nothing of
// a user's.
func TestUpstreams_check_only_what_a_route_names(t *testing.T) {
	up, seen := recorder(t, nil)
	unchecked, others := recorder(t, nil)
	known := &proxy.Upstreams{}
	f := newFront(t, proxy.Options{Upstreams: known},
		routing.Route{Path: "/a/", Upstreams: routing.To(parse(t, up.String()+"/base")), HealthCheck: routing.HealthCheck{Path: "/healthz?deep=1", Interval: time.Millisecond, Timeout: patience, Rise: 1, Fall: 1}},
		routing.Route{Path: "/b/", Upstreams: routing.To(unchecked)})
	time.Sleep(10 * time.Millisecond)
	if n := seen.count(); n != 0 {
		t.Errorf("%d checks before there is a process to make them", n)
	}
	f.runChecks(t, known)
	for seen.count() < 3 {
		time.Sleep(time.Millisecond)
	}
	r := seen.last(t)
	if r.Method != "GET" || r.RequestURI != "/healthz?deep=1" || r.Host != up.Host || r.Header.Get("Authorization") != "" || r.UserAgent() != "Gatehouse-Health-Check" {
		t.Errorf("checked by %s %s of %s, %v", r.Method, r.RequestURI, r.Host, r.Header)
	}
	f.relay.(*proxy.Dispatcher).Close()
	time.Sleep(10 * time.Millisecond)
	before := seen.count()
	time.Sleep(50 * time.Millisecond)
	if n := seen.count() - before; n > 1 { // one may have been under way
		t.Errorf("%d checks after the last route was gone", n)
	}
	if n := others.count(); n != 0 {
		t.Errorf("%d checks of an upstream that has none", n)
	}
}

// TestUpstreams_tell_of_each_change once.
func TestUpstreams_tell_of_each_change(t *testing.T) {
	logs := &logBuffer{}
	known := &proxy.Upstreams{Log: slog.New(slog.NewTextHandler(logs, nil))}
	up := newAiling(t)
	f := newFront(t, proxy.Options{Upstreams: known}, routing.Route{
		Path: "/", Upstreams: routing.To(up.url()), // its health is known even though there is no other
		HealthCheck: routing.HealthCheck{Path: "/healthz", Interval: time.Millisecond, Timeout: patience, Rise: 2, Fall: 2},
	})
	f.runChecks(t, known)
	for range 2 {
		up.become(killed)
		f.await(t, known, up, false)
		up.become(well)
		f.await(t, known, up, true)
	}
	if status, _ := f.ask(t, "GET", "/x"); status != http.StatusOK {
		t.Errorf("the only upstream: %d", status)
	}
	text := logs.String()
	for line, n := range map[string]int{
		`level=WARN msg="an upstream is out" upstream=http://` + up.address + ` reason="health check: `: 2,
		`level=INFO msg="an upstream is back" upstream=http://` + up.address:                            2,
	} {
		if strings.Count(text, line) != n {
			t.Errorf("the log has not %d times %s:\n%s", n, line, text)
		}
	}
	if n := strings.Count(text, "\n"); n != 4 {
		t.Errorf("%d lines, want one for each change:\n%s", n, text)
	}
}

type logBuffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
