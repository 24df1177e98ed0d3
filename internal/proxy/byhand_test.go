package proxy_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"testing"
	"time"
)

// byHand is an upstream whose connections the test serves itself.
type byHand struct {
	t     testing.TB
	url   *url.URL
	conns chan *handConn
}

// handConn is one of its connections.
type handConn struct {
	*wickedConn
	in *bufio.Reader
}

func newByHand(t testing.TB) *byHand { return newByHandTLS(t, nil) }

// newByHandTLS speaks TLS unless there is no configuration.
func newByHandTLS(t testing.TB, config *tls.Config) *byHand {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	scheme := "http"
	if config != nil {
		scheme = "https"
	}
	u := &byHand{t: t, url: parse(t, scheme+"://"+ln.Addr().String()), conns: make(chan *handConn, 100)}
	t.Cleanup(func() { _ = ln.Close() })
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			_ = conn.SetDeadline(time.Now().Add(patience))
			t.Cleanup(func() { _ = conn.Close() })
			c := newWickedConn(conn.(*net.TCPConn), config)
			u.conns <- &handConn{c, bufio.NewReader(c.plain)}
		}
	}()
	return u
}

// next waits for the next connection, and for the first request on it. Its body is not
// read. A client that gets its answer before is a failure; it may be nil.
func (u *byHand) next(answer <-chan string) (*handConn, *http.Request) {
	u.t.Helper()
	return u.nextOr(nil, answer)
}

// nextOr is next, or else the next request on a connection that was there before.
func (u *byHand) nextOr(kept *handConn, answer <-chan string) (*handConn, *http.Request) {
	u.t.Helper()
	select {
	case c := <-u.conns:
		if r, ok := <-c.asked(); ok {
			return c, r
		}
		u.t.Fatal("a connection ends before its first request")
	case r, ok := <-kept.asked():
		if ok {
			return kept, r
		}
		return u.next(answer)
	case text := <-answer:
		u.t.Fatalf("the upstream is not asked; answer: %s", text)
	case <-time.After(patience):
		u.t.Fatal("the upstream is not asked")
	}
	return nil, nil
}

// asked gives the next request on the connection, and is closed at its end.
func (c *handConn) asked() <-chan *http.Request {
	if c == nil {
		return nil
	}
	next := make(chan *http.Request, 1)
	go func() {
		defer close(next)
		if r, err := http.ReadRequest(c.in); err == nil {
			next <- r
		}
	}()
	return next
}

// say writes, and returns when the other side has it.
func (c *handConn) say(t testing.TB, text string) {
	t.Helper()
	_, _ = io.WriteString(c.plain, text) // where the other side has left, that is for the test to see
	c.delivered()
}

// delivered waits until the other side has all that was written, or never will.
func (c *handConn) delivered() {
	for deadline := time.Now().Add(patience); !delivered(c.tcp) && time.Now().Before(deadline); {
		time.Sleep(100 * time.Microsecond)
	}
}

// answerOf is a whole answer.
func answerOf(body string) string {
	return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
}

// later is talk without waiting.
func (f *front) later(t testing.TB, message string) <-chan string {
	t.Helper()
	answer := make(chan string, 1)
	conn := f.dial(t)
	go func() {
		_, _ = io.WriteString(conn, message)
		text, _ := io.ReadAll(conn)
		answer <- string(text)
	}()
	return answer
}
