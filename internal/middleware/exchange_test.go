package middleware_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strings"
	"testing"
	"weak"

	"github.com/gatehouse-auth/gatehouse/internal/middleware"
	"github.com/gatehouse-auth/gatehouse/internal/problem"
	"github.com/gatehouse-auth/gatehouse/internal/routing"
	"github.com/gatehouse-auth/gatehouse/internal/session"
)

func TestMux(t *testing.T) {
	type key struct{}
	inner := http.NewServeMux()
	inner.HandleFunc("/ok", middleware.Leaf(func(w http.ResponseWriter, r *http.Request, x *middleware.Exchange) error {
		if middleware.ExchangeOf(r) != x || r.Context().Value(key{}) != "kept" {
			t.Error("another exchange or context arrives")
		}
		x.Event.Note = "seen"
		return answered(w, r, x)
	}))
	inner.HandleFunc("/fails", middleware.Leaf(func(http.ResponseWriter, *http.Request, *middleware.Exchange) error { return session.ErrNotFound }))
	h := middleware.Mux(inner)
	for target, want := range map[string]error{"/ok": nil, "/fails": session.ErrNotFound} {
		t.Run(strings.TrimPrefix(target, "/")+"_comes_back_up_through_a_router", func(t *testing.T) {
			x := &middleware.Exchange{}
			r := request("GET", target)
			err := h(httptest.NewRecorder(), r.WithContext(context.WithValue(r.Context(), key{}, "kept")), x)
			if !errors.Is(err, want) || (want == nil) != (x.Event.Note == "seen") {
				t.Errorf("error %v, note %q", err, x.Event.Note)
			}
		})
	}
}

func TestChain(t *testing.T) {
	var order []string
	step := func(name string) middleware.Middleware {
		return func(next middleware.Handler) middleware.Handler {
			return func(w http.ResponseWriter, r *http.Request, x *middleware.Exchange) error {
				order = append(order, name)
				return next(w, r, x)
			}
		}
	}
	if _, reached, err := walk(request("GET", "/"), &middleware.Exchange{}, step("a"), step("b"), step("c")); !reached || err != nil {
		t.Errorf("reached %v, error %v", reached, err)
	}
	if got := strings.Join(order, ""); got != "abc" {
		t.Errorf("it runs %s", got)
	}
}

func TestMatch(t *testing.T) {
	table, err := routing.NewTable([]routing.Route{{Path: "/api/", Methods: []string{"GET"}, Upstreams: routing.To(&url.URL{Scheme: "http", Host: "a"})}}, "/auth")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		method, target, route string
		status                int
	}{
		"a_path_falls_on_its_route":       {"GET", "/api/%61?x=y", "/api/", 0},
		"the_own_mount_is_a_route":        {"GET", "/auth/session", "/auth", 0},
		"a_method_the_route_lacks_is_405": {"POST", "/api/a", "", 405},
		"a_path_on_no_route_is_404":       {"GET", "/b", "", 404},
		"a_path_with_two_readings_is_400": {"GET", "/api//a", "", 400},
		"dot_segments_are_never_resolved": {"GET", "/b/../api/a", "", 400},
		"nor_are_encoded_ones":            {"GET", "/b/%2e%2e/api/a", "", 400},
	} {
		t.Run(name, func(t *testing.T) {
			x := &middleware.Exchange{}
			_, reached, err := walk(request(c.method, c.target), x, middleware.Match(table))
			if reached != (c.status == 0) || reached && (x.Decision.Route.Path != c.route || x.Event.Route != c.route) {
				t.Errorf("reached %v on %+v, error %v", reached, x.Decision.Route, err)
			}
			var e *problem.Error
			if !reached && (!errors.As(err, &e) || e.Status != c.status) {
				t.Errorf("error %v, want %d", err, c.status)
			}
			if reached && c.route == "/api/" && x.Decision.Path.Escaped() != "/api/a" {
				t.Errorf("path %s", x.Decision.Path.Escaped())
			}
		})
	}
}

// Work that a request leaves behind goes on under a context with the request's
// values, for minutes. It must not keep the exchange, and with it the connection and
// all headers of the request, in memory.
func TestMux_leaves_nothing_in_a_context_that_outlives_the_request(t *testing.T) {
	var kept context.Context
	h := middleware.Mux(middleware.Leaf(func(_ http.ResponseWriter, r *http.Request, _ *middleware.Exchange) error {
		kept = context.WithoutCancel(r.Context())
		return nil
	}))
	x := &middleware.Exchange{}
	exchange := weak.Make(x)
	if err := h(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil), x); err != nil {
		t.Fatal(err)
	}
	runtime.GC()
	if exchange.Value() != nil {
		t.Error("the exchange is still in memory")
	}
	runtime.KeepAlive(kept)
}
