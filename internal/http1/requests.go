package http1

import (
	"bytes"
	"strings"
)

// Requests follows the requests of a client as their bytes come, one behind the other, and
// finds what two readers could take for different requests, so that a front and the server
// behind it cannot be made to (RFC 9112 §11.2). It is stricter than net/http's server in
// what that lets pass, and leaves to it what it refuses anyway.
//
// The zero value is at the beginning of a connection.
type Requests struct {
	// HTTP2 lets a client begin in HTTP/2 with prior knowledge (RFC 9113 §3.3), of which
	// nothing is looked at then.
	HTTP2 bool

	state  requestState
	begun  bool  // a request has begun on this connection
	old    bool  // the request is of HTTP/1.0 or before
	chunks bool  // it has Transfer-Encoding
	length int64 // of its body, by Content-Length; -1 without
	body   chunks

	// The line at hand, of a head.
	start   [80]byte // as much of it as matters
	line    int      // its bytes
	lines   int      // before it
	cr      bool     // it ends with CR, so far
	matters bool     // it may say where the request ends
}

type requestState int

const (
	inHead requestState = iota
	inLength
	inChunks
	inPreface // of HTTP/2, behind its first line
	unread    // not HTTP/1.1, or nothing that is served any more
)

// preface is what comes behind the first line of HTTP/2's, which looks like that of a request
// (RFC 9113 §3.4).
const preface = "\r\nSM\r\n\r\n"

const (
	errVersion   = Malformed("a version that is neither HTTP/1.1 nor HTTP/1.0")
	errPreface   = Malformed("the connection preface of HTTP/2 is none")
	errBoth      = Malformed("Content-Length beside Transfer-Encoding")
	errOldChunks = Malformed("Transfer-Encoding in a request of HTTP/1.0")
	errBareCR    = Malformed("CR without LF behind it")
	errBareLF    = Malformed("LF without CR before it")
)

const (
	contentLength    = "content-length"
	transferEncoding = "transfer-encoding"
)

// Look takes the next bytes. It returns how many of them, from the first, belong to
// requests that are well formed so far, and what is wrong with the one behind them.
func (r *Requests) Look(p []byte) (n int, err error) {
	for n < len(p) {
		var m int
		switch r.state {
		case inHead:
			m, err = r.head(p[n:])
		case inLength:
			m = int(min(r.length, int64(len(p)-n)))
			if r.length -= int64(m); r.length == 0 {
				r.next()
			}
		case inChunks:
			m, _, err = r.body.scan(p[n:])
			if r.body.state == ended {
				r.next()
			}
		case inPreface:
			m, err = r.preface(p[n:])
		case unread:
			return len(p), nil
		}
		n += m
		if err != nil {
			r.state = unread
			return n, err
		}
	}
	return n, nil
}

// Raw says that what comes is no HTTP any more, as behind a WebSocket's handshake.
func (r *Requests) Raw() { r.state = unread }

// next begins a request.
func (r *Requests) next() { *r = Requests{HTTP2: r.HTTP2, begun: true, length: -1} }

// head takes the next bytes of a head, up to its end or that of p.
func (r *Requests) head(p []byte) (n int, err error) {
	for n < len(p) && r.state == inHead {
		part, ends := p[n:], false
		if i := bytes.IndexByte(part, '\n'); i >= 0 {
			part, ends = part[:i], true
		}
		if at, err := r.piece(part); err != nil {
			return n + at, err
		}
		n += len(part)
		if !ends {
			break
		}
		if !r.cr {
			return n, errBareLF
		}
		n++
		if err := r.endLine(); err != nil {
			return n - 1, err
		}
	}
	return n, nil
}

// piece takes bytes of one line, without its LF. It returns where they are wrong.
func (r *Requests) piece(p []byte) (at int, err error) {
	if len(p) == 0 {
		return 0, nil
	}
	if r.cr {
		return 0, errBareCR
	}
	if i := bytes.IndexByte(p, '\r'); i >= 0 && i < len(p)-1 {
		return i + 1, errBareCR
	}
	if r.line == 0 && r.lines > 0 && (p[0] == ' ' || p[0] == '\t') {
		return 0, errFolded
	}
	before := r.line
	if before == 0 {
		r.matters = r.lines > 0 && (p[0]|0x20 == contentLength[0] || p[0]|0x20 == transferEncoding[0])
	}
	switch {
	case r.lines == 0:
		r.keepEnd(p)
	case r.matters && before < len(r.start):
		copy(r.start[before:], p)
	}
	r.line += len(p)
	r.cr = p[len(p)-1] == '\r'
	if r.matters {
		if colon, err := r.framing(before); err != nil {
			return colon - before, err
		}
	}
	return 0, nil
}

// keepEnd keeps the last bytes of a request line, which say its version.
func (r *Requests) keepEnd(p []byte) {
	if len(p) >= len(r.start) {
		copy(r.start[:], p[len(p)-len(r.start):])
		return
	}
	kept := min(r.line, len(r.start)-len(p))
	had := min(r.line, len(r.start))
	copy(r.start[:], r.start[had-kept:had])
	copy(r.start[kept:], p)
}

// framing looks at a header line whose name has just ended with a colon, and refuses it
// where it would be another way to say where the request ends. It returns the colon's
// place in the line.
func (r *Requests) framing(before int) (colon int, err error) {
	seen := r.start[:min(r.line, len(r.start))]
	colon = bytes.IndexByte(seen, ':')
	if colon < before || colon < 0 {
		return 0, nil // not yet, or looked at already
	}
	switch name := seen[:colon]; {
	case is(name, contentLength):
		if r.chunks {
			return colon, errBoth
		}
	case is(name, transferEncoding):
		if r.old {
			return colon, errOldChunks
		}
		if r.length >= 0 {
			return colon, errBoth
		}
		r.chunks = true
	}
	return 0, nil
}

func is(name []byte, lower string) bool {
	return len(name) == len(lower) && strings.EqualFold(string(name), lower)
}

// endLine ends a line of a head, and with the empty one the head.
func (r *Requests) endLine() error {
	line := r.start[:min(r.line, len(r.start))]
	line = bytes.TrimSuffix(line, []byte("\r"))
	empty, first := r.line == 1, r.lines == 0
	long := r.line > len(r.start)
	r.line, r.cr = 0, false
	switch {
	case empty && first:
		return nil // before a request line, where RFC 9112 §2.2 lets it be
	case empty:
		r.endHead()
		return nil
	case first:
		r.lines++
		return r.version(line, long)
	}
	r.lines++
	if !r.matters {
		return nil
	}
	if name, value, _ := bytes.Cut(line, []byte(":")); is(name, contentLength) {
		return r.contentLength(bytes.Trim(value, " \t"), long)
	}
	return nil
}

// version looks at the end of a request line.
func (r *Requests) version(line []byte, long bool) error {
	switch {
	case r.HTTP2 && !r.begun && !long && string(line) == "PRI * HTTP/2.0":
		r.state = inPreface
	case bytes.HasSuffix(line, []byte(" HTTP/1.0")):
		r.old = true
	case !bytes.HasSuffix(line, []byte(" HTTP/1.1")):
		return errVersion // net/http serves PRI * HTTP/2.0 as a request, too
	}
	r.length = -1
	return nil
}

// preface takes the next bytes behind the first line of HTTP/2's preface.
func (r *Requests) preface(p []byte) (n int, err error) {
	for n < len(p) && r.line < len(preface) {
		if p[n] != preface[r.line] {
			return n, errPreface
		}
		n++
		r.line++
	}
	if r.line == len(preface) {
		r.state = unread
	}
	return n, nil
}

// contentLength takes the value of the one Content-Length that there may be; the same
// number twice is taken too (RFC 9110 §8.6).
func (r *Requests) contentLength(value []byte, long bool) error {
	if long || len(value) == 0 || len(value) > 18 {
		return errLength
	}
	n := int64(0)
	for _, b := range value {
		if b < '0' || b > '9' {
			return errLength
		}
		n = n*10 + int64(b-'0')
	}
	if r.length >= 0 && r.length != n {
		return errLengths
	}
	r.length = n
	return nil
}

// endHead begins the body, or the next request where there is none.
func (r *Requests) endHead() {
	switch {
	case r.chunks:
		r.state = inChunks
	case r.length > 0:
		r.state = inLength
	default:
		r.next()
	}
}
