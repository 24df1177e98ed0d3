package server_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

const silently = "/auth/login?prompt=none&return_to="

// forgetPool makes the user pool not know the browser any more.
func (b *browser) forgetPool() {
	b.t.Helper()
	pool, _ := url.Parse(b.rig.domain)
	for _, c := range b.http.Jar.Cookies(pool) {
		b.http.Jar.SetCookies(pool, []*http.Cookie{{Name: c.Name, Path: "/", MaxAge: -1}})
	}
	if left := b.http.Jar.Cookies(pool); len(left) > 0 {
		b.t.Fatalf("the user pool still has %v", left)
	}
}

func TestSilentLoginFindsNobody(t *testing.T) {
	for name, change := range map[string][]settings{
		"with pages":                 nil,
		"with an address for faults": {section("login", map[string]any{"error_url": "/oops"})},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, change...)
			b := r.browser()
			p := b.open(r.url + silently + url.QueryEscape("/x?a=b#c"))
			if p.url.String() != r.url+"/x?a=b#c" || p.status != http.StatusOK || len(p.hops) != 4 {
				t.Errorf("ended with %d at %s, through %q", p.status, p.url, p.hops)
			}
			if b.session().Authenticated {
				t.Error("and somebody is signed in")
			}
		})
	}
}

func TestSilentLoginFindsWhoeverIsSignedInAtThePool(t *testing.T) {
	r := newRig(t)
	b := r.browser()
	b.signIn("alice@example.com", "/")
	b.fetch("POST", "/auth/logout", "") // here only
	if b.session().Authenticated {
		t.Fatal("the sign-out ended nothing")
	}
	p := b.open(r.url + silently + "/x")
	if s := b.session(); p.url.String() != r.url+"/x" || !s.Authenticated {
		t.Errorf("ended at %s, through %q, with the session %+v", p.url, p.hops, s)
	}
}

func TestSilentLoginThatFindsNobodyLeavesTheSessionAlone(t *testing.T) {
	r := newRig(t)
	b := r.browser()
	b.signIn("alice@example.com", "/")
	before := b.session()
	b.forgetPool()
	p := b.open(r.url + silently + "/x")
	if after := b.session(); p.url.String() != r.url+"/x" || !after.Authenticated || after.SessionExpiresAt != before.SessionExpiresAt {
		t.Errorf("ended at %s, and %+v became %+v", p.url, before, after)
	}
}

// TestSilentLoginIsRefused: what the user pool would have to ask is no failure; all
// else is one.
func TestSilentLoginIsRefused(t *testing.T) {
	r := newRig(t)
	for code, silent := range map[string]bool{
		"login_required": true, "interaction_required": true, "consent_required": true, "account_selection_required": true,
		"access_denied": false, "server_error": false, "invalid_scope": false, "something_new": false,
	} {
		p := r.browser().refuse("prompt=none&return_to=/x", url.Values{"error": {code}, "error_description": {"Why."}})
		if back := p.url.String() == r.url+"/x" && p.status == http.StatusOK; back != silent {
			t.Errorf("%s: ended with %d at %s", code, p.status, p.url)
		}
		// The same answer to a login that may ask is a failure.
		p = r.browser().refuse("prompt=login&return_to=/x", url.Values{"error": {code}})
		if p.status != http.StatusBadRequest {
			t.Errorf("%s to a login that may ask: ended with %d at %s", code, p.status, p.url)
		}
	}
}

func TestSilentLoginThatStartsOverStaysSilent(t *testing.T) {
	r := newRig(t)
	b := r.browser()
	b.signIn("alice@example.com", "/")
	b.fetch("POST", "/auth/logout", "")
	req := b.request("GET", r.url+silently+"/x", nil)
	b.metadata(req, "same-origin", "navigate", "document")
	res, _ := b.do(req)
	begun, err := url.Parse(res.Header.Get("Location"))
	if err != nil || begun.Query().Get("prompt") != "none" {
		t.Fatalf("led to %s, %v", begun, err)
	}
	b.dropCookie("__Host-Http-gatehouse-login") // another tab's came later
	p := b.follow(r.callback(url.Values{"code": {"unused"}, "state": {begun.Query().Get("state")}}))
	if len(p.hops) != 4 || !strings.Contains(p.hops[1], "/oauth2/authorize?") || !strings.Contains(p.hops[1], "prompt=none") {
		t.Errorf("went through %q", p.hops)
	}
	if p.url.String() != r.url+"/x" || !b.session().Authenticated {
		t.Errorf("ended with %d at %s", p.status, p.url)
	}
}

const ownWindow = "/auth/sdk/popup.html#7c9e"

func TestALoginInAWindowOfItsOwnEndsThere(t *testing.T) {
	r := newRig(t, section("login", map[string]any{"error_url": "/oops"}))
	b := r.browser()
	if p := b.signIn("alice@example.com", ownWindow); p.url.String() != r.url+ownWindow || p.status != http.StatusOK {
		t.Errorf("ended with %d at %s", p.status, p.url)
	}
	if !b.session().Authenticated {
		t.Error("and nobody is signed in")
	}
}

func TestALoginInAWindowOfItsOwnFailsThere(t *testing.T) {
	for name, change := range map[string][]settings{
		"with pages":                 nil,
		"with an address for faults": {section("login", map[string]any{"error_url": "/oops"})},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, change...)
			for code, want := range map[string]string{"access_denied": "access_denied", "invalid_scope": "misconfigured"} {
				p := r.browser().refuse("return_to="+url.QueryEscape(ownWindow), url.Values{"error": {code}, "error_description": {"Why & not."}})
				q := p.url.Query()
				if p.url.Path != "/auth/sdk/popup.html" || p.url.Fragment != "7c9e" || p.status != http.StatusOK {
					t.Errorf("%s: ended with %d at %s", code, p.status, p.url)
				}
				if q.Get("code") != want || q.Get("requestId") == "" || q.Get("reason") != "Why & not." {
					t.Errorf("%s: told %v", code, q)
				}
				until(t, "the log line", func() bool { return r.logs.line(q.Get("requestId"), `"code":"`+want+`"`) != "" })
			}
			// So does one that is wrong from the start.
			p := r.browser().open(r.url + "/auth/login?provider=Nobody&return_to=" + url.QueryEscape(ownWindow))
			if p.url.Path != "/auth/sdk/popup.html" || p.url.Fragment != "7c9e" || p.url.Query().Get("code") != "unknown_provider" || len(p.hops) != 2 {
				t.Errorf("a provider that is not there: ended with %d at %s", p.status, p.url)
			}
			// Any other page of that name is none.
			p = r.browser().refuse("return_to=/x/auth/sdk/popup.html", url.Values{"error": {"access_denied"}})
			if strings.HasSuffix(p.url.Path, "/popup.html") {
				t.Errorf("ended at %s", p.url)
			}
			// Without a state of this browser nobody knows of a window.
			p = r.browser().follow(r.callback(url.Values{"error": {"access_denied"}, "state": {"nonsense"}}))
			if strings.HasSuffix(p.url.Path, "/popup.html") {
				t.Errorf("ended at %s", p.url)
			}
		})
	}
}
