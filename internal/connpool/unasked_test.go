package connpool

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"
)

// What comes on a new connection before its request is no answer to it, and what comes
// then would be read as the answer to the next.
func TestDo_takes_nothing_that_came_unasked(t *testing.T) {
	for name, test := range map[string]struct {
		said string
		want error
	}{
		"an answer": {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno", errEarly},
		"an end":    {"", io.EOF},
	} {
		t.Run(name, func(t *testing.T) {
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = ln.Close() }()
			var excess int
			pool := New(Options{
				Idle: options.Idle, Connections: 1, Waiters: 1, Wait: options.Wait, Excess: func() { excess++ },
				Dial: func(ctx context.Context) (net.Conn, error) {
					conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", ln.Addr().String())
					if err != nil {
						return nil, err
					}
					upstream, err := ln.Accept()
					if err != nil {
						return nil, err
					}
					_, err = io.WriteString(upstream, test.said)
					if test.said == "" {
						err = upstream.Close()
					}
					return conn, err
				},
			})
			_, err = pool.Do(t.Context(), get())
			if !errors.Is(err, test.want) || excess != len(test.said)/max(1, len(test.said)) {
				t.Errorf("%v, %d times excess", err, excess)
			}
			if load := pool.Load(); load != (Load{}) {
				t.Errorf("%+v", load)
			}
		})
	}
}
