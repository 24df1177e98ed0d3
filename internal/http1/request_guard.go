package http1

import (
	"errors"
	"io"
	"net"
)

// RequestGuard is the connection of a client to a server that reads requests less strictly, such
// as net/http's. Where a request is malformed, the server reads there what it refuses, and then
// an error, whatever the client has sent behind it: so that it is the server that answers,
// behind the answers to the requests before.
type RequestGuard struct {
	net.Conn
	requests Requests
	refused  func(why error)
	wrong    error  // what is malformed; nothing is read any more then
	rest     []byte // of what the server reads instead
}

// refusal is what no server takes, wherever in a head or between chunks it stands, with the
// ends of the line and of the head.
var refusal = []byte("\x00\r\n\r\n")

// longLine is what none takes in the place of a chunk's extension, in which anything may
// stand up to the end of a line.
var longLine = make([]byte, 2*maxChunkLine)

// NewRequestGuard returns the connection guarded, which has carried nothing yet. It calls refused where
// a request is malformed. With http2, clients may begin in HTTP/2 with prior knowledge.
func NewRequestGuard(conn net.Conn, http2 bool, refused func(why error)) *RequestGuard {
	return &RequestGuard{Conn: conn, requests: Requests{HTTP2: http2}, refused: refused}
}

// Read implements [net.Conn].
func (g *RequestGuard) Read(p []byte) (int, error) {
	n := 0
	if g.wrong == nil {
		read, err := g.Conn.Read(p)
		n, g.wrong = g.requests.Look(p[:read])
		if g.wrong == nil {
			return n, err
		}
		g.refused(g.wrong)
		if g.rest = refusal; g.wrong == errChunkLine { //nolint:errorlint // it comes as it is
			g.rest = longLine
		}
	}
	more := copy(p[n:], g.rest)
	if g.rest = g.rest[more:]; n+more == 0 && len(p) > 0 {
		return 0, g.wrong
	}
	return n + more, nil
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

// NetConn returns the connection that is guarded, as [crypto/tls.Conn.NetConn] does.
func (g *RequestGuard) NetConn() net.Conn { return g.Conn }
