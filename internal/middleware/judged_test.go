package middleware_test

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/middleware"
	"github.com/gatehouse-auth/gatehouse/internal/problem"
	"github.com/gatehouse-auth/gatehouse/internal/proxy"
	"github.com/gatehouse-auth/gatehouse/internal/routing"
	"github.com/gatehouse-auth/gatehouse/internal/urlpath"
)

// judged is the request that a front asks about: the headers are those of the
// request that asks, the target is another.
func judged(t *testing.T, asks *http.Request, method string, path urlpath.Path) *http.Request {
	t.Helper()
	u, err := url.ParseRequestURI(path.Escaped())
	if err != nil {
		t.Fatal(err)
	}
	r := asks.WithContext(asks.Context())
	r.Method, r.URL, r.RequestURI = method, u, ""
	return r
}

// TestJudgedRequest: what a route asks of a request is asked of the one that is
// judged, whatever request brings it.
func TestJudgedRequest(t *testing.T) {
	page := routing.Access{Navigations: true, Touch: true}
	table, err := routing.NewTable([]routing.Route{
		{Path: "/", Access: routing.Access{Auth: routing.AuthNone, Navigations: true}},
		{Path: "/app/", Access: page, Upstreams: routing.To(&url.URL{Scheme: "http", Host: "127.0.0.1:9"})},
		{Path: "/calls/", Access: routing.Access{}, Upstreams: routing.To(&url.URL{Scheme: "http", Host: "127.0.0.1:9"})},
		{Path: "/app/read/", Access: page, Methods: []string{"GET"}},
	}, "/auth")
	if err != nil {
		t.Fatal(err)
	}
	const html = "Accept: text/html" // of a browser without fetch metadata
	for name, c := range map[string]struct {
		method, path string
		anonymous    bool
		lines        []string
		want         string // "" passes
		used         bool
	}{
		"a_page_of_a_session_is_a_use":        {"GET", "/app/x", false, []string{html}, "", true},
		"a_page_without_one_is_refused":       {"GET", "/app/x", true, []string{html}, "unauthenticated", false},
		"a_path_is_read_as_everywhere":        {"GET", "/%61pp/x", true, []string{html}, "unauthenticated", false},
		"a_path_of_two_readings_is_refused":   {"GET", "/app/../x", false, nil, "ambiguous_path", false},
		"a_method_is_the_judged_ones":         {"POST", "/app/read/x", false, []string{"Sec-Fetch-Site: same-origin"}, "method_not_allowed", false},
		"a_post_that_does_not_say_is_foreign": {"POST", "/app/x", false, nil, "cross_origin", false},
		"a_get_that_does_not_say_is_not":      {"GET", "/app/x", false, nil, "", true},
		"a_navigation_is_the_judged_ones":     {"GET", "/calls/x", false, []string{html}, "navigation_refused", false},
		"a_call_is_no_use_of_a_pollers_route": {"GET", "/calls/x", false, nil, "", false},
		"a_route_that_asks_nothing_passes":    {"POST", "/x", true, nil, "", false},
	} {
		inTime(t, name, func(t *testing.T, h *house) {
			began := h.lastSeen(t)
			time.Sleep(idleTimeout / 2)
			asks := request("GET", "/auth/verify", c.lines...)
			if !c.anonymous {
				asks.Header.Set("Cookie", sessionCookie(t, h.sessions.Cookies, h.handle))
			}
			origins := &middleware.Origins{Cookies: h.sessions.Cookies, Scheme: "https"}
			x := &middleware.Exchange{}
			reached := false
			route, path, err := table.Judge(routing.Target{Method: c.method, Host: ownHost, Path: c.path})
			if err == nil {
				x.Decision = proxy.Decision{Route: route, Path: path, Host: ownHost, Proto: "https", Event: &x.Event}
				r := judged(t, asks, c.method, path)
				_, reached, err = walk(r, x, origins.SameOrigin, h.sessions.LoadSession, middleware.Authorize, h.sessions.TouchSession, h.sessions.FreshToken)
			}
			code := ""
			if err != nil {
				code = string(problem.Of(err).Code)
			}
			if code != c.want || reached != (c.want == "") {
				t.Errorf("reached %v, code %q, want %q", reached, code, c.want)
			}
			if used := !h.lastSeen(t).Equal(began); used != c.used {
				t.Errorf("a use of the session: %v", used)
			}
			if sends := reached && !c.anonymous; x.Decision.Bearer.Empty() == sends {
				t.Errorf("a bearer for the upstream: %v", !sends)
			}
		})
	}
}
