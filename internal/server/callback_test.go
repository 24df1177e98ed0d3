package server_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/cognitoemu"
)

// pending starts a login in b and returns its authorization request.
func (b *browser) pending(returnTo string) url.Values {
	b.t.Helper()
	req := b.request("GET", b.rig.url+"/auth/login?return_to="+url.QueryEscape(returnTo), nil)
	req.Header.Set("Accept", "text/html")
	b.metadata(req, "none", "navigate", "document")
	res, body := b.do(req)
	if res.StatusCode != http.StatusFound {
		b.t.Fatalf("login answered %d: %s", res.StatusCode, body)
	}
	to, err := url.Parse(res.Header.Get("Location"))
	if err != nil {
		b.t.Fatal(err)
	}
	return to.Query()
}

// code signs in at the pool for an authorization request, without coming back.
func (b *browser) code(authorize url.Values) string {
	b.t.Helper()
	p := b.navigateUntilForm(b.rig.pool.URL + "/oauth2/authorize?" + authorize.Encode())
	to := b.postForm(p, url.Values{"username": {"alice@example.com"}, "password": {"Passw0rd!"}})
	return to.Query().Get("code")
}

func (b *browser) navigateUntilForm(address string) page {
	b.t.Helper()
	p := b.follow(address)
	if !strings.Contains(p.body, `name="password"`) {
		b.t.Fatalf("no password form at %s:\n%s", p.url, p.body)
	}
	return p
}

// postForm sends the password form and returns where the pool would send the browser.
func (b *browser) postForm(p page, fill url.Values) *url.URL {
	b.t.Helper()
	for _, form := range formRE.FindAllStringSubmatch(p.body, -1) {
		if !strings.Contains(form[2], `name="password"`) {
			continue
		}
		for _, input := range inputRE.FindAllStringSubmatch(form[2], -1) {
			if m := valueRE.FindStringSubmatch(input[0]); m != nil && !fill.Has(input[1]) {
				fill.Set(input[1], m[1])
			}
		}
		action, err := p.url.Parse(strings.ReplaceAll(strings.ReplaceAll(form[1], "&amp;", "&"), "&#43;", "+"))
		if err != nil {
			b.t.Fatal(err)
		}
		req := b.request("POST", action.String(), strings.NewReader(fill.Encode()))
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		res, body := b.do(req)
		to, err := url.Parse(res.Header.Get("Location"))
		if err != nil || to.Host == "" {
			b.t.Fatalf("the pool answered %d without a way back: %s", res.StatusCode, body)
		}
		return to
	}
	b.t.Fatal("no password form")
	return nil
}

func (r *rig) callback(query url.Values) string { return r.url + "/auth/callback?" + query.Encode() }

// logsWhy wants a cause in p's log line, and nothing of a query that is none of the
// provider's.
func (r *rig) logsWhy(t *testing.T, p page) {
	t.Helper()
	id := p.header.Get("X-Request-Id")
	until(t, "the log line", func() bool { return r.logs.line(`"msg":"request"`, id) != "" })
	line := r.logs.line(`"msg":"request"`, id)
	foreign := strings.Contains(line, "evil.test") || strings.Contains(line, "alert(1)") && !strings.Contains(line, "login_refused")
	if !strings.Contains(line, `"error":"`) || foreign {
		t.Errorf("no cause, or the query, in %s", line)
	}
}

func TestCallbackRefusesWhatIsNoCallback(t *testing.T) {
	r := newRig(t)
	b := r.browser()
	authorize := b.pending("/here")
	state := authorize.Get("state")
	changed := "A" + state[1:]
	if changed == state {
		changed = "B" + state[1:]
	}
	other := r.browser().pending("/there").Get("state")
	marker := "zz<script>alert(1)</script>zz"
	for name, query := range map[string]string{
		"nothing":              "",
		"no state":             "code=abc",
		"no code":              "state=" + state,
		"empty code":           "code=&state=" + state,
		"empty state":          "code=abc&state=",
		"empty error":          "error=&state=" + state,
		"code twice":           "code=a&code=b&state=" + state,
		"state twice":          "code=a&state=" + state + "&state=" + state,
		"error twice":          "error=a&error=b&state=" + state,
		"code and error":       "code=a&error=access_denied&state=" + state,
		"huge code":            "code=" + strings.Repeat("a", 9000) + "&state=" + state,
		"huge state":           "code=a&state=" + strings.Repeat("a", 9000),
		"huge error":           "error=" + strings.Repeat("a", 9000) + "&state=" + state,
		"foreign state":        "code=a&state=" + url.QueryEscape(marker),
		"changed state":        "code=a&state=" + changed,
		"malformed escape":     "code=%zz&state=" + state,
		"semicolons":           "code=a;state=b",
		"an access token":      "code=a&state=" + state + "&access_token=" + url.QueryEscape(marker),
		"an id token":          "code=a&state=" + state + "&id_token=x",
		"foreign issuer":       "code=a&state=" + state + "&iss=https%3A%2F%2Fevil.test",
		"markup in the error":  "error=" + url.QueryEscape(marker) + "&error_description=" + url.QueryEscape(marker) + "&state=" + state,
		"newlines":             "code=a%0d%0aSet-Cookie:x=y&state=%0d%0a",
		"a refusal, not bound": "error=access_denied&state=nonsense",
	} {
		t.Run(name, func(t *testing.T) {
			p := b.follow(r.url + "/auth/callback?" + query)
			if p.status != http.StatusBadRequest && p.status != http.StatusRequestURITooLong {
				t.Errorf("answered %d at %s", p.status, p.url)
			}
			if p.status == http.StatusBadRequest && !strings.Contains(p.body, "/auth/login") {
				t.Errorf("the page offers no way on:\n%s", p.body)
			}
			if strings.Contains(p.body, "script>alert") || strings.Contains(p.body, "evil.test") {
				t.Error("the page reflects the query")
			}
			if c := p.header.Values("Set-Cookie"); len(c) > 0 {
				t.Errorf("it set cookies: %q", c)
			}
			if p.status == http.StatusBadRequest {
				r.logsWhy(t, p)
			}
		})
	}
	t.Run("another browser's state starts over once, then ends on a page", func(t *testing.T) {
		calls := r.emu.Levers().TokenCalls("authorization_code")
		p := b.follow(r.callback(url.Values{"code": {"stolen"}, "state": {other}}))
		if !strings.Contains(p.body, `name="password"`) {
			t.Fatalf("ended at %s with %d", p.url, p.status)
		}
		if got := r.emu.Levers().TokenCalls("authorization_code"); got != calls {
			t.Error("the code was spent although the state belongs to another browser")
		}
		again := p.url.Query().Get("state")
		if p := r.browser().follow(r.callback(url.Values{"code": {"x"}, "state": {again}})); p.status != http.StatusBadRequest {
			t.Errorf("the second time ended with %d at %s", p.status, p.url)
		}
	})
	if b.session().Authenticated {
		t.Error("one of these made a session")
	}
}

func TestCallbackIsANavigation(t *testing.T) {
	r := newRig(t)
	b := r.browser()
	authorize := b.pending("/")
	code := b.code(authorize)
	path := "/auth/callback?" + url.Values{"code": {code}, "state": {authorize.Get("state")}}.Encode()
	for _, site := range []string{"same-origin", "cross-site"} {
		if res, body := b.fetchFrom(site, "GET", path, ""); res.StatusCode != http.StatusBadRequest {
			t.Errorf("a %s fetch: %d %s", site, res.StatusCode, body)
		}
	}
	for name, c := range map[string]struct{ method, mode, dest, purpose string }{
		"in a frame":             {"GET", "navigate", "iframe", ""},
		"in an object":           {"GET", "navigate", "object", ""},
		"loaded ahead":           {"GET", "navigate", "document", "prefetch;prerender"},
		"loaded ahead, unmarked": {"GET", "", "", "prefetch"},
		"a HEAD":                 {"HEAD", "navigate", "document", ""},
		"a bare HEAD":            {"HEAD", "", "", ""},
	} {
		req := b.request(c.method, r.url+path, nil)
		if c.mode != "" {
			b.metadata(req, "cross-site", c.mode, c.dest)
		}
		if c.purpose != "" {
			req.Header.Set("Sec-Purpose", c.purpose)
		}
		if res, _ := b.do(req); res.StatusCode != http.StatusBadRequest || len(res.Header["Set-Cookie"]) > 0 {
			t.Errorf("%s: %d, cookies %q", name, res.StatusCode, res.Header["Set-Cookie"])
		}
	}
	if n := r.emu.Levers().TokenCalls("authorization_code"); n != 0 {
		t.Errorf("%d of these spent the code", n)
	}
	if p := b.follow(r.url + path); p.status != 200 || !b.session().Authenticated {
		t.Errorf("the navigation itself ended with %d at %s", p.status, p.url)
	}
}

func TestCallbackLoadedTwice(t *testing.T) {
	r := newRig(t)
	b := r.browser()
	authorize := b.pending("/api/first")
	back := r.callback(url.Values{"code": {b.code(authorize)}, "state": {authorize.Get("state")}})
	if p := b.follow(back); p.url.Path != "/api/first" {
		t.Fatalf("login ended at %s", p.url)
	}
	before := b.session()
	t.Run("goes on to its return address while signed in", func(t *testing.T) {
		if p := b.follow(back); p.status != 200 || p.url.Path != "/api/first" {
			t.Errorf("ended with %d at %s", p.status, p.url)
		}
		if got := b.session(); got.SessionExpiresAt != before.SessionExpiresAt {
			t.Error("a repeated callback made another session")
		}
	})
	t.Run("starts over once when signed out", func(t *testing.T) {
		b.fetch("POST", "/auth/logout", "")
		p := b.follow(back) // the pool still knows the browser: silent
		if p.status != 200 || p.url.Path != "/api/first" || !b.session().Authenticated {
			t.Errorf("ended with %d at %s", p.status, p.url)
		}
	})
}

func TestLoginInSeveralTabsOfAFreshBrowser(t *testing.T) {
	r := newRig(t)
	b := r.browser()
	// Every tab asks before any has a cookie, so each gets a binding of its own
	// and the last one stays.
	jar := b.http.Jar
	var tabs []url.Values
	for _, path := range []string{"/api/1", "/api/2", "/api/3"} {
		b.http.Jar = nil
		req := b.request("GET", r.url+"/auth/login?return_to="+path, nil)
		req.Header.Set("Accept", "text/html")
		b.metadata(req, "none", "navigate", "document")
		res, _ := b.do(req)
		jar.SetCookies(req.URL, res.Cookies())
		to, _ := url.Parse(res.Header.Get("Location"))
		tabs = append(tabs, to.Query())
	}
	b.http.Jar = jar
	for i, authorize := range tabs {
		p := b.follow(r.pool.URL + "/oauth2/authorize?" + authorize.Encode())
		if i == 0 {
			p = b.password(p, "alice@example.com")
		}
		if want := "/api/" + string(rune('1'+i)); p.status != 200 || p.url.Path != want {
			t.Errorf("tab %d ended with %d at %s, want %s", i+1, p.status, p.url, want)
		}
	}
	u, _ := url.Parse(r.url)
	if n := len(jar.Cookies(u)); n != 2 {
		t.Errorf("the browser holds %d cookies of ours, want 2", n)
	}
}

const sharedCookie = "__Secure-gatehouse"

// underOneDomain gives the session cookie to every host under example.com.
var underOneDomain = section("session", map[string]any{"cookie": map[string]any{"domain": "example.com"}})

// beside is a jar that sends another cookie along, before or behind its own, as a
// browser does that has one of a parent domain.
type beside struct {
	http.CookieJar
	other  func() *http.Cookie
	behind bool
}

func (j beside) Cookies(u *url.URL) []*http.Cookie {
	own, other := j.CookieJar.Cookies(u), j.other()
	switch {
	case u.Scheme != "https" || other == nil:
		return own
	case j.behind:
		return append(own, other)
	}
	return append([]*http.Cookie{other}, own...)
}

// TestAnotherGatewaysCookieOfThatName, of a gateway under the same domain with
// other keys, keeps nobody out.
func TestAnotherGatewaysCookieOfThatName(t *testing.T) {
	r, elsewhere := newRig(t, underOneDomain), newRig(t, underOneDomain)
	other := elsewhere.browser()
	other.signIn("alice@example.com", "/api/x")
	foreign := other.cookie(sharedCookie)
	for name, behind := range map[string]bool{"before ours": false, "behind ours": true} {
		t.Run(name, func(t *testing.T) {
			b := r.browser()
			b.http.Jar = beside{b.http.Jar, func() *http.Cookie { return foreign }, behind}
			if p := b.signIn("alice@example.com", "/api/x"); p.status != http.StatusOK || p.url.Path != "/api/x" {
				t.Errorf("the login ended with %d at %s:\n%s", p.status, p.url, p.body)
			}
			if !b.session().Authenticated {
				t.Error("not signed in")
			}
			b.fetch("POST", "/auth/logout", "")
			if b.session().Authenticated {
				t.Error("still signed in after the logout")
			}
		})
	}
}

// TestLoginLoopEndsOnAPage that names what is seen to be wrong.
func TestLoginLoopEndsOnAPage(t *testing.T) {
	r, elsewhere := newRig(t, underOneDomain), newRig(t, underOneDomain)
	cookieOf := func(r *rig) *http.Cookie {
		b := r.browser()
		b.signIn("bob@example.com", "/api/x")
		return b.cookie(sharedCookie)
	}
	foreign, anothers := cookieOf(elsewhere), cookieOf(r)
	ender := r.browser() // of the same user, from whom it ends all other sessions
	ender.signIn("alice@example.com", "/api/x")
	for name, c := range map[string]struct {
		other        *http.Cookie
		drops        bool // the browser keeps no session cookie of ours
		ends         bool // sessions end at once
		page, logged string
	}{
		"no cookie comes": {nil, true, false,
			"this browser sends no session cookie. Allow cookies for this site", "no session cookie comes"},
		"another gateway's comes": {foreign, true, false,
			"the session cookie that this browser sends is not one of this site. Delete the cookies", "same session.keys"},
		"another session's comes too": {anothers, false, false,
			"this browser sends several session cookies, of different sessions. Delete the cookies", "several session cookies come, of different sessions"},
		"its session is gone": {nil, false, true,
			"the session cookie arrives, but its session is not known here. Try once more", "share one session.store"},
	} {
		t.Run(name, func(t *testing.T) {
			b := r.browser()
			b.http.Jar = beside{b.http.Jar, func() *http.Cookie { return c.other }, false}
			p := b.signIn("alice@example.com", "/api/x")
			for range 6 {
				if strings.Contains(p.body, "login_loop") {
					break
				}
				if c.drops {
					b.dropCookie(sharedCookie)
				}
				if c.ends {
					ender.fetch("DELETE", "/auth/sessions", "")
				}
				p = b.open(r.url + "/api/x")
			}
			text := strings.Join(strings.Fields(tag.ReplaceAllString(p.body, " ")), " ")
			if p.status != http.StatusBadRequest || !strings.Contains(text, c.page) {
				t.Fatalf("ended with %d at %s, through %d hops:\n%s", p.status, p.url, len(p.hops), text)
			}
			const wayOn = "/auth/login?return_to=%2Fapi%2Fx"
			if !strings.Contains(p.body, `href="`+wayOn+`"`) {
				t.Errorf("no way on to %s from the loop's page:\n%s", wayOn, p.body)
			}
			id := p.header.Get("X-Request-Id")
			until(t, "the log line", func() bool { return r.logs.line(id, `"login_loop"`) != "" })
			if line := r.logs.line(id, `"login_loop"`); !strings.Contains(line, c.logged) {
				t.Errorf("no %q in %s", c.logged, line)
			}
			if p = b.open(r.url + wayOn); !strings.HasPrefix(p.hops[1], r.domain) {
				t.Errorf("the way on from the loop's page leads to %q", p.hops)
			}
		})
	}
	until(t, "the note", func() bool {
		return r.logs.line("several session cookies came, of different sessions: none counts") != ""
	})
	if found := strings.Contains(r.logs.String(), anothers.Value); found {
		t.Error("the log holds the value of a cookie")
	}
}

var tag = regexp.MustCompile(`(?s)<style>.*?</style>|<[^>]*>`)

// cookie returns a cookie that the browser has for the gateway.
func (b *browser) cookie(name string) *http.Cookie {
	b.t.Helper()
	u, _ := url.Parse(b.rig.url)
	for _, c := range b.http.Jar.Cookies(u) {
		if c.Name == name {
			return c
		}
	}
	b.t.Fatalf("the browser has no cookie %s", name)
	return nil
}

func (b *browser) dropCookie(name string) {
	b.t.Helper()
	u, _ := url.Parse(b.rig.url)
	b.http.Jar.SetCookies(u, []*http.Cookie{{Name: name, Path: "/", MaxAge: -1}})
}

func TestWithoutCookiesTheLoginEnds(t *testing.T) {
	r := newRig(t)
	b := r.browser()
	b.http.Jar = blocking{b.http.Jar}
	p := b.open(r.url + "/api/x")
	for range 3 {
		if !strings.Contains(p.body, `name="password"`) {
			break
		}
		to := b.postForm(p, url.Values{"username": {"alice@example.com"}, "password": {"Passw0rd!"}})
		p = b.follow(to.String())
	}
	if p.status != http.StatusBadRequest || !strings.Contains(p.body, "Allow cookies") {
		t.Errorf("ended with %d at %s:\n%s", p.status, p.url, p.body)
	}
}

// blocking is a jar that keeps nothing of the gateway's.
type blocking struct{ http.CookieJar }

func (j blocking) SetCookies(u *url.URL, cookies []*http.Cookie) {
	if u.Scheme != "https" {
		j.CookieJar.SetCookies(u, cookies)
	}
}

// refuse starts a login to returnTo and brings back the provider's refusal of it.
func (b *browser) refuse(login string, refusal url.Values) page {
	b.t.Helper()
	req := b.request("GET", b.rig.url+"/auth/login?"+login, nil)
	b.metadata(req, "same-origin", "navigate", "document")
	res, body := b.do(req)
	to, err := url.Parse(res.Header.Get("Location"))
	if err != nil || res.StatusCode != http.StatusFound {
		b.t.Fatalf("login answered %d: %s", res.StatusCode, body)
	}
	refusal.Set("state", to.Query().Get("state"))
	return b.follow(b.rig.callback(refusal))
}

const preSignUp = "PreSignUp failed with error E-4711: not on the list."

// TestRefusalsOfTheProviderEndOnAPage that says why, and offers what helps.
// TestAnOutageAtTheCallbackLeadsOnToTheSamePage, as a refusal does: what the login
// was for is known by then.
func TestAnOutageAtTheCallbackLeadsOnToTheSamePage(t *testing.T) {
	r := newRig(t)
	b := r.browser()
	authorize := b.pending("/x?a=b#c")
	code := b.code(authorize)
	r.emu.Levers().Fail(cognitoemu.EndpointToken, cognitoemu.Fault{Kind: cognitoemu.Unavailable})
	p := b.follow(r.callback(url.Values{"code": {code}, "state": {authorize.Get("state")}}))
	if p.status != http.StatusServiceUnavailable || !strings.Contains(p.body, `href="/auth/login?return_to=%2Fx%3Fa%3Db%23c">Start again`) {
		t.Errorf("answered %d:\n%s", p.status, p.body)
	}
}

func TestRefusalsOfTheProviderEndOnAPage(t *testing.T) {
	r := newRig(t)
	for name, tt := range map[string]struct {
		code, reason string
		want         string // the problem's code
		again        bool
		look         string // in the log, where an operator must act
	}{
		"a sign-up that a trigger refused": {"invalid_request", preSignUp, "login_refused", true, ""},
		"a cancelled sign-in":              {"access_denied", "", "access_denied", true, ""},
		"a refusal with a reason":          {"access_denied", "PreAuthentication failed with error no.", "access_denied", true, ""},
		"nobody signed in for prompt=none": {"login_required", "", "login_required", true, ""},
		"a question for prompt=none":       {"interaction_required", "", "login_required", true, ""},
		"an error of the provider's":       {"server_error", "", "server_error", true, ""},
		"a code of next year":              {"something_new", "New.", "login_refused", true, ""},
		"a malformed request":              {"invalid_request", "", "misconfigured", false, "cognito.client_id"},
		"a flow that is not enabled":       {"unauthorized_client", "Not allowed.", "misconfigured", false, "cognito.client_id"},
		"a scope that the client has not":  {"invalid_scope", "", "misconfigured", false, "cognito.scopes"},
		"a response type not enabled":      {"unsupported_response_type", "", "misconfigured", false, "cognito.client_id"},
	} {
		t.Run(name, func(t *testing.T) {
			refusal := url.Values{"error": {tt.code}}
			if tt.reason != "" {
				refusal.Set("error_description", tt.reason)
			}
			p := r.browser().refuse("return_to=/x%3Fa%3Db", refusal)
			if p.status != http.StatusBadRequest || !strings.Contains(p.body, "<code>"+tt.want+"</code>") || !strings.Contains(p.body, tt.reason) {
				t.Errorf("answered %d:\n%s", p.status, p.body)
			}
			again := strings.Contains(p.body, `href="/auth/login?return_to=%2Fx%3Fa%3Db">Start again`)
			if again != tt.again || !again && strings.Contains(p.body, "Start again") {
				t.Errorf("offers to start again, at the same page: %v\n%s", again, p.body)
			}
			id := p.header.Get("X-Request-Id")
			until(t, "the log line", func() bool { return r.logs.line(`"msg":"request"`, id) != "" })
			line := r.logs.line(`"msg":"request"`, id)
			for _, want := range []string{tt.code, tt.reason, tt.look} {
				if !strings.Contains(line, want) {
					t.Errorf("no %q in %s", want, line)
				}
			}
			if strings.Contains(line, `"level":"ERROR"`) != (tt.look != "") {
				t.Errorf("at the wrong level: %s", line)
			}
		})
	}
	t.Run("as text, cut, and never as markup", func(t *testing.T) {
		p := r.browser().refuse("", url.Values{"error": {"access_denied"},
			"error_description": {"<img src=x onerror=alert(1)>\r\n\u202e" + strings.Repeat("é", 1000)}})
		if strings.Contains(p.body, "<img src=x") || !strings.Contains(p.body, "&lt;img src=x onerror=alert(1)&gt;  éé") {
			t.Errorf("markup of the reason stands on the page:\n%s", p.body)
		}
		if n := strings.Count(p.body, "é"); n != 270 {
			t.Errorf("%d characters of the reason behind 30 others, want 300 in all", n)
		}
	})
	t.Run("without a state of this browser nothing of it is shown", func(t *testing.T) {
		mine, theirs := r.browser(), r.browser()
		state := theirs.pending("/x").Get("state")
		for name, query := range map[string]url.Values{
			"none":              {"error": {"access_denied"}, "error_description": {preSignUp}},
			"a foreign":         {"error": {"access_denied"}, "error_description": {preSignUp}, "state": {"nonsense"}},
			"another browser's": {"error": {"access_denied"}, "error_description": {preSignUp}, "state": {state}},
		} {
			if p := mine.follow(r.callback(query)); strings.Contains(p.body, "E-4711") {
				t.Errorf("with %s state: %d at %s\n%s", name, p.status, p.url, p.body)
			}
		}
	})
	t.Run("nor where another issuer says it", func(t *testing.T) {
		p := r.browser().refuse("", url.Values{"error": {"access_denied"}, "error_description": {preSignUp}, "iss": {"https://evil.test"}})
		if p.status != http.StatusBadRequest || strings.Contains(p.body, "E-4711") {
			t.Errorf("answered %d:\n%s", p.status, p.body)
		}
	})
}

// TestRefusalsOfTheProviderAtTheConfiguredAddress: with the reason.
func TestRefusalsOfTheProviderAtTheConfiguredAddress(t *testing.T) {
	r := newRig(t, section("login", map[string]any{"error_url": "/oops"}))
	p := r.browser().refuse("", url.Values{"error": {"invalid_request"}, "error_description": {preSignUp}})
	q := p.url.Query()
	if p.url.Path != "/oops" || q.Get("code") != "login_refused" || q.Get("requestId") == "" || q.Get("reason") != preSignUp {
		t.Errorf("ended at %s", p.url)
	}
	until(t, "the log line", func() bool { return r.logs.line(`"code":"login_refused"`, "E-4711") != "" })
	p = r.browser().refuse("", url.Values{"error": {"access_denied"}})
	if q := p.url.Query(); p.url.Path != "/oops" || q.Get("code") != "access_denied" || q.Has("reason") {
		t.Errorf("without a reason: ended at %s", p.url)
	}
	p = r.browser().refuse("", url.Values{"error": {"invalid_scope"}})
	if q := p.url.Query(); q.Get("code") != "misconfigured" {
		t.Errorf("a wrong setting: ended at %s", p.url)
	}
	until(t, "its log line", func() bool { return r.logs.line(`"code":"misconfigured"`, `"level":"ERROR"`, "cognito.scopes") != "" })
}

// TestAProviderOfThatNameMustExist where the configuration says which do.
func TestAProviderOfThatNameMustExist(t *testing.T) {
	r := newRig(t) // has Google
	for _, name := range []string{"Gogle", "google", "<b>x</b>", "Google,Facebook"} {
		p := r.browser().open(r.url + "/auth/login?provider=" + url.QueryEscape(name))
		if p.status != http.StatusBadRequest || !strings.Contains(p.body, "unknown_provider") || !strings.Contains(p.body, "Google, COGNITO.") {
			t.Errorf("%s: answered %d at %s:\n%s", name, p.status, p.url, p.body)
		}
		if strings.Contains(p.body, name) && name != "Google,Facebook" || len(p.header["Set-Cookie"]) > 0 {
			t.Errorf("%s: is repeated, or a login begun", name)
		}
	}
	if p := r.browser().open(r.url + "/auth/login?provider=COGNITO"); p.status != http.StatusOK {
		t.Errorf("the user pool's own users: %d at %s", p.status, p.url)
	}
	t.Run("and where it does not the page names what was asked for", func(t *testing.T) {
		r := newRig(t, section("cognito", map[string]any{"providers": []string{}}))
		p := r.browser().refuse("provider=Gogle", url.Values{"error": {"invalid_request"}, "error_description": {"No such provider."}})
		if !strings.Contains(p.body, "the provider &#34;Gogle&#34;") || strings.Contains(p.body, "/auth/login?provider") {
			t.Errorf("answered %d:\n%s", p.status, p.body)
		}
	})
}

// TestACodeRefusedTwiceIsNoCookieProblem: what is told is what happened.
func TestACodeRefusedTwiceIsNoCookieProblem(t *testing.T) {
	const why = "Client lacks read permission to attribute custom:tenant."
	r := newRigBehind(t, func(r *rig) {
		r.around = func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/oauth2/token" {
					next.ServeHTTP(w, r)
					return
				}
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(http.StatusBadRequest)
				_, _ = w.Write([]byte(`{"error":"invalid_grant","error_description":"` + why + `"}`))
			})
		}
	})
	p := r.browser().signIn("alice@example.com", "/api/x")
	if p.status != http.StatusBadRequest || !strings.Contains(p.body, "login_refused") || strings.Contains(p.body, "cookies") {
		t.Errorf("answered %d at %s:\n%s", p.status, p.url, p.body)
	}
	until(t, "the log lines", func() bool {
		return r.logs.line("/auth/callback", `"status":302`, why) != "" && r.logs.line("/auth/callback", `"status":400`, why) != ""
	})
}

// TestARefusedRefreshLogsWhy the provider refused it.
func TestARefusedRefreshLogsWhy(t *testing.T) {
	r := newRigBehind(t, func(r *rig) {
		r.around = func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				r.Body = io.NopCloser(bytes.NewReader(body))
				if !bytes.Contains(body, []byte("grant_type=refresh_token")) {
					next.ServeHTTP(w, r)
					return
				}
				form, _ := url.ParseQuery(string(body))
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(http.StatusBadRequest)
				_ = json.NewEncoder(w).Encode(map[string]string{"error": "invalid_grant",
					"error_description": "PreTokenGeneration failed with error E-7.\n" + form.Get("refresh_token")})
			})
		}
	})
	b := r.browser()
	b.signIn("alice@example.com", "/api/x")
	if res, body := b.fetch("POST", "/auth/refresh", ""); res.StatusCode != http.StatusUnauthorized {
		t.Errorf("answered %d %s", res.StatusCode, body)
	}
	until(t, "the log line", func() bool {
		return r.logs.line("session not refreshed", "PreTokenGeneration failed with error E-7.") != ""
	})
	// That the log holds nothing of the refresh token is scanned for at the end.
}

func TestLoginParameters(t *testing.T) {
	r := newRig(t)
	b := r.browser()
	locate := func(t *testing.T, query string) *url.URL {
		t.Helper()
		req := b.request("GET", r.url+"/auth/login?"+query, nil)
		b.metadata(req, "same-origin", "navigate", "document")
		res, body := b.do(req)
		to, err := url.Parse(res.Header.Get("Location"))
		if err != nil || res.StatusCode != http.StatusFound {
			t.Fatalf("answered %d: %s", res.StatusCode, body)
		}
		return to
	}
	t.Run("reach the authorize endpoint under Cognito's names", func(t *testing.T) {
		q := locate(t, "provider=Google&idp_identifier=corp.example&login_hint=a%40b.c&lang=de&prompt=login").Query()
		for name, want := range map[string]string{
			"identity_provider": "Google", "idp_identifier": "corp.example", "login_hint": "a@b.c", "lang": "de", "prompt": "login",
			"response_type": "code", "code_challenge_method": "S256", "client_id": cognitoemu.DefaultConfidentialClientID,
			"redirect_uri": r.url + "/auth/callback",
		} {
			if got := q.Get(name); got != want || len(q[name]) != 1 {
				t.Errorf("%s is %q, want %q once", name, q[name], want)
			}
		}
		if len(q.Get("state")) > 512 || len(q.Get("code_challenge")) != 43 || q.Get("nonce") == "" {
			t.Errorf("state, challenge or nonce are off: %v", q)
		}
	})
	t.Run("cannot add to the request", func(t *testing.T) {
		q := locate(t, "scope=aws.cognito.signin.user.admin+evil&redirect_uri=https%3A%2F%2Fevil.test&client_id=x&nonce=y&response_type=token").Query()
		for name, values := range q {
			if len(values) != 1 || strings.Contains(values[0], "evil") {
				t.Errorf("%s is %q", name, values)
			}
		}
	})
	t.Run("screen=signup goes to the sign-up page", func(t *testing.T) {
		if to := locate(t, "screen=signup"); to.Path != "/signup" {
			t.Errorf("went to %s", to)
		}
	})
	t.Run("a long return address survives in the cookie", func(t *testing.T) {
		long := "/api/" + strings.Repeat("x", 1900) + "?a=1&b=2"
		b := r.browser()
		if p := b.signIn("bob@example.com", long); p.url.RequestURI() != long {
			t.Errorf("ended at %.80s…", p.url)
		}
	})
	for name, query := range map[string]string{
		"return_to elsewhere": "return_to=https%3A%2F%2Fevil.test", "return_to with two slashes": "return_to=//evil.test",
		"return_to twice": "return_to=/a&return_to=/b", "provider twice": "provider=a&provider=b",
		"a control character": "lang=%0d%0a", "an unknown screen": "screen=admin", "a huge hint": "login_hint=" + strings.Repeat("x", 400),
		"the login itself": "return_to=%2Fauth%2Flogin",
	} {
		t.Run(name+" is refused", func(t *testing.T) {
			if p := r.browser().open(r.url + "/auth/login?" + query); p.status != 400 || len(p.header.Values("Set-Cookie")) > 0 {
				t.Errorf("answered %d, cookies %q", p.status, p.header.Values("Set-Cookie"))
			}
		})
	}
	t.Run("only a navigation logs in", func(t *testing.T) {
		fresh := r.browser()
		res, body := fresh.fetch("GET", "/auth/login", "")
		if code := problemCode(t, res, body); res.StatusCode != 400 || code != "login_needs_navigation" || len(res.Cookies()) > 0 {
			t.Errorf("a fetch: %d %s, cookies %v", res.StatusCode, code, res.Cookies())
		}
	})
}

func TestLoginFromAnotherHostOfOurs(t *testing.T) {
	r := newRig(t, func(doc map[string]any) {
		alt := strings.Replace(strings.TrimPrefix(doc["public_url"].(string), "https://"), "example.com", "alt.example.com", 1)
		doc["allowed_hosts"] = []string{alt}
		section("session", map[string]any{"cookie": map[string]any{"domain": "example.com"}})(doc)
	})
	alt := strings.Replace(r.url, "example.com", "alt.example.com", 1)
	b := r.browser()
	p := b.password(b.open(alt+"/api/x?a=1"), "alice@example.com")
	if p.status != 200 || p.url.String() != alt+"/api/x?a=1" {
		t.Errorf("ended with %d at %s, through %q", p.status, p.url, p.hops)
	}
	for address, want := range map[string]string{"/api/y": alt + "/api/y", alt + "/api/y": alt + "/api/y", r.url + "/api/y": "/api/y"} {
		begun := b.open(alt + "/auth/login?return_to=" + url.QueryEscape(address)) // passes the pool, which knows the browser
		if got := begun.url.String(); got != want && got != r.url+want {
			t.Errorf("%s, named on the other host, led to %s", address, got)
		}
	}
	evil := r.browser()
	p = evil.password(evil.open(r.url+"/auth/login?return_to=/api/x&return_host=evil.test"), "alice@example.com")
	if p.url.String() != r.url+"/api/x" {
		t.Errorf("a foreign return_host led to %s", p.url)
	}
}
