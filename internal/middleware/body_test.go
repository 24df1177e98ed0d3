package middleware_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/middleware"
)

// pipes is a listener whose connections are pipes, which have deadlines and the clock
// of a bubble.
type pipes chan net.Conn

func (p pipes) Accept() (net.Conn, error) {
	c, open := <-p
	if !open {
		return nil, net.ErrClosed
	}
	return c, nil
}

func (p pipes) Close() error   { return nil }
func (p pipes) Addr() net.Addr { return &net.TCPAddr{} }

// dial connects to the server.
func (p pipes) dial() net.Conn {
	client, server := net.Pipe()
	p <- server
	return client
}

// A client that announces a body and sends none is answered, and then holds nothing.
func TestBodyThatNeverComes(t *testing.T) {
	reads := func(w http.ResponseWriter, r *http.Request, _ *middleware.Exchange) error {
		status := http.StatusOK
		if _, err := io.ReadAll(r.Body); err != nil {
			status = http.StatusBadRequest
		}
		w.WriteHeader(status)
		return nil
	}
	refuses := func(w http.ResponseWriter, _ *http.Request, _ *middleware.Exchange) error {
		w.WriteHeader(http.StatusUnauthorized)
		return nil
	}
	const length, chunks = "Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n"
	for name, c := range map[string]struct {
		handler    middleware.Handler
		head, body string
		status     int
		within     time.Duration
		another    bool // the connection serves another request
	}{
		"refused":                    {refuses, length, "", 401, time.Second, false},
		"refused, chunks":            {refuses, chunks, "", 401, time.Second, false},
		"refused, a part of it":      {refuses, length, "he", 401, time.Second, false},
		"refused, all of it":         {refuses, length, "hello", 401, 0, true},
		"read":                       {middleware.Patience{}.BoundBody(reads), length, "", 400, 11 * time.Second, false},
		"read, chunks":               {middleware.Patience{}.BoundBody(reads), chunks, "5\r\nhe", 400, 11 * time.Second, false},
		"read, all of it":            {middleware.Patience{}.BoundBody(reads), length, "hello", 200, 0, true},
		"read, and there is no body": {middleware.Patience{}.BoundBody(reads), "", "", 200, 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				record, _ := newRecord()
				server := &http.Server{Handler: record.Handler(c.handler), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute}
				listener := make(pipes)
				go func() { _ = server.Serve(listener) }()
				conn := listener.dial()
				began := time.Now()
				go func() { _, _ = io.WriteString(conn, "POST /x HTTP/1.1\r\nHost: app.example\r\n"+c.head+"\r\n"+c.body) }()
				in := bufio.NewReader(conn)
				res, err := http.ReadResponse(in, nil)
				if err != nil {
					t.Fatal(err)
				}
				_, _ = io.Copy(io.Discard, res.Body)
				if took := time.Since(began); res.StatusCode != c.status || took > c.within {
					t.Errorf("answered %d after %v", res.StatusCode, took)
				}
				if c.another {
					time.Sleep(30 * time.Second) // longer than anybody waits for a body
					go func() { _, _ = io.WriteString(conn, "GET /y HTTP/1.1\r\nHost: app.example\r\n\r\n") }()
					if _, err := http.ReadResponse(in, nil); err != nil {
						t.Errorf("the connection serves no other request: %v", err)
					}
				} else if rest, err := io.ReadAll(in); err != nil || strings.Contains(string(rest), "HTTP/1.1") || time.Since(began) > c.within+2*time.Second {
					t.Errorf("the connection ends after %v with %q, %v", time.Since(began), rest, err)
				}
				_ = conn.Close()
				close(listener)
				_ = server.Close()
			})
		})
	}
}
