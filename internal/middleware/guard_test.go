package middleware_test

import (
	"fmt"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/middleware"
)

func newGuard(public string, allowed ...string) *middleware.Guard {
	u, err := url.Parse(public)
	if err != nil {
		panic(err) // a test's own constant
	}
	return &middleware.Guard{
		PublicURL: u, AllowedHosts: allowed, AnyHost: []string{"/auth/healthz"},
		URLBytes: 16 << 10, CookieBytes: 16 << 10, Cookies: 64,
	}
}

func TestGuardHost(t *testing.T) {
	https := newGuard("https://app.example", "other.example", "third.example:8443", "Fourth.Example")
	http := newGuard("http://localhost:8080")
	plain := newGuard("http://localhost")
	for _, c := range []struct {
		guard *middleware.Guard
		host  string
		want  string // the effective host; "" is misdirected, "!" malformed
	}{
		{https, "app.example", "app.example"},
		{https, "app.example:443", "app.example"},
		{https, "APP.Example", "app.example"},
		{https, "App.Example:443", "app.example"},
		{https, "other.example", "other.example"},
		{https, "other.example:443", "other.example"},
		{https, "third.example:8443", "third.example:8443"},
		{https, "fourth.example", "fourth.example"},
		{http, "localhost:8080", "localhost:8080"},
		{plain, "localhost:80", "localhost"},
		{plain, "localhost", "localhost"},

		{https, "", ""},
		{https, "evil.example", ""},
		{https, "app.example.", ""},
		{https, "app.example:80", ""},
		{https, "app.example:444", ""},
		{https, "app.example:0443", ""},
		{https, "app.example:", ""},
		{https, "app.example:443:443", "!"},
		{https, "app.example.evil.example", ""},
		{https, "evil.example:443", ""},
		{https, "app.example@evil.example", "!"},
		{https, "www.app.example", ""},
		{https, "third.example", ""},
		{https, "third.example:443", ""},
		{https, "127.0.0.1", ""},
		{https, "app.example ", "!"},
		{http, "localhost", ""},
		{http, "localhost:80", ""},
		{http, "127.0.0.1:8080", ""},
		{plain, "localhost:443", ""},
		{https, "[2001:db8::1]:8443", ""},
		{https, "a_b.example", ""},

		{http, "localhost:8080:80", "!"},
		{plain, "localhost:80:80", "!"},
		{plain, "localhost:8080:80", "!"},
		{https, "app.example:443:", "!"},
		{https, "app.example:x", "!"},
		{https, "app.example:-1", "!"},
		{https, "app.example:443 ", "!"},
		{https, "app.example,other.example", "!"},
		{https, "app.example/x", "!"},
		{https, "%61pp.example", "!"},
		{https, "äpp.example", "!"},
		{https, "[2001:db8::1", "!"},
		{https, "[", "!"},
		{https, "[2001:db8::1]x", "!"},
		{https, "[app.example]", "!"},
		{https, "[fe80::1%25eth0]", "!"},
		{https, "2001:db8::1", "!"},
	} {
		t.Run(fmt.Sprintf("%s_takes_%q_for_%q", c.guard.PublicURL.Host, c.host, c.want), func(t *testing.T) {
			x := &middleware.Exchange{Asked: c.host}
			_, reached, err := walk(request("GET", "/api/x"), x, c.guard.Middleware)
			if c.want == "!" {
				if reached || !isProblem(err, 400, "malformed_host") {
					t.Errorf("reached %v, error %v", reached, err)
				}
				return
			}
			if c.want == "" {
				if reached || !isProblem(err, 421, "misdirected") {
					t.Errorf("reached %v, error %v", reached, err)
				}
				return
			}
			if !reached || x.Decision.Host != c.want || x.Decision.Proto != c.guard.PublicURL.Scheme || x.Event.Host != c.want {
				t.Errorf("reached %v as %s://%s, logged as %s", reached, x.Decision.Proto, x.Decision.Host, x.Event.Host)
			}
		})
	}
}

func TestGuardHealth(t *testing.T) {
	g := newGuard("https://app.example")
	for target, want := range map[string]bool{
		"/auth/healthz": true, "/auth/healthz?x": true,
		"/auth/healthz/": false, "/auth/healthzx": false, "/api/auth/healthz": false, "/auth/../auth/healthz": false,
		// Encoded, it is another path to a route with allow_encoded_slash.
		"/auth%2Fhealthz": false, "/auth%2fhealthz": false, "/%61uth/healthz": false,
	} {
		t.Run(fmt.Sprintf("%s_is_answered_whatever_the_host_%v", strings.ReplaceAll(target, "/", "∕"), want), func(t *testing.T) {
			x := &middleware.Exchange{Asked: "10.0.0.7:8080"}
			if _, reached, err := walk(request("GET", target), x, g.Middleware); reached != want || !want && !isProblem(err, 421, "misdirected") {
				t.Errorf("reached %v, error %v", reached, err)
			}
		})
	}
}

func TestGuardSizes(t *testing.T) {
	g := newGuard("https://app.example")
	g.URLBytes, g.CookieBytes, g.Cookies = 100, 200, 10
	long := func(n int) string { return strings.Repeat("a", n) }
	for name, c := range map[string]struct {
		target  string
		cookies []string
		status  int
		code    string
	}{
		"a_target_at_the_limit_passes":             {"/" + long(99), nil, 0, ""},
		"a_target_over_it_does_not":                {"/" + long(100), nil, 414, "url_too_long"},
		"a_query_counts":                           {"/?" + long(99), nil, 414, "url_too_long"},
		"cookies_at_the_limit_pass":                {"/", []string{"a=" + long(198)}, 0, ""},
		"cookies_over_it_do_not":                   {"/", []string{"a=" + long(199)}, 431, "cookies_too_large"},
		"lines_count_together":                     {"/", []string{"a=" + long(99), "b=" + long(99)}, 431, "cookies_too_large"},
		"as_many_cookies_as_allowed_pass":          {"/", []string{strings.Repeat("a=b; ", 9) + "a=b"}, 0, ""},
		"one_more_does_not":                        {"/", []string{strings.Repeat("a=b; ", 10) + "a=b"}, 431, "cookies_too_large"},
		"one_more_in_a_second_line_does_not":       {"/", []string{strings.Repeat("a=b; ", 9) + "a=b", "c=d"}, 431, "cookies_too_large"},
		"a_thousand_nameless_ones_do_not":          {"/", []string{strings.Repeat(";", 150)}, 431, "cookies_too_large"},
		"an_overlong_target_on_a_foreign_host_too": {"/" + long(200), nil, 414, "url_too_long"},
	} {
		t.Run(name, func(t *testing.T) {
			r := request("GET", c.target)
			r.Header["Cookie"] = c.cookies
			_, reached, err := walk(r, &middleware.Exchange{Asked: ownHost}, g.Middleware)
			if reached != (c.status == 0) || !reached && !isProblem(err, c.status, c.code) {
				t.Errorf("reached %v, error %v", reached, err)
			}
		})
	}
}

func TestGuardMethods(t *testing.T) {
	g := newGuard("https://app.example")
	for method, want := range map[string]bool{
		"TRACE": false, "CONNECT": false, "GET": true, "HEAD": true, "POST": true, "OPTIONS": true, "PROPFIND": true, "trace": true,
		"GET /x": false, "GET\t": false, "GÉT": false, "": false,
	} {
		t.Run(fmt.Sprintf("%s_passes_%v", method, want), func(t *testing.T) {
			r := httptest.NewRequest("GET", "/", nil)
			r.Method = method
			if _, reached, err := walk(r, &middleware.Exchange{Asked: ownHost}, g.Middleware); reached != want || !want && !isProblem(err, 405, "method_not_allowed") {
				t.Errorf("reached %v, error %v", reached, err)
			}
		})
	}
}

func TestGuardLoopback(t *testing.T) {
	g := newGuard("http://localhost:8080")
	g.RedirectLoopback = true
	click := []string{"Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document"}
	for name, c := range map[string]struct {
		host, target string
		lines        []string
		to           string // "" is 421
	}{
		"a_click_goes_to_the_public_name":           {"127.0.0.1:8080", "/a/b?c=d&e", click, "http://localhost:8080/a/b?c=d&e"},
		"from_ipv6_as_well":                         {"[::1]:8080", "/", click, "http://localhost:8080/"},
		"from_a_name_under_localhost":               {"app.localhost:8080", "/", click, "http://localhost:8080/"},
		"a_target_that_could_mislead_is_left_out":   {"127.0.0.1:8080", "//evil.example/", click, "http://localhost:8080/"},
		"so_is_one_with_a_backslash":                {"127.0.0.1:8080", "/%5cevil.example", click, "http://localhost:8080/"},
		"a_call_is_not_sent_on":                     {"127.0.0.1:8080", "/", []string{"Sec-Fetch-Mode: cors"}, ""},
		"another_port_is_not_this_gateway":          {"127.0.0.1:9000", "/", click, ""},
		"another_name_is_not_loopback":              {"evil.example:8080", "/", click, ""},
		"a_name_that_only_looks_so_is_not_loopback": {"127.0.0.1.evil.example:8080", "/", click, ""},
		"nor_is_one_that_ends_alike":                {"xlocalhost:8080", "/", click, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := request("GET", "/", c.lines...)
			r.RequestURI = c.target
			path, query, _ := strings.Cut(c.target, "?")
			r.URL.Path, r.URL.RawQuery = path, query
			w, reached, err := walk(r, &middleware.Exchange{Asked: c.host}, g.Middleware)
			switch {
			case reached:
				t.Error("it reached a route")
			case c.to == "" && !isProblem(err, 421, "misdirected"):
				t.Errorf("error %v", err)
			case c.to != "" && (w.Code != 302 || w.Header().Get("Location") != c.to || w.Header().Get("Cache-Control") != "no-store"):
				t.Errorf("%d to %q", w.Code, w.Header().Get("Location"))
			}
		})
	}
}
