package server_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/cognitoemu"
)

// TestForwardAuth has real fronts ask, by the configurations of docs/forward-auth, about
// what browsers do.
func TestForwardAuth(t *testing.T) {
	for name, start := range askingFronts {
		t.Run(name, func(t *testing.T) {
			f := start(t, directly, routesWithRules)
			b := f.visitor()
			f.refusesNobodysCalls(t, b)
			f.carriesALogin(t, b)
			f.tellsTheAPIWhoIsCalling(t, b)
			f.refusesOtherSites(t, b)
			f.holdsToRules(t, b)
			f.carriesAWebSocket(t, b)
			f.carriesAnUpload(t, b)
			f.carriesEvents(t, b)
			f.carriesAStream(t, b)
			f.carriesManyCookies(t, b)
			f.tellsBrowsersNoToken(t, b)
			f.refusesWhoHasSignedOut(t, b)
			f.letsNothingPassInAnOutage(t, b)
		})
	}
}

// TestForwardAuthMistakes makes those that docs/forward-auth describes.
func TestForwardAuthMistakes(t *testing.T) {
	for name, c := range map[string]struct {
		line, become string // of nginx's configuration
		change       settings
		path         string
		status       int
		code, log    string
	}{
		"nobody_trusts_nginx": {
			change: func(doc map[string]any) { doc["trusted_proxies"] = []string{"10.0.0.0/8"} },
			path:   "/orders", status: http.StatusForbidden, code: "untrusted_proxy", log: "is not in trusted_proxies",
		},
		"a_header_of_the_description_is_missing": {
			line: "proxy_set_header X-Forwarded-Uri $request_uri;", path: "/orders", status: http.StatusBadRequest, code: "invalid_original_request",
		},
		"nginx_says_the_scheme_that_it_is_asked_by": {
			line: "proxy_set_header X-Forwarded-Proto $scheme;", become: "proxy_set_header X-Forwarded-Proto http;",
			path: "/orders", status: http.StatusForbidden, code: "misdirected", log: "the front says http",
		},
		"the_port_is_left_out_of_the_host": {
			line: "proxy_set_header X-Forwarded-Host $http_host;", become: "proxy_set_header X-Forwarded-Host $host;",
			path: "/orders", status: http.StatusForbidden, code: "misdirected",
		},
		"no_route_takes_the_rest": {
			change: func(doc map[string]any) { doc["routes"] = doc["routes"].([]any)[:1] },
			path:   "/orders", status: http.StatusForbidden, code: "not_found",
		},
		"nginx_asks_about_the_gateways_own": {
			line: "location /auth/ {", become: "location /elsewhere/ {", path: "/auth/session", status: http.StatusForbidden, code: "own_endpoint",
		},
	} {
		t.Run(name, func(t *testing.T) {
			conf := askingPage(t, "nginx", "nginx")
			if c.line != "" {
				conf = replaced(t, conf, c.line, c.become)
			}
			if c.change == nil {
				c.change = func(map[string]any) {}
			}
			f := askingNginxWith(t, conf, directly, c.change)
			res, body := f.visitor().fetch("GET", c.path, "")
			if res.StatusCode != c.status || problemCode(t, res, body) != c.code {
				t.Errorf("answered %d %s, want %d %s", res.StatusCode, body, c.status, c.code)
			}
			until(t, "the log to say why", func() bool { return strings.Contains(f.logs.String(), c.log) })
		})
	}
}

func (f *fronted) refusesNobodysCalls(t *testing.T, b *browser) {
	t.Helper()
	before := f.seen.count()
	res, body := b.fetch("GET", "/api/orders?page=2", "")
	if res.StatusCode != http.StatusUnauthorized || problemCode(t, res, body) != "unauthenticated" {
		t.Fatalf("a call of nobody's: %d %s", res.StatusCode, body)
	}
	login := f.url + "/auth/login?return_to=" + url.QueryEscape("/api/orders?page=2")
	if got := res.Header.Get("X-Auth-Login-Url"); got != login || res.Header.Get("X-Gatehouse") != "1" {
		t.Errorf("the login is said to be at %q, want %s", got, login)
	}
	if res, body := b.fetch("POST", "/api/orders", strings.Repeat("0", 20_000)); res.StatusCode != http.StatusUnauthorized {
		t.Errorf("an upload of nobody's: %d %s", res.StatusCode, body)
	}
	if p := b.navigate("POST", f.url+"/api/orders", "same-origin", url.Values{"a": {"b"}}); p.status != http.StatusUnauthorized || !strings.Contains(p.body, "Please sign in") {
		t.Errorf("a form of nobody's: %d %s", p.status, p.body)
	}
	if n := f.seen.count() - before; n != 0 {
		t.Errorf("%d requests reached the API", n)
	}
	if res, body := b.fetch("GET", "/orders", ""); res.StatusCode != http.StatusOK {
		t.Errorf("a call that anybody may make: %d %s", res.StatusCode, body)
	}
}

// spoofed is what a client says of itself, in every spelling that an API may take for the
// gateway's.
var spoofed = []string{
	"X-Auth-Subject", "evil", "X_Auth_Subject", "evil", "x-auth_subject", "evil", "X-Auth-Username", "evil", "X-Auth-Email", "evil",
	"X-Auth-Groups", "evil", "Authorization", "Bearer evil",
}

func (f *fronted) tellsTheAPIWhoIsCalling(t *testing.T, b *browser) {
	t.Helper()
	sub := b.session().UserSub
	if res, body := b.fetch("GET", "/api/orders", "", spoofed...); res.StatusCode != http.StatusOK {
		t.Fatalf("a call: %d %s", res.StatusCode, body)
	}
	seen := f.seen.last(t)
	for name, want := range map[string]string{"X-Auth-Subject": sub, "X-Auth-Email": "alice@example.com", "X-Auth-Groups": "admins,staff"} {
		if got := seen.Header[name]; len(got) != 1 || got[0] != want {
			t.Errorf("the API is told %s: %q, want %s", name, got, want)
		}
	}
	if len(f.issued.findTokens(seen.Header.Get("Authorization"))) == 0 || len(seen.Header["Authorization"]) != 1 {
		t.Errorf("the API got no token: %.20q", seen.Header["Authorization"])
	}
	f.checkSeen(t, seen)
	if res, body := b.fetch("GET", "/orders", "", spoofed...); res.StatusCode != http.StatusOK {
		t.Fatalf("a call that anybody may make: %d %s", res.StatusCode, body)
	}
	// Where nobody is asked, a client's Authorization is between it and the API.
	if seen = f.seen.last(t); seen.Header.Get("X-Auth-Subject") != "" || seen.Header.Get("Authorization") != "Bearer evil" {
		t.Errorf("where nobody is asked, the API is told %v", seen.Header)
	}
	f.checkSeen(t, seen)
}

// checkSeen: the API has nothing of what a client says of itself, and no cookie.
func (f *fronted) checkSeen(t *testing.T, seen *http.Request) {
	t.Helper()
	for name, values := range seen.Header {
		if strings.Contains(strings.Join(values, ","), "evil") && name != "Authorization" {
			t.Errorf("the API is told by the client: %s: %q", name, values)
		}
	}
	if seen.Host != host(f.url) || len(seen.Header["Cookie"]) > 0 {
		t.Errorf("the API is asked for %s with the cookies %q", seen.Host, seen.Header["Cookie"])
	}
}

// routesWithRules are one for members of a group that nobody is in, and one for programs.
func routesWithRules(doc map[string]any) {
	routes := doc["routes"].([]any)
	api := routes[0].(map[string]any)["upstream"]
	doc["routes"] = append(routes,
		map[string]any{"path": "/api/board/", "upstream": api, "require": map[string]any{"groups": []string{"board"}}},
		map[string]any{"path": "/jobs/", "upstream": api, "auth": "bearer"})
	doc["bearer_clients"] = []string{cognitoemu.DefaultConfidentialClientID}
}

func (f *fronted) holdsToRules(t *testing.T, b *browser) {
	t.Helper()
	if res, body := b.fetch("GET", "/api/orders", ""); res.StatusCode != http.StatusOK {
		t.Fatalf("a call: %d %s", res.StatusCode, body)
	}
	token := f.seen.last(t).Header.Get("Authorization")
	before := f.seen.count()
	if res, body := b.fetch("GET", "/api/board/minutes", ""); res.StatusCode != http.StatusForbidden || problemCode(t, res, body) != "forbidden" {
		t.Errorf("who is not in the group: %d %s", res.StatusCode, body)
	}
	program := f.visitor()
	res, body := program.fetch("POST", "/jobs/nightly", "{}", "Authorization", token+"x")
	if res.StatusCode != http.StatusUnauthorized || problemCode(t, res, body) != "invalid_token" || res.Header.Get("WWW-Authenticate") == "" {
		t.Errorf("a program with a bad token: %d %s", res.StatusCode, body)
	}
	if n := f.seen.count() - before; n != 0 {
		t.Errorf("%d requests reached the API", n)
	}
	if res, body := program.fetch("POST", "/jobs/nightly", "{}", "Authorization", token); res.StatusCode != http.StatusOK || f.seen.last(t).Header.Get("Authorization") != token {
		t.Errorf("a program with a token: %d %s", res.StatusCode, body)
	}
}

func (f *fronted) refusesOtherSites(t *testing.T, b *browser) {
	t.Helper()
	before := f.seen.count()
	for _, method := range []string{"GET", "POST", "DELETE"} {
		res, body := b.fetchFrom("cross-site", method, "/api/orders", "")
		if res.StatusCode != http.StatusForbidden || problemCode(t, res, body) != "cross_origin" {
			t.Errorf("a %s of another site: %d %s", method, res.StatusCode, body)
		}
	}
	req := b.request("GET", f.url+"/api/socket", nil)
	for name, value := range map[string]string{"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
		"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Origin": "https://evil.test"} {
		req.Header.Set(name, value)
	}
	if res, body := b.do(req); res.StatusCode != http.StatusForbidden {
		t.Errorf("a WebSocket of another site: %d %s", res.StatusCode, body)
	}
	req.Header.Del("Origin")
	if res, body := b.do(req); res.StatusCode != http.StatusForbidden {
		t.Errorf("a WebSocket that does not say from where: %d %s", res.StatusCode, body)
	}
	if n := f.seen.count() - before; n != 0 {
		t.Errorf("%d requests reached the API", n)
	}
}

// carriesManyCookies sends more than fronts take by default, and more than the gateway
// takes.
func (f *fronted) carriesManyCookies(t *testing.T, b *browser) {
	t.Helper()
	if res, body := b.fetch("GET", "/api/orders", "", "Cookie", "big="+strings.Repeat("0", 12_000)); res.StatusCode != http.StatusOK {
		t.Errorf("12 kB of cookies: %d %.300s", res.StatusCode, body)
	}
	res, body := b.fetch("GET", "/api/orders", "", "Cookie", "big="+strings.Repeat("0", 20_000))
	if res.StatusCode != http.StatusForbidden || problemCode(t, res, body) != "cookies_too_large" {
		t.Errorf("20 kB of cookies: %d %.300s", res.StatusCode, body)
	}
}

// tellsBrowsersNoToken: a browser asks by itself, as well as it can. Where the answer goes
// to it, the scan of all that went to browsers would find one, too.
func (f *fronted) tellsBrowsersNoToken(t *testing.T, b *browser) {
	t.Helper()
	for _, guess := range []string{"", "guess"} {
		res, _ := b.fetch("GET", "/auth/verify", "", "X-Forwarded-Method", "GET", "X-Forwarded-Proto", "https",
			"X-Forwarded-Host", host(f.url), "X-Forwarded-Uri", "/api/orders", "X-Gatehouse-Verify", guess)
		if got := res.Header["Authorization"]; len(got) > 0 {
			t.Errorf("a browser that asks is told %.20q", got)
		}
	}
}

func (f *fronted) refusesWhoHasSignedOut(t *testing.T, b *browser) {
	t.Helper()
	u, _ := url.Parse(f.url)
	cookies := b.http.Jar.Cookies(u)
	if res, body := b.fetch("POST", "/auth/logout", ""); res.StatusCode != http.StatusOK {
		t.Fatalf("sign-out: %d %s", res.StatusCode, body)
	}
	b.http.Jar.SetCookies(u, cookies) // which the sign-out has cleared
	if res, body := b.fetch("GET", "/api/orders", ""); res.StatusCode != http.StatusUnauthorized {
		t.Errorf("after the sign-out: %d %s", res.StatusCode, body)
	}
}

func (f *fronted) letsNothingPassInAnOutage(t *testing.T, b *browser) {
	t.Helper()
	f.stop()
	before := f.seen.count()
	for _, path := range []string{"/api/orders", "/orders"} {
		if res, body := b.fetch("GET", path, ""); res.StatusCode < 500 || f.seen.count() != before {
			t.Errorf("%s without the gateway: %d %s", path, res.StatusCode, body)
		}
	}
}
