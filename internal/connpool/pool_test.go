package connpool

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/peek"
)

// with returns the options, changed.
func with(change func(*Options)) Options {
	o := options
	change(&o)
	return o
}

func TestPool_uses_the_connection_used_last(t *testing.T) {
	virtual(t, options, func(t *testing.T, r *rig) {
		var busy []*Exchange
		for range 3 {
			busy = append(busy, r.begin(t, get()))
		}
		for _, i := range []int{1, 0, 2} {
			finish(t, busy[i])
		}
		r.load(t, Load{Open: 3, Idle: 3})
		for range 3 {
			if got := r.ask(t, get()); got != "3" {
				t.Errorf("connection %s is used", got)
			}
		}
		last := r.begin(t, get())
		if got := r.ask(t, get()); got != "1" {
			t.Errorf("connection %s is used, while the last is busy", got)
		}
		finish(t, last)
	})
}

func TestPool_keeps_a_connection_for_no_longer_than_it_is_told(t *testing.T) {
	for name, test := range map[string]struct {
		idle    time.Duration
		answer  string
		waits   time.Duration
		another bool
	}{
		"less than the time":      {4 * time.Second, "", 4*time.Second - time.Millisecond, false},
		"the time":                {4 * time.Second, "", 4 * time.Second, true},
		"no time":                 {0, "", 0, true},
		"less than is announced":  {time.Minute, "Keep-Alive: timeout=5", 4*time.Second - time.Millisecond, false},
		"a second less, no more":  {time.Minute, "Keep-Alive: timeout=5", 4 * time.Second, true},
		"announced with blanks":   {time.Minute, "Keep-Alive: foo , TimeOut=5\t", 4 * time.Second, true},
		"announced in two lines":  {time.Minute, "Keep-Alive: foo\r\nKeep-Alive: timeout=5", 4 * time.Second, true},
		"a second is announced":   {time.Minute, "Keep-Alive: timeout=1", 0, true},
		"nothing is announced":    {time.Minute, "Keep-Alive: timeout=0", 0, true},
		"more is announced":       {4 * time.Second, "Keep-Alive: timeout=60", 4 * time.Second, true},
		"nonsense is announced":   {4 * time.Second, "Keep-Alive: timeout=-5, timeout=x, timeout, max=-1", 3 * time.Second, false},
		"much is announced":       {4 * time.Second, "Keep-Alive: timeout=99999999999", 3 * time.Second, false},
		"no more requests":        {time.Minute, "Keep-Alive: max=0", 0, true},
		"one more request":        {time.Minute, "Keep-Alive: max=1", 0, false},
		"the upstream will close": {time.Minute, "Connection: close", 0, true},
		"in a list":               {time.Minute, "Connection: foo, Close", 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			virtual(t, with(func(o *Options) { o.Idle = test.idle }), func(t *testing.T, r *rig) {
				answer := ""
				if test.answer != "" {
					answer = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n" + test.answer + "\r\n\r\n1"
				}
				r.ask(t, request("GET", answer))
				time.Sleep(test.waits)
				if another := r.ask(t, get()) == "2"; another != test.another {
					t.Errorf("asked over another connection: %v", another)
				}
			})
		})
	}
}

func TestPool_ends_a_connection_after_so_many_requests(t *testing.T) {
	virtual(t, options, func(t *testing.T, r *rig) {
		const max = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nKeep-Alive: max=2\r\n\r\n1"
		r.ask(t, request("GET", max))
		r.ask(t, get())
		r.load(t, Load{Open: 1, Idle: 1})
		r.ask(t, get())
		r.load(t, Load{})
		r.ask(t, get())
		r.idle[0].uses = maxUses - 1
		r.ask(t, get())
		r.load(t, Load{})
		r.counted(t, 2, 3, 0, 0, 0, 0)
	})
}

// What an upstream's name stands for now is found out sooner or later.
func TestPool_ends_a_connection_that_is_old(t *testing.T) {
	virtual(t, options, func(t *testing.T, r *rig) {
		first := time.Now()
		for r.ask(t, get()) == "1" {
			time.Sleep(time.Second)
		}
		if age := time.Since(first); age < maxAge/2 || age > maxAge+time.Second {
			t.Errorf("a connection is used for %v", age)
		}
	})
}

// Nobody takes the connection, and it is closed all the same.
func TestPool_closes_what_nobody_takes(t *testing.T) {
	for name, test := range map[string]struct {
		waits time.Duration
		end   func(*side)
	}{
		"too long unused":     {options.Idle, nil},
		"ended upstream":      {0, func(s *side) { _ = s.Close() }},
		"with bytes on it":    {0, func(s *side) { _, _ = io.WriteString(s, "x") }},
		"too long, and bytes": {options.Idle - 1, func(s *side) { _, _ = io.WriteString(s, "x") }},
	} {
		t.Run(name, func(t *testing.T) {
			virtual(t, options, func(t *testing.T, r *rig) {
				first, second := r.begin(t, get()), r.begin(t, request("HEAD", ""))
				c := first.conn
				finish(t, first)
				finish(t, second)
				r.load(t, Load{Open: 2, Idle: 2})
				time.Sleep(test.waits)
				if test.end != nil {
					test.end(r.up.all()[0])
					r.stirs(t, c)
				}
				time.Sleep(sweepEvery)
				r.up.ended(t, 1)
				synctest.Wait()
				if excess := r.count.Excess.Load(); (excess == 1) != strings.Contains(name, "bytes") || r.excess != int(excess) {
					t.Errorf("excess: %d, told of %d", excess, r.excess)
				}
				time.Sleep(options.Idle + sweepEvery)
				r.load(t, Load{})
			})
		})
	}
}

// stirs waits until something has come on the connection.
func (r *rig) stirs(t *testing.T, c *conn) {
	t.Helper()
	look := peek.New(c.Conn)
	until(t, func() bool { return !look.Quiet() })
}

// After an answer whose end no bytes tell, more may come at once.
func TestPool_lets_a_connection_rest(t *testing.T) {
	body := post()
	for name, test := range map[string]struct {
		ask   *Request
		rests bool
	}{
		"HEAD":             {request("HEAD", ""), true},
		"204":              {request("GET", "HTTP/1.1 204 No Content\r\n\r\n"), true},
		"304":              {request("GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n"), true},
		"length 0":         {request("GET", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), true},
		"POST with a body": {body, true},
		"POST":             {request("POST", ""), false},
		"GET":              {get(), false},
		"chunks":           {request("GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), false},
	} {
		t.Run(name, func(t *testing.T) {
			virtual(t, options, func(t *testing.T, r *rig) {
				r.ask(t, test.ask)
				r.load(t, Load{Open: 1, Idle: 1})
				time.Sleep(options.Rest - 1)
				x := r.begin(t, get())
				if rests := x.conn != nil && r.Load().Idle == 1; rests != test.rests {
					t.Fatalf("rests: %v", rests)
				}
				time.Sleep(time.Nanosecond)
				want := map[bool]string{true: "1", false: "2"}[test.rests]
				if got := r.ask(t, get()); got != want {
					t.Errorf("then connection %s is used, want %s", got, want)
				}
				finish(t, x)
			})
		})
	}
}

func TestPool_notices_what_comes_while_a_connection_rests(t *testing.T) {
	virtual(t, options, func(t *testing.T, r *rig) {
		r.ask(t, request("HEAD", ""))
		c := r.resting[0]
		_, _ = io.WriteString(r.up.all()[0], "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nother")
		r.stirs(t, c)
		time.Sleep(options.Rest)
		if got := r.ask(t, get()); got != "2" {
			t.Errorf("the next answer is %q", got)
		}
		r.up.ended(t, 1)
		r.counted(t, 2, 0, 0, 0, 1, 0)
	})
}

func TestPool_closes_what_rests_rather_than_to_refuse(t *testing.T) {
	virtual(t, with(func(o *Options) { o.Connections, o.Waiters = 2, 0 }), func(t *testing.T, r *rig) {
		busy := r.begin(t, get())
		for i := range 5 {
			r.ask(t, request("HEAD", ""))
			r.load(t, Load{Open: 2, Idle: 1})
			if i > 0 {
				r.up.ended(t, i+1)
			}
		}
		finish(t, busy)
		r.counted(t, 6, 0, 0, 0, 0, 0)
	})
}

func TestPool_serves_those_who_wait_in_their_order(t *testing.T) {
	virtual(t, with(func(o *Options) { o.Connections, o.Waiters = 2, 3 }), func(t *testing.T, r *rig) {
		busy := []*Exchange{r.begin(t, get()), r.begin(t, get())}
		var line []*waiting
		for range 3 {
			line = append(line, r.start(t.Context(), get()))
		}
		r.load(t, Load{Open: 2, Waiting: 3})
		if refused := r.start(t.Context(), get()); !refused.is(ErrBusy) {
			t.Error("a fourth waits")
		}
		for i, w := range line {
			if w.over() {
				t.Fatalf("%d is served before its turn", i)
			}
			if i == 1 {
				_ = busy[0].Close() // its body is unread, so that a dial takes its place
			} else {
				finish(t, busy[0])
			}
			busy = append(busy[1:], nil)
			<-w.done
			busy[1] = w.x
			r.load(t, Load{Open: 2, Waiting: 2 - i})
		}
		for _, x := range busy {
			finish(t, x)
		}
		r.counted(t, 3, 2, 0, 0, 0, 1)
	})
}

func TestPool_lets_nobody_wait_for_longer_than_it_is_told(t *testing.T) {
	virtual(t, with(func(o *Options) { o.Connections = 1 }), func(t *testing.T, r *rig) {
		busy := r.begin(t, get())
		begun := time.Now()
		first := r.start(t.Context(), get())
		time.Sleep(time.Second)
		second := r.start(t.Context(), get())
		<-first.done
		if took := time.Since(begun); !first.is(ErrBusy) || took != options.Wait || second.over() {
			t.Errorf("after %v: %v", took, first.err)
		}
		finish(t, busy)
		<-second.done
		finish(t, second.x)
		r.counted(t, 1, 1, 0, 0, 0, 1)
	})
}

// gate dials when it is told to, with an error or without.
type gate struct {
	up   *upstream
	pass chan error
}

func (g *gate) dial(ctx context.Context) (net.Conn, error) {
	if err := <-g.pass; err != nil {
		return nil, err
	}
	return g.up.dial(ctx)
}

// gated runs a test on virtual time, with dials that wait.
func gated(t *testing.T, o Options, test func(*testing.T, *rig, chan<- error)) {
	t.Helper()
	up := newUpstream(t)
	synctest.Test(t, func(t *testing.T) {
		g := &gate{up, make(chan error)}
		o.Dial = g.dial
		r := newRig(t, up, o)
		test(t, r, g.pass)
		r.empty(t)
	})
}

// Who has a dial of its own takes no place of those who wait for others.
func TestPool_counts_those_who_wait_for_others(t *testing.T) {
	gated(t, with(func(o *Options) { o.Connections, o.Waiters = 3, 2 }), func(t *testing.T, r *rig, dials chan<- error) {
		var all []*waiting
		for range 5 {
			all = append(all, r.start(t.Context(), get()))
		}
		r.load(t, Load{Open: 3, Waiting: 5})
		if sixth := r.start(t.Context(), get()); !sixth.is(ErrBusy) {
			t.Error("a sixth waits")
		}
		for range 3 {
			dials <- nil
		}
		synctest.Wait() // or one may be served before its dial is done
		for _, w := range all {
			<-w.done
			finish(t, w.x)
		}
		r.counted(t, 3, 2, 0, 0, 0, 1)
	})
}

func TestPool_gives_a_waiter_what_comes_first(t *testing.T) {
	gated(t, options, func(t *testing.T, r *rig, dials chan<- error) {
		first := r.start(t.Context(), get())
		dials <- nil
		<-first.done
		second := r.start(t.Context(), get()) // dials too
		finish(t, first.x)
		<-second.done
		if got := finish(t, second.x); got != "1" {
			t.Errorf("it was served by connection %s", got)
		}
		r.load(t, Load{Open: 2, Idle: 1})
		dials <- nil // which nobody waits for
		synctest.Wait()
		r.load(t, Load{Open: 2, Idle: 2})
		if got := r.ask(t, get()); got != "2" {
			t.Errorf("connection %s is used", got)
		}
		r.counted(t, 2, 2, 0, 0, 0, 0)
	})
}

func TestPool_gives_a_waiter_what_has_rested(t *testing.T) {
	gated(t, options, func(t *testing.T, r *rig, dials chan<- error) {
		first := r.start(t.Context(), request("HEAD", ""))
		dials <- nil
		<-first.done
		finish(t, first.x)
		second := r.start(t.Context(), get()) // while the first rests
		time.Sleep(sweepEvery)
		<-second.done
		if got := finish(t, second.x); got != "1" {
			t.Errorf("it was served by connection %s", got)
		}
		dials <- errors.New("nobody is hurt")
		synctest.Wait()
	})
}

func TestPool_hands_on_what_was_meant_for_others(t *testing.T) {
	gated(t, with(func(o *Options) { o.Connections = 1 }), func(t *testing.T, r *rig, dials chan<- error) {
		gone, leave := context.WithCancel(t.Context())
		left := r.start(gone, get())
		stays := r.start(t.Context(), get())
		leave()
		synctest.Wait()
		if !left.is(context.Canceled) {
			t.Errorf("who leaves gets %v", left.err)
		}
		dials <- nil
		<-stays.done
		finish(t, stays.x)
		r.counted(t, 1, 1, 0, 0, 0, 0)
	})
}

// A waiter may leave just as it is served.
func TestPool_loses_nothing_with_a_waiter_that_leaves(t *testing.T) {
	virtual(t, with(func(o *Options) { o.Connections = 1 }), func(t *testing.T, r *rig) {
		busy := r.begin(t, get())
		w, err := r.join(false)
		if err != nil {
			t.Fatal(err)
		}
		finish(t, busy)
		r.load(t, Load{Open: 1})
		r.leave(w)
		r.load(t, Load{Open: 1, Idle: 1})
	})
}

func TestPool_tells_a_waiter_of_its_own_dial_only(t *testing.T) {
	gated(t, with(func(o *Options) { o.Connections = 1 }), func(t *testing.T, r *rig, dials chan<- error) {
		broken := errors.New("broken")
		first, second := r.start(t.Context(), get()), r.start(t.Context(), get())
		time.Sleep(options.Wait - 1)
		dials <- broken
		<-first.done
		synctest.Wait()
		if !first.is(broken) || second.over() {
			t.Errorf("the first gets %v, the second %v", first.err, second.err)
		}
		time.Sleep(options.Wait) // its dial has a limit of its own
		dials <- nil
		<-second.done
		finish(t, second.x)
		if n := r.count.Failed.Load(); n != 1 {
			t.Errorf("%d dials failed", n)
		}
	})
}

// One who may take no used connection waits for the room of one, in its turn.
func TestPool_passes_over_nobody(t *testing.T) {
	virtual(t, with(func(o *Options) { o.Connections = 1 }), func(t *testing.T, r *rig) {
		busy := r.begin(t, get())
		fresh, err := r.join(true)
		if err != nil {
			t.Fatal(err)
		}
		other := r.start(t.Context(), get())
		finish(t, busy)
		d := <-fresh.ready
		if d.err != nil || d.c.kept || other.over() {
			t.Errorf("another comes first: %+v", d)
		}
		r.put(d.c, false)
		<-other.done
		finish(t, other.x)
	})
}

// Between giving a connection to a waiter and its use some time may pass.
func TestPool_looks_at_a_connection_that_a_waiter_gets(t *testing.T) {
	for name, end := range map[string]func(*side){
		"bytes":   func(s *side) { _, _ = io.WriteString(s, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nother") },
		"the end": func(s *side) { _ = s.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			virtual(t, with(func(o *Options) { o.Connections = 1 }), func(t *testing.T, r *rig) {
				busy := r.begin(t, get())
				c := busy.conn
				w, err := r.join(false)
				if err != nil {
					t.Fatal(err)
				}
				finish(t, busy)
				end(r.up.all()[0])
				r.stirs(t, c)
				got, err := r.await(t.Context(), w)
				if err != nil || got != c || r.usable(got) {
					t.Errorf("it may be used: %v", err)
				}
				r.load(t, Load{})
			})
		})
	}
}

func TestPool_gives_what_cannot_be_sent_again_what_was_used_lately(t *testing.T) {
	for method, careful := range map[string]bool{"POST": true, "PATCH": true, "FROB": true, "GET": false, "PUT": false, "DELETE": false} {
		virtual(t, options, func(t *testing.T, r *rig) {
			r.ask(t, get())
			time.Sleep(freshFor)
			if got := r.ask(t, request(method, "")); got != "1" {
				t.Errorf("%s goes over connection %s", method, got)
			}
			time.Sleep(freshFor + 1)
			if got := r.ask(t, request(method, "")); (got == "2") != careful {
				t.Errorf("%s goes over connection %s, after a while", method, got)
			}
		})
	}
}

// dials counts tries, and answers them with errors.
type dials struct {
	up     *upstream
	errors []error // nil stands for a connection
	tries  int
}

func (d *dials) dial(ctx context.Context) (net.Conn, error) {
	d.tries++
	if d.tries <= len(d.errors) {
		if err := d.errors[d.tries-1]; err != nil {
			return nil, &net.OpError{Op: "dial", Err: err}
		}
	}
	return d.up.dial(ctx)
}

func TestPool_bridges_a_restart(t *testing.T) {
	const no = syscall.ECONNREFUSED
	for name, test := range map[string]struct {
		errors []error
		waits  time.Duration // behind the first answer
		tries  int
		took   time.Duration
		err    error
		others bool // there is somewhere else to ask
	}{
		"it is up again":      {[]error{nil, no, no}, 0, 4, 150 * time.Millisecond, nil, false},
		"it was just in time": {[]error{nil, no, no, no, no}, 0, 6, 750 * time.Millisecond, nil, false},
		"it stays away":       {slices.Concat([]error{nil}, slices.Repeat([]error{no}, 9)), 0, 6, 750 * time.Millisecond, no, false},
		"it was long away":    {[]error{nil, no}, restartLately, 2, 0, no, false},
		"something else":      {[]error{nil, syscall.EHOSTUNREACH}, 0, 2, 0, syscall.EHOSTUNREACH, false},
		"it was never there":  {[]error{no}, 0, 1, 0, no, false},
		"there are others":    {[]error{nil, no, no}, 0, 2, 0, no, true},
	} {
		t.Run(name, func(t *testing.T) {
			up := newUpstream(t)
			synctest.Test(t, func(t *testing.T) {
				d := &dials{up: up, errors: test.errors}
				r := newRig(t, up, with(func(o *Options) { o.Dial, o.Elsewhere = d.dial, test.others }))
				if test.errors[0] == nil {
					r.ask(t, request("GET", "", "close", ""))
					r.forget(time.Now()) // whether its end has come or not
				}
				time.Sleep(test.waits)
				begun := time.Now()
				x, err := r.Do(t.Context(), get())
				if took := time.Since(begun); !errors.Is(err, test.err) || d.tries != test.tries || took != test.took {
					t.Errorf("%d tries within %v: %v", d.tries, took, err)
				}
				var failed *Unanswered
				if err != nil && (!errors.As(err, &failed) || failed.Sent) {
					t.Errorf("%#v does not say that nothing was sent", err)
				}
				if err == nil {
					finish(t, x)
				}
				r.empty(t)
			})
		})
	}
}

func TestPool_closes_what_comes_back_to_a_closed_one(t *testing.T) {
	virtual(t, options, func(t *testing.T, r *rig) {
		busy, unused := r.begin(t, get()), r.begin(t, get())
		finish(t, unused)
		r.Close()
		r.up.ended(t, 2)
		r.load(t, Load{Open: 1})
		finish(t, busy)
		r.up.ended(t, 1)
		if got := r.ask(t, get()); got != "3" {
			t.Errorf("connection %s is used", got)
		}
		r.up.ended(t, 3)
	})
}

func TestPool_counts_no_streams(t *testing.T) {
	virtual(t, with(func(o *Options) { o.Connections, o.Waiters = 1, 1 }), func(t *testing.T, r *rig) {
		stream := r.begin(t, get())
		waits := r.start(t.Context(), get())
		stream.Stream()
		stream.Stream()
		<-waits.done
		r.load(t, Load{Open: 1, Streams: 1})
		finish(t, waits.x)
		finish(t, stream)
		r.up.ended(t, 1)
		r.load(t, Load{Open: 1, Idle: 1})
	})
}

// A callback that panics takes its request along, and nothing else.
func TestPool_survives_who_is_told_of_excess(t *testing.T) {
	const answer = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1"
	virtual(t, with(func(o *Options) { o.Excess = func() { panic("told") } }), func(t *testing.T, r *rig) {
		panics := func(call func()) {
			defer func() {
				if got := recover(); got != "told" {
					t.Errorf("panic: %v", got)
				}
			}()
			call()
		}
		panics(func() { r.ask(t, request("GET", answer+"HTTP/1.1 200 OK\r\n\r\n")) })
		r.load(t, Load{})
		r.ask(t, get())
		c := r.idle[0]
		_, _ = io.WriteString(r.up.all()[1], "x")
		r.stirs(t, c)
		panics(func() { r.ask(t, get()) })
		r.load(t, Load{})
	})
}

func TestPool_tells_the_upstream_that_it_keeps_nothing(t *testing.T) {
	for _, idle := range []time.Duration{0, time.Second} {
		var sent strings.Builder
		head := get().head(nil, idle == 0)
		_, _ = fmt.Fprintf(&sent, "%s", head)
		if got := strings.Contains(sent.String(), "\r\nConnection: close\r\n"); got != (idle == 0) {
			t.Errorf("kept for %v: %q", idle, sent.String())
		}
	}
}
