package proxy

import (
	"net/http"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/headers"
)

// answer turns an upstream's answer header into what the browser gets. own is
// what the gateway itself has set on the answer already, such as X-Request-Id; it
// stays.
func (p *headerPolicy) answer(h, own http.Header, d *Decision) {
	dropNamed(h, h["Connection"])
	p.cookies.stripSetCookie(h)
	for name := range h {
		rule := p.known.Of(name)
		_, set := own[name]
		if rule.Has(headers.HopByHop|headers.NeverDownstream) || set && !rule.Has(headers.Additive) {
			delete(h, name)
		}
	}
	if eventStream(h) {
		h["X-Accel-Buffering"] = d.values.one("no") // or nginx holds events back
	}
	if d.keptPrivate() {
		d.KeepPrivate(h)
	}
}

// trailer removes from an answer's trailers what no header may say, and what was
// judged when the header was.
func (p *headerPolicy) trailer(h http.Header) {
	for name := range h {
		if p.known.Of(name).Has(headers.HopByHop | headers.NeverDownstream | headers.NeverTrailer | headers.Caching) {
			delete(h, name)
		}
	}
}

func eventStream(h http.Header) bool {
	mediaType, _, _ := strings.Cut(h.Get("Content-Type"), ";")
	return strings.EqualFold(strings.TrimSpace(mediaType), "text/event-stream")
}
