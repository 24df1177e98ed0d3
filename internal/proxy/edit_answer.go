package proxy

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/headers"
)

// answer adds to own, the headers that the gateway has set already, those of an
// upstream's answer that the browser gets. It takes over their values.
func (p *headerPolicy) answer(own, from http.Header, d *Decision) {
	dropNamed(from, from["Connection"])
	p.cookies.stripSetCookie(from)
	private := d.keptPrivate()
	if d.Route.CORSUpstream {
		maps.DeleteFunc(own, func(name string, _ []string) bool { return ofCORS(name) })
	}
	for name, values := range from {
		rule := p.known.Of(name)
		if d.Route.CORSUpstream && ofCORS(name) {
			rule &^= headers.NeverDownstream
		}
		if rule.Has(headers.HopByHop|headers.NeverDownstream) || private && forParticularCaches(name, rule) {
			continue
		}
		if before, set := own[name]; !set {
			own[name] = values
		} else if rule.Has(headers.Additive) {
			own[name] = append(slices.Clip(before), values...)
		}
	}
	if eventStream(from) {
		own["X-Accel-Buffering"] = d.values.one("no") // or nginx holds events back
	}
	if private {
		d.sayPrivate(own)
	}
}

// ofCORS reports whether a header says which other origins may do what.
func ofCORS(name string) bool { return strings.HasPrefix(name, "Access-Control-") }

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
