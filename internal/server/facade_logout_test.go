package server_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

const pageLogout = "/auth/amplify/logout?client_id=the-page%27s-own"

// logoutTo is the address that the library sends the window to at a sign-out.
func (r *rig) logoutTo(uri string) string {
	return r.url + pageLogout + "&logout_uri=" + url.QueryEscape(uri)
}

// asksForPassword reports whether the pool does not know the browser.
func (b *browser) asksForPassword() bool {
	b.t.Helper()
	return strings.Contains(b.open(b.rig.url+"/auth/login").body, `name="password"`)
}

func TestFacadeLogoutOfAPageOfOurs(t *testing.T) {
	r := newRig(t, facadeOfPages)
	b := r.browser()
	b.signIn("alice@example.com", "/")
	p := b.navigate("GET", r.logoutTo(r.url+"/bye?a=b"), "same-origin", nil)
	leaves, err := url.Parse(p.hops[1])
	if err != nil || leaves.Path != "/logout" || leaves.Query().Get("client_id") == "the-page's-own" || leaves.Query().Get("logout_uri") != r.url+"/auth/signed-out" {
		t.Errorf("went through %q", p.hops)
	}
	if p.url.String() != r.url+"/bye?a=b" || b.session().Authenticated || !b.asksForPassword() {
		t.Errorf("ended with %d at %s, through %q", p.status, p.url, p.hops)
	}
	b.checkCookies()
}

// TestFacadeLogoutByAnyoneElse ends nothing: there is a page with a button.
func TestFacadeLogoutByAnyoneElse(t *testing.T) {
	r := newRig(t, facadeOfPages)
	b := r.browser()
	b.signIn("alice@example.com", "/")
	for name, headers := range map[string][]string{
		"another site":                {"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"},
		"a sibling host":              {"Sec-Fetch-Site", "same-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"},
		"the address bar":             {"Sec-Fetch-Site", "none", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"},
		"an image of ours":            {"Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "image"},
		"a frame of ours":             {"Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe"},
		"a call of ours":              {"Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty"},
		"a worker that passes it on":  {"Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "empty"},
		"a page of ours, ahead":       {"Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document", "Sec-Purpose", "prefetch"},
		"a browser that says nothing": {"Accept", "text/html"},
		"a script":                    nil,
	} {
		t.Run(name, func(t *testing.T) {
			req := b.request("GET", r.logoutTo(r.url+"/bye"), nil)
			for i := 0; i+1 < len(headers); i += 2 {
				req.Header.Set(headers[i], headers[i+1])
			}
			res, body := b.do(req)
			if res.StatusCode != http.StatusOK || !strings.Contains(body, `<form method="post" action="/auth/logout"`) || len(res.Header["Set-Cookie"]) > 0 {
				t.Errorf("%d with cookies %q:\n%s", res.StatusCode, res.Header["Set-Cookie"], body)
			}
			if !b.session().Authenticated {
				t.Fatal("the session is over")
			}
		})
	}
}

// TestFacadeLogoutAfterTheSession goes on to the pool, which may still know the browser,
// whoever asks; and takes no cookie of a session away, which may be Strict and not have come.
func TestFacadeLogoutAfterTheSession(t *testing.T) {
	r := newRig(t, facadeOfPages)
	for _, site := range []string{"same-origin", "cross-site", "none", ""} {
		t.Run(site, func(t *testing.T) {
			b := r.browser()
			b.signIn("alice@example.com", "/")
			b.fetch("POST", "/auth/logout", "") // as the library does before, by RevokeToken
			b.old = site == ""
			p := b.navigate("GET", r.logoutTo(r.url+"/bye"), site, nil)
			if p.url.String() != r.url+"/bye" || !strings.HasPrefix(p.hops[1], r.domain+"/logout?") || !b.asksForPassword() {
				t.Errorf("ended with %d at %s, through %q", p.status, p.url, p.hops)
			}
		})
	}
	t.Run("without Strict cookie", func(t *testing.T) {
		req := r.browser().request("GET", r.logoutTo(r.url+"/bye"), nil)
		r.browser().metadata(req, "cross-site", "navigate", "document")
		res, _ := r.browser().do(req)
		for _, c := range res.Cookies() {
			if !strings.HasSuffix(c.Name, "-login") {
				t.Errorf("sets %v", c)
			}
		}
		if res.StatusCode != http.StatusFound {
			t.Errorf("%d", res.StatusCode)
		}
	})
}

// TestFacadeLogoutElsewhere: an address that is not ours ends the session all the same.
func TestFacadeLogoutElsewhere(t *testing.T) {
	r := newRig(t, facadeOfPages, section("login", map[string]any{"logout_return_to": "/start"}))
	for name, query := range map[string]string{
		"no address":        "",
		"a foreign address": "&logout_uri=https%3A%2F%2Fevil.test%2F",
		"no such escape":    "&logout_uri=/%zz",
		"two of them":       "&logout_uri=/a&logout_uri=/b",
		"the login itself":  "&logout_uri=/auth/login",
	} {
		t.Run(name, func(t *testing.T) {
			b := r.browser()
			b.signIn("alice@example.com", "/")
			p := b.navigate("GET", r.url+pageLogout+query, "same-origin", nil)
			if p.url.String() != r.url+"/start" || b.session().Authenticated {
				t.Errorf("ended with %d at %s", p.status, p.url)
			}
		})
	}
}

func TestFacadeLogoutOverAnOutage(t *testing.T) {
	f := newFleet(t, facadeOfPages)
	b := f.signedIn("alice@example.com")
	f.redis.Pause()
	foreign := b.navigate("GET", f.logoutTo(f.url+"/bye"), "cross-site", nil)
	own := b.navigate("GET", f.logoutTo(f.url+"/bye"), "same-origin", nil)
	f.redis.Continue()
	if foreign.status != http.StatusOK || len(foreign.hops) != 1 {
		t.Errorf("another site's: %d, through %q", foreign.status, foreign.hops)
	}
	if own.url.String() != f.url+"/bye" || b.session().Authenticated {
		t.Errorf("ended with %d at %s, through %q", own.status, own.url, own.hops)
	}
}

// TestFacadeLogoutIsNoReturnAddress: a login that ends there would end at once the session
// it brought. Under a Strict cookie a page of ours goes on to the return address, so that
// any site could sign a visitor out by a link to the login.
func TestFacadeLogoutIsNoReturnAddress(t *testing.T) {
	r := newRig(t, facadeOfPages, section("session", map[string]any{"cookie": map[string]any{"same_site": "strict"}}))
	for _, back := range []string{"/auth/amplify/logout", "/auth/amplify/logout?logout_uri=/", "/auth/AMPLIFY/../amplify/logout", r.url + "/auth/amplify/logout#x"} {
		p := r.browser().navigate("GET", r.url+"/auth/login?return_to="+url.QueryEscape(back), "same-origin", nil)
		if p.status != http.StatusBadRequest || !strings.Contains(p.body, "invalid_return_to") {
			t.Errorf("%s: ended with %d at %s", back, p.status, p.url)
		}
	}
}
