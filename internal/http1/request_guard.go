package http1

import (
	"errors"
	"io"
	"net"
)

// RequestGuard is the connection of a client to a server that reads requests less strictly, such
// as net/http's. Where a request is malformed, the server reads up to there what it refuses,
// and then the end of the connection, whatever the client has sent behind it: so that it is
// the server that answers, behind the answers to the requests before.
type RequestGuard struct {
	net.Conn
	requests Requests
	refused  func(why error)
	rest     []byte // of what the server reads instead
	ended    bool
}

// refusal is what no server takes, wherever in a head or between chunks it stands, with the
// ends of the line and of the head.
var refusal = []byte("\x00\r\n\r\n")

// NewRequestGuard returns the connection guarded, which has carried nothing yet. It calls refused where
// a request is malformed. With http2, clients may begin in HTTP/2 with prior knowledge.
func NewRequestGuard(conn net.Conn, http2 bool, refused func(why error)) *RequestGuard {
	return &RequestGuard{Conn: conn, requests: Requests{HTTP2: http2}, refused: refused}
}

// Read implements [net.Conn].
func (g *RequestGuard) Read(p []byte) (int, error) {
	if g.ended {
		n := copy(p, g.rest)
		if g.rest = g.rest[n:]; n == 0 && len(p) > 0 {
			return 0, io.EOF
		}
		return n, nil
	}
	n, err := g.Conn.Read(p)
	good, wrong := g.requests.Look(p[:n])
	if wrong == nil {
		return n, err
	}
	g.ended, g.rest = true, refusal
	g.refused(wrong)
	n = good + copy(p[good:], g.rest)
	g.rest = g.rest[n-good:]
	return n, nil
}

// Raw lets pass what comes from now on, when a handshake has ended HTTP on the connection.
func (g *RequestGuard) Raw() { g.requests.Raw() }

// ReadFrom implements [io.ReaderFrom], by which a server has files sent by the kernel.
func (g *RequestGuard) ReadFrom(r io.Reader) (int64, error) {
	if to, ok := g.Conn.(io.ReaderFrom); ok {
		return to.ReadFrom(r)
	}
	return io.Copy(struct{ io.Writer }{g.Conn}, r)
}

// CloseWrite ends the direction to the client alone.
func (g *RequestGuard) CloseWrite() error {
	half, ok := g.Conn.(interface{ CloseWrite() error })
	if !ok {
		return errors.ErrUnsupported
	}
	return half.CloseWrite()
}
