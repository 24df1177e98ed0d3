package proxy

import (
	"net/http"
	"strings"
)

// hopByHop reports whether a header speaks of one connection only and is never
// passed on, in either direction (RFC 9110 §7.6.1; those of RFC 2616 §13.5.1
// are dropped even where Connection does not name them).
func hopByHop(name string) bool {
	switch name {
	case "Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Connection",
		"Te", "Trailer", "Transfer-Encoding", "Upgrade":
		return true
	}
	return false
}

// dropHopByHop removes from h the headers of one connection.
func dropHopByHop(h http.Header) {
	dropNamed(h, h["Connection"])
	for name := range h {
		if hopByHop(name) {
			delete(h, name)
		}
	}
}

// dropNamed removes from h what the lines of a Connection header name.
func dropNamed(h http.Header, connection []string) {
	for _, line := range connection {
		for name := range strings.SplitSeq(line, ",") {
			// Keep-Alive, by far the most common, is dropped anyway.
			if name = trimBlank(name); name != "" && !strings.EqualFold(name, "keep-alive") {
				h.Del(name)
			}
		}
	}
}

// lists reports whether one of the lines, each a list separated by commas,
// holds the token, in any case.
func lists(lines []string, token string) bool {
	for _, line := range lines {
		for item := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(trimBlank(item), token) {
				return true
			}
		}
	}
	return false
}

// trimBlank trims what RFC 9110 §5.6.3 calls optional whitespace.
func trimBlank(s string) string { return strings.Trim(s, " \t") }
