// Package middleware holds what concerns every request, one concern a file:
// record and recover, hosts and limits, the same-origin rule, the session of a
// request, the access policy of its route. It decides whether a request passes;
// what an answer looks like is left to package problem, which route a request
// falls on to package routing, and how it is relayed to package proxy.
//
// The one invariant: a Handler that returns an error has written nothing, so
// every error is answered in one place.
package middleware

import (
	"context"
	"net/http"

	"github.com/gatehouse-auth/gatehouse/internal/problem"
	"github.com/gatehouse-auth/gatehouse/internal/proxy"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/streams"
	"github.com/gatehouse-auth/gatehouse/internal/telemetry"
)

// Exchange is what is known of one request and its answer. There is one a
// request, handed down explicitly and filled in place, so that the hot path
// needs no context value and no copy of the request.
type Exchange struct {
	Event    telemetry.Event
	Decision proxy.Decision
	// Asked is the host that the caller asked for, as it came; what the guard
	// makes of it is the decision's.
	Asked string
	// Handle is what the cookie carried and the same-origin rule let through;
	// empty if nothing.
	Handle session.Handle
	// Caller is who makes the request, as far as it is known by now.
	Caller Caller

	// heard is how many changes of sessions had been heard before the session was
	// loaded; place is the exchange's among those that end with their session.
	heard uint64
	place streams.Place
	// ending is how the exchange is ended, and tokenOver whether its access token has.
	ending    ending
	tokenOver expiry
	// later is what is left to do at the end of an answer that has left its handler.
	later []func()

	writer writer
	// own are the values of the headers that every answer gets; an array, as a
	// slice each would be an allocation each.
	own [2]string
}

// LogFailure tells the log of a failure whose answer is none, such as a redirect to
// whoever shows it.
func (x *Exchange) LogFailure(e *problem.Error) {
	x.Event.Code, x.Event.Err, x.Event.Level = string(e.Code), e, e.Level()
}

// AskAbout puts another request in the place of the one that came: for those who judge it,
// and for the log. The path is without its query, which may hold codes and states.
func (x *Exchange) AskAbout(method, host, path string) {
	x.Asked = host
	x.Event.Method, x.Event.Host, x.Event.Path = truncate(method), truncate(host), truncate(path)
}

// Handler answers a request, or returns an error and has written nothing.
type Handler func(w http.ResponseWriter, r *http.Request, x *Exchange) error

// Middleware puts something before a Handler.
type Middleware func(Handler) Handler

// Chain runs the middlewares in the order given, then h.
func Chain(h Handler, mws ...Middleware) Handler {
	for i := len(mws) - 1; i >= 0; i-- {
		h = mws[i](h)
	}
	return h
}

type exchangeKey struct{}

// Mux makes a Handler of a router of net/http's kind, whose leaves are made by
// [Leaf]. It is for the gateway's own endpoints, off the hot path.
func Mux(router http.Handler) Handler {
	return func(w http.ResponseWriter, r *http.Request, x *Exchange) error {
		p := &passage{x: x}
		// Work that outlives the request keeps its context, and must not keep all of it.
		defer func() { *p = passage{} }()
		router.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), exchangeKey{}, p)))
		return p.err
	}
}

// Leaf makes an http.HandlerFunc of a Handler, for a router inside [Mux].
func Leaf(h Handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		p := r.Context().Value(exchangeKey{}).(*passage)
		p.err = h(w, r, p.x)
	}
}

// ExchangeOf returns the exchange of a request inside [Mux].
func ExchangeOf(r *http.Request) *Exchange {
	return r.Context().Value(exchangeKey{}).(*passage).x
}

// passage carries an exchange down through a router, and an error back up.
type passage struct {
	x   *Exchange
	err error
}
