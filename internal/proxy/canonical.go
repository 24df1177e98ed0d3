package proxy

import (
	"errors"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/gatehouse-auth/gatehouse/internal/problem"
)

// Path is a request's path, made canonical once. The zero value is no path;
// only [Canonical] and [ParsePath] make others, so whoever holds one holds a
// path of which every reading is known.
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

// EncodedSlash reports whether the path holds a %2F.
func (p Path) EncodedSlash() bool { return p.slash }

// Why a path is refused; for the log only.
var (
	errNotOrigin   = errors.New("request target is not a path")
	errSpace       = errors.New("query has a space")
	errEscape      = errors.New("path has an invalid escape")
	errUTF8        = errors.New("path is not UTF-8")
	errForbidden   = errors.New("path has a control character, a backslash or a fragment")
	errEmpty       = errors.New("path has an empty segment")
	errDots        = errors.New("path has a segment of dots, spaces or parameters only")
	errDoubleSlash = errors.New("path has a slash that is encoded twice")
	errNested      = errors.New("path is encoded too many times")
)

// Canonical returns the path of the request's target. It is a *problem.Error,
// 400 ambiguous_path, if two readers could take the path for different ones:
// the gateway judges one path, and the upstream must not serve another.
func Canonical(r *http.Request) (Path, error) {
	if r.Method == http.MethodConnect {
		return Path{}, ambiguous(errNotOrigin)
	}
	// HTTP/2 can carry a space, where HTTP/1.1 would take the target to end. In a
	// path it is escaped; the query is forwarded as it came.
	if strings.IndexByte(r.URL.RawQuery, ' ') >= 0 {
		return Path{}, ambiguous(errSpace)
	}
	return ParsePath(targetPath(r))
}

// targetPath returns the raw path of the request's target. It looks at the
// target as it came, because r.URL shows a raw "#" as if it were "%23".
func targetPath(r *http.Request) string {
	target := r.RequestURI
	if target == "" { // made by a program, not read by a server
		target = r.URL.EscapedPath()
	}
	if r.URL.Host != "" { // absolute form, RFC 9112 §3.2.2
		if _, rest, ok := strings.Cut(target, "://"); ok {
			target = "/"
			if i := strings.IndexAny(rest, "/?"); i >= 0 && rest[i] == '/' {
				target = rest[i:]
			}
		}
	}
	path, _, _ := strings.Cut(target, "?")
	return path
}

// ParsePath makes a raw, escaped path without query canonical; see [Canonical].
func ParsePath(raw string) (Path, error) {
	if raw == "" || raw[0] != '/' {
		return Path{}, ambiguous(errNotOrigin)
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
		return Path{}, ambiguous(err)
	}
	return p, nil
}

// ambiguous is the answer to a path that has more than one reading.
func ambiguous(reason error) error {
	return &problem.Error{
		Status: http.StatusBadRequest,
		Code:   "ambiguous_path",
		Public: "The path of the request can be read in more than one way.",
		Err:    reason,
	}
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
		} else if c == '#' {
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
func unhex(s string, i int) (byte, bool) {
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

// checkText refuses what no path needs and some readers stop or turn at.
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

// after returns what of path, literal or escaped, stands behind its first n
// segments; "/" at least. Segments are counted, not compared, because a segment
// has more than one spelling.
func after(path string, n int) string {
	for range n {
		i := strings.IndexByte(path[1:], '/')
		if i < 0 {
			return "/"
		}
		path = path[i+1:]
	}
	return path
}
