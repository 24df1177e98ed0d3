package middleware_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/middleware"
	"github.com/gatehouse-auth/gatehouse/internal/routing"
	"github.com/gatehouse-auth/gatehouse/internal/session"
)

// corsHeaders are what CORS may put on an answer.
var corsHeaders = []string{
	"Access-Control-Allow-Origin", "Access-Control-Allow-Credentials", "Access-Control-Expose-Headers",
	"Access-Control-Allow-Methods", "Access-Control-Allow-Headers", "Access-Control-Max-Age",
}

// serve sends a request through record and CORS to a handler.
func serve(o *middleware.Origins, r *http.Request, h middleware.Handler) *httptest.ResponseRecorder {
	rec, _ := newRecord()
	w := httptest.NewRecorder()
	place := func(next middleware.Handler) middleware.Handler {
		return func(w http.ResponseWriter, r *http.Request, x *middleware.Exchange) error {
			x.Decision.Host = ownHost // what the guard does
			return next(w, r, x)
		}
	}
	rec.Handler(middleware.Chain(withAnswer(h), place, o.Expose, o.Preflight)).ServeHTTP(w, r)
	return w
}

// withAnswer is a handler with an answer, where it gives none itself.
func withAnswer(h middleware.Handler) middleware.Handler {
	return func(w http.ResponseWriter, r *http.Request, x *middleware.Exchange) error {
		err := h(w, r, x)
		if err == nil {
			w.WriteHeader(http.StatusOK)
		}
		return err
	}
}

func hasVary(h http.Header, name string) bool {
	return slices.ContainsFunc(h.Values("Vary"), func(v string) bool { return strings.Contains(v, name) })
}

func TestPreflight(t *testing.T) {
	o := newOrigins(t)
	unreached := func(http.ResponseWriter, *http.Request, *middleware.Exchange) error {
		t.Error("a preflight reached a route")
		return nil
	}
	preflight := func(lines ...string) *http.Request {
		return request("OPTIONS", "/api/x", append(lines, "Access-Control-Request-Method: PUT",
			"Access-Control-Request-Headers: content-type, x-csrf", "Cookie: a=b")...)
	}
	t.Run("of_an_allowed_origin_is_granted", func(t *testing.T) {
		w := serve(o, preflight("Origin: "+spa), unreached)
		for name, want := range map[string]string{
			"Access-Control-Allow-Origin": spa, "Access-Control-Allow-Credentials": "true",
			"Access-Control-Allow-Methods": "PUT", "Access-Control-Allow-Headers": "content-type, x-csrf", "Access-Control-Max-Age": "600",
			"X-Gatehouse": "1", "Cache-Control": "no-store",
		} {
			if got := w.Header().Get(name); got != want {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
		if w.Code != 204 || w.Body.Len() != 0 || !hasVary(w.Header(), "Origin") || w.Header().Get("X-Request-Id") == "" {
			t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
		}
	})
	t.Run("of_the_own_origin_needs_no_grant", func(t *testing.T) {
		w := serve(o, preflight("Origin: "+own), unreached)
		if w.Code != 204 || w.Header().Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%d %v", w.Code, w.Header())
		}
	})
	for name, lines := range map[string][]string{
		"a_foreign_origin":           {"Origin: " + evil},
		"the_null_origin":            {"Origin: null"},
		"the_own_origin_by_http":     {"Origin: http://app.example"},
		"the_own_origins_other_port": {"Origin: " + own + ":444"},
		"an_allowed_one_in_capitals": {"Origin: " + strings.ToUpper(spa)},
		"an_allowed_one_with_a_dot":  {"Origin: " + spa + "."},
		"a_subdomain_of_an_allowed":  {"Origin: https://x.spa.example"},
		"two_origins":                {"Origin: " + spa, "Origin: " + evil},
		"the_same_origin_twice":      {"Origin: " + spa, "Origin: " + spa},
		"a_wildcard":                 {"Origin: *"},
	} {
		t.Run("of_"+name+"_is_refused", func(t *testing.T) {
			w := serve(o, preflight(lines...), unreached)
			if w.Code != 403 || !strings.Contains(w.Body.String(), "cross_origin") {
				t.Errorf("%d %s", w.Code, w.Body)
			}
			for _, name := range corsHeaders {
				if v := w.Header().Get(name); v != "" {
					t.Errorf("%s: %s", name, v)
				}
			}
		})
	}
	t.Run("without_a_method_asked_for_is_an_options_request_like_others", func(t *testing.T) {
		reached := false
		serve(o, request("OPTIONS", "/", "Origin: "+spa), func(w http.ResponseWriter, _ *http.Request, _ *middleware.Exchange) error {
			reached = true
			w.WriteHeader(http.StatusOK)
			return nil
		})
		if !reached {
			t.Error("it did not reach the route")
		}
	})
}

func TestCORS(t *testing.T) {
	o := newOrigins(t)
	t.Run("an_error_is_readable_to_an_allowed_origin", func(t *testing.T) {
		w := serve(o, request("GET", "/api/x", "Origin: "+spa), func(http.ResponseWriter, *http.Request, *middleware.Exchange) error {
			return session.ErrNotFound
		})
		expose := w.Header().Get("Access-Control-Expose-Headers")
		if w.Code != 401 || w.Header().Get("Access-Control-Allow-Origin") != spa || w.Header().Get("Access-Control-Allow-Credentials") != "true" {
			t.Errorf("%d %v", w.Code, w.Header())
		}
		for _, name := range []string{"X-Gatehouse", "X-Request-Id", "Retry-After", "Link"} {
			if !strings.Contains(expose, name) {
				t.Errorf("the page may not read %s: %q", name, expose)
			}
		}
	})
	t.Run("so_is_an_answer_to_a_panic", func(t *testing.T) {
		w := serve(o, request("GET", "/", "Origin: "+spa), func(http.ResponseWriter, *http.Request, *middleware.Exchange) error { panic("x") })
		if w.Code != 500 || w.Header().Get("Access-Control-Allow-Origin") != spa {
			t.Errorf("%d %v", w.Code, w.Header())
		}
	})
	t.Run("nobody_else_is_granted_anything", func(t *testing.T) {
		for _, lines := range [][]string{
			nil, {"Origin: " + own}, {"Origin: " + evil}, {"Origin: null"}, {"Origin: "}, {"Origin: " + spa, "Origin: " + spa},
			{"Origin: " + spa, "Origin: " + evil}, {"Origin: " + spa + ".evil.example"},
		} {
			w := serve(o, request("GET", "/", lines...), answered)
			for _, name := range corsHeaders {
				if v := w.Header().Get(name); v != "" {
					t.Errorf("%q: %s: %s", lines, name, v)
				}
			}
			if !hasVary(w.Header(), "Origin") {
				t.Errorf("%q: a cache would give this answer to an allowed origin", lines)
			}
		}
	})
	t.Run("without_allowed_origins_no_answer_varies", func(t *testing.T) {
		w := serve(&middleware.Origins{Cookies: o.Cookies, Scheme: "https"}, request("GET", "/", "Origin: "+spa), answered)
		if w.Header().Get("Vary") != "" || w.Header().Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%v", w.Header())
		}
	})
	t.Run("what_one_answer_adds_is_in_no_other", func(t *testing.T) {
		var answers []http.Header
		for _, value := range []string{"first", "second"} {
			w := serve(o, request("GET", "/", "Origin: "+spa), func(w http.ResponseWriter, _ *http.Request, _ *middleware.Exchange) error {
				for _, name := range append(corsHeaders, "Vary") {
					w.Header().Add(name, value)
				}
				return nil
			})
			answers = append(answers, w.Header())
		}
		for name, values := range answers[0] {
			if slices.Contains(values, "second") {
				t.Errorf("%s: %q", name, values)
			}
		}
	})
	t.Run("a_grant_allocates_nothing", func(t *testing.T) {
		h := o.Expose(func(http.ResponseWriter, *http.Request, *middleware.Exchange) error { return nil })
		w, r, x := httptest.NewRecorder(), request("GET", "/", "Origin: "+spa), &middleware.Exchange{}
		if n := testing.AllocsPerRun(100, func() { _ = h(w, r, x) }); n != 0 {
			t.Errorf("%v allocations", n)
		}
	})
	t.Run("a_grant_is_no_pass_for_the_cookie_of_another_request", func(t *testing.T) {
		x := on(&routing.Route{Access: routing.Access{Auth: routing.AuthSession}})
		r := request("POST", "/", "Origin: "+evil, "Sec-Fetch-Site: cross-site")
		r.Header.Set("Cookie", sessionCookie(t, o.Cookies, session.NewHandle()))
		if _, reached, err := walk(r, x, o.Expose, o.Preflight, o.SameOrigin); reached || !isProblem(err, 403, "cross_origin") {
			t.Errorf("error %v", err)
		}
	})
}
