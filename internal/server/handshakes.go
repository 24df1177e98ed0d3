package server

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"sync"
	"time"
)

// handshakes is a listener whose connections have made their TLS handshake. net/http would
// make it itself, but only on a connection of package tls, between which and the server
// nothing can stand.
type handshakes struct {
	net.Listener // of connections without TLS
	config       *tls.Config
	timeout      time.Duration
	log          *slog.Logger

	came    chan accepted
	ctx     context.Context //nolint:containedctx // its end is that of the listener
	end     context.CancelFunc
	running sync.WaitGroup
}

type accepted struct {
	conn net.Conn
	err  error
}

// newHandshakes makes the handshakes of connections to l, by config and within the
// timeout, until it is closed.
func newHandshakes(l net.Listener, config *tls.Config, timeout time.Duration, log *slog.Logger) *handshakes {
	h := &handshakes{Listener: l, config: config, timeout: timeout, log: log, came: make(chan accepted)}
	h.ctx, h.end = context.WithCancel(context.Background())
	h.running.Go(h.run)
	return h
}

// Accept implements [net.Listener].
func (h *handshakes) Accept() (net.Conn, error) {
	select {
	case a := <-h.came:
		return a.conn, a.err
	case <-h.ctx.Done():
		return nil, net.ErrClosed
	}
}

// Close implements [net.Listener]. Handshakes under way end with it.
func (h *handshakes) Close() error {
	h.end()
	err := h.Listener.Close()
	h.running.Wait()
	return err
}

func (h *handshakes) run() {
	for {
		conn, err := h.Listener.Accept()
		if err != nil {
			if !h.hand(accepted{err: err}) || errors.Is(err, net.ErrClosed) {
				return
			}
			continue
		}
		h.running.Go(func() { h.shake(conn) })
	}
}

// hand hands over to Accept, unless the listener is closed before.
func (h *handshakes) hand(a accepted) bool {
	select {
	case h.came <- a:
		return true
	case <-h.ctx.Done():
		return false
	}
}

func (h *handshakes) shake(conn net.Conn) {
	ctx, cancel := context.WithTimeout(h.ctx, h.timeout)
	defer cancel()
	secured := tls.Server(conn, h.config)
	if err := secured.HandshakeContext(ctx); err != nil {
		h.refuse(conn, err)
		return
	}
	if !h.hand(accepted{conn: secured}) {
		_ = secured.Close()
	}
}

// refuse ends a connection whose handshake has failed. One that speaks HTTP without TLS
// is told so, in words that whoever reads them understands.
func (h *handshakes) refuse(conn net.Conn, err error) {
	defer func() { _ = conn.Close() }()
	h.log.Debug("TLS handshake failed", "peer", conn.RemoteAddr().String(), "error", err)
	if plain, ok := errors.AsType[tls.RecordHeaderError](err); ok && plain.Conn != nil && likeHTTP(plain.RecordHeader) {
		_ = conn.SetWriteDeadline(time.Now().Add(time.Second))
		_, _ = io.WriteString(conn, "HTTP/1.0 400 Bad Request\r\n\r\nThis port takes HTTPS only.\n")
	}
}

// likeHTTP reports whether what came in the place of a TLS record is the beginning of a
// request without TLS.
func likeHTTP(header [5]byte) bool {
	switch string(header[:]) {
	case "GET /", "HEAD ", "POST ", "PUT /", "OPTIO", "PATCH", "DELET", "PRI *":
		return true
	}
	return false
}
