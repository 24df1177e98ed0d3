// Package forwardauth reads which request a front asks about before it passes that on:
// nginx's auth_request, Traefik's ForwardAuth, Caddy's forward_auth, Envoy's ext_authz and
// their like. It believes what it reads; whether the front is to be believed, and whether
// the request may pass, is for others to say.
//
// The one invariant: each member of the description was said exactly once.
package forwardauth

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// Family is a set of headers that describe a request together.
type Family int

const (
	// Forwarded is X-Forwarded-Method, -Proto, -Host and -Uri.
	Forwarded Family = iota
	// Original is X-Original-Method and X-Original-URL.
	Original
)

// headers are all that describe a request, of either family, as net/http spells them.
var headers = []string{
	"X-Forwarded-Method", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Uri",
	"X-Original-Method", "X-Original-Url",
}

// Request is the request that a front asks about, as it was said: neither decoded nor
// judged.
type Request struct {
	Method string
	// Scheme is http or https.
	Scheme string
	// Host is the host that the browser asked for, with the port if there is one.
	Host string
	// URI is the path, with the query if there is one.
	URI string
	// WebSocket says that the front calls the scheme ws or wss.
	WebSocket bool
}

// Read returns the request that the headers of the family describe; the other family is
// ignored. The error, which is fit for a caller to see, says which member is missing,
// repeated or malformed.
func (f Family) Read(h http.Header) (Request, error) {
	if f == Original {
		return readOriginal(h)
	}
	return readForwarded(h)
}

func readForwarded(h http.Header) (Request, error) {
	var r Request
	var scheme string
	for name, to := range map[string]*string{
		"X-Forwarded-Method": &r.Method, "X-Forwarded-Proto": &scheme, "X-Forwarded-Host": &r.Host, "X-Forwarded-Uri": &r.URI,
	} {
		value, err := member(h, name)
		if err != nil {
			return Request{}, err
		}
		if to != &r.URI && strings.Contains(value, ",") { // lines that were joined (RFC 9110 §5.3)
			return Request{}, fmt.Errorf("%s is repeated", name)
		}
		*to = value
	}
	if err := r.setScheme(scheme); err != nil {
		return Request{}, fmt.Errorf("X-Forwarded-Proto %w", err)
	}
	return r, nil
}

func readOriginal(h http.Header) (Request, error) {
	method, err := member(h, "X-Original-Method")
	if err != nil {
		return Request{}, err
	}
	address, err := member(h, "X-Original-Url")
	if err != nil {
		return Request{}, err
	}
	scheme, rest, absolute := strings.Cut(address, "://")
	path := strings.IndexByte(rest, '/')
	if !absolute || path < 0 {
		return Request{}, errors.New("X-Original-Url is not SCHEME://HOST/PATH")
	}
	r := Request{Method: method, Host: rest[:path], URI: rest[path:]}
	if err := r.setScheme(scheme); err != nil {
		return Request{}, fmt.Errorf("X-Original-Url %w", err)
	}
	return r, nil
}

// member returns the value of a header that must have come once. None of them can have a
// space in it, as they come from a request's first line and its Host (RFC 9112 §3): one
// that has is several that were joined.
func member(h http.Header, name string) (string, error) {
	switch values := h[name]; {
	case len(values) == 0 || len(values) == 1 && values[0] == "":
		return "", fmt.Errorf("%s is missing", name)
	case len(values) > 1:
		return "", fmt.Errorf("%s is repeated", name)
	case strings.ContainsAny(values[0], " \t"):
		return "", fmt.Errorf("%s has a space in it", name)
	default:
		return values[0], nil
	}
}

// setScheme takes a scheme over. Some fronts name that of a WebSocket.
func (r *Request) setScheme(scheme string) error {
	switch scheme {
	case "http", "https":
		r.Scheme = scheme
	case "ws", "wss":
		r.Scheme, r.WebSocket = "http"+scheme[len("ws"):], true
	default:
		return errors.New("names neither http nor https")
	}
	return nil
}

// Headers returns the headers of the request itself: those that came, less the front's
// description. A handshake is told by its Upgrade, which fronts drop because it speaks of
// one connection (RFC 9110 §7.6.1); so it is put back where the key says that it was
// there (RFC 6455 §4.1; no script can send one).
func (r *Request) Headers(came http.Header) http.Header {
	own := make(http.Header, len(came)+1)
	for name, values := range came {
		own[name] = values
	}
	for _, name := range headers {
		delete(own, name)
	}
	if r.WebSocket || len(came["Sec-Websocket-Key"]) > 0 {
		own["Upgrade"] = []string{"websocket"}
	}
	return own
}
