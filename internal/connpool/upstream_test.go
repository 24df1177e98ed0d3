package connpool

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// upstream answers as each request asks it to, over sockets, and knows what it was
// asked. It lives outside of the bubbles of virtual time: what waits for it there keeps
// time from passing.
type upstream struct {
	ln  net.Listener
	up  sync.WaitGroup
	end chan struct{} // closed with the test

	mu    sync.Mutex
	sides []*side
	seen  []string // method, path and length of the body of each request

	// before is told of each request, and says whether to close instead of an answer.
	before func(*side) bool
}

// side is the upstream's side of a connection.
type side struct {
	net.Conn
	number int
	served int
	gone   chan struct{} // closed when the connection has ended
}

// small makes the buffers of connections so small that a body of 64 kB does not fit
// into them.
const small = 4 << 10

func newUpstream(t *testing.T) *upstream {
	t.Helper()
	config := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) error {
		return raw.Control(func(fd uintptr) { _ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, small) })
	}}
	ln, err := config.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	u := &upstream{ln: ln, end: make(chan struct{})}
	u.up.Go(u.accept)
	t.Cleanup(func() {
		close(u.end)
		_ = ln.Close()
		for _, s := range u.all() {
			_ = s.Close()
		}
		u.up.Wait()
	})
	return u
}

func (u *upstream) accept() {
	for {
		conn, err := u.ln.Accept()
		if err != nil {
			return
		}
		u.mu.Lock()
		s := &side{Conn: conn, number: len(u.sides) + 1, gone: make(chan struct{})}
		u.sides = append(u.sides, s)
		u.mu.Unlock()
		u.up.Go(func() { u.serve(s) })
	}
}

// serve answers one request after the other, as their targets say.
func (u *upstream) serve(s *side) {
	defer close(s.gone)
	defer func() { _ = s.Close() }()
	br := bufio.NewReader(s)
	for {
		r, err := http.ReadRequest(br)
		if err != nil {
			return
		}
		how := r.URL.Query()
		if how.Has("unread") {
			_, _ = io.WriteString(s, how.Get("a"))
			<-u.end
			return
		}
		body, _ := io.ReadAll(r.Body)
		u.mu.Lock()
		u.seen = append(u.seen, fmt.Sprintf("%s %s %d", r.Method, r.URL.Path, len(body)))
		before := u.before
		u.mu.Unlock()
		s.served++
		switch {
		case before != nil && before(s):
			return
		case how.Has("fail") && (s.served > 1 || how.Has("always")):
			_, _ = io.WriteString(s, how.Get("fail"))
			if how.Has("reset") {
				_ = s.Conn.(*net.TCPConn).SetLinger(0)
			}
			if how.Has("wait") {
				_, _ = io.Copy(io.Discard, br)
			}
			return
		case how.Has("drip"):
			_, err = io.WriteString(s, how.Get("a"))
			for ; err == nil; _, err = io.WriteString(s, how.Get("drip")) {
				time.Sleep(time.Millisecond)
			}
			return
		case how.Has("a"):
			_, err = io.WriteString(s, how.Get("a"))
		case r.Method == http.MethodHead:
			_, err = io.WriteString(s, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n")
		default:
			_, err = fmt.Fprintf(s, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%d", s.number)
		}
		if err != nil || how.Has("close") {
			return
		}
	}
}

// all returns the sides of all connections, in the order in which they came.
func (u *upstream) all() []*side {
	u.mu.Lock()
	defer u.mu.Unlock()
	return append([]*side(nil), u.sides...)
}

// asked returns the requests since the last time it was called.
func (u *upstream) asked() []string {
	u.mu.Lock()
	defer u.mu.Unlock()
	seen := u.seen
	u.seen = nil
	return seen
}

// ended waits until the gateway has closed the connection of that number.
func (u *upstream) ended(t *testing.T, number int) {
	t.Helper()
	until(t, func() bool { return len(u.all()) >= number })
	<-u.all()[number-1].gone
}

// until waits for a condition, and lets no virtual time pass.
func until(t *testing.T, condition func() bool) {
	t.Helper()
	for !condition() {
		runtime.Gosched()
	}
}

// dial connects.
func (u *upstream) dial(ctx context.Context) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", u.ln.Addr().String())
	if err == nil {
		err = conn.(*net.TCPConn).SetWriteBuffer(small)
	}
	return conn, err
}

// rig is a pool, its upstream, and how often the pool told of excess.
type rig struct {
	*Pool
	up     *upstream
	excess int
}

// options are those of a test that says nothing about them.
var options = Options{Idle: 4 * time.Second, Rest: 20 * time.Millisecond, Connections: 4, Waiters: 4, Wait: 5 * time.Second}

// newRig returns a pool. Once the test is over nothing of it may be left.
func newRig(t *testing.T, up *upstream, o Options) *rig {
	t.Helper()
	r := &rig{up: up}
	if o.Dial == nil {
		o.Dial = up.dial
	}
	if o.Excess == nil {
		o.Excess = func() { r.excess++ }
	}
	r.Pool = New(o)
	return r
}

// virtual runs a test of a pool on virtual time.
func virtual(t *testing.T, o Options, test func(*testing.T, *rig)) {
	t.Helper()
	up := newUpstream(t)
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, up, o)
		test(t, r)
		r.empty(t)
	})
}

// empty closes the pool and checks that it has given back all that it had.
func (r *rig) empty(t *testing.T) {
	t.Helper()
	r.Close()
	synctest.Wait()
	r.load(t, Load{})
	if n := r.count.Open.Load(); n != 0 {
		t.Errorf("%d connections are open", n)
	}
}

func (r *rig) load(t *testing.T, want Load) {
	t.Helper()
	if got := r.Load(); got != want {
		t.Errorf("load: %+v, want %+v", got, want)
	}
}

// counted compares what the pool has counted, but for the open ones.
func (r *rig) counted(t *testing.T, dialed, reused, stale, retried, excess, refused uint64) {
	t.Helper()
	c := r.count
	got := [...]uint64{c.Dialed.Load(), c.Reused.Load(), c.Stale.Load(), c.Retried.Load(), c.Excess.Load(), c.Refused.Load()}
	if want := [...]uint64{dialed, reused, stale, retried, excess, refused}; got != want {
		t.Errorf("dialed, reused, stale, retried, excess, refused: %v, want %v", got, want)
	}
	if r.excess != int(excess) {
		t.Errorf("told of excess %d times, counted %d", r.excess, excess)
	}
}

// request asks for an answer, given in raw form; for "" it is the number of the
// connection.
func request(method, answer string, more ...string) *Request {
	how := url.Values{}
	if answer != "" {
		how.Set("a", answer)
	}
	for i := 0; i < len(more); i += 2 {
		how.Set(more[i], more[i+1])
	}
	return &Request{Method: method, Target: "/x?" + how.Encode(), Host: "up.example"}
}

func get() *Request { return request("GET", "") }

func post() *Request {
	r := request("POST", "")
	r.Body = []byte("abc")
	return r
}

// begin asks, and leaves the answer's body unread: the connection stays busy.
func (r *rig) begin(t *testing.T, q *Request) *Exchange {
	t.Helper()
	x, err := r.Do(t.Context(), q)
	if err != nil {
		t.Fatalf("%s: %v", q.Method, err)
	}
	return x
}

// finish reads an answer to its end.
func finish(t *testing.T, x *Exchange) string {
	t.Helper()
	body, err := io.ReadAll(x)
	if err != nil {
		t.Errorf("read body: %v", err)
	}
	_ = x.Close()
	return string(body)
}

// ask asks, and reads the answer to its end.
func (r *rig) ask(t *testing.T, q *Request) string {
	t.Helper()
	return finish(t, r.begin(t, q))
}

// waiting is a request that is asked in the background.
type waiting struct {
	x    *Exchange
	err  error
	done chan struct{}
}

// start asks in the background, and returns when nothing moves any more.
func (r *rig) start(ctx context.Context, q *Request) *waiting {
	w := &waiting{done: make(chan struct{})}
	go func() {
		defer close(w.done)
		w.x, w.err = r.Do(ctx, q)
	}()
	synctest.Wait()
	return w
}

// is reports whether Do has returned the error; nil stands for an answer.
func (w *waiting) is(want error) bool {
	select {
	case <-w.done:
		return errors.Is(w.err, want) && (w.x != nil) == (want == nil)
	default:
		return false
	}
}

func (w *waiting) over() bool {
	select {
	case <-w.done:
		return true
	default:
		return false
	}
}
