package proxy

import (
	"net/http"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/headers"
)

// answer turns an upstream's header into the one that the browser gets. The
// headers in own, which the gateway has set already, replace the upstream's.
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

// trailer removes from an answer's trailers what may not stand in a header, and
// what may stand in a header only.
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
