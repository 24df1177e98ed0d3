package connpool

import (
	"context"
	"errors"
	"io"
	"os"
	"testing"
	"testing/synctest"
	"time"
)

// chunked is an answer whose body the test writes later.
const chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

func TestExchange_detached_outlives_its_context(t *testing.T) {
	r := real(t, options)
	ctx, cancel := context.WithCancel(t.Context())
	x, err := r.Do(ctx, request("GET", chunked))
	if err != nil {
		t.Fatal(err)
	}
	x.Detach()
	cancel()
	for _, piece := range []string{"2\r\nab\r\n", "2\r\ncd\r\n0\r\n\r\n"} {
		go func() { _, _ = io.WriteString(r.up.all()[0], piece) }()
		x.Await(0)
		got := make([]byte, 10)
		if n, err := x.Read(got); n != 2 || err != nil && !errors.Is(err, io.EOF) {
			t.Fatalf("%q, %v", got[:n], err)
		}
	}
	if rest := finish(t, x); rest != "" {
		t.Errorf("behind the end: %q", rest)
	}
	r.load(t, Load{Open: 1, Idle: 1}) // it may carry the next request
}

// An end of the context that came before has closed the connection.
func TestExchange_detached_too_late_is_closed(t *testing.T) {
	r := real(t, options)
	ctx, cancel := context.WithCancel(t.Context())
	x, err := r.Do(ctx, request("GET", chunked))
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	x.Detach()
	x.Await(0)
	if n, err := x.Read(make([]byte, 1)); n > 0 || err == nil {
		t.Errorf("%d bytes, %v", n, err)
	}
	_ = x.Close()
	r.load(t, Load{})
}

func TestExchange_detached_can_be_aborted(t *testing.T) {
	r := real(t, options)
	x := r.begin(t, request("GET", chunked))
	x.Detach()
	waits := make(chan error)
	go func() {
		x.Await(0)
		_, err := x.Read(make([]byte, 1))
		waits <- err
	}()
	x.Abort()
	x.Abort()
	if err := <-waits; err == nil || errors.Is(err, io.EOF) {
		t.Errorf("reading says %v", err)
	}
	_ = x.Close()
	r.load(t, Load{})
}

// A deadline of one wait is none of the next, nor of the next request.
func TestExchange_is_awaited_for_no_longer_than_that(t *testing.T) {
	r := real(t, options)
	x := r.begin(t, request("GET", chunked))
	x.Await(time.Millisecond)
	if _, err := x.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("read: %v", err)
	}
	go func() { _, _ = io.WriteString(r.up.all()[0], "2\r\nab\r\n0\r\n\r\n") }()
	x.Await(time.Hour)
	if got := finish(t, x); got != "ab" {
		t.Errorf("read %q", got)
	}
	time.Sleep(options.Rest)
	if got := r.ask(t, get()); got != "1" {
		t.Errorf("the next answer is %q", got)
	}
}

func TestPool_sheds_what_nobody_uses(t *testing.T) {
	virtual(t, options, func(t *testing.T, r *rig) {
		first, second, busy := r.begin(t, get()), r.begin(t, get()), r.begin(t, get())
		finish(t, first)
		finish(t, second)
		for i := range 2 {
			if !r.Shed() {
				t.Error("there was none to close")
			}
			r.up.ended(t, i+1) // the one that was not used for longest
		}
		if r.Shed() {
			t.Error("one that is in use is closed")
		}
		synctest.Wait()
		r.load(t, Load{Open: 1})
		finish(t, busy)
	})
}
