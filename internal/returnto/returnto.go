// Package returnto decides whether an address that a request names is safe to
// send the browser to. It is pure: it knows the configured origins and nothing
// else. The one invariant: an [Address] that is not empty leads, in every
// browser, to the gateway's own origin or to one of the configured origins.
package returnto

import (
	"errors"
	"strings"
)

// MaxLength bounds an address, in bytes.
const MaxLength = 2048

// ErrUnsafe is the answer to every address that is not accepted. It does not
// say why: the caller names the parameter, and the address is untrusted text.
var ErrUnsafe = errors.New("return address not accepted")

// Address is an accepted address: a local path, or an absolute address at a
// configured origin. The zero value is none.
type Address struct{ s string }

// String returns the address as it goes into a Location header.
func (a Address) String() string { return a.s }

// IsZero reports whether there is no address.
func (a Address) IsZero() bool { return a.s == "" }

// Policy says which addresses are accepted besides local paths.
type Policy struct {
	// Origins are serialised origins (RFC 6454 §6.2), lower case: scheme://host[:port].
	Origins []string
	// Refused are local paths that are never returned to, such as the login
	// itself, which would loop.
	Refused []string
}

// Parse accepts raw or answers [ErrUnsafe]. What it returns is raw, byte for
// byte: the grammar leaves browsers nothing to normalise.
func (p Policy) Parse(raw string) (Address, error) {
	if len(raw) > MaxLength {
		return Address{}, ErrUnsafe
	}
	local := raw
	for _, o := range p.Origins {
		rest, ok := strings.CutPrefix(raw, o)
		if !ok {
			continue
		}
		if rest == "" {
			return Address{raw}, nil
		}
		if rest[0] == '/' {
			local = rest
			break
		}
	}
	if !safeLocal(local) || p.refuses(local) {
		return Address{}, ErrUnsafe
	}
	return Address{raw}, nil
}

// refuses reports whether the path part of local is one of p.Refused, in
// whatever spelling.
func (p Policy) refuses(local string) bool {
	path, _, _ := strings.Cut(local, "?")
	path = unescape(path)
	for _, r := range p.Refused {
		if strings.EqualFold(path, r) || strings.EqualFold(path, r+"/") {
			return true
		}
	}
	return false
}

// Request makes an address of the gateway's own request target: path and query
// as they came, characters outside the grammar escaped. What is no local
// address even then becomes none.
func (p Policy) Request(path, query string) Address {
	target := escape(path)
	if query != "" {
		target += "?" + escape(query)
	}
	a, err := Policy{Refused: p.Refused}.Parse(target)
	if err != nil {
		return Address{}
	}
	return a
}

// safeLocal is the grammar: a slash, no second slash or backslash behind it,
// then unreserved characters, sub-delimiters, ":", "@", "%", "/" and "?"
// (RFC 3986 §3.3–3.4). Browsers drop tabs and newlines, read "\" as "/" and
// resolve dot segments even when escaped (WHATWG URL §4.4), so none of these
// gets in; nor do escapes of them in the path, which a later hop might decode.
func safeLocal(s string) bool {
	if s == "" || s[0] != '/' {
		return false
	}
	for i := range len(s) {
		if !allowed[s[i]] {
			return false
		}
	}
	path, query, _ := strings.Cut(s, "?")
	return escapesValid(query) && safePath(path)
}

func safePath(path string) bool {
	if !escapesValid(path) || strings.Contains(path, "//") {
		return false
	}
	for segment := range strings.SplitSeq(path[1:], "/") {
		if !safeSegment(segment) {
			return false
		}
	}
	return true
}

// safeSegment refuses dot segments, also with parameters behind a ";", escapes
// of control characters, "/" and "\", and what was escaped twice.
func safeSegment(segment string) bool {
	decoded := unescape(segment)
	if unescape(decoded) != decoded {
		return false
	}
	for i := range len(decoded) {
		if c := decoded[i]; c < 0x20 || c == 0x7f || c == '/' || c == '\\' {
			return false
		}
	}
	name, _, _ := strings.Cut(decoded, ";")
	return name != "." && name != ".."
}

// unescape decodes the valid escapes of s and leaves the rest alone.
func unescape(s string) string {
	if strings.IndexByte(s, '%') < 0 {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '%' && escapeAt(s, i) {
			c = unhex(s[i+1])<<4 | unhex(s[i+2])
			i += 2
		}
		b = append(b, c)
	}
	return string(b)
}

func escapesValid(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			continue
		}
		if !escapeAt(s, i) {
			return false
		}
		i += 2
	}
	return true
}

// escapeAt reports whether the "%" at s[i] begins an escape.
func escapeAt(s string, i int) bool { return i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]) }

// escape brings s into the grammar. Browsers send a lone "%" as it was typed.
func escape(s string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		if allowed[s[i]] && (s[i] != '%' || escapeAt(s, i)) {
			b.WriteByte(s[i])
			continue
		}
		b.Write([]byte{'%', hex[s[i]>>4], hex[s[i]&15]})
	}
	return b.String()
}

var allowed = func() (t [256]bool) {
	for _, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~!$&'()*+,;=:@%/?") {
		t[c] = true
	}
	return t
}()

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

func unhex(c byte) byte {
	switch {
	case c <= '9':
		return c - '0'
	case c >= 'a':
		return c - 'a' + 10
	default:
		return c - 'A' + 10
	}
}
