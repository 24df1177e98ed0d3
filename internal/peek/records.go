package peek

import (
	"encoding/binary"
	"net"
)

// Records is a connection for TLS to run over, where a [Peeker] is to look at it. It
// follows the records (RFC 8446 §5.1) that are read: crypto/tls keeps the beginning of
// one until its end comes, and tells nobody.
type Records struct {
	net.Conn
	socket socket
	there  bool // reading takes what is there, and does not wait

	header [5]byte // of a record, of which these many bytes are known
	known  int
	left   int // of the record behind the header
}

// NewRecords returns a connection over conn, on which no record has begun.
func NewRecords(conn net.Conn) *Records { return &Records{Conn: conn, socket: socketOf(conn)} }

// Read implements [net.Conn].
func (r *Records) Read(p []byte) (n int, err error) {
	if r.there {
		n, err = r.socket.read(p)
	} else {
		n, err = r.Conn.Read(p)
	}
	r.follow(p[:n])
	return n, err
}

// follow takes note of what was read.
func (r *Records) follow(p []byte) {
	for len(p) > 0 {
		if r.left > 0 {
			n := min(r.left, len(p))
			r.left, p = r.left-n, p[n:]
			continue
		}
		n := copy(r.header[r.known:], p)
		r.known, p = r.known+n, p[n:]
		if r.known == len(r.header) {
			r.known, r.left = 0, int(binary.BigEndian.Uint16(r.header[3:]))
		}
	}
}

// between reports whether no record has come in part.
func (r *Records) between() bool { return r.known == 0 && r.left == 0 }
