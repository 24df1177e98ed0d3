package proxy

import (
	"net/http"
	"strings"
)

// additive are the headers of which the gateway's and the upstream's both count.
var additive = map[string]bool{
	"Vary": true, "Set-Cookie": true, "Link": true, "Server-Timing": true,
	"Content-Security-Policy": true, "Content-Security-Policy-Report-Only": true,
}

// editResponse turns an upstream's answer header into what the browser gets.
// own is what the gateway itself has set on the answer already, such as
// X-Request-Id; it stays.
func (p *headerPolicy) editResponse(h, own http.Header, d *Decision) {
	p.filter(h)
	for name := range own {
		if !additive[name] {
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

// filter removes from an answer's headers what an upstream has no say in: the
// gateway's cookies and names, and instructions to browsers, caches and fronts
// that hold for the whole site.
func (p *headerPolicy) filter(h http.Header) {
	p.cookies.stripSetCookie(h)
	for name := range h {
		if dropsAnswer(name) {
			delete(h, name)
		}
	}
}

func dropsAnswer(name string) bool {
	switch name {
	case "Clear-Site-Data", "Alt-Svc", "X-Request-Id",
		"Nel", "Report-To", "Reporting-Endpoints": // who is told of every error on the site
		return true
	}
	for _, prefix := range [...]string{"Access-Control-", "X-Accel-", "X-Sendfile", "X-Lighttpd-Send", "X-Litespeed-", "X-Gatehouse"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// filterTrailer removes from an answer's trailers what no header may say, and
// what was judged when the header was: whoever merges trailers into the header
// would read it otherwise (RFC 9110 §6.5.1).
func (p *headerPolicy) filterTrailer(h http.Header) {
	for name := range h {
		if dropsAnswer(name) || hopByHop(name) || cacheControl(name) || judged[name] {
			delete(h, name)
		}
	}
}

// judged are the headers about a message's transfer, its content and what may be
// done with it, which are no trailer's to change.
var judged = map[string]bool{
	"Content-Length": true, "Content-Type": true, "Content-Encoding": true, "Content-Range": true, "Content-Location": true,
	"Content-Disposition": true, "Content-Security-Policy": true, "Content-Security-Policy-Report-Only": true,
	"Set-Cookie": true, "Expires": true, "Pragma": true, "Age": true, "Date": true, "Vary": true, "Location": true, "Refresh": true,
	"Retry-After": true, "Www-Authenticate": true, "Strict-Transport-Security": true, "X-Content-Type-Options": true,
	"X-Frame-Options": true, "Referrer-Policy": true, "Permissions-Policy": true, "Service-Worker-Allowed": true,
	"Cross-Origin-Opener-Policy": true, "Cross-Origin-Resource-Policy": true, "Cross-Origin-Embedder-Policy": true,
}

func eventStream(h http.Header) bool {
	mediaType, _, _ := strings.Cut(h.Get("Content-Type"), ";")
	return strings.EqualFold(strings.TrimSpace(mediaType), "text/event-stream")
}
