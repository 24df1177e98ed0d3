package proxy

import (
	"net/http"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// cookieNames are the names of the gateway's own cookies.
type cookieNames []string

// own reports whether name is one of them, or a numbered chunk of one.
func (n cookieNames) own(name string) bool {
	for _, own := range n {
		if len(name) < len(own) || !strings.EqualFold(name[:len(own)], own) {
			continue
		}
		if rest := name[len(own):]; rest == "" || chunk(rest) {
			return true
		}
	}
	return false
}

// chunk reports whether the suffix is that of a numbered chunk: "-1", "-12", ….
func chunk(suffix string) bool {
	if len(suffix) < 2 || suffix[0] != '-' {
		return false
	}
	for i := 1; i < len(suffix); i++ {
		if suffix[i] < '0' || suffix[i] > '9' {
			return false
		}
	}
	return true
}

// strip removes the gateway's cookies from the Cookie headers and leaves all
// others byte for byte as they are. It parses nothing: a parser would drop or
// rewrite cookies that an upstream may well understand.
func (n cookieNames) strip(h http.Header) {
	lines, ok := h["Cookie"]
	if !ok {
		return
	}
	kept := lines[:0]
	for _, line := range lines {
		if rest := n.stripLine(line); rest != "" {
			kept = append(kept, rest)
		}
	}
	if len(kept) == 0 {
		delete(h, "Cookie")
	} else if len(kept) < len(lines) {
		h["Cookie"] = kept
	}
}

// stripLine returns the line itself if it holds none of the gateway's cookies, and a
// piece of it if they stand together at one of its ends, as is usual.
func (n cookieNames) stripLine(line string) string {
	var few [4]string
	before, after, more := n.cutOwn(line)
	kept := append(few[:0], before)
	for more {
		var next string
		next, after, more = n.cutOwn(after)
		kept = append(kept, next)
	}
	if before == "" && len(kept) > 1 {
		return strings.TrimLeft(strings.Join(kept[1:], ";"), "; \t")
	}
	return strings.Join(kept, ";")
}

// cutOwn cuts a line around the first of the gateway's cookies that stand together in
// it; more says that something stands behind them.
func (n cookieNames) cutOwn(line string) (before, after string, more bool) {
	found := false
	for start := 0; start <= len(line); {
		end := start + strings.IndexByte(line[start:], ';')
		if end < start {
			end = len(line)
		}
		name, _, _ := strings.Cut(line[start:end], "=")
		switch ours := n.own(strings.Trim(name, " \t")); {
		case ours && !found:
			found, before = true, strings.TrimSuffix(line[:start], ";")
		case !ours && found:
			return before, line[start:], true
		}
		start = end + 1
	}
	if !found {
		before = line
	}
	return before, "", false
}

// stripSetCookie removes what would set one of the gateway's cookies.
func (n cookieNames) stripSetCookie(h http.Header) {
	lines, ok := h["Set-Cookie"]
	if !ok {
		return
	}
	kept := make([]string, 0, len(lines))
	for _, line := range lines {
		if !n.own(setCookieName(line)) {
			kept = append(kept, line)
		}
	}
	if len(kept) == 0 {
		delete(h, "Set-Cookie")
	} else if len(kept) < len(lines) {
		h["Set-Cookie"] = kept
	}
}

// setCookieName returns the name under which any browser could file the cookie.
// All but token characters (RFC 9110 §5.6.2) are ignored, because some readers
// trim Unicode spaces and controls; and so is a leading "=", because a cookie
// without a name and with the value "a=b" is sent back as "a=b".
func setCookieName(line string) string {
	line, _, _ = strings.Cut(line, ";")
	name := make([]byte, 0, 32)
	for i := 0; i < len(line); i++ {
		c := line[i]
		switch {
		case c == '=' && len(name) > 0:
			return string(name)
		case httpguts.IsTokenRune(rune(c)):
			name = append(name, c)
		}
	}
	return string(name)
}
