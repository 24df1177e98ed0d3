package proxy

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"time"
)

// Reverse relays requests to upstreams over HTTP/1.1, HTTP/2 and h2c.
type Reverse struct {
	headers   *headerPolicy
	bodyBytes int64
	upstreams map[*Route]*upstream
	pool      transportPool
	// exchanges holds *exchange, each bound to a ReverseProxy of its own, so
	// that a request needs neither closures nor a context value.
	exchanges sync.Pool
}

// upstream is where the requests of one route go.
type upstream struct {
	scheme, host string
	base         string // escaped base path, without a slash at its end
	cut          int    // segments to cut off the path
	name         string // for the log
	transport    *http.Transport
}

// NewReverse builds the relay for all routes of o.Table that name an upstream.
// It connects to none.
func NewReverse(o Options) (*Reverse, error) {
	p := &Reverse{
		headers:   newHeaderPolicy(o),
		bodyBytes: o.BodyBytes,
		upstreams: make(map[*Route]*upstream),
		pool:      transportPool{tls: o.UpstreamTLS},
	}
	for _, route := range o.Table.Routes() {
		if route.Upstream == nil {
			continue
		}
		up, err := p.upstream(route)
		if err != nil {
			return nil, err
		}
		p.upstreams[route] = up
	}
	p.exchanges.New = func() any { return newExchange(p) }
	return p, nil
}

func (p *Reverse) upstream(route *Route) (*upstream, error) {
	target := route.Upstream
	up := &upstream{
		scheme: target.Scheme,
		host:   target.Host,
		base:   strings.TrimRight(target.EscapedPath(), "/"),
		name:   target.Host,
	}
	switch target.Scheme {
	case "http", "https":
	case "h2c":
		up.scheme = "http"
	default:
		return nil, fmt.Errorf("route %s: upstream scheme %q is none of http, https, h2c", route.Path, target.Scheme)
	}
	if target.Host == "" {
		return nil, fmt.Errorf("route %s: upstream has no host", route.Path)
	}
	if route.StripPrefix {
		up.cut = route.segments()
	}
	up.transport = p.pool.get(target, route.Timeout)
	return up, nil
}

// path returns where the upstream finds p: decoded, and escaped as it is sent.
// A canonical path has no dot segments, so it cannot leave the base path.
func (u *upstream) path(p Path) (decoded, escaped string) {
	escaped = after(p.escaped, u.cut)
	if u.base != "" {
		escaped = u.base + escaped
	}
	return unescape(escaped), escaped
}

// CloseIdle closes the idle connections to all upstreams.
func (p *Reverse) CloseIdle() { p.pool.closeIdle() }

// Relay implements [Relay].
func (p *Reverse) Relay(w http.ResponseWriter, r *http.Request, d *Decision) error {
	up := p.upstreams[d.Route]
	if up == nil {
		return fmt.Errorf("relay to route %s: it is not of this table", d.Route.Path)
	}
	x := p.exchanges.Get().(*exchange)
	x.up, x.d, x.in, x.w = up, d, r, w
	x.upgrade = webSocketUpgrade(r)
	if x.upgrade {
		x.w = &upgradeWriter{ResponseWriter: w, exchange: x}
	}
	if d.Event != nil {
		d.Event.Upstream = up.name
	}
	x.run()
	// Not deferred: if an upstream dies midway this panics, as it should, and
	// the exchange is left to the collector.
	err := x.err
	x.release()
	return err
}

// exchange is one request on its way, with everything that the hooks of its
// ReverseProxy need to know.
type exchange struct {
	reverse *Reverse
	proxy   httputil.ReverseProxy

	up      *upstream
	d       *Decision
	in      *http.Request
	w       http.ResponseWriter
	upgrade bool // a WebSocket was asked for
	taken   bool // the connection has left the server, nothing can be answered
	body    *requestBody
	answer  answerBody
	err     error
}

// run relays the request, and leaves in err why it could not.
func (x *exchange) run() {
	if limit := x.reverse.bodyBytes; limit > 0 && x.in.ContentLength > limit {
		x.err = x.closing(tooLarge(nil))
		return
	}
	if x.in.ProtoMajor == 1 && x.in.ContentLength != 0 {
		// The server would otherwise read the body to its end before it lets an
		// answer begin. What this costs is paid in unfinished.
		_ = http.NewResponseController(x.w).EnableFullDuplex()
	}
	x.proxy.ServeHTTP(x.w, x.in)
}

// unfinished reports whether some of the request's body may still be on its way
// over an HTTP/1 connection. Such a connection must end with the answer: in full
// duplex net/http takes a rest that it cannot read for the next request, or
// panics over two readers.
func (x *exchange) unfinished() bool {
	return x.in.ProtoMajor == 1 && x.in.ContentLength != 0 && !x.body.ended()
}

func newExchange(p *Reverse) *exchange {
	x := &exchange{reverse: p}
	x.proxy = httputil.ReverseProxy{
		Rewrite:        x.rewrite,
		Transport:      x,
		ModifyResponse: x.modify,
		ErrorHandler:   x.fail,
		BufferPool:     buffers{},
		ErrorLog:       silent, // failures are recorded in the event, once
	}
	return x
}

var silent = log.New(io.Discard, "", 0)

// release puts the exchange back, with nothing of the request left in it.
func (x *exchange) release() {
	x.up, x.d, x.in, x.w, x.body, x.err = nil, nil, nil, nil, nil, nil
	x.upgrade, x.taken = false, false
	x.answer = answerBody{}
	x.reverse.exchanges.Put(x)
}

// rewrite makes the upstream's request out of the client's.
func (x *exchange) rewrite(pr *httputil.ProxyRequest) {
	out := pr.Out
	x.reverse.headers.editRequest(out.Header, pr.In, x.d)
	if !x.upgrade {
		// Any other upgrade would end in a tunnel that nobody judges.
		delete(out.Header, "Upgrade")
		delete(out.Header, "Connection")
	}
	decoded, escaped := x.up.path(x.d.Path)
	*out.URL = url.URL{
		Scheme: x.up.scheme, Host: x.up.host, Path: decoded, RawPath: escaped,
		// ReverseProxy drops pairs with ";" or a bad escape; an upstream that
		// takes them takes them from us too.
		RawQuery: pr.In.URL.RawQuery, ForceQuery: pr.In.URL.ForceQuery,
	}
	if !x.d.Route.PreserveHost {
		out.Host = ""
	}
	// Request trailers would bypass every rule above; nobody needs them.
	out.Trailer = nil
	if out.Body != nil {
		x.body = newRequestBody(out.Body, x.reverse.bodyBytes)
		out.Body = x.body
	}
}

// RoundTrip implements [http.RoundTripper] on the upstream's transport.
func (x *exchange) RoundTrip(req *http.Request) (*http.Response, error) {
	start := time.Now()
	res, err := x.up.transport.RoundTrip(req.WithContext(untraced{req.Context()}))
	if err != nil {
		return nil, err
	}
	if x.d.Event != nil {
		x.d.Event.UpstreamTime = time.Since(start)
	}
	if res.StatusCode == http.StatusSwitchingProtocols && !(x.upgrade && webSocketAnswer(res)) {
		_ = res.Body.Close() // ReverseProxy refuses it too, but keeps the connection
		return nil, errUnasked
	}
	return res, nil
}

// modify edits the upstream's answer.
func (x *exchange) modify(res *http.Response) error {
	if x.unfinished() {
		x.w.Header()["Connection"] = []string{"close"}
	}
	x.reverse.headers.editResponse(res.Header, x.w.Header(), x.d)
	x.reverse.headers.filter(res.Trailer)
	if len(res.Trailer) > 0 {
		// HTTP/2 has length and trailers together; HTTP/1.1 needs chunks for them.
		delete(res.Header, "Content-Length")
	}
	if res.StatusCode != http.StatusSwitchingProtocols { // that one's body is the connection
		x.answer = answerBody{ReadCloser: res.Body, x: x, res: res}
		res.Body = &x.answer
	}
	return nil
}

// fail keeps the error for Relay to return.
func (x *exchange) fail(_ http.ResponseWriter, _ *http.Request, err error) {
	if x.taken {
		x.note(err)
		return
	}
	x.err = x.closing(x.classify(err))
}

// note records what went wrong after the answer had begun.
func (x *exchange) note(err error) {
	if x.d.Event != nil && x.d.Event.Err == nil && x.in.Context().Err() == nil {
		x.d.Event.Err = fmt.Errorf("relay from %s: %w", x.up.name, err)
	}
}
