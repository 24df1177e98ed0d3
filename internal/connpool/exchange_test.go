package connpool

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// real runs a test of a pool on the machine's time, for requests that wait for their
// upstream: virtual time stands still then.
func real(t *testing.T, o Options) *rig {
	t.Helper()
	r := newRig(t, newUpstream(t), o)
	t.Cleanup(func() {
		r.Close()
		until(t, func() bool { return r.Load() == Load{} && r.count.Open.Load() == 0 })
	})
	return r
}

func TestDo_asks_again_what_may_be_asked_again(t *testing.T) {
	for _, method := range []string{"GET", "HEAD", "OPTIONS", "PUT", "DELETE", "POST", "PATCH", "TRACE", "FROB"} {
		idempotent := slices.Contains([]string{"GET", "HEAD", "OPTIONS", "PUT", "DELETE"}, method)
		for name, end := range map[string]struct {
			how  []string
			lost bool // it says nothing of having read the request
		}{
			"the end":              {[]string{"fail", ""}, true},
			"a reset":              {[]string{"fail", "", "reset", ""}, true},
			"a byte and the end":   {[]string{"fail", "H"}, false},
			"half a head, the end": {[]string{"fail", "HTTP/1.1 200 OK\r\nContent-Length"}, false},
			"nonsense":             {[]string{"fail", "x\r\n"}, false},
			"an interim answer":    {[]string{"fail", "HTTP/1.1 100 Continue\r\n\r\n"}, false},
			"nothing":              {[]string{"fail", "", "wait", ""}, false},
		} {
			for _, kept := range []bool{false, true} {
				t.Run(method+", "+name, func(t *testing.T) {
					r := real(t, options)
					q := request(method, "", end.how...)
					if slices.Contains(end.how, "wait") {
						q.Timeout = 20 * time.Millisecond
					}
					if kept {
						r.ask(t, get())
					} else {
						q = request(method, "", append(slices.Clone(end.how), "always", "")...)
						q.Timeout = 20 * time.Millisecond
						if !slices.Contains(end.how, "wait") {
							q.Timeout = 0
						}
					}
					r.up.asked()
					x, err := r.Do(t.Context(), q)
					again := kept && idempotent && end.lost
					if (err == nil) != again {
						t.Fatalf("kept connection %v: %v", kept, err)
					}
					if seen := len(r.up.asked()); !slices.Contains(end.how, "wait") && seen != map[bool]int{true: 2, false: 1}[again] || seen > 2 {
						t.Errorf("kept connection %v: it is asked %d times", kept, seen)
					}
					if n := r.count.Retried.Load(); (n == 1) != again {
						t.Errorf("counted %d", n)
					}
					if again {
						if !x.Retried {
							t.Error("the exchange says nothing of it")
						}
						finish(t, x)
					}
				})
			}
		}
	}
}

// Where one kept connection has ended, all of them have.
func TestDo_asks_again_over_a_new_connection(t *testing.T) {
	r := real(t, options)
	var busy []*Exchange
	for range 3 {
		busy = append(busy, r.begin(t, get()))
	}
	for _, x := range busy {
		finish(t, x)
	}
	r.ask(t, request("GET", "", "fail", ""))
	r.counted(t, 4, 1, 0, 1, 0, 0)
	r.load(t, Load{Open: 1, Idle: 1})
	for i := range 3 {
		r.up.ended(t, i+1)
	}
}

// It is asked twice, and no more.
func TestDo_asks_no_third_time(t *testing.T) {
	r := real(t, options)
	r.ask(t, get())
	r.up.asked()
	if x, err := r.Do(t.Context(), request("GET", "", "fail", "", "always", "")); !errors.Is(err, io.EOF) {
		t.Errorf("%v, %v", x, err)
	}
	if seen := r.up.asked(); len(seen) != 2 {
		t.Errorf("asked %q", seen)
	}
}

// A request that ends every connection it is sent over ends no others.
func TestDo_keeps_connections_that_a_request_did_not_end(t *testing.T) {
	r := real(t, options)
	one, other := r.begin(t, get()), r.begin(t, get())
	finish(t, one)
	finish(t, other)
	if x, err := r.Do(t.Context(), request("GET", "", "fail", "", "always", "")); !errors.Is(err, io.EOF) {
		t.Errorf("%v, %v", x, err)
	}
	r.load(t, Load{Open: 1, Idle: 1})
	if got := r.ask(t, get()); got != "1" {
		t.Errorf("answered over %s", got)
	}
}

// A connection that was dialled for somebody who left is as old as any.
func TestDo_asks_again_over_a_connection_that_nobody_had(t *testing.T) {
	r := real(t, options)
	w, err := r.join(false)
	if err != nil {
		t.Fatal(err)
	}
	r.leave(w)
	until(t, func() bool { return r.Load() == Load{Open: 1, Idle: 1} })
	// It closes as it is asked first, as any would that has waited for long.
	first := true
	var mu sync.Mutex
	r.up.mu.Lock()
	r.up.before = func(*side) bool {
		mu.Lock()
		defer mu.Unlock()
		defer func() { first = false }()
		return first
	}
	r.up.mu.Unlock()
	if got := r.ask(t, get()); got != "2" {
		t.Errorf("answered over %s", got)
	}
	r.counted(t, 2, 1, 0, 1, 0, 0)
}

// faulty is a connection over which writing fails once it is broken.
type faulty struct {
	*net.TCPConn
	broken *atomic.Bool
	takes  int // bytes before it fails
}

func (f *faulty) Write(p []byte) (int, error) {
	if !f.broken.Load() {
		return f.TCPConn.Write(p)
	}
	f.broken.Store(false)
	n, _ := f.TCPConn.Write(p[:f.takes])
	_ = f.TCPConn.Close()
	return n, &net.OpError{Op: "write", Err: os.NewSyscallError("write", syscall.EPIPE)}
}

func TestDo_asks_again_if_nothing_was_sent(t *testing.T) {
	for sent, method := range []string{"POST", "POST"} {
		up := newUpstream(t)
		var broken atomic.Bool
		r := newRig(t, up, with(func(o *Options) {
			o.Dial = func(ctx context.Context) (net.Conn, error) {
				conn, err := up.dial(ctx)
				return &faulty{conn.(*net.TCPConn), &broken, sent}, err
			}
		}))
		r.ask(t, get())
		broken.Store(true)
		x, err := r.Do(t.Context(), request(method, ""))
		if (err == nil) != (sent == 0) {
			t.Errorf("with %d bytes sent: %v", sent, err)
		}
		if err == nil {
			finish(t, x)
		}
		r.Close()
		r.load(t, Load{})
	}
}

func TestDo_sends_nothing_that_is_none(t *testing.T) {
	dialed := false
	r := newRig(t, nil, with(func(o *Options) {
		o.Dial = func(context.Context) (net.Conn, error) {
			dialed = true
			return nil, errors.New("no")
		}
	}))
	ended, end := context.WithCancel(t.Context())
	end()
	for name, test := range map[string]struct {
		ctx    context.Context
		change func(*Request)
		want   error
	}{
		"ended":        {ended, func(*Request) {}, context.Canceled},
		"method":       {t.Context(), func(q *Request) { q.Method = "GET /" }, errMethod},
		"target":       {t.Context(), func(q *Request) { q.Target = "/ HTTP/1.1\r\n" }, errTarget},
		"no target":    {t.Context(), func(q *Request) { q.Target = "" }, errTarget},
		"host":         {t.Context(), func(q *Request) { q.Host = "a\r\nb" }, errHost},
		"no host":      {t.Context(), func(q *Request) { q.Host = "" }, errHost},
		"header name":  {t.Context(), func(q *Request) { q.Header = map[string][]string{"A: b\r\nC": {""}} }, errFieldName},
		"header value": {t.Context(), func(q *Request) { q.Header = map[string][]string{"A": {"b\r\nC: d"}} }, errFieldValue},
		"long": {t.Context(), func(q *Request) {
			q.Header = map[string][]string{"A": {strings.Repeat("b", MaxHeadBytes)}}
		}, ErrHeadBytes},
	} {
		q := get()
		test.change(q)
		if _, err := r.Do(test.ctx, q); !errors.Is(err, test.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if dialed {
		t.Error("a connection was made for nothing")
	}
}

func TestExchange_keeps_no_connection_of_which_it_is_unsure(t *testing.T) {
	for name, answer := range map[string]string{
		"until the end":  "HTTP/1.1 200 OK\r\n\r\nok",
		"HTTP/1.0":       "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok",
		"two framings":   "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n0\r\n\r\n",
		"the upstream's": "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
	} {
		r := real(t, options)
		r.ask(t, request("GET", answer, "close", ""))
		if n := r.Load().Open; n != 0 {
			t.Errorf("%s: %d are kept", name, n)
		}
	}
	r := real(t, options)
	x := r.begin(t, get())
	_ = x.Close() // unread
	_ = x.Close()
	r.load(t, Load{})
	if _, err := r.Do(t.Context(), request("GET", "HTTP/1.1 101 Switching Protocols\r\n\r\n")); !errors.Is(err, errSwitched) {
		t.Errorf("a switch of protocols: %v", err)
	}
	r.load(t, Load{})
	r.up.ended(t, 2)
}

func TestExchange_counts_excess_once(t *testing.T) {
	const answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
	for name, raw := range map[string]string{
		"behind a length": answer + answer,
		"behind chunks":   "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nx",
		"behind no body":  "HTTP/1.1 204 No Content\r\n\r\nx",
	} {
		t.Run(name, func(t *testing.T) {
			r := real(t, options)
			r.ask(t, request("GET", raw))
			r.counted(t, 1, 0, 0, 0, 1, 0)
			r.load(t, Load{})
			if got := r.ask(t, get()); got != "2" {
				t.Errorf("the next answer: %q", got)
			}
		})
	}
}

// A request that is cancelled ends its connection, wherever it is.
func TestDo_ends_with_its_context(t *testing.T) {
	large := request("PUT", "", "unread", "")
	large.Body = make([]byte, 8<<20)
	for name, test := range map[string]struct {
		ask  *Request
		when func(*rig) bool
	}{
		"while it is written": {large, func(r *rig) bool { return r.Load() == Load{Open: 1} }},
		"before the head":     {request("GET", "", "fail", "", "always", "", "wait", ""), func(r *rig) bool { return len(r.up.asked()) == 1 }},
		"within the head":     {request("GET", "", "fail", "HTTP/1.1 200", "always", "", "wait", ""), func(r *rig) bool { return len(r.up.asked()) == 1 }},
	} {
		t.Run(name, func(t *testing.T) {
			r := real(t, options)
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error)
			go func() {
				_, err := r.Do(ctx, test.ask)
				done <- err
			}()
			until(t, func() bool { return test.when(r) })
			cancel()
			if err := <-done; !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
			r.load(t, Load{})
			if n := r.count.Open.Load(); n != 0 {
				t.Errorf("%d are open", n)
			}
		})
	}
	t.Run("within the body", func(t *testing.T) {
		r := real(t, options)
		ctx, cancel := context.WithCancel(t.Context())
		x, err := r.Do(ctx, request("GET", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(x, make([]byte, 2)); err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(time.Millisecond, cancel)
		if _, err := x.Read(make([]byte, 1)); !errors.Is(err, context.Canceled) {
			t.Errorf("read: %v", err)
		}
		_ = x.Close()
		r.load(t, Load{})
		r.up.ended(t, 1)
	})
	t.Run("behind the body", func(t *testing.T) {
		r := real(t, options)
		ctx, cancel := context.WithCancel(t.Context())
		x, err := r.Do(ctx, get())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadAll(x); err != nil {
			t.Fatal(err)
		}
		cancel()
		r.up.ended(t, 1)
		_ = x.Close()
		r.load(t, Load{})
	})
}

// A peer that takes nothing, or gives a head byte by byte, is left at its limit.
func TestDo_waits_for_no_longer_than_it_is_told(t *testing.T) {
	large := request("PUT", "", "unread", "")
	large.Body = make([]byte, 8<<20)
	for name, q := range map[string]*Request{
		"reads nothing": large,
		"says nothing":  request("GET", "", "fail", "", "always", "", "wait", ""),
		"drips":         request("GET", "HTTP/1.1 200 OK\r\nA: ", "drip", "a"),
	} {
		t.Run(name, func(t *testing.T) {
			r := real(t, options)
			q.Timeout = 20 * time.Millisecond
			_, err := r.Do(t.Context(), q)
			var late net.Error
			if !errors.As(err, &late) || !late.Timeout() {
				t.Errorf("%v", err)
			}
			r.load(t, Load{})
			if n := r.count.Retried.Load(); n != 0 {
				t.Errorf("asked again")
			}
		})
	}
}

// Whatever happens to requests, their places are given back.
func TestPool_gives_back_all_places_after_a_storm(t *testing.T) {
	const askers, each = 16, 60
	ways := [][]string{
		nil, nil, nil,
		{"fail", ""},
		{"fail", "", "always", ""},
		{"fail", "", "reset", ""},
		{"fail", "HTTP/1.1 2", "always", ""},
		{"close", ""},
		{"a", "HTTP/1.1 204 No Content\r\n\r\n"},
		{"a", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1HTTP/1.1 200 OK\r\n\r\n"},
		{"a", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n1", "close", ""},
		{"a", "nonsense\r\n\r\n"},
	}
	r := real(t, with(func(o *Options) { o.Connections, o.Waiters, o.Rest, o.Excess = 6, 8, time.Millisecond, func() {} }))
	var all sync.WaitGroup
	for n := range askers {
		random := rand.New(rand.NewPCG(12, uint64(n)))
		all.Go(func() {
			for range each {
				ctx, cancel := context.WithCancel(t.Context())
				if random.IntN(4) == 0 {
					time.AfterFunc(time.Duration(random.IntN(500))*time.Microsecond, cancel)
				}
				method := []string{"GET", "HEAD", "POST", "PUT"}[random.IntN(4)]
				x, err := r.Do(ctx, request(method, "", ways[random.IntN(len(ways))]...))
				if err == nil {
					if random.IntN(8) == 0 {
						x.Stream()
					}
					if random.IntN(4) > 0 {
						_, _ = io.Copy(io.Discard, x)
					}
					_ = x.Close()
				}
				cancel()
			}
		})
	}
	all.Wait()
	until(t, func() bool {
		l := r.Load()
		return l == Load{Open: l.Idle, Idle: l.Idle} && int64(l.Open) == r.count.Open.Load()
	})
}
