package server_test

import (
	"html"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/cognitoemu"
)

// begun is the query of the gateway's own login that a page's request becomes.
func (b *browser) begun(redirectURI string, change ...string) string {
	b.t.Helper()
	req := b.request("GET", b.rig.url+authorizePath+"?"+b.rig.authorization(redirectURI, change...).Encode(), nil)
	b.metadata(req, "same-origin", "navigate", "document")
	res, body := b.do(req)
	query, ok := strings.CutPrefix(res.Header.Get("Location"), "/auth/login?")
	if !ok {
		b.t.Fatalf("authorize answered %d: %s", res.StatusCode, body)
	}
	return query
}

// TestFacadeTellsThePageWhatThePoolSays, in the pool's own words, with an address for
// failures or without.
func TestFacadeTellsThePageWhatThePoolSays(t *testing.T) {
	r := newRig(t, facadeOfPages, section("login", map[string]any{"error_url": "/oops"}))
	page := r.url + "/app?tab=1"
	for name, c := range map[string]struct{ code, reason, want, says string }{
		"cancelled":             {"access_denied", "User cancelled", "access_denied", "User cancelled"},
		"refused by a trigger":  {"invalid_request", preSignUp, "invalid_request", preSignUp},
		"refused without words": {"access_denied", "", "access_denied", "cancelled"},
		"its own fault":         {"server_error", "", "server_error", "error of its own"},
		"a wrong setting":       {"invalid_scope", "", "invalid_scope", "do not fit together"},
		"a code of next year":   {"something_new", "New & \"quoted\".", "something_new", "New & \"quoted\"."},
	} {
		t.Run(name, func(t *testing.T) {
			b := r.browser()
			refusal := url.Values{"error": {c.code}}
			if c.reason != "" {
				refusal.Set("error_description", c.reason)
			}
			p := b.refuse(b.begun(page), refusal)
			got := p.url.Query()
			if p.url.Path != "/app" || got.Get("tab") != "1" || got.Get("error") != c.want || got.Get("state") != pageState ||
				!strings.Contains(got.Get("error_description"), c.says) || got.Has("code") {
				t.Errorf("ended with %d at %s", p.status, p.url)
			}
		})
	}
	t.Run("an outage", func(t *testing.T) {
		r := newRig(t, facadeOfPages)
		page, b := r.url+"/app?tab=1", r.browser()
		p := b.signInWithRedirect(page)
		r.emu.Levers().Fail(cognitoemu.EndpointToken, cognitoemu.Fault{Kind: cognitoemu.Unavailable})
		p = b.password(p, "alice@example.com")
		if got := p.url.Query(); p.url.Path != "/app" || got.Get("error") != "temporarily_unavailable" || got.Get("state") != pageState {
			t.Errorf("ended with %d at %s", p.status, p.url)
		}
	})
	t.Run("without a state of this browser nobody is told", func(t *testing.T) {
		p := r.browser().follow(r.callback(url.Values{"error": {"access_denied"}, "state": {"nonsense"}}))
		if p.url.Path != "/oops" {
			t.Errorf("ended at %s", p.url)
		}
	})
}

// TestFacadeSilentLogin: prompt=none is the library's prompt: 'NONE'.
func TestFacadeSilentLogin(t *testing.T) {
	r := newRig(t, facadeOfPages)
	b, page := r.browser(), r.url+"/"
	p := b.signInWithRedirect(page, "prompt", "none", "identity_provider", "")
	if got := p.url.Query(); p.url.Path != "/" || got.Get("error") != "login_required" || got.Get("state") != pageState || got.Has("code") {
		t.Errorf("with nobody signed in: ended with %d at %s", p.status, p.url)
	}
	b.signIn("alice@example.com", "/")
	b.fetch("POST", "/auth/logout", "") // here only
	p = b.signInWithRedirect(page, "prompt", "none", "identity_provider", "")
	if res, got := b.redeem(tokenRequest(p.url.Query().Get("code"), page)); res.StatusCode != http.StatusOK {
		t.Errorf("with Alice signed in: ended at %s, and %d %+v", p.url, res.StatusCode, got)
	}
	// A page that tries again whenever nobody is found goes round in circles.
	lost := r.browser()
	for range 20 {
		if p = lost.signInWithRedirect(page, "prompt", "none", "identity_provider", ""); p.url.Path != "/" {
			break
		}
	}
	if p.status != http.StatusBadRequest || !strings.Contains(p.body, "login_loop") {
		t.Errorf("a page that asks on and on: ended with %d at %s", p.status, p.url)
	}
}

// TestFacadeLoginStartsOver as every login does, and still ends at its page.
func TestFacadeLoginStartsOver(t *testing.T) {
	r := newRig(t, facadeOfPages)
	b, page := r.browser(), r.url+"/"
	p := b.signInWithRedirect(page)
	b.dropCookie("__Host-Http-gatehouse-login")
	p = b.password(p, "alice@example.com")
	code := p.url.Query().Get("code")
	if res, got := b.redeem(tokenRequest(code, page)); res.StatusCode != http.StatusOK || p.url.Query().Get("state") != pageState {
		t.Fatalf("ended at %s through %q, and %d %+v", p.url, p.hops, res.StatusCode, got)
	}
	var callback string
	for _, hop := range p.hops {
		if strings.HasPrefix(hop, r.url+"/auth/callback?") {
			callback = hop // the last one
		}
	}
	p = b.follow(callback)
	again := p.url.Query().Get("code")
	if res, got := b.redeem(tokenRequest(again, page)); again == code || res.StatusCode != http.StatusOK {
		t.Errorf("the callback loaded again: ended at %s, and %d %+v", p.url, res.StatusCode, got)
	}
}

// TestFacadeKeepsLongStates as long return addresses are kept: in the login cookie.
func TestFacadeKeepsLongStates(t *testing.T) {
	r := newRig(t, facadeOfPages)
	page := r.url + "/"
	t.Run("one", func(t *testing.T) {
		b, state := r.browser(), strings.Repeat("0123456789abcdef", 100)+" ü&=%"
		p := b.password(b.signInWithRedirect(page, "state", state), "alice@example.com")
		if p.url.Query().Get("state") != state || p.url.Query().Get("code") == "" {
			t.Errorf("ended at %s", p.url)
		}
		b.checkCookies()
	})
	t.Run("more than there is room for", func(t *testing.T) {
		b := r.browser()
		first := b.signInWithRedirect(page, "state", strings.Repeat("1", 1500))
		for range 3 {
			b.signInWithRedirect(page, "state", strings.Repeat("2", 1500))
		}
		p := b.password(first, "alice@example.com")
		if p.url.String() != page || !b.session().Authenticated {
			t.Errorf("ended with %d at %s", p.status, p.url)
		}
		b.checkCookies()
	})
}

// TestFacadeEndIsJudged: the return address that a page's login has is no secret, and
// anybody can name it.
func TestFacadeEndIsJudged(t *testing.T) {
	r := newRig(t, facadeOfPages)
	challenge := r.authorization("").Get("code_challenge")
	for name, kept := range map[string]url.Values{
		"nothing":                {},
		"a foreign page":         {"r": {"https://evil.test/"}, "c": {challenge}, "s": {"x"}},
		"no challenge":           {"r": {r.url + "/"}, "s": {"x"}},
		"a challenge of no hash": {"r": {r.url + "/"}, "c": {"x"}, "s": {"x"}},
	} {
		t.Run(name, func(t *testing.T) {
			b := r.browser()
			p := b.signIn("alice@example.com", "/auth/amplify/oauth2/return?"+kept.Encode())
			if p.url.String() != r.url+"/" {
				t.Errorf("ended with %d at %s", p.status, p.url)
			}
			p = r.browser().refuse("return_to="+url.QueryEscape("/auth/amplify/oauth2/return?"+kept.Encode()), url.Values{"error": {"access_denied"}})
			if p.url.Path != "/auth/callback" || p.status != http.StatusBadRequest {
				t.Errorf("a refusal ended with %d at %s", p.status, p.url)
			}
		})
	}
}

// TestFacadeFleet: a login may begin, come back and be redeemed at different instances,
// and a code is for one use at all of them together.
func TestFacadeFleet(t *testing.T) {
	f := newFleet(t, facadeOfPages)
	here := f.browser()
	there := f.elsewhere(here)
	page := f.url + "/"
	p := there.password(here.signInWithRedirect(page), "alice@example.com")
	code := p.url.Query().Get("code")
	var (
		wg       sync.WaitGroup
		redeemed atomic.Int32
	)
	for i := range 12 {
		wg.Go(func() {
			b := []*browser{here, there}[i%2]
			res, got := b.redeem(tokenRequest(code, page))
			switch {
			case res.StatusCode == http.StatusOK:
				redeemed.Add(1)
			case got.Error != "invalid_grant" || !strings.Contains(got.Description, "before"):
				t.Errorf("%d %+v", res.StatusCode, got)
			}
		})
	}
	wg.Wait()
	if n := redeemed.Load(); n != 1 {
		t.Errorf("redeemed %d times", n)
	}
	t.Run("an outage of the store leaves the code good", func(t *testing.T) {
		code := here.codeFor(page)
		f.redis.Pause()
		res, got := there.redeem(tokenRequest(code, page))
		f.redis.Continue()
		if res.StatusCode != http.StatusServiceUnavailable || got.Error != "temporarily_unavailable" || res.Header.Get("Retry-After") == "" {
			t.Errorf("%d %+v", res.StatusCode, got)
		}
		until(t, "the store to be back", func() bool {
			res, _ := there.redeem(tokenRequest(code, page))
			return res.StatusCode == http.StatusOK
		})
	})
}

// TestFacadeFleetOfCookies: with the store "cookie:" instances share keys and nothing
// else. The code is good at each, beside its cookie, and for one use at each.
func TestFacadeFleetOfCookies(t *testing.T) {
	st := newStateless(t, facadeOfPages)
	here := st.browser()
	there := st.at(st.another(), here)
	page := st.url + "/"
	code := here.codeFor(page)
	for i, c := range []struct {
		at   *browser
		want int
	}{{there, 200}, {there, 400}, {here, 200}, {here, 400}} {
		if res, got := c.at.redeem(tokenRequest(code, page)); res.StatusCode != c.want {
			t.Errorf("request %d: %d %+v", i, res.StatusCode, got)
		}
	}
}

// TestFacadeTokenNeedsNoCSRFHeader: the library cannot send one there, and no other
// site has the verifier.
func TestFacadeTokenNeedsNoCSRFHeader(t *testing.T) {
	r := newRig(t, facadeOfPages, func(doc map[string]any) { doc["csrf_header"] = "X-CSRF" })
	b, page := r.browser(), r.url+"/"
	if res, got := b.redeem(tokenRequest(b.codeFor(page), page)); res.StatusCode != http.StatusOK {
		t.Errorf("%d %+v", res.StatusCode, got)
	}
	if res, _ := b.fetch("GET", "/auth/session", ""); res.StatusCode != http.StatusForbidden {
		t.Errorf("elsewhere it is not needed either: %d", res.StatusCode)
	}
}

func TestFacadeUnderAStrictCookie(t *testing.T) {
	r := newRig(t, facadeOfPages, section("session", map[string]any{"cookie": map[string]any{"same_site": "strict"}}))
	b, page := r.browser(), r.url+"/"
	p := b.password(b.signInWithRedirect(page), "alice@example.com")
	_, rest, found := strings.Cut(html.UnescapeString(p.body), `content="0;url=`+page+"?")
	query, _, _ := strings.Cut(rest, `"`)
	got, err := url.ParseQuery(query)
	if !found || err != nil || got.Get("state") != pageState {
		t.Fatalf("ended with %d at %s:\n%s", p.status, p.url, p.body)
	}
	if res, got := b.redeem(tokenRequest(got.Get("code"), page)); res.StatusCode != http.StatusOK {
		t.Errorf("%d %+v", res.StatusCode, got)
	}
}

func TestFacadeIsOffUnlessEnabled(t *testing.T) {
	r := newRig(t)
	for _, e := range [][2]string{{"GET", authorizePath}, {"POST", tokenPath}, {"GET", "/auth/amplify/logout"}} {
		res, body := r.browser().fetch(e[0], e[1], "")
		if code := problemCode(t, res, body); res.StatusCode != http.StatusNotFound || code != "not_enabled" {
			t.Errorf("%s %s: %d %s", e[0], e[1], res.StatusCode, code)
		}
	}
}

// TestFacadeAtAnotherHostOfOurs: the login is at public_url, the page is where it was.
func TestFacadeAtAnotherHostOfOurs(t *testing.T) {
	var other string
	r := newRig(t, func(doc map[string]any) {
		public := doc["public_url"].(string)
		other = strings.Replace(public, "://", "://app.", 1)
		doc["allowed_hosts"] = []string{strings.TrimPrefix(other, "https://")}
		doc["amplify"] = map[string]any{"enabled": true, "redirect_uris": []string{other + "/"}}
	}, section("session", map[string]any{"cookie": map[string]any{"domain": "example.com", "name": "mine"}}))
	b := r.browser()
	p := b.navigate("GET", other+authorizePath+"?"+r.authorization(other+"/").Encode(), "same-origin", nil)
	p = b.password(p, "alice@example.com")
	if p.url.Host != strings.TrimPrefix(other, "https://") || p.url.Query().Get("code") == "" {
		t.Fatalf("ended with %d at %s, through %q", p.status, p.url, p.hops)
	}
	form := tokenRequest(p.url.Query().Get("code"), other+"/").Encode()
	req := b.request("POST", other+tokenPath, strings.NewReader(form))
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	b.metadata(req, "same-origin", "cors", "empty")
	if res, body := b.do(req); res.StatusCode != http.StatusOK {
		t.Errorf("%d %s", res.StatusCode, body)
	}
}

// TestFacadeRefusedCodeKeepsWhatWasRefreshed: with the store "cookie:" only the answer
// takes a session's new tokens to the browser, and a pool that rotates has spent the old.
func TestFacadeRefusedCodeKeepsWhatWasRefreshed(t *testing.T) {
	st := newStatelessBefore(t, func(o *cognitoemu.Options) { o.Rotate = true }, facadeOfPages)
	b, _, end := st.signedInBriefly("alice@example.com")
	time.Sleep(time.Until(end))
	res, got := b.redeem(tokenRequest("not-a-code", st.url+"/"))
	if res.StatusCode != http.StatusBadRequest || got.Error != "invalid_grant" || len(res.Cookies()) == 0 {
		t.Errorf("%d %+v, with %d cookies", res.StatusCode, got, len(res.Cookies()))
	}
	elsewhere := st.at(st.another(), b)
	if s := elsewhere.session(); !s.Authenticated || s.Generation != 1 {
		t.Errorf("at another instance: %+v", s)
	}
}
