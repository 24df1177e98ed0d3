package proxy

import (
	"net/http"
	"strings"
)

// dropNamed removes from h what the lines of a Connection header name.
func dropNamed(h http.Header, connection []string) {
	for _, line := range connection {
		for name := range strings.SplitSeq(line, ",") {
			// Keep-Alive is the most common, and dropped anyway.
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
			// Letters beyond ASCII that fold to k or s are longer.
			if item = trimBlank(item); len(item) == len(token) && strings.EqualFold(item, token) {
				return true
			}
		}
	}
	return false
}

// trimBlank trims what RFC 9110 §5.6.3 calls optional whitespace.
func trimBlank(s string) string { return strings.Trim(s, " \t") }
