package proxy

import (
	"encoding/hex"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/headers"
)

// headerPolicy says which headers pass a relay, in either direction.
type headerPolicy struct {
	known   *headers.Table
	cookies cookieNames
	// believed are the canonical names of headers that a trusted proxy is believed in.
	believed map[string]bool
}

// newHeaderPolicy makes the policy of a relay that says by the headers named who is
// calling: they are dropped from what clients send.
func newHeaderPolicy(o Options, identity ...string) *headerPolicy {
	p := &headerPolicy{known: headers.KnownAnd(identity...), cookies: o.CookieNames, believed: make(map[string]bool)}
	for _, name := range o.TrustedHeaders {
		p.believed[http.CanonicalHeaderKey(name)] = true
	}
	return p
}

// drops reports whether a client's header of that name never goes upstream.
func (p *headerPolicy) drops(name string, trusted bool) bool {
	rule := p.known.Of(name)
	switch {
	case rule.Has(headers.HopByHop), !headers.Plain(name):
		return true
	case trusted && p.believed[name]:
		return rule.Has(headers.Restated)
	}
	return rule.Has(headers.NeverUpstream | headers.OfProxies | headers.Restated)
}

// fill puts the headers for the upstream into out, which has none yet, and leaves those
// of the client's request as they are. It drops what the client's Connection header
// names before it sets anything, so that a client cannot have those dropped.
func (p *headerPolicy) fill(out http.Header, in *http.Request, d *Decision) {
	for name, values := range in.Header {
		if !p.drops(name, d.TrustedPeer) {
			out[name] = values
		}
	}
	dropNamed(out, in.Header["Connection"])
	if lists(in.Header["Te"], "trailers") {
		out["Te"] = d.values.one("trailers") // they are passed on, and gRPC insists
	}
	p.stripCookies(out, d)
	if !d.PassesAuthorization() {
		delete(out, "Authorization")
	}
	from := p.origin(out, in, d)
	d.values.set(out, "Authorization", d.Bearer.Reveal())
	d.values.set(out, "X-Request-Id", d.RequestID)
	d.values.set(out, "X-Forwarded-For", from.client)
	d.values.set(out, "X-Forwarded-Host", from.host)
	d.values.set(out, "X-Forwarded-Proto", from.proto)
	d.values.set(out, "Traceparent", from.trace)
	d.Identify(out)
	d.Vouch(out)
}

// added is how many headers a request gets that it may not have had, on most routes.
const added = 7

// stripCookies removes the gateway's cookies. It works on a copy of the lines,
// because those it is given belong to the client's request.
func (p *headerPolicy) stripCookies(out http.Header, d *Decision) {
	switch lines := out["Cookie"]; len(lines) {
	case 0:
		return
	case 1:
		out["Cookie"] = d.values.one(lines[0])
	default:
		out["Cookie"] = slices.Clone(lines)
	}
	p.cookies.strip(out)
}

// values holds the values of headers that have one, in one array: a slice for each
// would be an allocation for each.
type values struct {
	array [12]string
	used  int
}

func (v *values) one(value string) []string {
	if v.used == len(v.array) {
		return []string{value}
	}
	v.array[v.used] = value
	v.used++
	return v.array[v.used-1 : v.used : v.used]
}

func (v *values) set(h http.Header, name, value string) {
	if value != "" {
		h[name] = v.one(value)
	}
}

// origin is what the upstream is told about where a request came from.
type origin struct{ client, host, proto, trace string }

// origin returns where the request came from, as the gateway sees it or as a
// trusted peer says it in the headers that it is believed in.
func (p *headerPolicy) origin(out http.Header, in *http.Request, d *Decision) origin {
	from := origin{client: d.Client, host: d.Host, proto: d.Proto}
	believed := func(name string) []string {
		if !d.TrustedPeer || !p.believed[name] {
			return nil
		}
		return in.Header[name]
	}
	if trace := believed("Traceparent"); len(trace) == 1 && validTraceparent(trace[0]) {
		from.trace = trace[0]
	} else {
		// W3C Trace Context §3.3: no tracestate without its traceparent.
		delete(out, "Tracestate")
		from.trace = newTraceparent()
	}
	if v := believed("X-Forwarded-For"); len(v) > 0 {
		peer, _, err := net.SplitHostPort(in.RemoteAddr)
		if err != nil {
			peer = d.Client
		}
		from.client = strings.Join(v, ", ") + ", " + peer
	}
	if v := believed("X-Forwarded-Proto"); len(v) == 1 && (v[0] == "http" || v[0] == "https") {
		from.proto = v[0]
	}
	return from
}

// newTraceparent starts a trace (W3C Trace Context §3.2). It sets the sampled flag:
// without it, an upstream that follows its parent's decision, as OpenTelemetry does
// by default, would record nothing.
func newTraceparent() string {
	var id [24]byte // trace id, parent id
	for i := range 3 {
		// All zeros are invalid.
		v := rand.Uint64() | 1 //nolint:gosec // names a trace, guards nothing
		for j := range 8 {
			id[i*8+j] = byte(v >> (8 * j))
		}
	}
	var b [55]byte
	copy(b[:], "00-")
	hex.Encode(b[3:], id[:16])
	b[35] = '-'
	hex.Encode(b[36:], id[16:])
	copy(b[52:], "-01")
	return string(b[:])
}

// validTraceparent reports whether v is a traceparent of version 00.
func validTraceparent(v string) bool {
	if len(v) != 55 || v[:3] != "00-" || v[35] != '-' || v[52] != '-' {
		return false
	}
	return lowerHex(v[3:35]) && lowerHex(v[36:52]) && lowerHex(v[53:]) &&
		strings.Trim(v[3:35], "0") != "" && strings.Trim(v[36:52], "0") != ""
}

func lowerHex(s string) bool {
	for i := 0; i < len(s); i++ {
		if (s[i] < '0' || s[i] > '9') && (s[i] < 'a' || s[i] > 'f') {
			return false
		}
	}
	return true
}
