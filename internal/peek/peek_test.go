//go:build unix

package peek_test

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"net/http/httptest"
	"syscall"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/peek"
)

// pair returns the two ends of a connection on loopback.
func pair(t *testing.T) (client, server *net.TCPConn) {
	t.Helper()
	ln, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	if client, err = net.DialTCP("tcp", nil, ln.Addr().(*net.TCPAddr)); err != nil {
		t.Fatal(err)
	}
	if server, err = ln.AcceptTCP(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = client.Close(), server.Close() })
	return client, server
}

// arrival waits until n bytes have come, or the end of the connection.
func arrival(t *testing.T, conn *net.TCPConn, n int) {
	t.Helper()
	raw, err := conn.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	into := make([]byte, n)
	got := 0
	err = raw.Read(func(fd uintptr) bool {
		var err error
		got, _, err = syscall.Recvfrom(int(fd), into, syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		return err != syscall.EAGAIN && (got <= 0 || got == n)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func send(t *testing.T, conn io.Writer, text string) {
	t.Helper()
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
}

func expect(t *testing.T, p *peek.Peeker, quiet, excess bool) {
	t.Helper()
	for range 2 { // a look changes nothing
		if got := p.Quiet(); got != quiet {
			t.Errorf("quiet: %v, want %v", got, quiet)
		}
	}
	if quiet {
		return
	}
	for range 2 {
		if got := p.Excess(); got != excess {
			t.Errorf("excess: %v, want %v", got, excess)
		}
	}
	if p.Quiet() {
		t.Error("quiet, once its bytes were taken")
	}
}

// ends are what an upstream does to a connection that nobody uses.
var ends = map[string]struct {
	say           string
	end           func(*net.TCPConn)
	quiet, excess bool
}{
	"nothing":                {"", nil, true, false},
	"a byte":                 {"x", nil, false, true},
	"an answer":              {"HTTP/1.1 200 OK\r\n\r\n", nil, false, true},
	"a byte and the end":     {"x", func(c *net.TCPConn) { _ = c.Close() }, false, true},
	"the end":                {"", func(c *net.TCPConn) { _ = c.Close() }, false, false},
	"the end of its answers": {"", func(c *net.TCPConn) { _ = c.CloseWrite() }, false, false},
	"a reset":                {"", func(c *net.TCPConn) { _, _ = c.SetLinger(0), c.Close() }, false, false},
	// It says why it closes (RFC 9110 §15.5.9).
	"a timeout":          {"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n", nil, false, false},
	"a timeout, and end": {"HTTP/1.0 408 Timeout\r\n\r\n", func(c *net.TCPConn) { _ = c.Close() }, false, false},
	"another 4xx":        {"HTTP/1.1 400 Bad Request\r\n\r\n", nil, false, true},
}

func TestPeeker(t *testing.T) {
	for name, test := range ends {
		t.Run(name, func(t *testing.T) {
			client, server := pair(t)
			p := peek.New(client)
			expect(t, p, true, false)
			send(t, server, test.say)
			if test.end != nil {
				test.end(server)
			}
			if !test.quiet {
				arrival(t, client, max(1, len(test.say)))
			}
			expect(t, p, test.quiet, test.excess)
		})
	}
}

func TestPeeker_takes_nothing_that_it_sees(t *testing.T) {
	client, server := pair(t)
	p := peek.New(client)
	send(t, server, "hello")
	arrival(t, client, 5)
	if p.Quiet() || !p.Excess() {
		t.Error("quiet, or without bytes")
	}
	got := make([]byte, 5)
	if _, err := io.ReadFull(client, got); err != nil || string(got) != "hello" {
		t.Errorf("read %q, %v", got, err)
	}
	expect(t, peek.New(client), true, false)
}

// A deadline that has passed says nothing of the connection.
func TestPeeker_heeds_no_deadline(t *testing.T) {
	client, server := pair(t)
	p := peek.New(client)
	_ = client.SetDeadline(time.Unix(1, 0))
	expect(t, p, true, false)
	send(t, server, "x")
	_ = client.SetDeadline(time.Time{})
	arrival(t, client, 1)
	_ = client.SetDeadline(time.Unix(1, 0))
	expect(t, p, false, true)
}

func TestPeeker_waits_for_what_comes(t *testing.T) {
	for name, happen := range map[string]func(client, server *net.TCPConn){
		"bytes":       func(_, server *net.TCPConn) { _, _ = server.Write([]byte("x")) },
		"the end":     func(_, server *net.TCPConn) { _ = server.CloseWrite() },
		"a reset":     func(_, server *net.TCPConn) { _, _ = server.SetLinger(0), server.Close() },
		"a deadline":  func(client, _ *net.TCPConn) { _ = client.SetReadDeadline(time.Unix(1, 0)) },
		"its own end": func(client, _ *net.TCPConn) { _ = client.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			client, server := pair(t)
			p := peek.New(client)
			go happen(client, server)
			if err := p.Wait(); (err != nil) != (name == "a reset") {
				t.Errorf("it meets %v", err)
			}
			// What has happened the next read tells, without a wait.
			if n, err := client.Read(make([]byte, 1)); (n == 1) != (name == "bytes") || (err == nil) != (name == "bytes") {
				t.Errorf("%d, %v", n, err)
			}
		})
	}
}

func TestPeeker_does_not_wait_where_it_cannot_know(t *testing.T) {
	one, other := net.Pipe()
	defer func() { _, _ = one.Close(), other.Close() }()
	client, _ := pair(t)
	for _, conn := range []net.Conn{one, tls.Client(peek.NewRecords(client), &tls.Config{})} {
		if err := peek.New(conn).Wait(); err != nil {
			t.Error(err)
		}
	}
}

func TestPeeker_knows_what_was_closed_here(t *testing.T) {
	client, _ := pair(t)
	p := peek.New(client)
	_ = client.Close()
	expect(t, p, false, false)
}

func TestPeeker_trusts_nobody_it_cannot_look_at(t *testing.T) {
	one, other := net.Pipe()
	defer func() { _, _ = one.Close(), other.Close() }()
	client, _ := pair(t)
	expect(t, peek.New(one), false, false)
	expect(t, peek.New(tls.Client(client, &tls.Config{})), false, false) // not over Records
	expect(t, peek.New(tls.Client(peek.NewRecords(one), &tls.Config{})), false, false)
}

func TestPeeker_allocates_nothing(t *testing.T) {
	client, _ := pair(t)
	p := peek.New(client)
	if n := testing.AllocsPerRun(100, func() {
		if !p.Quiet() {
			t.Error("not quiet")
		}
	}); n > 0 {
		t.Errorf("a look allocates %v times", n)
	}
}

// dam holds back what is written, once it has let some pass.
type dam struct {
	*net.TCPConn
	passes int // writes
	held   bytes.Buffer
}

// Write implements [io.Writer].
func (d *dam) Write(p []byte) (int, error) {
	if d.passes > 0 {
		d.passes--
		return d.TCPConn.Write(p)
	}
	return d.held.Write(p)
}

// release lets n bytes of what is held pass, in one write, and waits for them.
func (d *dam) release(t *testing.T, n int, to *net.TCPConn) {
	t.Helper()
	send(t, d.TCPConn, string(d.held.Next(n)))
	arrival(t, to, n)
}

// encrypted is a connection of TLS, and what lies under it.
type encrypted struct {
	client, server *tls.Conn
	socket         *net.TCPConn // the client's
	dam            *dam         // the server's
}

// handshake returns a connection. All that the server says behind the handshake is
// held back, and a ticket first of all where it sends that late.
func handshake(t *testing.T, version uint16, late bool) *encrypted {
	t.Helper()
	certified := httptest.NewUnstartedServer(nil)
	certified.StartTLS()
	t.Cleanup(certified.Close)
	config := &tls.Config{Certificates: certified.TLS.Certificates, MaxVersion: version}
	client, server := pair(t)
	e := &encrypted{socket: client, dam: &dam{TCPConn: server, passes: 100}}
	if late {
		// With the certificate of the client to come, Go sends tickets behind the
		// client's part of the handshake, as others always do.
		config.ClientAuth = tls.RequestClientCert
		e.dam.passes = 1
	}
	e.server = tls.Server(e.dam, config)
	e.client = tls.Client(peek.NewRecords(client), &tls.Config{
		InsecureSkipVerify: true, ClientSessionCache: tls.NewLRUClientSessionCache(1), // or it is sent no tickets
	})
	shaken := make(chan error, 1)
	go func() { shaken <- e.client.Handshake() }()
	if err := e.server.Handshake(); err != nil {
		t.Fatal(err)
	}
	if err := <-shaken; err != nil {
		t.Fatal(err)
	}
	e.dam.passes = 0
	if late != (e.dam.held.Len() > 0) {
		t.Fatalf("%d bytes of tickets are late", e.dam.held.Len())
	}
	return e
}

// versions are those of TLS, and whether a ticket is sent behind the handshake.
var versions = map[string]struct {
	version uint16
	late    bool
}{
	"TLS 1.2":                    {tls.VersionTLS12, false},
	"TLS 1.3":                    {tls.VersionTLS13, false},
	"TLS 1.3 with a late ticket": {tls.VersionTLS13, true},
}

func TestPeeker_under_TLS(t *testing.T) {
	for version, v := range versions {
		for name, test := range ends {
			t.Run(version+", "+name, func(t *testing.T) {
				e := handshake(t, v.version, v.late)
				p := peek.New(e.client)
				expect(t, p, true, false)
				send(t, e.server, test.say)
				if n := e.dam.held.Len(); n > 0 {
					e.dam.release(t, n, e.socket) // the ticket and what is said, in one piece
				}
				if test.end != nil {
					test.end(e.dam.TCPConn)
					expectSoon(t, p)
				}
				expect(t, p, test.quiet, test.excess)
			})
		}
	}
}

// expectSoon waits until the end of a connection has come.
func expectSoon(t *testing.T, p *peek.Peeker) {
	t.Helper()
	for p.Quiet() {
		if t.Context().Err() != nil {
			t.Fatal("the end of the connection does not come")
		}
	}
}

func TestPeeker_sees_a_record_that_has_come_in_part(t *testing.T) {
	for version, v := range versions {
		const answer = "HTTP/1.1 204 No Content\r\n\r\n"
		t.Run(version, func(t *testing.T) {
			e := handshake(t, v.version, v.late)
			p := peek.New(e.client)
			send(t, e.server, answer)
			whole := e.dam.held.Len()
			send(t, e.server, answer)
			record := e.dam.held.Len() - whole
			// crypto/tls reads the beginning of the second along with the first.
			e.dam.release(t, whole+record-1, e.socket)
			got := make([]byte, len(answer))
			if _, err := io.ReadFull(e.client, got); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				if p.Quiet() {
					t.Error("quiet, in the middle of a record")
				}
			}
			e.dam.release(t, 1, e.socket)
			expect(t, p, false, true)
		})
	}
}

func TestPeeker_sees_what_TLS_has_read_ahead(t *testing.T) {
	e := handshake(t, tls.VersionTLS13, true)
	p := peek.New(e.client)
	send(t, e.server, "answer+")
	e.dam.release(t, e.dam.held.Len(), e.socket)
	if _, err := io.ReadFull(e.client, make([]byte, len("answer"))); err != nil {
		t.Fatal(err)
	}
	expect(t, p, false, true)
}

// A ticket is nobody's answer, in whatever pieces it comes.
func TestPeeker_takes_tickets_for_silence(t *testing.T) {
	e := handshake(t, tls.VersionTLS13, true)
	p := peek.New(e.client)
	for e.dam.held.Len() > 1 {
		e.dam.release(t, 1, e.socket)
		if p.Quiet() || p.Excess() {
			t.Fatal("a ticket in part is silence, or an answer")
		}
	}
	e.dam.release(t, 1, e.socket)
	expect(t, p, true, false)
	e.dam.passes = 1
	send(t, e.server, "answer")
	got := make([]byte, len("answer"))
	if _, err := io.ReadFull(e.client, got); err != nil || string(got) != "answer" {
		t.Errorf("read %q, %v", got, err)
	}
	expect(t, p, true, false)
}
