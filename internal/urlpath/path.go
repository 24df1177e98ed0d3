// Package urlpath says what the path of a URL means, to this gateway and to
// whoever reads it next: its one canonical form, and all other readings that
// upstreams, proxies and file systems are known to make of it. It is pure, and knows
// no routes: what follows from a reading is for its callers to say.
//
// The one invariant: a [Path] has one reading of its dots and slashes, or there is
// no Path.
package urlpath

import (
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Path is a request's path, made canonical once. The zero value is no path;
// only [Parse] makes others, so whoever holds one holds a path of which every
// reading is known.
type Path struct {
	literal string
	escaped string
	folded  string
	others  []string
	slash   bool
}

// Literal is the decoded path, which is what routes are matched with. An
// encoded slash stays "%2F" in it: it never separates segments.
func (p Path) Literal() string { return p.literal }

// Escaped is the path in RFC 3986's normal form, which is what is forwarded.
func (p Path) Escaped() string { return p.escaped }

// Folded is the path as the most tolerant upstream would read it: lower case,
// decoded to the end, encoded slashes too, without empty segments, and of each
// segment only what stands before a ";", less trailing dots and spaces.
func (p Path) Folded() string { return p.folded }

// Others are the readings besides [Path.Folded] that differ from it, in folded
// form. They must not be changed.
func (p Path) Others() []string { return p.others }

// EncodedSlash reports whether the path holds a %2F.
func (p Path) EncodedSlash() bool { return p.slash }

// Why a path is refused.
var (
	errNotPath     = errors.New("request target is not a path")
	errEscape      = errors.New("path has an invalid escape")
	errUTF8        = errors.New("path is not UTF-8")
	errForbidden   = errors.New("path has a control character, a backslash, a query or a fragment")
	errEmpty       = errors.New("path has an empty segment")
	errDots        = errors.New("path has a segment of dots, spaces or parameters only")
	errDoubleSlash = errors.New("path has a slash that is encoded twice")
	errNested      = errors.New("path is encoded too many times")
)

// Parse makes a raw, escaped path without query canonical. An error says that two
// readers could take the path for different ones; its text is for the log only.
func Parse(raw string) (Path, error) {
	if raw == "" || raw[0] != '/' {
		return Path{}, errNotPath
	}
	if plain, upper := scan(raw); plain {
		p := Path{literal: raw, escaped: raw, folded: raw}
		if upper {
			p.folded = strings.ToLower(raw)
		}
		return p, nil
	}
	p, err := decode(raw)
	if err == nil {
		err = p.fold()
	}
	if err != nil {
		return Path{}, err
	}
	return p, nil
}

// scan reports whether raw is its own canonical form and, but for upper-case
// letters, its own folded form. That is nearly every path there is.
func scan(raw string) (plain, upper bool) {
	prev := byte(0)
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		switch {
		case c >= 'A' && c <= 'Z':
			upper = true
		case c == '/' && (prev == '/' || prev == '.'), c == ';', !pathByte(c):
			return false, false
		}
		prev = c
	}
	return prev != '.', upper
}

// pathByte reports whether c stands for itself in a path: RFC 3986's pchar, or
// the slash.
func pathByte(c byte) bool {
	return unreserved(c) || strings.IndexByte("/!$&'()*+,;=:@", c) >= 0
}

// unreserved are the characters whose escapes are needless, RFC 3986 §2.3.
func unreserved(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' ||
		c == '-' || c == '.' || c == '_' || c == '~'
}

// decode fills in the literal and the escaped form, and checks the literal one.
func decode(raw string) (Path, error) {
	literal := make([]byte, 0, len(raw))
	escaped := make([]byte, 0, len(raw)+8)
	slashes := 0
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		keep := pathByte(c)
		if c == '%' {
			b, ok := unhex(raw, i)
			if !ok {
				return Path{}, errEscape
			}
			c, keep = b, unreserved(b)
			i += 2
		} else if c == '#' || c == '?' {
			return Path{}, errForbidden
		}
		if c == '/' && !keep {
			slashes++
			literal = append(literal, "%2F"...)
		} else {
			literal = append(literal, c)
		}
		escaped = appendEscaped(escaped, c, keep)
	}
	p := Path{literal: string(literal), escaped: string(escaped), slash: slashes > 0}
	if strings.Contains(p.literal, "//") {
		return Path{}, errEmpty
	}
	if strings.Count(p.literal, "%2F") != slashes {
		return Path{}, errDoubleSlash
	}
	return p, checkText(p.literal)
}

func appendEscaped(b []byte, c byte, keep bool) []byte {
	const digits = "0123456789ABCDEF"
	if keep {
		return append(b, c)
	}
	return append(b, '%', digits[c>>4], digits[c&15])
}

// unhex returns the byte that the escape at s[i] stands for.
func unhex[text string | []byte](s text, i int) (byte, bool) {
	if i+2 >= len(s) {
		return 0, false
	}
	hi, lo := hexValue(s[i+1]), hexValue(s[i+2])
	return hi<<4 | lo, hi < 16 && lo < 16
}

func hexValue(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10
	}
	return 255
}

// checkText refuses characters that no path needs and that some readers stop at, or
// take for a slash.
func checkText(s string) error {
	if !utf8.ValidString(s) { // overlong forms hide dots and slashes
		return errUTF8
	}
	for _, c := range s {
		if c == '\\' || unicode.IsControl(c) {
			return errForbidden
		}
	}
	return nil
}

// Covers reports whether path is prefix or lies below it, in whole segments. The
// prefix has no slash at its end; that of the root is empty.
func Covers(prefix, path string) bool {
	return strings.HasPrefix(path, prefix) && (len(path) == len(prefix) || path[len(prefix)] == '/')
}

// After returns the part of a path, literal or escaped, behind its first n segments,
// and "/" at least. It counts segments, because a segment has more than one spelling.
func After(path string, n int) string {
	for range n {
		i := strings.IndexByte(path[1:], '/')
		if i < 0 {
			return "/"
		}
		path = path[i+1:]
	}
	return path
}
