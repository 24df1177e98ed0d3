package server_test

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"
)

const (
	authorizePath = "/auth/amplify/oauth2/authorize"
	tokenPath     = "/auth/amplify/oauth2/token"

	// What the library makes for a login, and keeps until it comes back.
	pageVerifier = "a-verifier-of-the-page-that-has-at-least-43-characters"
	pageState    = "0123456789abcdefABCDEF0123456789-637573746f6d"
)

// facadeOfPages switches the façade on, for a page at the start of the site and another.
func facadeOfPages(doc map[string]any) {
	public := doc["public_url"].(string)
	doc["amplify"] = map[string]any{"enabled": true, "redirect_uris": []string{public + "/", public + "/app?tab=1"}}
}

// authorization is the request that signInWithRedirect sends the window to.
func (r *rig) authorization(redirectURI string, change ...string) url.Values {
	sum := sha256.Sum256([]byte(pageVerifier))
	query := url.Values{
		"redirect_uri": {redirectURI}, "response_type": {"code"}, "client_id": {"the-page's-own"},
		"identity_provider": {"COGNITO"}, "scope": {"openid everything"}, "state": {pageState},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"},
	}
	for i := 0; i+1 < len(change); i += 2 {
		query.Del(change[i])
		if change[i+1] != "" {
			query.Set(change[i], change[i+1])
		}
	}
	return query
}

// signInWithRedirect is what the library's function of that name does, up to the page
// that the pool shows, or to where it ends at once.
func (b *browser) signInWithRedirect(redirectURI string, change ...string) page {
	b.t.Helper()
	return b.navigate("GET", b.rig.url+authorizePath+"?"+b.rig.authorization(redirectURI, change...).Encode(), "same-origin", nil)
}

// codeFor signs Alice in for the page at redirectURI and returns the code that it gets.
func (b *browser) codeFor(redirectURI string) string {
	b.t.Helper()
	p := b.signInWithRedirect(redirectURI)
	if strings.Contains(p.body, `name="password"`) {
		p = b.password(p, "alice@example.com")
	}
	code := p.url.Query().Get("code")
	if !strings.HasPrefix(p.url.String(), redirectURI) || code == "" {
		b.t.Fatalf("the login ended with %d at %s, through %q", p.status, p.url, p.hops)
	}
	return code
}

// tokenRequest is the form by which the library redeems a code.
func tokenRequest(code, redirectURI string, change ...string) url.Values {
	form := url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "client_id": {"the-page's-own"},
		"redirect_uri": {redirectURI}, "code_verifier": {pageVerifier},
	}
	for i := 0; i+1 < len(change); i += 2 {
		form.Set(change[i], change[i+1])
	}
	return form
}

type tokenAnswer struct {
	AccessToken  string `json:"access_token"`
	IDToken      string `json:"id_token"`
	RefreshToken string `json:"refresh_token"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int64  `json:"expires_in"`
	Error        string `json:"error"`
	Description  string `json:"error_description"`
	Message      string `json:"error_message"`
}

// redeem sends a token request as the library does.
func (b *browser) redeem(form url.Values, headers ...string) (*http.Response, tokenAnswer) {
	b.t.Helper()
	headers = append([]string{"Content-Type", "application/x-www-form-urlencoded", "X-Amz-User-Agent", "aws-amplify"}, headers...)
	res, body := b.fetch("POST", tokenPath, form.Encode(), headers...)
	return res, decode[tokenAnswer](b.t, body)
}

func TestFacadeSignsInAtThePage(t *testing.T) {
	stores := map[string]any{"memory": "memory:", "cookie": "cookie:"}
	for name, store := range stores {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, facadeOfPages, section("session", map[string]any{"store": store}))
			b := r.browser()
			page := r.url + "/"
			p := b.signInWithRedirect(page, "login_hint", "alice", "lang", "de", "nonce", "page's")
			begun, err := url.Parse(p.hops[2])
			if err != nil {
				t.Fatal(err)
			}
			asked := begun.Query()
			if asked.Get("scope") == "openid everything" || asked.Get("client_id") == "the-page's-own" || asked.Get("state") == pageState ||
				asked.Get("nonce") == "page's" || asked.Get("redirect_uri") != r.url+"/auth/callback" {
				t.Errorf("the pool was asked for what the page names: %v", asked)
			}
			if asked.Get("identity_provider") != "COGNITO" || asked.Get("login_hint") != "alice" || asked.Get("lang") != "de" {
				t.Errorf("the pool was not asked as the page wants: %v", asked)
			}
			p = b.password(p, "alice@example.com")
			if p.url.Path != "/" || p.url.Query().Get("state") != pageState || len(p.url.Query()) != 2 {
				t.Fatalf("ended with %d at %s", p.status, p.url)
			}
			res, got := b.redeem(tokenRequest(p.url.Query().Get("code"), page))
			if res.StatusCode != http.StatusOK || got.TokenType != "Bearer" || got.RefreshToken == "" || got.ExpiresIn < 3500 || got.ExpiresIn > 3600 {
				t.Fatalf("%d %+v", res.StatusCode, got)
			}
			if res.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("may be kept: %v", res.Header)
			}
			s := b.session()
			if !s.Authenticated || !reflect.DeepEqual(shadowClaims(t, got.AccessToken), s.Tokens.AccessToken.Payload) ||
				!reflect.DeepEqual(shadowClaims(t, got.IDToken), s.Tokens.IDToken.Payload) {
				t.Errorf("the claims are not those of the session")
			}
			if res, _ := b.fetch("GET", "/api/x", ""); res.StatusCode != http.StatusOK {
				t.Errorf("the session is good for %d", res.StatusCode)
			}
		})
	}
}

// TestFacadeRedirectURIMustBeConfigured: nothing of another address may be followed,
// least of all with an answer.
func TestFacadeRedirectURIMustBeConfigured(t *testing.T) {
	r := newRig(t, facadeOfPages)
	for name, query := range map[string]string{
		"none":             "response_type=code",
		"foreign":          r.authorization("https://evil.test/").Encode(),
		"without a slash":  r.authorization(r.url).Encode(),
		"with a path":      r.authorization(r.url + "/other").Encode(),
		"with a query":     r.authorization(r.url + "/?x").Encode(),
		"with a fragment":  r.authorization(r.url + "/#x").Encode(),
		"in another case":  r.authorization(strings.ToUpper(r.url) + "/").Encode(),
		"with a user":      r.authorization(strings.Replace(r.url, "://", "://me@", 1) + "/").Encode(),
		"of another port":  r.authorization("https://example.com/").Encode(),
		"twice":            r.authorization(r.url+"/").Encode() + "&redirect_uri=" + url.QueryEscape(r.url+"/"),
		"malformed":        "%zz&" + r.authorization(r.url+"/").Encode(),
		"as a path":        r.authorization("/").Encode(),
		"with a newline":   r.authorization(r.url + "/\r\n").Encode(),
		"with a zero byte": r.authorization(r.url + "/\x00").Encode(),
	} {
		t.Run(name, func(t *testing.T) {
			p := r.browser().open(r.url + authorizePath + "?" + query)
			if p.status != http.StatusBadRequest || len(p.hops) != 1 || !strings.Contains(p.body, "invalid_redirect_uri") {
				t.Errorf("ended with %d at %s, through %q", p.status, p.url, p.hops)
			}
			if strings.Contains(p.body, "evil.test") {
				t.Error("the page reflects the query")
			}
		})
	}
}

// TestFacadeTellsThePageWhatIsWrong: once the address is known to be the page's, it is
// told, and nobody is asked to log in.
func TestFacadeTellsThePageWhatIsWrong(t *testing.T) {
	r := newRig(t, facadeOfPages)
	for name, c := range map[string]struct {
		change, code, says string
	}{
		"the implicit flow":      {"response_type=token", "unsupported_response_type", "responseType"},
		"no flow":                {"response_type=", "unsupported_response_type", "responseType"},
		"no challenge":           {"code_challenge=", "invalid_request", "PKCE"},
		"a plain challenge":      {"code_challenge_method=plain", "invalid_request", "S256"},
		"no method":              {"code_challenge_method=", "invalid_request", "S256"},
		"a short challenge":      {"code_challenge=abc", "invalid_request", "43"},
		"a challenge of no hash": {"code_challenge=" + strings.Repeat("!", 43), "invalid_request", "43"},
		"a huge state":           {"state=" + strings.Repeat("s", 3000), "invalid_request", "too long"},
		"a huge hint":            {"login_hint=" + strings.Repeat("h", 300), "invalid_request", "too long"},
		"a provider of no pool":  {"identity_provider=Nobody", "invalid_request", "COGNITO"},
	} {
		t.Run(name, func(t *testing.T) {
			key, value, _ := strings.Cut(c.change, "=")
			p := r.browser().signInWithRedirect(r.url+"/app?tab=1", key, value)
			got := p.url.Query()
			state := pageState
			if key == "state" {
				state = value
			}
			if p.url.Path != "/app" || got.Get("tab") != "1" || got.Get("error") != c.code || got.Get("state") != state ||
				!strings.Contains(got.Get("error_description"), c.says) || got.Has("code") {
				t.Errorf("ended with %d at %s", p.status, p.url)
			}
			for _, hop := range p.hops {
				if strings.HasPrefix(hop, r.domain) {
					t.Errorf("went through %s", hop)
				}
			}
		})
	}
	t.Run("a parameter twice", func(t *testing.T) {
		p := r.browser().open(r.url + authorizePath + "?" + r.authorization(r.url+"/").Encode() + "&code_challenge=x")
		if got := p.url.Query(); got.Get("error") != "invalid_request" || got.Get("state") != pageState {
			t.Errorf("ended at %s", p.url)
		}
	})
	t.Run("the log knows", func(t *testing.T) {
		until(t, "the log line", func() bool { return r.logs.line(authorizePath, `"code":"unsupported_response_type"`) != "" })
	})
}

func TestFacadeBeginsALoginForNavigationsOnly(t *testing.T) {
	r := newRig(t, facadeOfPages)
	b := r.browser()
	address := authorizePath + "?" + r.authorization(r.url+"/").Encode()
	res, body := b.fetch("GET", address, "")
	if code := problemCode(t, res, body); res.StatusCode != http.StatusBadRequest || code != "login_needs_navigation" {
		t.Errorf("a call: %d %s", res.StatusCode, code)
	}
	for name, header := range map[string][2]string{
		"prefetch": {"Sec-Purpose", "prefetch"}, "frame": {"Sec-Fetch-Dest", "iframe"},
	} {
		req := b.request("GET", r.url+address, nil)
		b.metadata(req, "same-origin", "navigate", "document")
		req.Header.Set(header[0], header[1])
		if res, body := b.do(req); res.StatusCode != http.StatusBadRequest || !strings.Contains(body, "login_needs_navigation") || len(res.Cookies()) > 0 {
			t.Errorf("a %s: %d, cookies %v", name, res.StatusCode, res.Cookies())
		}
	}
}

func TestFacadeCodeIsForOneUse(t *testing.T) {
	r := newRig(t, facadeOfPages)
	b, page := r.browser(), r.url+"/"
	code := b.codeFor(page)
	refused := func(what, says string, form url.Values) {
		t.Helper()
		res, got := b.redeem(form)
		if res.StatusCode != http.StatusBadRequest || got.Error != "invalid_grant" || !strings.Contains(got.Description, says) ||
			got.Message != got.Description || got.AccessToken != "" || res.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d %+v", what, res.StatusCode, got)
		}
	}
	const foreign = "issued for this redirect_uri"
	refused("another page", foreign, tokenRequest(code, r.url+"/app?tab=1"))
	refused("another verifier", foreign, tokenRequest(code, page, "code_verifier", strings.Repeat("x", 43)))
	refused("the challenge as the verifier", foreign, tokenRequest(code, page, "code_verifier", r.authorization(page).Get("code_challenge")))
	changed := "A" + code[1:]
	if changed == code {
		changed = "B" + code[1:]
	}
	refused("a changed code", foreign, tokenRequest(changed, page))
	refused("a code of nobody", foreign, tokenRequest("%ff", page))
	refused("a cut code", foreign, tokenRequest(code[:20], page))
	refused("a longer code", foreign, tokenRequest(code+"AAAA", page))
	// None of them has spent it.
	if res, got := b.redeem(tokenRequest(code, page)); res.StatusCode != http.StatusOK {
		t.Fatalf("%d %+v", res.StatusCode, got)
	}
	refused("the same code again", "redeemed before", tokenRequest(code, page))
	refused("the same code in another spelling", "redeemed before", tokenRequest(code[:10]+"\n"+code[10:], page))
	if !b.session().Authenticated {
		t.Error("a code that comes again ends the session")
	}
}

func TestFacadeTokenRequestIsRefused(t *testing.T) {
	r := newRig(t, facadeOfPages)
	b, page := r.browser(), r.url+"/"
	code := b.codeFor(page)
	for name, c := range map[string]struct{ body, kind, want string }{
		"no body":        {"", "", "invalid_request"},
		"JSON":           {`{"grant_type":"authorization_code"}`, "application/json", "invalid_request"},
		"no grant_type":  {"code=" + code, "", "invalid_request"},
		"refresh_token":  {tokenRequest(code, page, "grant_type", "refresh_token").Encode(), "", "unsupported_grant_type"},
		"credentials":    {"grant_type=client_credentials", "", "unsupported_grant_type"},
		"no code":        {tokenRequest("", page).Encode(), "", "invalid_request"},
		"no verifier":    {tokenRequest(code, page, "code_verifier", "").Encode(), "", "invalid_request"},
		"no redirect":    {tokenRequest(code, "").Encode(), "", "invalid_request"},
		"a code twice":   {tokenRequest(code, page).Encode() + "&code=" + code, "", "invalid_request"},
		"malformed":      {"%zz=1&" + tokenRequest(code, page).Encode(), "", "invalid_request"},
		"a huge body":    {tokenRequest(code, page, "x", strings.Repeat("x", 20<<10)).Encode(), "", "invalid_request"},
		"a huge command": {tokenRequest(strings.Repeat("A", 15<<10), page).Encode(), "", "invalid_grant"},
	} {
		t.Run(name, func(t *testing.T) {
			kind := c.kind
			if kind == "" {
				kind = "application/x-www-form-urlencoded"
			}
			res, body := b.fetch("POST", tokenPath, c.body, "Content-Type", kind)
			got := decode[tokenAnswer](t, body)
			if res.StatusCode != http.StatusBadRequest || got.Error != c.want || got.Description == "" || res.Header.Get("Content-Type") != "application/json" {
				t.Errorf("%d %s", res.StatusCode, body)
			}
		})
	}
	t.Run("another site", func(t *testing.T) {
		for _, site := range []string{"cross-site", "same-site"} {
			res, body := b.fetchFrom(site, "POST", tokenPath, tokenRequest(code, page).Encode(), "Content-Type", "application/x-www-form-urlencoded")
			if got := decode[tokenAnswer](t, body); res.StatusCode != http.StatusForbidden || got.Error != "access_denied" {
				t.Errorf("%s: %d %s", site, res.StatusCode, body)
			}
		}
	})
	t.Run("a GET", func(t *testing.T) {
		if res, _ := b.fetch("GET", tokenPath+"?"+tokenRequest(code, page).Encode(), ""); res.StatusCode != http.StatusMethodNotAllowed {
			t.Errorf("%d", res.StatusCode)
		}
	})
	if res, got := b.redeem(tokenRequest(code, page)); res.StatusCode != http.StatusOK {
		t.Errorf("after all that the code is worth %d %+v", res.StatusCode, got)
	}
}

// TestFacadeCodeIsForItsUser: a code is worth nothing beside another user's cookie, and
// without one; beside another session of the same user it is, as two tabs that sign in
// at a time end in one.
func TestFacadeCodeIsForItsUser(t *testing.T) {
	r := newRig(t, facadeOfPages)
	b, page := r.browser(), r.url+"/"
	code := b.codeFor(page)
	if res, got := r.browser().redeem(tokenRequest(code, page)); res.StatusCode != http.StatusBadRequest || got.Error != "invalid_grant" || !strings.Contains(got.Description, "No session") {
		t.Errorf("without a cookie: %d %+v", res.StatusCode, got)
	}
	other := r.browser()
	other.signIn("bob@example.com", "/")
	if res, got := other.redeem(tokenRequest(code, page)); res.StatusCode != http.StatusBadRequest || got.Error != "invalid_grant" {
		t.Errorf("beside another user: %d %+v", res.StatusCode, got)
	}
	before := b.session()
	b.open(r.url + "/auth/login?return_to=/") // another tab; the pool knows the browser
	if after := b.session(); after.SessionExpiresAt < before.SessionExpiresAt || !after.Authenticated {
		t.Fatal("the other tab did not sign in")
	}
	if res, got := b.redeem(tokenRequest(code, page)); res.StatusCode != http.StatusOK {
		t.Errorf("after another tab's login: %d %+v", res.StatusCode, got)
	}
}
