package proxy_test

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/proxy"
	"github.com/gatehouse-auth/gatehouse/internal/routing"
)

// The release's first condition: whatever an upstream sends behind an answer, nobody
// else gets it as his.
func TestRelay_gives_nobody_the_answer_of_another(t *testing.T) {
	for _, scheme := range []string{"http", "https"} {
		for _, transport := range transports {
			t.Run(scheme+"_"+string(transport), func(t *testing.T) {
				up := newWicked(t, scheme)
				f := newFront(t, proxy.Options{}.WithUpstreamTLS(up.clientTLS), routing.Route{Path: "/", Upstreams: routing.To(up.url), StandardTransport: transport.standard()})
				storm := &storm{up: up, address: f.Listener.Addr().String()}
				storm.run(t, stormRequests)
				t.Log(storm)
				if n := storm.crossed.Load(); n > 0 {
					t.Errorf("%d of %d answers were another's", n, storm.asked.Load())
				}
				if refused, innocent := storm.refused.Load(), storm.innocent.Load(); 1000*refused >= innocent {
					t.Errorf("%d of %d innocent requests were refused", refused, innocent)
				}
				if t.Failed() {
					t.Log(strings.Join(storm.tales, "\n"))
				}
				for _, what := range up.mixed {
					t.Errorf("the upstream was asked for %s", what)
				}
			})
		}
	}
}

// What finds nothing in the relay must find something elsewhere.
func TestStorm_finds_what_crosses(t *testing.T) {
	for _, scheme := range []string{"http", "https"} {
		t.Run(scheme, func(t *testing.T) {
			up := newWicked(t, scheme)
			careless := &httputil.ReverseProxy{
				Rewrite:      func(pr *httputil.ProxyRequest) { pr.SetURL(up.url) },
				Transport:    &http.Transport{MaxIdleConnsPerHost: 512, TLSClientConfig: up.clientTLS},
				ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
			}
			f := httptest.NewUnstartedServer(careless)
			f.Config.ErrorLog = log.New(io.Discard, "", 0)
			f.Start()
			defer f.Close()
			log.SetOutput(io.Discard) // http.Transport tells it of some
			defer log.SetOutput(os.Stderr)
			// Where answers cross, some never come.
			storm := &storm{up: up, address: f.Listener.Addr().String(), limit: time.Second}
			for range 100 {
				if storm.run(t, 160); storm.crossed.Load() > 0 {
					t.Log(storm)
					return
				}
			}
			t.Errorf("nothing: %v", storm)
		})
	}
}

// storm is a crowd of clients that ask one wicked upstream by one front, and counts
// what came of it.
type storm struct {
	up      *wicked       // nil for another upstream
	address string        // of the front
	draw    func() deed   // default: draw
	limit   time.Duration // of one request; default: patience

	asked, innocent, refused  atomic.Int64
	crossed, excused, dropped atomic.Int64

	mu    sync.Mutex
	tales []string // of some that went wrong
}

// tell notes what went wrong with a deed, for the first few.
func (s *storm) tell(d deed, got outcome) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.tales) < 10 {
		s.tales = append(s.tales, fmt.Sprintf("%s /%s/%s with %d bytes (chunks: %v, Expect: %v): %d %.200s",
			d.method, d.how, d.framing, d.body, d.chunked, d.expect, got.status, got.head))
	}
}

func (s *storm) String() string {
	return fmt.Sprintf("%d requests, %d with another's answer, %d where nobody could have told, %d cancelled; %d innocent, %d of them refused",
		s.asked.Load(), s.crossed.Load(), s.excused.Load(), s.dropped.Load(), s.innocent.Load(), s.refused.Load())
}

const clients = 16

// run has the clients ask that many requests in all.
func (s *storm) run(t testing.TB, requests int) {
	t.Helper()
	next := draw
	if s.draw != nil {
		next = s.draw
	}
	var all sync.WaitGroup
	for range clients {
		all.Go(func() {
			c := &client{t: t, address: s.address, limit: s.limit}
			defer c.leave()
			for range requests / clients {
				s.ask(c, next())
			}
		})
	}
	all.Wait()
}

// deed is one request of a client's.
type deed struct {
	how, framing string
	method       string
	body         int  // bytes
	chunked      bool // the body
	expect       bool // it waits for a 100 (Continue)
	leaves       bool // before the answer is over
	n            nonce
}

// draw returns a deed: every other one is innocent.
func draw() deed {
	d := deed{how: honest, n: newNonce()}
	d.method = pick(http.MethodGet, http.MethodGet, http.MethodHead, http.MethodPost)
	d.framing = pick(length, chunks, empty, none, unmodified)
	if rand.IntN(2) == 0 {
		d.how = pick(excess, late, busy, broken, hinted)
	}
	if d.method == http.MethodPost {
		d.body = pick(0, 100, 70_000)
		d.chunked = d.body > 0 && rand.IntN(2) == 0
		d.expect = d.body > 0 && rand.IntN(4) == 0
		if d.how != honest && rand.IntN(3) == 0 {
			d.how = early
		}
	}
	if d.how == late && d.method != http.MethodHead {
		// Behind a body, late is what nobody can tell from an answer.
		d.framing = pick(empty, none, unmodified)
	}
	d.leaves = d.how != honest && rand.IntN(8) == 0
	return d
}

func pick[T any](from ...T) T { return from[rand.IntN(len(from))] }

// ask has a client ask, and counts what came of it.
func (s *storm) ask(c *client, d deed) {
	got := c.exchange(d)
	s.count(d, got)
	if d.method == http.MethodPost && s.up.times(d.n) > 1 {
		c.t.Errorf("a POST was sent %d times", s.up.times(d.n))
	}
}

func (s *storm) count(d deed, got outcome) {
	s.asked.Add(1)
	if d.leaves {
		s.dropped.Add(1)
	}
	if d.how == honest {
		s.innocent.Add(1)
	}
	switch other, is := got.foreign(d.n); {
	case is && s.up != nil && s.up.excuses(other):
		s.excused.Add(1)
	case is, strings.Contains(got.body, forgery):
		s.crossed.Add(1)
		s.tell(d, got)
	case d.how == honest && got.status != honestStatus(d.framing):
		s.refused.Add(1)
		s.tell(d, got)
	}
}

func honestStatus(framing string) int {
	switch framing {
	case none:
		return http.StatusNoContent
	case unmodified:
		return http.StatusNotModified
	}
	return http.StatusOK
}

// client is one client of a front, with one connection at a time.
type client struct {
	t       testing.TB
	address string        // of the front
	limit   time.Duration // of one request; default: patience
	conn    net.Conn
	in      *bufio.Reader
}

func (c *client) leave() {
	if c.conn != nil {
		_ = c.conn.Close()
		c.conn = nil
	}
}

// outcome is what a client got.
type outcome struct {
	status     int // 0 if the answer is not whole
	head, body string
	last       bool // the connection is of no more use
}

// foreign returns the nonce of another in it, if there is one.
func (o outcome) foreign(n nonce) (nonce, bool) {
	if other, is := n.foreign(o.head); is {
		return other, true
	}
	return n.foreign(o.body)
}

// exchange asks and reads what comes. A client that is to leave reads the head at most.
func (c *client) exchange(d deed) outcome {
	if c.conn == nil {
		conn, err := net.Dial("tcp", c.address)
		if err != nil {
			c.t.Error(err)
			return outcome{}
		}
		c.conn, c.in = conn, bufio.NewReader(conn)
	}
	_ = c.conn.SetDeadline(time.Now().Add(cmp.Or(c.limit, patience)))
	got := c.receive(d, c.send(d))
	if got.last {
		c.leave()
	}
	return got
}

// send sends the request, and returns what of it waits for a 100 (Continue).
func (c *client) send(d deed) (waiting string) {
	head, body := d.message()
	if d.expect {
		head, body, waiting = head+"Expect: 100-continue\r\n", "", body
	}
	// It fails where an answer comes early, which may be read all the same.
	_, _ = io.WriteString(c.conn, head+"\r\n"+body)
	return waiting
}

func (c *client) receive(d deed, waiting string) outcome {
	if d.leaves && rand.IntN(2) == 0 {
		return outcome{last: true}
	}
	asked := &http.Request{Method: d.method}
	res, err := http.ReadResponse(c.in, asked)
	refused := d.expect && err == nil && res.StatusCode != http.StatusContinue
	if d.expect && err == nil && !refused {
		_, _ = io.WriteString(c.conn, waiting)
		res, err = http.ReadResponse(c.in, asked)
	}
	if err != nil {
		return outcome{last: true}
	}
	got := outcome{head: fmt.Sprint(res.Header), status: res.StatusCode, last: refused || res.Close || d.leaves}
	if d.leaves {
		return got
	}
	body, err := io.ReadAll(res.Body)
	if got.body = string(body); err != nil {
		got.status, got.last = 0, true
	}
	return got
}

// message is the request, without the empty line behind its head.
func (d deed) message() (head, body string) {
	head = fmt.Sprintf("%s /%s/%s/%s HTTP/1.1\r\nHost: app.example\r\nX-Nonce: %s\r\n", d.method, d.how, d.framing, d.n, d.n)
	switch {
	case d.chunked:
		body = fill(d.body, d.n)
		return head + "Transfer-Encoding: chunked\r\n", chunk(body[:d.body/2]) + chunk(body[d.body/2:]) + "0\r\n\r\n"
	case d.method == http.MethodPost:
		return head + fmt.Sprintf("Content-Length: %d\r\n", d.body), fill(d.body, d.n)
	}
	return head, ""
}
