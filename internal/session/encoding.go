package session

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"strings"
	"time"
)

// errEncoding is the one answer to bytes that are no encoding of ours.
var errEncoding = errors.New("encoding malformed")

// encoder appends fields without names: the format byte of the record says
// which they are. Lengths and numbers are unsigned varints.
type encoder struct{ buf []byte }

func (e *encoder) uint(v uint64) { e.buf = binary.AppendUvarint(e.buf, v) }

func (e *encoder) bytes(b []byte) {
	e.uint(uint64(len(b)))
	e.buf = append(e.buf, b...)
}

func (e *encoder) text(s string) {
	e.uint(uint64(len(s)))
	e.buf = append(e.buf, s...)
}

func (e *encoder) time(t time.Time) { e.uint(unixMilli(t)) }

// token writes a compact-serialised token (RFC 7515 §7.1, RFC 7516 §7.1) as the
// bytes behind its base64url segments, a quarter less, and anything else as it
// is. The first number is the count of segments, 0 for a plain string.
func (e *encoder) token(t string) {
	segments, ok := decodeSegments(t)
	if !ok {
		e.uint(0)
		e.text(t)
		return
	}
	e.uint(uint64(len(segments)))
	for _, s := range segments {
		e.bytes(s)
	}
}

// claims writes nothing but a mark where the claims are the payload of token, or
// left out for that: storing them beside it would cost a kilobyte a session.
func (e *encoder) claims(c json.RawMessage, token string) {
	if c == nil || bytes.Equal(c, payload(token)) {
		e.uint(0)
		return
	}
	e.uint(1)
	e.bytes(c)
}

// decoder reads what encoder wrote. After the first fault every answer is zero
// and err is set; nothing is ever read or allocated past the input.
type decoder struct {
	buf []byte
	err error
}

func (d *decoder) fail() {
	d.buf, d.err = nil, errEncoding
}

func (d *decoder) uint() uint64 {
	v, n := binary.Uvarint(d.buf)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.buf = d.buf[n:]
	return v
}

// bytes returns a part of the input, not a copy.
func (d *decoder) bytes() []byte {
	n := d.uint()
	if n > uint64(len(d.buf)) {
		d.fail()
		return nil
	}
	b := d.buf[:n:n]
	d.buf = d.buf[n:]
	return b
}

func (d *decoder) text() string { return string(d.bytes()) }

func (d *decoder) time() time.Time { return fromUnixMilli(d.uint()) }

// token returns a token with prefix before it, in one piece of memory.
func (d *decoder) token(prefix string) string {
	n := d.uint()
	if n == 0 {
		return prefix + d.text()
	}
	if n > maxSegments {
		d.fail()
		return ""
	}
	var segments [maxSegments][]byte
	size := len(prefix)
	for i := range n {
		segments[i] = d.bytes()
		size += base64.RawURLEncoding.EncodedLen(len(segments[i])) + 1
	}
	b := append(make([]byte, 0, size), prefix...)
	for i, s := range segments[:n] {
		if i > 0 {
			b = append(b, '.')
		}
		b = base64.RawURLEncoding.AppendEncode(b, s)
	}
	return string(b)
}

// claims returns those that stand beside their token; nil: they are its payload.
func (d *decoder) claims() json.RawMessage {
	switch d.uint() {
	case 0:
	case 1:
		return bytes.Clone(d.bytes())
	default:
		d.fail()
	}
	return nil
}

// end reports the first fault; bytes left over are one.
func (d *decoder) end() error {
	if len(d.buf) > 0 {
		d.fail()
	}
	return d.err
}

// maxSegments is the five of a JWE.
const maxSegments = 5

// decodeSegments splits a token and decodes its segments; false where encoding
// them again would not give the same token.
func decodeSegments(t string) ([][]byte, bool) {
	parts := strings.Split(t, ".")
	if len(parts) < 2 || len(parts) > maxSegments {
		return nil, false
	}
	segments := make([][]byte, len(parts))
	for i, p := range parts {
		b, err := base64.RawURLEncoding.Strict().DecodeString(p)
		// The decoder skips line breaks even when strict.
		if err != nil || base64.RawURLEncoding.EncodedLen(len(b)) != len(p) {
			return nil, false
		}
		segments[i] = b
	}
	return segments, true
}

// payload is the payload of a signed token (three segments), {} where there is none.
func payload(token string) json.RawMessage {
	if strings.Count(token, ".") == 2 {
		_, rest, _ := strings.Cut(token, ".")
		middle, _, _ := strings.Cut(rest, ".")
		if b, err := base64.RawURLEncoding.DecodeString(middle); err == nil && len(b) > 0 {
			return b
		}
	}
	return json.RawMessage("{}")
}

// unixMilli and fromUnixMilli map the zero time to 0 and back; nothing else of
// ours lies at or before 1970.
func unixMilli(t time.Time) uint64 {
	if ms := t.UnixMilli(); ms > 0 {
		return uint64(ms)
	}
	return 0
}

func fromUnixMilli(ms uint64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(int64(ms))
}
