package clientconn

import (
	"crypto/tls"
	"errors"
	"io"
	"math"
	"net"
	"net/http"
	"os"
	"testing"
	"testing/synctest"
	"time"
)

// pipes is a listener whose connections are pipes.
type pipes struct {
	incoming chan net.Conn
}

func (p *pipes) Accept() (net.Conn, error) {
	conn := <-p.incoming
	if conn == nil {
		return nil, net.ErrClosed
	}
	return conn, nil
}

func (*pipes) Close() error   { return nil }
func (*pipes) Addr() net.Addr { return nil }

// door is a listener with a way in.
type door struct {
	t *testing.T
	*Listener
	room  *Room
	pipes *pipes
}

func newDoor(t *testing.T, most int) *door {
	p, room := &pipes{make(chan net.Conn, 1)}, NewRoom(most, time.Minute)
	return &door{t, room.Listen(p), room, p}
}

// enter connects, and returns both ends: the server's is nil for who is not let in.
func (d *door) enter() (client net.Conn, server *Conn) {
	d.t.Helper()
	client, inner := net.Pipe()
	d.pipes.incoming <- inner
	came := make(chan net.Conn, 1)
	go func() {
		if conn, err := d.Accept(); err == nil {
			came <- conn
		}
	}()
	synctest.Wait()
	select {
	case conn := <-came:
		server = conn.(*Conn)
	default:
		d.pipes.incoming <- nil // ends the waiting
	}
	time.Sleep(time.Second) // so that who came first has waited longest
	return client, server
}

// gone reports whether the server's end was closed.
func gone(client net.Conn) bool {
	_ = client.SetReadDeadline(time.Now().Add(time.Millisecond))
	_, err := client.Read(make([]byte, 1))
	return errors.Is(err, io.EOF)
}

func (d *door) want(open int, displaced, refused uint64) {
	d.t.Helper()
	if got, want := d.room.Figures(), (Figures{Clients: open, Displaced: displaced, Refused: refused}); got != want {
		d.t.Errorf("%+v, want %+v", got, want)
	}
}

func TestListener_makes_room(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDoor(t, 3)
		first, firstConn := d.enter()
		second, secondConn := d.enter()
		third, thirdConn := d.enter()
		d.want(3, 0, 0)
		d.State(firstConn, http.StateActive) // it is served

		fourth, fourthConn := d.enter()
		if gone(first) || !gone(second) || gone(third) || gone(fourth) {
			t.Error("not the one that waits longest has made room")
		}
		d.want(3, 1, 0)
		_ = secondConn.Close() // as net/http does when it finds out
		d.want(3, 1, 0)

		d.State(thirdConn, http.StateActive)
		d.State(fourthConn, http.StateActive)
		d.State(firstConn, http.StateIdle)
		d.enter()
		if !gone(first) || gone(third) || gone(fourth) {
			t.Error("one between two requests does not make room before those that are served")
		}
		d.want(3, 2, 0)
		_ = thirdConn.Close()
		d.want(2, 2, 0)
	})
}

func TestListener_refuses_where_all_are_served(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDoor(t, 2)
		for range 2 {
			_, conn := d.enter()
			d.State(conn, http.StateActive)
		}
		client, conn := d.enter()
		if conn != nil || !gone(client) {
			t.Error("one too many is let in")
		}
		d.want(2, 0, 1)
	})
}

// A client that is waited for in the middle of a request makes room as well: for the rest
// of a body, and for what was written to be taken.
func TestListener_takes_the_place_of_whoever_hangs(t *testing.T) {
	for name, hang := range map[string]func(c *Conn){
		"a_body":            (*Conn).AwaitBody,
		"a_writer":          func(c *Conn) { go func() { _, _ = c.Write([]byte("x")) }() },
		"a_stream":          (*Conn).AwaitStream,
		"one_of_two_bodies": func(c *Conn) { c.AwaitBody(); c.AwaitBody(); c.BodyCame() },
		"one_of_two":        func(c *Conn) { c.AwaitStream(); c.AwaitStream(); c.StreamTook() },
		"a_refused_body":    (*Conn).Idle,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDoor(t, 2)
				busy, busyConn := d.enter()
				d.State(busyConn, http.StateActive)
				hung, hungConn := d.enter()
				d.State(hungConn, http.StateActive)
				hang(hungConn)
				synctest.Wait()
				if _, conn := d.enter(); conn == nil || gone(busy) || !gone(drained{hung}) {
					t.Errorf("let in: %v, served one gone: %v", conn != nil, gone(busy))
				}
			})
		})
	}
	t.Run("but_not_of_one_that_goes_on", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			d := newDoor(t, 1)
			client, conn := d.enter()
			d.State(conn, http.StateActive)
			conn.AwaitBody()
			conn.BodyCame()
			conn.AwaitStream()
			conn.StreamTook()
			go func() { _, _ = client.Read(make([]byte, 1)) }()
			_, _ = conn.Write([]byte("x"))
			if _, other := d.enter(); other != nil {
				t.Error("a connection that is served has made room")
			}
		})
	})
}

// drained is a client that would find what was written to it before the end.
type drained struct{ net.Conn }

func (c drained) Read(p []byte) (int, error) {
	for {
		if n, err := c.Conn.Read(p); err != nil {
			return n, err
		}
	}
}

// What a request needs takes the place of what a client has that hangs in the midst of one,
// and of nobody else.
func TestRoom_is_there_for_requests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const most = 3
		d := newDoor(t, most)
		idle, _ := d.enter()
		served, servedConn := d.enter()
		hung, hungConn := d.enter()
		d.State(servedConn, http.StateActive)
		d.State(hungConn, http.StateActive)
		for range most {
			if !d.room.Take() {
				t.Fatal("there is no room")
			}
		}
		hungConn.AwaitStream()
		if !d.room.Take() || gone(idle) || gone(served) || !gone(hung) {
			t.Error("not the one that hangs has made room")
		}
		for range slack - 1 { // it takes a moment until its own are closed
			if !d.room.Take() {
				t.Error("there is no slack")
			}
		}
		if d.room.Take() || gone(idle) || gone(served) {
			t.Error("there is room for more than there may be")
		}
		if f, want := d.room.Figures(), (Figures{Clients: 2, Taken: most + slack, Displaced: 1, Denied: 1}); f != want {
			t.Errorf("%+v, want %+v", f, want)
		}
		d.room.GiveBack()
		if !d.room.Take() {
			t.Error("a place that was given up is taken")
		}
	})
	var nobodys *Room
	if !nobodys.Take() {
		t.Error("there is a limit where nobody set one")
	}
	nobodys.GiveBack()
}

func TestConn_writes_within_a_time(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDoor(t, 8)
		write := func(conn *Conn, set func()) time.Duration {
			start := time.Now()
			go set()
			if _, err := conn.Write([]byte("x")); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("a write that nobody takes: %v", err)
			}
			return time.Since(start)
		}
		_, conn := d.enter()
		for range 2 { // the second as the first
			if took := write(conn, func() {}); took != time.Minute {
				t.Errorf("ended after %v, want a minute", took)
			}
		}
		_ = conn.SetWriteDeadline(time.Now().Add(10 * time.Second))
		if took := write(conn, func() {}); took != 10*time.Second {
			t.Errorf("ended after %v, want the ten seconds that were set", took)
		}
		_ = conn.SetDeadline(time.Now().Add(time.Hour))
		if took := write(conn, func() {}); took != time.Minute {
			t.Errorf("ended after %v, want a minute", took)
		}
		if took := write(conn, func() { time.Sleep(time.Second); _ = conn.SetWriteDeadline(time.Now()) }); took != time.Second {
			t.Errorf("ended after %v, want the second after which a deadline was set", took)
		}
		if took := write(conn, func() {}); took != 0 {
			t.Errorf("a deadline that has passed is forgotten: %v", took)
		}
	})
}

// late is a connection on which somebody else sets a deadline right before the first.
type late struct {
	net.Conn
	meanwhile func()
	last      time.Time
}

func (l *late) SetWriteDeadline(t time.Time) error {
	if meanwhile := l.meanwhile; meanwhile != nil {
		l.meanwhile = nil
		meanwhile()
	}
	l.last = t
	return nil
}

func (l *late) Write(p []byte) (int, error) { return len(p), nil }

// A deadline that is set while a write begins is kept, though the write's own comes later.
func TestConn_loses_no_deadline(t *testing.T) {
	soon := time.Now().Add(time.Second)
	inner := &late{}
	c := &Conn{Conn: inner, room: NewRoom(8, time.Hour)}
	inner.meanwhile = func() { _ = c.SetWriteDeadline(soon) }
	if _, err := c.Write([]byte("x")); err != nil || !inner.last.Equal(soon) {
		t.Errorf("the deadline is %v, want %v; %v", inner.last, soon, err)
	}
}

func TestFrom_finds_the_connection_below_TLS(t *testing.T) {
	room := NewRoom(1, time.Minute)
	l := room.Listen(&pipes{})
	_, inner := net.Pipe()
	c := &Conn{Conn: inner, room: room}
	for name, conn := range map[string]net.Conn{"plain": c, "tls": tls.Server(c, nil)} {
		if got := From(l.Context(t.Context(), conn)); got != c {
			t.Errorf("%s: %v", name, got)
		}
	}
	if got := From(l.Context(t.Context(), inner)); got != nil {
		t.Errorf("of another listener: %v", got)
	}
	l.State(inner, http.StateIdle)
	nobody := From(t.Context())
	nobody.Idle()
	nobody.AwaitBody()
	nobody.BodyCame()
	nobody.AwaitStream()
	nobody.StreamTook()
}

func TestMost(t *testing.T) {
	for descriptors, want := range map[uint64]int{
		0: math.MaxInt32, 64: least, 256: 64, 1024: 448, 4096: 1984, 1 << 20: 524224, math.MaxUint64: math.MaxInt32,
	} {
		if got := share(descriptors); got != want {
			t.Errorf("of %d descriptors %d are for clients, want %d", descriptors, got, want)
		}
	}
	if Most() < least {
		t.Errorf("%d", Most())
	}
}

// What is kept for later goes before any client.
func TestRoom_spares_clients(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const most = 2
		d := newDoor(t, most)
		hung, conn := d.enter()
		d.State(conn, http.StateActive)
		conn.AwaitBody()
		kept := 1
		d.room.Spare = func() {
			if kept > 0 {
				kept--
				d.room.GiveBack()
			}
		}
		for range most + 1 {
			if !d.room.Take() {
				t.Error("there is no room")
			}
		}
		if kept != 0 || gone(hung) {
			t.Errorf("%d are kept still, the client has gone: %v", kept, gone(hung))
		}
		if !d.room.Take() || !gone(hung) {
			t.Error("whoever hangs makes no room once nothing is kept")
		}
	})
}
