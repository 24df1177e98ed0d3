package middleware_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/middleware"
	"github.com/gatehouse-auth/gatehouse/internal/routing"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// The dimensions of the same-origin rule (contract §2), each value with what the
// contract's words make of it, judged by hand.

type siteValue struct {
	lines []string
	// sent: there is a Sec-Fetch-Site. same and none: it says so, exactly.
	sent, same, none bool
}

var sites = map[string]siteValue{
	"no site":               {},
	"same-origin":           {[]string{"same-origin"}, true, true, false},
	"none":                  {[]string{"none"}, true, false, true},
	"same-site":             {[]string{"same-site"}, true, false, false},
	"cross-site":            {[]string{"cross-site"}, true, false, false},
	"SAME-ORIGIN":           {[]string{"SAME-ORIGIN"}, true, false, false},
	"same-origin and space": {[]string{"same-origin "}, true, false, false},
	"unknown site":          {[]string{"same-planet"}, true, false, false},
	"same-origin twice":     {[]string{"same-origin", "same-origin"}, true, false, false},
	"cross then same":       {[]string{"cross-site", "same-origin"}, true, false, false},
}

type originValue struct {
	lines []string
	// none: it is null, which pages without a referrer send and which says nothing.
	sent, own, allowed, none bool
}

var originValues = map[string]originValue{
	"no origin":              {},
	"own":                    {[]string{own}, true, true, false, false},
	"allowed":                {[]string{spa}, true, false, true, false},
	"allowed with a port":    {[]string{"http://localhost:5173"}, true, false, true, false},
	"foreign":                {[]string{evil}, true, false, false, false},
	"null":                   {[]string{"null"}, true, false, false, true},
	"empty":                  {[]string{""}, true, false, false, false},
	"own by http":            {[]string{"http://app.example"}, true, false, false, false},
	"own, other port":        {[]string{own + ":444"}, true, false, false, false},
	"own, default port":      {[]string{own + ":443"}, true, false, false, false}, // browsers never serialise it
	"own in upper case":      {[]string{"https://APP.example"}, true, false, false, false},
	"own, scheme upper":      {[]string{"HTTPS://app.example"}, true, false, false, false},
	"own, trailing dot":      {[]string{own + "."}, true, false, false, false},
	"own, slash behind":      {[]string{own + "/"}, true, false, false, false},
	"own as a prefix":        {[]string{own + ".evil.example"}, true, false, false, false},
	"own as a suffix":        {[]string{"https://evil-app.example"}, true, false, false, false},
	"own as a user":          {[]string{own + "@evil.example"}, true, false, false, false},
	"sibling":                {[]string{"https://www.app.example"}, true, false, false, false},
	"own twice":              {[]string{own, own}, true, false, false, false},
	"allowed twice":          {[]string{spa, spa}, true, false, false, false},
	"own and foreign listed": {[]string{own + " " + evil}, true, false, false, false},
	"allowed, other port":    {[]string{spa + ":8443"}, true, false, false, false},
}

type kindValue struct {
	lines []string
	// navigation with fetch metadata, whatever the method; login: one that may be
	// sent to log in, by GET. html: Accept says so, which counts only without
	// fetch metadata. ahead: nobody asked for it yet.
	navigation, login, html, ahead bool
}

var kinds = map[string]kindValue{
	"a bare request":   {},
	"a call":           {lines: []string{"Sec-Fetch-Mode: cors", "Sec-Fetch-Dest: empty"}},
	"a call for html":  {lines: []string{"Sec-Fetch-Mode: cors", "Sec-Fetch-Dest: empty", "Accept: text/html"}},
	"an image":         {lines: []string{"Sec-Fetch-Mode: no-cors", "Sec-Fetch-Dest: image"}},
	"a click":          {lines: []string{"Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document"}, navigation: true, login: true},
	"a click, no dest": {lines: []string{"Sec-Fetch-Mode: navigate"}, navigation: true, login: true},
	"a frame":          {lines: []string{"Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: iframe"}, navigation: true},
	"a prefetch":       {lines: []string{"Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document", "Sec-Purpose: prefetch"}, navigation: true, ahead: true},
	"a prerender":      {lines: []string{"Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document", "Sec-Purpose: prefetch;prerender"}, navigation: true, ahead: true},
	"a script ahead":   {lines: []string{"Sec-Fetch-Mode: no-cors", "Sec-Fetch-Dest: script", "Sec-Purpose: prefetch"}, ahead: true},
	"by a worker":      {lines: []string{"Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: empty"}, navigation: true, login: true},
	"an old browser":   {lines: []string{"Accept: text/html"}, html: true},
	"an event source":  {lines: []string{"Accept: text/event-stream"}},
}

// cell is one combination.
type cell struct {
	site, origin, kind, method string
	webSocket                  bool
}

func (c cell) String() string {
	return fmt.Sprintf("%s with %s, %s, %s, WebSocket %v", c.method, c.site, c.origin, c.kind, c.webSocket)
}

func (c cell) request() *http.Request {
	r := request(c.method, "/api/x", kinds[c.kind].lines...)
	if v := sites[c.site].lines; v != nil {
		r.Header["Sec-Fetch-Site"] = v
	}
	if v := originValues[c.origin].lines; v != nil {
		r.Header["Origin"] = v
	}
	if c.webSocket {
		r.Header.Set("Upgrade", "websocket")
		r.Header.Set("Connection", "Upgrade")
	}
	return r
}

// navigation and passes are the contract's words.

func (c cell) navigation() bool {
	k := kinds[c.kind]
	return k.navigation || k.html && !sites[c.site].sent && (c.method == "GET" || c.method == "HEAD")
}

func (c cell) loginNavigation() bool {
	k := kinds[c.kind]
	return c.method == "GET" && c.navigation() && (k.login || k.html)
}

func (c cell) passes() bool {
	site, origin := sites[c.site], originValues[c.origin]
	foreign := origin.sent && !origin.own && !origin.none
	return (site.same || site.none && !kinds[c.kind].ahead) && !foreign || // (a)
		c.loginNavigation() || // (b)
		origin.allowed || // (c)
		!site.sent && origin.own || // (d)
		!site.sent && !origin.sent && (c.method == "GET" || c.method == "HEAD") && !c.webSocket // (e)
}

// passesCSRF: what csrf_header demands besides, of a request that passed.
func (c cell) passesCSRF(header bool) bool {
	origin := originValues[c.origin]
	sameOrigin := c.site == "same-origin" && (!origin.sent || origin.none) || origin.own
	return header || c.navigation() || c.webSocket && origin.own ||
		!c.webSocket && c.method == "GET" && sameOrigin && c.kind == "an event source"
}

func everyCell(do func(cell)) {
	for site := range sites {
		for origin := range originValues {
			for kind := range kinds {
				for _, method := range []string{"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PROPFIND"} {
					for _, ws := range []bool{false, true} {
						do(cell{site, origin, kind, method, ws})
					}
				}
			}
		}
	}
}

func newOrigins(t testing.TB) *middleware.Origins {
	return &middleware.Origins{Cookies: newJar(t), Scheme: "https", Allowed: []string{spa, "http://localhost:5173"}}
}

func TestSameOriginRule(t *testing.T) {
	o := newOrigins(t)
	cells, passed := 0, 0
	everyCell(func(c cell) {
		cells++
		want := c.passes()
		if want {
			passed++
		}
		if got := o.MayUseCookie(c.request(), ownHost); got != want {
			t.Errorf("%v: may use the cookie: %v, want %v", c, got, want)
		}
	})
	if cells < 10000 || passed < cells/10 || passed > cells*9/10 {
		t.Errorf("%d of %d cells pass: the matrix tells nothing", passed, cells)
	}
	t.Run("on_an_allowed_host_the_own_origin_is_that_host", func(t *testing.T) {
		for host, want := range map[string]bool{"other.example:8443": true, ownHost: false} {
			r := request("POST", "/", "Origin: https://other.example:8443")
			if got := o.MayUseCookie(r, host); got != want {
				t.Errorf("on %s: %v", host, got)
			}
		}
	})
}

func TestCSRFHeader(t *testing.T) {
	o := newOrigins(t)
	o.CSRFHeader = "X-CSRF"
	cookies := sessionCookie(t, o.Cookies, secret.NewText("handle"))
	route := &routing.Route{Access: routing.Access{Auth: routing.AuthSession}}
	everyCell(func(c cell) {
		if !c.passes() {
			return
		}
		for _, header := range []bool{false, true} {
			r := c.request()
			r.Header.Set("Cookie", cookies)
			if header {
				r.Header.Set("X-Csrf", "1")
			}
			_, reached, err := walk(r, on(route), o.SameOrigin)
			if want := c.passesCSRF(header); reached != want || !want && !isProblem(err, 403, "csrf_header_missing") {
				t.Errorf("%v, X-CSRF sent %v: reached %v, error %v, want %v", c, header, reached, err, want)
			}
		}
	})
	t.Run("an_empty_header_is_none", func(t *testing.T) {
		r := request("POST", "/", "Sec-Fetch-Site: same-origin", "X-CSRF: ")
		r.Header.Set("Cookie", cookies)
		if _, _, err := walk(r, on(route), o.SameOrigin); !isProblem(err, 403, "csrf_header_missing") {
			t.Errorf("error %v", err)
		}
	})
	t.Run("does_not_excuse_another_origin", func(t *testing.T) {
		r := request("POST", "/", "Sec-Fetch-Site: cross-site", "X-CSRF: 1")
		r.Header.Set("Cookie", cookies)
		if _, _, err := walk(r, on(route), o.SameOrigin); !isProblem(err, 403, "cross_origin") {
			t.Errorf("error %v", err)
		}
	})
	t.Run("is_not_asked_of_a_request_without_a_session", func(t *testing.T) {
		if _, reached, err := walk(request("POST", "/"), on(route), o.SameOrigin); !reached || err != nil {
			t.Errorf("error %v", err)
		}
	})
}

// TestSameOrigin looks at what becomes of requests that pass and that don't, by
// what they carry and by what the route asks.
func TestSameOrigin(t *testing.T) {
	o := newOrigins(t)
	handle := secret.NewText("handle")
	good := sessionCookie(t, o.Cookies, handle)
	another := sessionCookie(t, o.Cookies, secret.NewText("another session's handle"))
	same, cross := []string{"Sec-Fetch-Site: same-origin"}, []string{"Sec-Fetch-Site: cross-site"}
	type outcome struct{ reached, handle bool }
	passes, anonymous, refused := outcome{true, true}, outcome{true, false}, outcome{}
	for name, c := range map[string]struct {
		auth           routing.Auth
		cookies        string
		sameOrigin     outcome
		fromAnotherOne outcome
	}{
		"a_session_route_with_a_cookie":               {routing.AuthSession, good, passes, refused},
		"a_session_route_without":                     {routing.AuthSession, "", anonymous, anonymous},
		"a_session_route_with_one_that_does_not_open": {routing.AuthSession, good + "x", anonymous, anonymous},
		"a_session_route_with_one_twice":              {routing.AuthSession, good + "; " + good, passes, refused},
		"a_session_route_with_two_sessions":           {routing.AuthSession, good + "; " + another, anonymous, anonymous},
		"a_session_route_with_anothers_beside":        {routing.AuthSession, good[:len(good)-8] + "; " + good, passes, refused},
		"an_own_endpoint_with_a_cookie":               {routing.AuthOwn, good, passes, refused},
		"an_own_endpoint_without":                     {routing.AuthOwn, "", anonymous, anonymous},
		"an_optional_route_with_a_cookie":             {routing.AuthOptional, good, passes, anonymous},
		"an_optional_route_without":                   {routing.AuthOptional, "", anonymous, anonymous},
		"an_open_route_with_a_cookie":                 {routing.AuthNone, good, anonymous, anonymous},
		"an_open_route_without":                       {routing.AuthNone, "", anonymous, anonymous},
	} {
		for from, s := range map[string]struct {
			lines []string
			want  outcome
		}{"same_origin": {same, c.sameOrigin}, "another_origin": {cross, c.fromAnotherOne}} {
			for _, method := range []string{"GET", "POST"} {
				t.Run(fmt.Sprintf("%s_from_%s_by_%s", name, from, method), func(t *testing.T) {
					r := request(method, "/", s.lines...)
					if c.cookies != "" {
						r.Header.Set("Cookie", c.cookies)
					}
					x := on(&routing.Route{Access: routing.Access{Auth: c.auth}})
					_, reached, err := walk(r, x, o.SameOrigin)
					if reached != s.want.reached || reached && x.Handle.Equal(handle) != s.want.handle {
						t.Errorf("reached %v with a handle %v, want %+v", reached, !x.Handle.Empty(), s.want)
					}
					if reached != (err == nil) || !reached && !isProblem(err, 403, "cross_origin") {
						t.Errorf("error %v", err)
					}
				})
			}
		}
	}
}

func TestCrossSiteLogin(t *testing.T) {
	everyCell(func(c cell) {
		want := c.site == "cross-site" && c.loginNavigation()
		if got := middleware.CrossSiteLogin(c.request()); got != want {
			t.Errorf("%v: %v", c, got)
		}
	})
}
