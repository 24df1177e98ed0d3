package proxy

import (
	"net/http"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/headers"
)

// The Cache-Control of answers (RFC 9111 §5.2.2).
const (
	// privately is for an answer that no cache may keep for others.
	privately = "private, no-store"
	// revalidated is for a file. A browser asks at each use whether it has changed,
	// which takes one short round trip, and sees a new deployment at once.
	revalidated = "no-cache"
)

// keptPrivate reports whether the answer must not be cached by anyone but the
// browser that asked.
func (d *Decision) keptPrivate() bool { return d.Private && !d.Route.CacheUpstream }

// fileCaching is the Cache-Control of a file that the gateway serves itself.
func (d *Decision) fileCaching() string {
	if d.keptPrivate() {
		return privately
	}
	return revalidated
}

// KeepPrivate keeps the answer out of shared caches. RFC 9111 §3.5 protects answers
// to requests with Authorization, but browsers send a cookie, which caches do not
// look at. It removes the headers for particular caches, which would override
// Cache-Control.
func (d *Decision) KeepPrivate(h http.Header) {
	for name := range h {
		if forParticularCaches(name, headers.Known.Of(name)) {
			delete(h, name)
		}
	}
	d.sayPrivate(h)
}

// forParticularCaches reports whether a header of that rule speaks to some caches only.
func forParticularCaches(name string, rule headers.Rule) bool {
	return rule.Has(headers.Caching) && name != "Cache-Control"
}

// sayPrivate sees to it that Cache-Control keeps the answer out of shared caches.
func (d *Decision) sayPrivate(h http.Header) {
	if !saysPrivate(h["Cache-Control"]) {
		h["Cache-Control"] = d.values.one(privately)
	}
}

// saysPrivate reports whether one of the directives is private or no-store. A
// private with field names holds for these fields only, RFC 9111 §5.2.2.7.
func saysPrivate(lines []string) bool {
	for _, line := range lines {
		quoted := false
		start := 0
		for i := 0; i <= len(line); i++ {
			if i < len(line) && line[i] == '"' {
				quoted = !quoted
			}
			if i < len(line) && (line[i] != ',' || quoted) {
				continue
			}
			directive := strings.TrimSpace(line[start:i])
			if strings.EqualFold(directive, "private") || strings.EqualFold(directive, "no-store") {
				return true
			}
			start = i + 1
		}
	}
	return false
}
