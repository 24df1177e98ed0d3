// Package proxy relays a request on a route that it fell on (package routing): to
// an upstream with the caller's token, or from a directory. It owns which headers
// go and which never do, streams, and how an upstream's failures look. Whether a
// request may pass is decided before it gets here.
//
// The one invariant: the path that was judged is the path that is forwarded.
package proxy

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/clientconn"
	"github.com/gatehouse-auth/gatehouse/internal/identity"
	"github.com/gatehouse-auth/gatehouse/internal/routing"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/static"
	"github.com/gatehouse-auth/gatehouse/internal/telemetry"
	"github.com/gatehouse-auth/gatehouse/internal/tunnel"
	"github.com/gatehouse-auth/gatehouse/internal/urlpath"
)

// Decision is what was decided about one request, filled in place by whoever
// judged it and read by the relay.
type Decision struct {
	// Route is what the path fell on.
	Route *routing.Route
	// Path is the canonical path of the request, which is what is forwarded.
	Path urlpath.Path
	// Bearer is the Authorization header for the upstream ("Bearer …"); empty
	// sends none.
	Bearer secret.Text
	// Identity are the headers that tell the upstream who is calling.
	Identity []identity.Header
	// Assertion is one more, by which the gateway vouches for it; zero: none.
	Assertion identity.Header
	// Private says that the answer is served on the strength of the cookie: it
	// must not be cached by anyone but the browser that asked.
	Private bool
	// ClientActive is set when the client has sent something on a WebSocket, which is a
	// use of its session. May be nil.
	ClientActive *atomic.Bool
	// RequestID, Proto, Host and Client are what X-Request-Id and
	// X-Forwarded-Proto, -Host, -For tell the upstream. Host is the one that was
	// judged, and the upstream's Host too, where the route preserves it. Client is
	// the address of the caller as the gateway sees it, without a port.
	RequestID string
	Proto     string
	Host      string
	Client    string
	// TrustedPeer says that the peer is a trusted proxy: those of its headers that
	// Options.TrustedHeaders names are kept, and its own address is appended to
	// X-Forwarded-For.
	TrustedPeer bool
	// Stream is set by the relay where the answer goes on without it: whoever has called
	// runs that, mostly when the handler has returned. Until then the stream is the one
	// to end.
	Stream Stream
	// Event is the request's log record; the relay notes upstream and time. May
	// be nil.
	Event *telemetry.Event

	// values are those of the headers that the relay sets. A transport may still read
	// them when the answer is over, so a decision serves one request.
	values values
}

// PassesAuthorization reports whether the client's own Authorization goes to the upstream.
func (d *Decision) PassesAuthorization() bool {
	return d.Route.Access.Auth == routing.AuthNone && d.Bearer.Empty()
}

// Identify sets the headers that say who is calling.
func (d *Decision) Identify(h http.Header) {
	for i := range d.Identity {
		h[d.Identity[i].Name] = d.Identity[i].Values
	}
}

// Forget takes back who is calling, in all that an upstream is told of it.
func (d *Decision) Forget() {
	d.Bearer, d.Identity, d.Assertion = secret.Text{}, nil, identity.Header{}
}

// Vouch sets the header by which the gateway vouches for that. It is a credential: only the
// upstream may see it.
func (d *Decision) Vouch(h http.Header) {
	if d.Assertion.Name != "" {
		h[d.Assertion.Name] = d.Assertion.Values
	}
}

// Relay answers a request that may pass, or its beginning: see [Decision.Stream]. An error means that nothing was written,
// neither status nor header. It is a *problem.Error, the context's error if the
// caller has left, or a bug. Relay panics with [http.ErrAbortHandler] if an upstream
// dies in the middle of its answer, so that the caller does not take a part for the
// whole.
type Relay interface {
	Relay(w http.ResponseWriter, r *http.Request, d *Decision) error
}

// Options says what relays know besides their routes.
type Options struct {
	// CookieNames are the cookies of the gateway, with their prefixes. They and
	// their numbered chunks (NAME-1, NAME-2, …) never reach an upstream, and no
	// upstream can set them.
	CookieNames []string
	// TrustedHeaders are the headers in which trusted proxies say where a request
	// came from, such as X-Forwarded-For. Others of that kind are dropped, and those
	// of everybody else ([headers.OfProxies]).
	TrustedHeaders []string
	// Tunnels is where the relay's tunnels are. It outlives the relay, so that those
	// of the routes before a reload are among them. Default: a registry of its own.
	Tunnels *tunnel.Registry
	// Streams is where the streams are that have left their handlers. It outlives the relay,
	// as Tunnels does. Default: a registry of its own.
	Streams *tunnel.Registry
	// Upstreams has the ways to upstreams, and counts what happens on them. It outlives
	// the relay. Default: one of its own.
	Upstreams *Upstreams
	// Room is for connections to upstreams, and for files. Default: there is no limit.
	Room *clientconn.Room
	// ClientTimeout is how long a client may take to read a piece of an answer. Default: a
	// minute.
	ClientTimeout time.Duration
	// Proxy names the forward proxy to an address, or nil, for routes with
	// UseProxy. It is asked when the relay is built. Default: there is none.
	Proxy func(*url.URL) (*url.URL, error)

	// upstreamTLS is for connections to the https upstreams of tests. Default: the
	// system's roots, and what Go has.
	upstreamTLS *tls.Config
	// gatherTime is how long a short body is waited for, so that it can be sent in one
	// piece. Default: 20 ms.
	gatherTime time.Duration
}

// Dispatcher is the relay of a whole route table: it hands each request to what
// its route names. It goes together with its table; a reload replaces both.
type Dispatcher struct {
	reverse *reverseProxy
	files   map[*routing.Route]*static.Files
	room    *clientconn.Room
}

// NewRelay builds the relays of all routes of a table. It looks at the directories
// of static routes, which must be there, and asks nothing of upstreams. The relay has to
// be closed.
func NewRelay(table *routing.Table, o Options) (*Dispatcher, error) {
	reverse, err := newReverseProxy(table, o)
	if err != nil {
		return nil, err
	}
	files := make(map[*routing.Route]*static.Files)
	for _, route := range table.Routes() {
		if route.Static != "" {
			if files[route], err = static.New(route.Static, route.SPAFallback); err != nil {
				reverse.close()
				return nil, fmt.Errorf("route %s: %w", route.Path, err)
			}
		}
	}
	return &Dispatcher{reverse: reverse, files: files, room: o.Room}, nil
}

// Relay implements [Relay].
func (disp *Dispatcher) Relay(w http.ResponseWriter, r *http.Request, d *Decision) error {
	if d.Route == nil || d.Route.Access.Auth == routing.AuthOwn {
		return fmt.Errorf("relay %s: no route to relay to", d.Path.Escaped())
	}
	if files := disp.files[d.Route]; files != nil {
		if !disp.room.Take() {
			return InstanceBusy(errors.New("as many connections and files are open as the process can have"))
		}
		defer disp.room.GiveBack()
		return files.Serve(w, r, static.Target{Name: fileName(d), Path: d.Path.Escaped(), CacheControl: d.fileCaching()})
	}
	return disp.reverse.relay(w, r, d)
}

// fileName is the name below the route's directory that the path stands for.
func fileName(d *Decision) string {
	path := d.Path.Literal()
	if d.Route.StripPrefix {
		path = urlpath.After(path, d.Route.Segments())
	}
	return strings.TrimPrefix(path, "/")
}

// Close lets go of the upstreams, after a reload or at the end: those that no other relay
// has are checked no more, and their idle connections are closed. Requests under way go
// on. A second call does nothing.
func (disp *Dispatcher) Close() { disp.reverse.close() }
