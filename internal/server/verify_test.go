package server_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/freeport"
)

// question is what a front asks about. Empty fields are those of a GET of /api/x here.
type question struct {
	method, proto, host, uri string
	lines                    []string // of the browser's header
}

func (q question) headers(r *rig) http.Header {
	h := http.Header{}
	for _, line := range q.lines {
		name, value, _ := strings.Cut(line, ": ")
		h.Add(name, value)
	}
	h.Set("X-Forwarded-Method", or(q.method, "GET"))
	h.Set("X-Forwarded-Proto", or(q.proto, "https"))
	h.Set("X-Forwarded-Host", or(q.host, strings.TrimPrefix(r.url, "https://")))
	h.Set("X-Forwarded-Uri", or(q.uri, "/api/x"))
	return h
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// verify asks about a request of the browser's, as a front does that passes on its headers.
func (b *browser) verify(q question, query string) (*http.Response, string) {
	b.t.Helper()
	req := b.request("GET", b.rig.url+"/auth/verify"+query, nil)
	req.Header = q.headers(b.rig)
	return b.do(req)
}

// frontsTrusted has the test's own address be that of a front, and a route of each kind.
func frontsTrusted(doc map[string]any) {
	api := doc["routes"].([]any)[0].(map[string]any)["upstream"]
	doc["trusted_proxies"] = []string{"127.0.0.0/8"}
	doc["routes"] = []any{
		map[string]any{"path": "/api/", "upstream": api},
		map[string]any{"path": "/read/", "upstream": api, "methods": []string{"GET", "HEAD"}},
		map[string]any{"path": "/calls/", "upstream": api, "navigations": false},
		map[string]any{"path": "/maybe/", "upstream": api, "auth": "optional"},
		map[string]any{"path": "/open/", "upstream": api, "auth": "none"},
		map[string]any{"path": "/files/", "static": "."},
	}
}

var (
	ownCall      = []string{"Sec-Fetch-Site: same-origin", "Sec-Fetch-Mode: cors", "Sec-Fetch-Dest: empty"}
	foreignCall  = []string{"Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: cors", "Sec-Fetch-Dest: empty", "Origin: https://evil.test"}
	click        = []string{"Sec-Fetch-Site: none", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document"}
	foreignClick = []string{"Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document"}
	frame        = []string{"Sec-Fetch-Site: same-origin", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: iframe"}
	prefetch     = []string{"Sec-Fetch-Site: same-origin", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document", "Sec-Purpose: prefetch"}
)

// TestVerify_judges_as_the_proxy_does: what comes of a question is what would come of the
// request, in a status that fronts know.
func TestVerify_judges_as_the_proxy_does(t *testing.T) {
	r := newRig(t, frontsTrusted)
	alice, nobody := r.signedIn("alice@example.com"), r.browser()
	own, before := r.url, r.seen.count()
	for name, c := range map[string]struct {
		q         question
		anonymous bool
		status    int
		code      string
	}{
		"a_call_of_the_own_page":            {question{lines: ownCall}, false, 200, ""},
		"a_click_on_another_site":           {question{lines: foreignClick}, false, 200, ""},
		"a_call_of_another_site":            {question{lines: foreignCall}, false, 403, "cross_origin"},
		"a_script_that_reads":               {question{}, false, 200, ""},
		"a_script_that_writes":              {question{method: "POST"}, false, 403, "cross_origin"},
		"a_script_that_says_where_it_is":    {question{method: "POST", lines: []string{"Origin: " + own}}, false, 200, ""},
		"a_page_of_the_other_scheme":        {question{method: "POST", lines: []string{"Origin: " + strings.Replace(own, "https", "http", 1)}}, false, 403, "cross_origin"},
		"a_page_on_another_port":            {question{method: "POST", lines: []string{"Origin: https://example.com"}}, false, 403, "cross_origin"},
		"a_handshake_of_the_own_page":       {question{lines: []string{"Upgrade: websocket", "Sec-WebSocket-Key: x", "Origin: " + own}}, false, 200, ""},
		"a_handshake_of_another_site":       {question{lines: []string{"Upgrade: websocket", "Origin: https://evil.test"}}, false, 403, "cross_origin"},
		"a_handshake_that_does_not_say":     {question{lines: []string{"Sec-WebSocket-Key: x"}}, false, 403, "cross_origin"},
		"a_handshake_by_its_scheme":         {question{proto: "wss"}, false, 403, "cross_origin"},
		"a_method_that_is_not_taken":        {question{method: "POST", uri: "/read/x", lines: ownCall}, false, 403, "method_not_allowed"},
		"a_method_that_nobody_takes":        {question{method: "TRACE", lines: ownCall}, false, 403, "method_not_allowed"},
		"a_method_that_is_none":             {question{method: "GET/", lines: ownCall}, false, 403, "method_not_allowed"},
		"a_click_where_none_is_taken":       {question{uri: "/calls/x", lines: click}, false, 403, "navigation_refused"},
		"a_file":                            {question{uri: "/files/rig_test.go", lines: ownCall}, false, 200, ""},
		"a_file_that_is_not_there":          {question{uri: "/files/x", lines: ownCall}, false, 200, ""}, // the front knows
		"a_file_without_a_session":          {question{uri: "/files/rig_test.go", lines: ownCall}, true, 401, "unauthenticated"},
		"a_call_without_a_session":          {question{lines: ownCall}, true, 401, "unauthenticated"},
		"anybody_where_anybody_may":         {question{uri: "/open/x", method: "POST", lines: foreignCall}, true, 200, ""},
		"anybody_where_a_session_may_be":    {question{uri: "/maybe/x"}, true, 200, ""},
		"another_site_where_it_may_be":      {question{uri: "/maybe/x", lines: foreignCall}, false, 200, ""},
		"a_path_on_no_route":                {question{uri: "/elsewhere", lines: ownCall}, false, 403, "not_found"},
		"a_path_in_another_spelling":        {question{uri: "/%61pi/x", lines: ownCall}, true, 401, "unauthenticated"},
		"a_path_with_dots":                  {question{uri: "/open/../api/x", lines: ownCall}, false, 403, "ambiguous_path"},
		"a_path_with_encoded_dots":          {question{uri: "/open/%2e%2e/api/x", lines: ownCall}, false, 403, "ambiguous_path"},
		"a_path_with_dots_encoded_twice":    {question{uri: "/open/%252e%252e/api/x", lines: ownCall}, false, 403, "ambiguous_path"},
		"a_path_with_dots_and_a_parameter":  {question{uri: "/open/..;/api/x", lines: ownCall}, false, 403, "ambiguous_path"},
		"a_path_with_two_slashes":           {question{uri: "//api/x", lines: ownCall}, false, 403, "ambiguous_path"},
		"a_path_with_an_encoded_slash":      {question{uri: "/open%2Fx", lines: ownCall}, false, 403, "ambiguous_path"},
		"a_path_with_a_backslash":           {question{uri: `/open/\..\api/x`, lines: ownCall}, false, 403, "ambiguous_path"},
		"a_path_with_a_fragment":            {question{uri: "/open/x#/api/x", lines: ownCall}, false, 403, "ambiguous_path"},
		"a_path_in_capitals":                {question{uri: "/API/x", lines: ownCall}, false, 403, "ambiguous_path"},
		"a_path_that_is_no_text":            {question{uri: "/open/%ff", lines: ownCall}, false, 403, "ambiguous_path"},
		"a_path_with_a_bad_escape":          {question{uri: "/open/%zz", lines: ownCall}, false, 403, "ambiguous_path"},
		"an_address_in_full":                {question{uri: own + "/open/x", lines: ownCall}, false, 403, "ambiguous_path"},
		"an_address_in_full_elsewhere":      {question{uri: "https://evil.test/open/x", lines: ownCall}, false, 403, "ambiguous_path"},
		"a_query_that_looks_like_a_path":    {question{uri: "/api/x?/open/../..//", lines: ownCall}, false, 200, ""},
		"the_gateways_own":                  {question{uri: "/auth/session", lines: ownCall}, false, 403, "own_endpoint"},
		"this_endpoint":                     {question{uri: "/auth/verify", lines: ownCall}, false, 403, "own_endpoint"},
		"the_gateways_health":               {question{uri: "/auth/healthz", host: "evil.test"}, true, 403, "own_endpoint"},
		"a_foreign_host":                    {question{host: "evil.test", uri: "/open/x"}, true, 403, "misdirected"},
		"a_host_without_its_port":           {question{host: "example.com", uri: "/open/x"}, true, 403, "misdirected"},
		"a_host_with_a_user":                {question{host: "me@" + strings.TrimPrefix(own, "https://"), uri: "/open/x"}, true, 403, "malformed_host"},
		"a_host_in_capitals":                {question{host: strings.ToUpper(strings.TrimPrefix(own, "https://")), lines: ownCall}, false, 200, ""},
		"the_other_scheme":                  {question{proto: "http", uri: "/open/x"}, true, 403, "misdirected"},
		"too_many_cookies":                  {question{uri: "/open/x", lines: []string{"Cookie: a=" + strings.Repeat("0", 17<<10)}}, true, 403, "cookies_too_large"},
		"an_address_that_is_too_long":       {question{uri: "/open/" + strings.Repeat("0", 17<<10)}, true, 403, "url_too_long"},
		"a_preflight_of_the_own_page":       {question{method: "OPTIONS", lines: []string{"Origin: " + own, "Access-Control-Request-Method: PUT"}}, true, 401, "unauthenticated"},
		"a_preflight_where_anybody_may_ask": {question{method: "OPTIONS", uri: "/open/x", lines: []string{"Origin: https://evil.test", "Access-Control-Request-Method: PUT"}}, true, 200, ""},
	} {
		t.Run(name, func(t *testing.T) {
			b := alice
			if c.anonymous {
				b = nobody
			}
			res, body := b.verify(c.q, "")
			if res.StatusCode != c.status {
				t.Fatalf("answered %d: %s", res.StatusCode, body)
			}
			if c.code == "" {
				if body != "" || res.Header.Get("X-Gatehouse") != "1" || res.Header.Get("Cache-Control") != "no-store" {
					t.Errorf("answered %v: %s", res.Header, body)
				}
				return
			}
			if !strings.Contains(body, c.code) {
				t.Errorf("answered %s, want %s", body, c.code)
			}
		})
	}
	if n := r.seen.count() - before; n != 0 {
		t.Errorf("%d requests reached the API", n)
	}
}

// TestVerify_says_where_to_log_in: each refusal for want of a session names the login and
// the way back, and sends browsers there if the front can pass that on.
func TestVerify_says_where_to_log_in(t *testing.T) {
	r := newRig(t, frontsTrusted)
	b := r.browser()
	login := r.url + "/auth/login?return_to=" + url.QueryEscape("/api/x?page=2")
	for name, c := range map[string]struct {
		q        question
		query    string
		status   int
		location string
	}{
		"a_call":                         {question{lines: ownCall}, "", 401, ""},
		"a_click":                        {question{lines: click}, "", 401, ""},
		"a_call_that_may_be_redirected":  {question{lines: ownCall}, "?mode=redirect", 401, ""},
		"a_click_that_may_be_redirected": {question{lines: click}, "?mode=redirect", 302, login},
		"a_click_on_another_site":        {question{lines: foreignClick}, "?mode=redirect", 302, login},
		"a_click_that_is_to_be_answered": {question{lines: click}, "?mode=answer", 302, login},
		"a_frame":                        {question{lines: frame}, "?mode=redirect", 401, ""},
		"a_prefetch":                     {question{lines: prefetch}, "?mode=redirect", 401, ""},
		"a_form":                         {question{method: "POST", lines: click}, "?mode=redirect", 401, ""},
		"a_handshake":                    {question{proto: "wss"}, "?mode=redirect", 401, ""},
		"an_unknown_mode":                {question{lines: click}, "?mode=", 401, ""},
	} {
		t.Run(name, func(t *testing.T) {
			c.q.uri = "/api/x?page=2"
			res, body := b.verify(c.q, c.query)
			if res.StatusCode != c.status || res.Header.Get("Location") != c.location {
				t.Fatalf("answered %d to %q: %s", res.StatusCode, res.Header.Get("Location"), body)
			}
			want := login
			if c.q.method == "POST" {
				want = r.url + "/auth/login"
			}
			if got := res.Header.Get("X-Auth-Login-Url"); got != want {
				t.Errorf("login at %s, want %s", got, want)
			}
		})
	}
	for _, uri := range []string{"//evil.test/", `/\evil.test/`, "/%2Fevil.test/", "https://evil.test/", "/%5Cevil.test/", `\\evil.test\`, "//evil.test/%2e%2e", "/;@evil.test/"} {
		for _, host := range []string{"", "evil.test", strings.TrimPrefix(r.url, "https://") + "@evil.test", "evil.test#"} {
			res, _ := b.verify(question{uri: uri, host: host, lines: click}, "?mode=redirect")
			if to := res.Header.Get("Location"); res.StatusCode != 403 || strings.Contains(to, "evil") {
				t.Errorf("%s of %q: %d to %s", uri, host, res.StatusCode, to)
			}
		}
	}
}

// TestVerify_answers_what_was_refused is for fronts that can pass no refusal on, and ask
// again for the answer: it must not be the empty one that lets a request pass.
func TestVerify_answers_what_was_refused(t *testing.T) {
	r := newRig(t, frontsTrusted)
	b := r.signedIn("alice@example.com")
	res, _ := b.verify(question{uri: "/api/x?page=2", lines: click}, "?mode=answer")
	if to := res.Header.Get("Location"); res.StatusCode != 302 || to != r.url+"/api/x?page=2" {
		t.Errorf("a click that would pass by now: %d to %s", res.StatusCode, to)
	}
	res, body := b.verify(question{lines: ownCall}, "?mode=answer")
	if res.StatusCode != 503 || problemCode(t, res, body) != "try_again" || res.Header.Get("Retry-After") != "1" {
		t.Errorf("a call that would pass by now: %d %s", res.StatusCode, body)
	}
	res, body = b.verify(question{lines: foreignCall}, "?mode=answer")
	if res.StatusCode != 403 || problemCode(t, res, body) != "cross_origin" {
		t.Errorf("a call that would not: %d %s", res.StatusCode, body)
	}
}

// TestVerify_is_asked_in_any_way: by whatever method, for whatever host, and with the path
// of the request behind its own, as Envoy does; and what asks is never judged itself.
func TestVerify_is_asked_in_any_way(t *testing.T) {
	r := newRig(t, frontsTrusted)
	alice, nobody := r.signedIn("alice@example.com"), r.browser()
	for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"} {
		for _, path := range []string{"/auth/verify", "/auth/verify/", "/auth/verify/api/x?y=1", "/auth/verify/a%2Fb//../c;d", "/auth/verify//"} {
			for _, host := range []string{"", "gateway:8080", "10.0.0.7", "evil.test"} {
				for b, want := range map[*browser]int{alice: 200, nobody: 401} {
					req := b.request(method, r.url, strings.NewReader(""))
					req.URL.Opaque = "//" + req.URL.Host + path // as it is
					req.Host = host
					req.Header = question{lines: []string{"Origin: " + r.url, "Access-Control-Request-Method: PUT"}}.headers(r)
					if b == alice {
						for _, c := range b.http.Jar.Cookies(req.URL) {
							req.AddCookie(c)
						}
					}
					res, err := r.transport().RoundTrip(req)
					if err != nil {
						t.Fatal(err)
					}
					_ = res.Body.Close()
					if res.StatusCode != want {
						t.Errorf("%s %s of %q, signed in %v: %d", method, path, host, b == alice, res.StatusCode)
					}
				}
			}
		}
	}
	for _, path := range []string{"/auth/verifyx", "/auth/verify-x/"} {
		req := alice.request("GET", r.url+path, nil)
		req.Header = question{lines: ownCall}.headers(r)
		if res, body := alice.do(req); res.StatusCode != 404 {
			t.Errorf("%s: %d %s", path, res.StatusCode, body)
		}
	}
}

func TestVerify_believes_whom_it_may(t *testing.T) {
	r := newRig(t, frontsTrusted, func(doc map[string]any) { doc["trusted_proxies"] = []string{"10.0.0.0/8"} })
	for _, path := range []string{"", "?mode=redirect", "/open/x"} {
		res, body := r.browser().verify(question{uri: "/open/x", lines: append(click, "X-Forwarded-For: 10.0.0.1")}, path)
		if res.StatusCode != 403 || !strings.Contains(body, "untrusted_proxy") {
			t.Errorf("%q: %d %s", path, res.StatusCode, body)
		}
	}
}

func TestVerify_wants_each_member_once(t *testing.T) {
	for family, members := range map[string]map[string]string{
		"forwarded": {"X-Forwarded-Method": "GET", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "HOST", "X-Forwarded-Uri": "/open/x"},
		"original":  {"X-Original-Method": "GET", "X-Original-Url": "https://HOST/open/x"},
	} {
		r := newRig(t, frontsTrusted, section("verify", map[string]any{"headers": family}))
		b := r.browser()
		ask := func(change func(http.Header)) (*http.Response, string) {
			req := b.request("GET", r.url+"/auth/verify", nil)
			for name, value := range members {
				req.Header.Set(name, strings.ReplaceAll(value, "HOST", strings.TrimPrefix(r.url, "https://")))
			}
			for _, other := range []string{"X-Forwarded-Uri", "X-Forwarded-Method", "X-Original-Url", "X-Original-Method"} {
				if _, ok := members[other]; !ok {
					req.Header[other] = []string{"/auth/verify", "/api/x"}
				}
			}
			change(req.Header)
			return b.do(req)
		}
		if res, body := ask(func(http.Header) {}); res.StatusCode != 200 {
			t.Errorf("%s, all of them: %d %s", family, res.StatusCode, body)
		}
		for name := range members {
			for what, change := range map[string]func(http.Header){
				"missing":  func(h http.Header) { h.Del(name) },
				"empty":    func(h http.Header) { h.Set(name, "") },
				"repeated": func(h http.Header) { h.Add(name, h.Get(name)) },
			} {
				res, body := ask(change)
				if res.StatusCode != 400 || problemCode(t, res, body) != "invalid_original_request" || !strings.Contains(body, name) {
					t.Errorf("%s, %s %s: %d %s", family, name, what, res.StatusCode, body)
				}
			}
		}
	}
}

// TestVerify_says_who_makes_the_request by the headers that the upstream would get, and has
// every other one that any route may have stand there empty.
func TestVerify_says_who_makes_the_request(t *testing.T) {
	r := newRig(t, frontsTrusted, func(doc map[string]any) {
		routes := doc["routes"].([]any)
		routes[0].(map[string]any)["identity_headers"] = true
		routes[3].(map[string]any)["identity_headers"] = true
		routes[2].(map[string]any)["headers"] = map[string]any{"X-Forwarded-User": "sub", "X-Tenant": "custom:tenant"}
	})
	b, nobody := r.signedIn("alice@example.com"), r.browser()
	sub := b.session().UserSub
	names := []string{"X-Auth-Subject", "X-Auth-Username", "X-Auth-Email", "X-Auth-Groups", "X-Forwarded-User", "X-Tenant"}
	for name, c := range map[string]struct {
		b    *browser
		uri  string
		from []string
		want map[string]string // of names; the others are empty
	}{
		"on_a_route_with_identity_headers": {b, "/api/x", ownCall, map[string]string{
			"X-Auth-Subject": sub, "X-Auth-Username": b.session().Username, "X-Auth-Email": "alice@example.com", "X-Auth-Groups": "admins,staff"}},
		"on_a_route_with_headers":     {b, "/calls/x", ownCall, map[string]string{"X-Forwarded-User": sub, "X-Tenant": "acme"}},
		"on_a_route_without":          {b, "/read/x", ownCall, nil},
		"on_a_route_of_files":         {b, "/files/x", ownCall, nil},
		"on_a_route_of_everybodys":    {b, "/open/x", ownCall, nil},
		"where_a_session_may_be":      {b, "/maybe/x", ownCall, map[string]string{"X-Auth-Subject": sub, "X-Auth-Username": b.session().Username, "X-Auth-Email": "alice@example.com", "X-Auth-Groups": "admins,staff"}},
		"of_nobody":                   {nobody, "/maybe/x", ownCall, nil},
		"of_nobody_where_anybody_may": {nobody, "/open/x", ownCall, nil},
		"of_who_is_on_another_site":   {b, "/maybe/x", foreignCall, nil},
	} {
		t.Run(name, func(t *testing.T) {
			q := question{uri: c.uri, lines: c.from}
			for _, name := range names {
				q.lines = append(q.lines[:len(q.lines):len(q.lines)], name+": evil")
			}
			res, body := c.b.verify(q, "")
			if res.StatusCode != 200 {
				t.Fatalf("answered %d: %s", res.StatusCode, body)
			}
			for _, name := range names {
				if got := res.Header[name]; len(got) != 1 || got[0] != c.want[name] {
					t.Errorf("%s is %q, want %q", name, got, c.want[name])
				}
			}
		})
	}
}

// TestVerify_is_logged_as_what_was_asked: the line of a question is about the request.
func TestVerify_is_logged_as_what_was_asked(t *testing.T) {
	r := newRig(t, frontsTrusted)
	r.browser().verify(question{method: "PUT", uri: "/api/orders/7?token=x", lines: []string{"X-Forwarded-For: 203.0.113.7"}}, "")
	until(t, "the log line", func() bool {
		for line := range strings.Lines(r.logs.String()) {
			if strings.Contains(line, `"path":"/api/orders/7","status":401`) && strings.Contains(line, `"method":"PUT"`) &&
				strings.Contains(line, `"route":"/api/"`) && strings.Contains(line, `"note":"asked by a front"`) && strings.Contains(line, `"client":"203.0.113.7"`) {
				return true
			}
		}
		return false
	})
}

// TestVerify_is_counted_by_itself: a question takes less time than a request of its route.
func TestVerify_is_counted_by_itself(t *testing.T) {
	r, a := withAdmin(t, frontsTrusted)
	r.browser().verify(question{}, "")
	until(t, "the figure", func() bool {
		_, body := a.call("GET", "/metrics")
		return strings.Contains(body, `gatehouse_requests_total{route="/auth/verify",status="4xx"} 1`)
	})
}

// TestVerify_waits_for_no_body: whoever sends one with a question, or only says so, holds no
// connection.
func TestVerify_waits_for_no_body(t *testing.T) {
	listen := freeport.Addr(t)
	r := newRig(t, frontsTrusted, section("verify", map[string]any{"listen": listen}))
	listening(t, listen)
	conn, err := net.Dial("tcp", listen)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(patience))
	req, _ := http.NewRequest("POST", "http://"+listen+"/auth/verify", nil)
	req.Header = question{}.headers(r)
	req.Header.Set("Content-Length", "1000000")
	_, _ = fmt.Fprint(conn, "POST /auth/verify HTTP/1.1\r\nHost: gateway\r\n")
	_ = req.Header.Write(conn)
	_, _ = fmt.Fprint(conn, "\r\n")
	answer := bufio.NewReader(conn)
	res, err := http.ReadResponse(answer, nil)
	if err != nil || res.StatusCode != 401 {
		t.Fatalf("answered %v, %v", res, err)
	}
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		t.Fatal(err)
	}
	if n, err := answer.ReadByte(); err != io.EOF {
		t.Errorf("the connection has %q, %v", n, err)
	}
}

// TestVerify_is_below_the_mount, whatever that is, and nowhere else.
func TestVerify_is_below_the_mount(t *testing.T) {
	r := newRig(t, frontsTrusted, func(doc map[string]any) { doc["mount"] = "/app/auth" })
	b := r.browser()
	for path, want := range map[string]int{"/app/auth/verify": 401, "/app/auth/verify/x": 401, "/auth/verify": 404} {
		req := b.request("GET", r.url+path, nil)
		req.Header = question{}.headers(r)
		if res, body := b.do(req); res.StatusCode != want {
			t.Errorf("%s: %d %s", path, res.StatusCode, body)
		}
	}
	if res, _ := b.verify(question{lines: ownCall}, ""); res.StatusCode != 404 {
		t.Errorf("at the mount that is not: %d", res.StatusCode)
	}
}

// TestVerify_ends_with_the_session: the next question after a sign-out is refused.
func TestVerify_ends_with_the_session(t *testing.T) {
	r := newRig(t, frontsTrusted)
	b := r.signedIn("alice@example.com")
	u, _ := url.Parse(r.url)
	cookies := b.http.Jar.Cookies(u)
	if res, body := b.fetch("POST", "/auth/logout", ""); res.StatusCode != 200 {
		t.Fatalf("sign-out: %d %s", res.StatusCode, body)
	}
	b.http.Jar.SetCookies(u, cookies) // which a sign-out has cleared
	if res, body := b.verify(question{lines: ownCall}, ""); res.StatusCode != 401 {
		t.Errorf("after the sign-out: %d %s", res.StatusCode, body)
	}
}

// front asks the gateway over a connection on which, unlike on a browser's, tokens may be.
type front struct {
	http *http.Client
	rig  *rig
}

func (r *rig) frontAlone() front {
	transport := r.transport()
	transport.DialTLSContext = nil
	transport.TLSClientConfig = &tls.Config{RootCAs: r.roots, ServerName: "example.com"}
	transport.ForceAttemptHTTP2 = true
	r.t.Cleanup(transport.CloseIdleConnections)
	return front{&http.Client{Transport: transport}, r}
}

// ask asks at an address about a request of b's.
func (f front) ask(t *testing.T, address string, b *browser, q question) *http.Response {
	t.Helper()
	req := b.request("GET", address+"/auth/verify", nil)
	req.Header = q.headers(f.rig)
	u, _ := url.Parse(f.rig.url)
	for _, c := range b.http.Jar.Cookies(u) {
		req.AddCookie(c)
	}
	res, err := f.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	return res
}

// listening waits for a listener that the gateway opens itself.
func listening(t *testing.T, address string) {
	t.Helper()
	until(t, "a listener at "+address, func() bool {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	})
}

const verifySecret = "an-open-secret-of-this-test"

// TestVerify_passes_tokens_to_fronts_only: at the listener that browsers cannot reach, and
// to who knows the secret.
func TestVerify_passes_tokens_to_fronts_only(t *testing.T) {
	listen := freeport.Addr(t)
	r := newRig(t, frontsTrusted, section("verify", map[string]any{"listen": listen, "secret": verifySecret, "pass_token": true}))
	listening(t, listen)
	b, nobody, f := r.signedIn("alice@example.com"), r.browser(), r.frontAlone()
	b.fetch("GET", "/api/x", "")
	token := r.seen.last(t).Header.Get("Authorization")
	for name, c := range map[string]struct {
		address string
		b       *browser
		uri     string
		secret  []string
		answers bool
		token   string
	}{
		"at_the_listener":                {"http://" + listen, b, "/api/x", nil, true, token},
		"at_the_listener_with_a_guess":   {"http://" + listen, b, "/api/x", []string{"guess"}, true, token},
		"at_the_listener_about_nobody":   {"http://" + listen, nobody, "/open/x", nil, true, ""},
		"at_the_listener_about_files":    {"http://" + listen, b, "/files/x", nil, true, ""},
		"at_the_listener_about_another":  {"http://" + listen, b, "/open/x", nil, true, ""},
		"in_public":                      {r.url, b, "/api/x", nil, false, ""},
		"in_public_with_the_secret":      {r.url, b, "/api/x", []string{verifySecret}, true, token},
		"in_public_with_it_about_nobody": {r.url, nobody, "/open/x", []string{verifySecret}, true, ""},
		"in_public_with_a_guess":         {r.url, b, "/api/x", []string{verifySecret + "x"}, false, ""},
		"in_public_with_nothing":         {r.url, b, "/api/x", []string{""}, false, ""},
		"in_public_with_a_guess_before":  {r.url, b, "/api/x", []string{"guess", verifySecret}, false, ""},
		"in_public_with_a_guess_behind":  {r.url, b, "/api/x", []string{verifySecret, "guess"}, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			q := question{uri: c.uri, lines: ownCall}
			for _, s := range c.secret {
				q.lines = append(q.lines[:len(q.lines):len(q.lines)], "X-Gatehouse-Verify: "+s)
			}
			res := f.ask(t, c.address, c.b, q)
			if strings.HasPrefix(c.address, "https:") && res.ProtoMajor != 2 {
				t.Errorf("asked by %s", res.Proto)
			}
			got, answers := res.Header["Authorization"]
			if res.StatusCode != 200 || answers != c.answers || answers && (len(got) != 1 || got[0] != c.token) {
				t.Errorf("answered %d with %.20q", res.StatusCode, got)
			}
		})
	}
	if token == "" {
		t.Error("the API got no token")
	}
	own := append(ownCall, "Authorization: Basic own", "Authorization: Basic another")
	if got := f.ask(t, "http://"+listen, b, question{uri: "/open/x", lines: own}).Header["Authorization"]; !slices.Equal(got, []string{"Basic own", "Basic another"}) {
		t.Errorf("where nobody is asked, the client's own is answered with %q", got)
	}
	if got := f.ask(t, "http://"+listen, b, question{uri: "/maybe/x", lines: own}).Header["Authorization"]; len(got) != 1 || got[0] != token {
		t.Errorf("elsewhere the client's own is answered with %.20q", got)
	}
	if strings.Contains(r.logs.String(), verifySecret) {
		t.Error("the secret is in the log")
	}
}

func TestVerify_passes_no_token_unless_told_to(t *testing.T) {
	listen := freeport.Addr(t)
	r := newRig(t, frontsTrusted, section("verify", map[string]any{"listen": listen, "secret": verifySecret}))
	listening(t, listen)
	b, f := r.signedIn("alice@example.com"), r.frontAlone()
	for _, address := range []string{r.url, "http://" + listen} {
		res := f.ask(t, address, b, question{lines: append(ownCall, "X-Gatehouse-Verify: "+verifySecret)})
		if _, answers := res.Header["Authorization"]; res.StatusCode != 200 || answers {
			t.Errorf("%s: %d %v", address, res.StatusCode, res.Header)
		}
	}
}

// TestVerifyListener serves questions and its health, and nothing that a browser wants.
func TestVerifyListener(t *testing.T) {
	listen := freeport.Addr(t)
	r := newRig(t, frontsTrusted, section("verify", map[string]any{"listen": listen}))
	listening(t, listen)
	for path, want := range map[string]int{
		"/auth/verify": 400, "/auth/verify/x": 400, "/auth/healthz": 200, "/auth/session": 404, "/auth/login": 404, "/": 404, "/open/x": 404, "/api/x": 404,
		"/metrics": 404, "/auth/verify/../session": 400,
	} {
		res, err := http.Get("http://" + listen + path)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != want {
			t.Errorf("%s: %d", path, res.StatusCode)
		}
	}
	r.stop()
	if res, err := http.Get("http://" + listen + "/auth/healthz"); err == nil {
		_ = res.Body.Close()
		t.Errorf("after the stop: %d", res.StatusCode)
	}
}
