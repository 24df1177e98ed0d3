package returnto

import (
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/defaultport"
)

// address is what the URL Standard's parser makes of an address: its origin, ""
// for that of the page; its path; and the query and fragment with their marks.
type address struct{ origin, path, rest string }

// normalise reads raw as browsers do (URL Standard §4.4, for the schemes http and
// https): it drops tabs and newlines, takes "\" for "/", resolves dot segments
// and escapes what must not stand in each part. It is not ok for what is neither
// a path nor an absolute address: other schemes, what is relative to a page's
// own path, and authorities without a scheme.
func normalise(raw string) (address, bool) {
	raw = strings.TrimFunc(raw, func(r rune) bool { return r <= ' ' })
	raw = dropped.Replace(raw)
	origin, raw := cutOrigin(raw)
	if origin == "" && (raw == "" || !isSlash(raw[0]) || len(raw) > 1 && isSlash(raw[1])) {
		return address{}, false
	}
	raw, fragment, hasFragment := strings.Cut(raw, "#")
	path, query, hasQuery := strings.Cut(raw, "?")
	u := address{origin: origin, path: normalPath(path)}
	if hasQuery {
		u.rest = "?" + escape(query, &inQuery)
	}
	if hasFragment {
		u.rest += "#" + escape(fragment, &inFragment)
	}
	return u, true
}

var dropped = strings.NewReplacer("\t", "", "\n", "", "\r", "")

// cutOrigin cuts scheme and authority off an absolute http or https address and
// serialises them. The authority is compared with configured origins and
// nothing else, so only the lower case and the default port of the standard's host
// parser matter: a host that it would decode or map matches no configured one.
func cutOrigin(raw string) (origin, rest string) {
	for _, scheme := range [...]string{"http", "https"} {
		n := len(scheme)
		if len(raw) < n+3 || !strings.EqualFold(raw[:n], scheme) || raw[n] != ':' || !isSlash(raw[n+1]) || !isSlash(raw[n+2]) {
			continue
		}
		authority := raw[n+3:]
		if i := strings.IndexAny(authority, `/\?#`); i >= 0 {
			authority = authority[:i]
		}
		host := defaultport.Cut(scheme, strings.ToLower(authority))
		return scheme + "://" + host, raw[n+3+len(authority):]
	}
	return "", raw
}

// normalPath resolves the path's dot segments and escapes the others.
func normalPath(path string) string {
	path = strings.ReplaceAll(path, `\`, "/")
	segments := strings.Split(strings.TrimPrefix(path, "/"), "/")
	var kept []string
	for i, segment := range segments {
		n := dots(segment)
		if n == 2 && len(kept) > 0 {
			kept = kept[:len(kept)-1]
		}
		if n == 0 {
			kept = append(kept, escape(segment, &inPath))
		} else if i == len(segments)-1 { // what the dots lead to is a directory
			kept = append(kept, "")
		}
	}
	return "/" + strings.Join(kept, "/")
}

// dots counts the dots of a dot segment, "%2e" being one; 0 for others.
func dots(segment string) int {
	n := 0
	for ; segment != ""; n++ {
		rest, ok := strings.CutPrefix(segment, ".")
		if !ok && len(segment) >= 3 && strings.EqualFold(segment[:3], "%2e") {
			rest, ok = segment[3:], true
		}
		if !ok || n == 2 {
			return 0
		}
		segment = rest
	}
	return n
}

func isSlash(c byte) bool { return c == '/' || c == '\\' }

// set is a percent-encode set (URL Standard §1.3).
type set [256]bool

// The path's set has "^" since 2024. It is not escaped here: browsers before that
// keep it, and all of them read it alike.
var (
	inFragment = encodeSet(" \"<>`")
	inQuery    = encodeSet(" \"#<>'") // of a special scheme
	inPath     = encodeSet(" \"#<>?`{}")
)

func encodeSet(also string) (s set) {
	for c := range s {
		s[c] = c < 0x20 || c > 0x7e || strings.IndexByte(also, byte(c)) >= 0
	}
	return s
}

// escape percent-encodes the bytes of s that are in the set. A "%" is left alone,
// whether or not it begins an escape.
func escape(s string, in *set) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; in[c] {
			b.Write([]byte{'%', hex[c>>4], hex[c&15]})
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}
