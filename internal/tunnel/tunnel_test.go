package tunnel

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

// ends are the outer ends of a tunnel, as its client and its upstream hold them.
type ends struct {
	client, upstream net.Conn
	ended            chan bool // what Carry returned
}

// carry opens a tunnel through pipes, whose writes last until they are read. It
// is for a bubble of synctest, where no time passes while anybody is at work.
func carry(t *testing.T, r *Registry) *ends {
	t.Helper()
	client, inner := net.Pipe()
	upstream, outer := net.Pipe()
	through, ok := r.Open(nil)
	if !ok {
		t.Fatal("no tunnel is opened")
	}
	e := &ends{client, upstream, make(chan bool, 1)}
	go func() {
		defer through.Close()
		e.ended <- through.Carry(t.Context(), inner, inner, outer)
	}()
	return e
}

// wants fails unless exactly these bytes come next.
func wants(t *testing.T, from io.Reader, want []byte) {
	t.Helper()
	got := make([]byte, len(want))
	if _, err := io.ReadFull(from, got); err != nil || !bytes.Equal(got, want) {
		t.Fatalf("%x comes, want %x: %v", got, want, err)
	}
}

// send writes to a pipe, which lasts until somebody has read it.
func send(t *testing.T, to io.Writer, p []byte) {
	t.Helper()
	go func() {
		if _, err := to.Write(p); err != nil {
			t.Errorf("write %x: %v", p, err)
		}
	}()
}

// The close frame goes to the client between two frames. The client's answer goes
// on to the upstream, so that both know why the tunnel ends.
func TestClose_sends_a_close_frame_and_waits_for_the_answer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r Registry
		e := carry(t, &r)
		send(t, e.upstream, frame(1, false, 5))
		wants(t, e.client, frame(1, false, 5))
		r.Close()
		wants(t, e.client, []byte{0x88, 2, 0x03, 0xe9})
		answer := frame(opClose, true, 2)
		send(t, e.client, answer)
		wants(t, e.upstream, answer)
		if r.Len() != 1 {
			t.Error("the tunnel is gone before its ends")
		}
		send(t, e.upstream, frame(opClose, false, 2)) // which comes too late to pass
		synctest.Wait()
		_ = e.upstream.Close()
		if rest, err := io.ReadAll(e.client); err != nil || len(rest) != 0 {
			t.Errorf("after the close frame: %x, %v", rest, err)
		}
		if !<-e.ended {
			t.Error("the tunnel does not say that it was ended")
		}
		if err := r.Wait(t.Context()); err != nil || r.Len() != 0 {
			t.Errorf("%d are open: %v", r.Len(), err)
		}
	})
}

func TestClose_lets_the_frame_under_way_pass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r Registry
		e := carry(t, &r)
		whole := frame(2, false, 300)
		send(t, e.upstream, whole[:100])
		wants(t, e.client, whole[:100])
		r.Close()
		synctest.Wait()
		send(t, e.upstream, whole[100:])
		wants(t, e.client, append(whole[100:], goingAway.frame()...))
		<-e.ended
	})
}

func TestClose_adds_nothing_to_a_closing_handshake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r Registry
		e := carry(t, &r)
		send(t, e.upstream, frame(opClose, false, 2))
		wants(t, e.client, frame(opClose, false, 2))
		r.Close()
		synctest.Wait()
		_ = e.upstream.Close()
		if rest, _ := io.ReadAll(e.client); len(rest) != 0 {
			t.Errorf("after the upstream's own close frame: %x", rest)
		}
		<-e.ended
	})
}

// A client that takes nothing and says nothing is not waited for.
func TestClose_ends_a_tunnel_of_a_client_that_is_gone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r Registry
		e := carry(t, &r)
		go func() { _, _ = e.upstream.Write(frame(1, false, 5)) }() // which nobody reads
		synctest.Wait()
		start := time.Now()
		r.Close()
		if err := r.Wait(t.Context()); err != nil || !<-e.ended || time.Since(start) > closeTimeout {
			t.Errorf("ended after %v: %v", time.Since(start), err)
		}
	})
}

// The end of one side, and that of the context, are tested in package proxy.
func TestCarry_tells_its_own_end_from_that_of_the_registry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r Registry
		e := carry(t, &r)
		_ = e.client.Close()
		if <-e.ended {
			t.Error("the tunnel says that it was ended")
		}
	})
}

// A context that says why it ends has the client told, and waits no longer than a stop.
func TestCarry_tells_the_client_why_its_context_ends(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, end := context.WithCancelCause(t.Context())
		client, inner := net.Pipe()
		upstream, outer := net.Pipe()
		var r Registry
		through, _ := r.Open(nil)
		ended := make(chan bool)
		go func() { ended <- through.Carry(ctx, inner, inner, outer) }()
		send(t, client, frame(1, true, 5))
		wants(t, upstream, frame(1, true, 5))
		start := time.Now()
		end(Closing{Code: 1008, Reason: "why"})
		wants(t, client, []byte("\x88\x05\x03\xf0why"))
		if <-ended {
			t.Error("the tunnel says that the registry ended it")
		}
		if took := time.Since(start); took != closeTimeout {
			t.Errorf("a client that does not answer is waited for %v", took)
		}
		if _, err := upstream.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Errorf("the upstream sees %v", err)
		}
	})
}

func TestOpen_refuses_one_too_many(t *testing.T) {
	r := Registry{Most: 1}
	first, ok := r.Open(nil)
	if !ok || !r.Full() {
		t.Fatal("there is no place for one")
	}
	if _, ok := r.Open(nil); ok {
		t.Error("there are two")
	}
	first.Close()
	if _, ok := r.Open(nil); !ok {
		t.Error("a place that was given up is taken")
	}
	var all Registry
	for range 10 {
		if _, ok := all.Open(nil); !ok || all.Full() {
			t.Error("there is a limit where none was set")
		}
	}
}

func TestWait_says_how_many_are_left(t *testing.T) {
	var r Registry
	a, _ := r.Open(nil)
	b, _ := r.Open(nil)
	c, _ := r.Open(nil)
	if r.Len() != 3 {
		t.Errorf("%d are open", r.Len())
	}
	r.Close()
	r.Close()
	if _, ok := r.Open(nil); ok {
		t.Error("one is opened after the end")
	}
	c.Close()
	c.Close()
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if err := r.Wait(over); !errors.Is(err, context.Canceled) || err.Error() != "2 still open: context canceled" {
		t.Errorf("Wait returns %v", err)
	}
	a.Close()
	b.Close()
	if err := r.Wait(t.Context()); err != nil {
		t.Errorf("Wait returns %v with none left", err)
	}
	var none Registry
	none.Close()
	if err := none.Wait(t.Context()); err != nil {
		t.Errorf("Wait returns %v with none at all", err)
	}
}
