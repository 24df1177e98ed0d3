package server_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// callbackOf signs in at the pool, where that still asks, and returns the address
// that it sends the browser back to.
func (b *browser) callbackOf(authorize url.Values) string {
	b.t.Helper()
	req := b.request("GET", b.rig.pool.URL+"/oauth2/authorize?"+authorize.Encode(), nil)
	if res, _ := b.do(req); strings.HasPrefix(res.Header.Get("Location"), b.rig.url) {
		return res.Header.Get("Location")
	}
	return b.rig.callback(url.Values{"code": {b.code(authorize)}, "state": {authorize.Get("state")}})
}

// back ends a login and returns where the gateway then leads to, as the Location
// header says it.
func (b *browser) back(authorize url.Values) string {
	b.t.Helper()
	req := b.request("GET", b.callbackOf(authorize), nil)
	req.Header.Set("Accept", "text/html")
	b.metadata(req, "cross-site", "navigate", "document")
	res, body := b.do(req)
	if res.StatusCode != http.StatusFound {
		b.t.Fatalf("the callback answered %d: %s", res.StatusCode, body)
	}
	return res.Header.Get("Location")
}

// addresses are what pages of an app are at, as location.pathname,
// location.search and location.hash spell it.
var addresses = []string{
	"/orders?filter[status]=open", "/app/#/orders/5", "/route/?param=https://sub-host.example/sub-route|12345", "/a/[id]/b",
	"/a%20b/%C3%BC?q=%7Bx%7D&r={y}|^`\\z", "/a?x=%27", "/a#b{c}|d", "/a?off=100%", "/api/repos/group%2Fproject?x=1", "/a?#", "/a;v=1/b,c!d",
}

func TestLoginReturnsToWhatPagesSend(t *testing.T) {
	r := newRig(t)
	b := r.browser()
	for _, address := range addresses {
		for _, spelled := range []string{address, r.url + address} {
			if got := b.back(b.pending(spelled)); got != address {
				t.Errorf("%q: the login ends at %q, want %q", spelled, got, address)
			}
		}
	}
	t.Run("in any spelling, normalised", func(t *testing.T) {
		for spelled, want := range map[string]string{
			"/a b/ü?q=\"<ü>\"#ü": "/a%20b/%C3%BC?q=%22%3C%C3%BC%3E%22#%C3%BC",
			`/a\b/../c?d\e`:      `/a/c?d\e`,
			"/a{b}|`":            "/a%7Bb%7D|%60",
			"HTTPS" + strings.TrimPrefix(r.url, "https") + "/./a": "/a",
		} {
			if got := b.back(b.pending(spelled)); got != want {
				t.Errorf("%q: the login ends at %q, want %q", spelled, got, want)
			}
		}
	})
	t.Run("and never elsewhere", func(t *testing.T) {
		for _, address := range []string{
			"//evil.test", `/\evil.test`, "/\t/evil.test", "https:evil.test", "https:/evil.test", "https://evil.test" + r.url, "/a/..//evil.test",
			"https://u@" + strings.TrimPrefix(r.url, "https://") + "/", "https://evil.test#" + r.url, `https://evil.test\@` + strings.TrimPrefix(r.url, "https://"),
			"javascript:alert(1)", "data:text/html,x", "orders", "?x", "#x", "/x/../auth/login", "/auth%2Flogin", "/auth/callback#x", r.url + "/auth/./login",
		} {
			p := r.browser().open(r.url + "/auth/login?return_to=" + url.QueryEscape(address))
			if p.status != 400 || !strings.Contains(p.body, "invalid_return_to") || len(p.header.Values("Set-Cookie")) > 0 {
				t.Errorf("%q: answered %d at %s", address, p.status, p.url)
			}
		}
	})
}

// TestBothWaysToLogInReturnAlike: a page that names its address, and a navigation
// that is sent to log in, come back to the same place.
func TestBothWaysToLogInReturnAlike(t *testing.T) {
	r := newRig(t, func(doc map[string]any) {
		routes := doc["routes"].([]any)
		for _, route := range routes {
			route.(map[string]any)["auth"] = "session"
		}
		routes[0].(map[string]any)["allow_encoded_slash"] = true
	})
	b := r.browser()
	for _, address := range addresses {
		if address == "/a?#" || strings.Contains(address, "#") {
			continue // browsers send no fragment
		}
		req, err := http.NewRequest("GET", r.url, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.URL.Opaque = "//" + req.URL.Host + address // as it stands, past net/url
		req.Header.Set("Accept", "text/html")
		b.metadata(req, "none", "navigate", "document")
		res, body := r.browser().do(req)
		to, err := url.Parse(res.Header.Get("Location"))
		if err != nil || res.StatusCode != http.StatusFound {
			t.Fatalf("%q: answered %d: %s", address, res.StatusCode, body)
		}
		if got := b.back(b.pending(to.Query().Get("return_to"))); got != address {
			t.Errorf("%q: the login ends at %q", address, got)
		}
	}
}

// TestLoginWithALongAddress: it is no dead end, and the log says what happened.
func TestLoginWithALongAddress(t *testing.T) {
	r := newRig(t, section("login", map[string]any{"default_return_to": "/home"}))
	long := strings.Repeat("x", 3000)
	b := r.browser()
	for address, want := range map[string]string{
		"/api/list?q=" + long:       "/api/list",
		"/api/list#" + long:         "/api/list",
		r.url + "/api/list?" + long: "/api/list",
		"/" + long:                  "/home",
	} {
		if got := b.back(b.pending(address)); got != want {
			t.Errorf("%.40s…: the login ends at %.80q, want %q", address, got, want)
		}
	}
	for _, note := range []string{"return_to is too long: cut to its path", "return_to is too long, even its path: the default is used"} {
		until(t, note, func() bool { return strings.Contains(r.logs.String(), note) })
	}
	t.Run("sent to log in by itself", func(t *testing.T) {
		b := r.browser()
		p := b.password(b.open(r.url+"/api/list?q="+long), "alice@example.com")
		if p.url.String() != r.url+"/api/list" {
			t.Errorf("the login ends at %.80s", p.url)
		}
		const note = "address is too long to return to: cut to its path"
		until(t, note, func() bool { return strings.Contains(r.logs.String(), note) })
	})
	t.Run("signing out", func(t *testing.T) {
		b := r.browser()
		b.signIn("alice@example.com", "/api/x")
		_, body := b.fetch("POST", "/auth/logout", `{"returnTo":"/bye?`+long+`"}`)
		if p := b.open(decode[map[string]string](t, body)["logoutUrl"]); p.url.String() != r.url+"/bye" {
			t.Errorf("the sign-out ends at %.80s", p.url)
		}
	})
}
