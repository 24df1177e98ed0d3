package cognitoemu

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestAuthorize_without_a_login_goes_to_the_login_page_with_the_same_query(t *testing.T) {
	f := newFixture(t)
	path := authorizePath()
	got := f.get(path)
	if want := strings.Replace(path, "/oauth2/authorize", "/login", 1); got.status != 302 || got.location() != want {
		t.Errorf("status %d to %s, want %s", got.status, got.location(), want)
	}
}

func TestAuthorize_with_a_login_gives_a_code_at_once(t *testing.T) {
	f := newFixture(t)
	f.signIn()
	got := f.get(authorizePath("state", "second")).callback(t)
	if got.Get("code") == "" || got.Get("state") != "second" {
		t.Errorf("callback %v", got)
	}
}

// What is wrong with the client or its callback ends on a page of the pool: to
// redirect would send the browser wherever an attacker says.
func TestAuthorize_never_redirects_to_an_unregistered_address(t *testing.T) {
	for name, test := range map[string]struct {
		change []string
		want   string
	}{
		"unknown client":    {[]string{"client_id", "nobody"}, "/error?client_id=nobody&error=invalid_request"},
		"missing client":    {[]string{"client_id", ""}, "/error?client_id=&error=invalid_request"},
		"other address":     {[]string{"redirect_uri", "https://evil.example/"}, "/error?client_id=gatehouse-dev&error=redirect_mismatch"},
		"slash at the end":  {[]string{"redirect_uri", callbackURL + "/"}, "/error?client_id=gatehouse-dev&error=redirect_mismatch"},
		"other port":        {[]string{"redirect_uri", "http://localhost:8081/auth/callback"}, "/error?client_id=gatehouse-dev&error=redirect_mismatch"},
		"other letter case": {[]string{"redirect_uri", "http://localhost:8080/auth/Callback"}, "/error?client_id=gatehouse-dev&error=redirect_mismatch"},
		"query added":       {[]string{"redirect_uri", callbackURL + "?x=1"}, "/error?client_id=gatehouse-dev&error=redirect_mismatch"},
	} {
		for _, path := range []string{"/oauth2/authorize", "/login", "/signup", "/simulated/Google"} {
			t.Run(name+" at "+path, func(t *testing.T) {
				f := newFixture(t)
				got := f.get(path + "?" + request(test.change...).Encode())
				if got.status != http.StatusFound || got.location() != test.want {
					t.Fatalf("status %d to %s, want %s", got.status, got.location(), test.want)
				}
				if page := f.get(got.location()); page.status != http.StatusBadRequest || !strings.HasPrefix(page.header.Get("Content-Type"), "text/html") {
					t.Errorf("error page: status %d, %s", page.status, page.header.Get("Content-Type"))
				}
			})
		}
	}
}

func TestAuthorize_a_single_callback_may_be_left_out(t *testing.T) {
	f := newFixture(t)
	f.signIn()
	if f.get(authorizePath("redirect_uri", "")).callback(t).Get("code") == "" {
		t.Error("no code")
	}
}

func TestAuthorize_errors_that_go_back_to_the_client(t *testing.T) {
	for name, test := range map[string]struct {
		change []string
		want   string
	}{
		"missing response_type":               {[]string{"response_type", ""}, "invalid_request"},
		"unknown response_type":               {[]string{"response_type", "id_token"}, "invalid_request"},
		"response_type of a flow not enabled": {[]string{"response_type", "token"}, "unauthorized_client"},
		"challenge without method":            {[]string{"code_challenge_method", ""}, "invalid_request"},
		"method without challenge":            {[]string{"code_challenge", ""}, "invalid_request"},
		"method plain":                        {[]string{"code_challenge_method", "plain"}, "invalid_request"},
		"unknown scope":                       {[]string{"scope", "openid payroll/read"}, "invalid_scope"},
		"resource on plain http":              {[]string{"resource", "http://api.example.com"}, "invalid_request"},
		"unknown provider":                    {[]string{"identity_provider", "Myspace"}, "invalid_request"},
		"unknown idp_identifier":              {[]string{"idp_identifier", "nowhere.example"}, "invalid_request"},
		"unknown prompt":                      {[]string{"prompt", "maybe"}, "invalid_request"},
		"prompt none with another":            {[]string{"prompt", "none login"}, "invalid_request"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			got := f.get(authorizePath(test.change...)).callback(t)
			if diff := cmp.Diff(url.Values{"error": {test.want}, "state": {"st4te"}}, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAuthorize_a_repeated_parameter_is_invalid(t *testing.T) {
	f := newFixture(t)
	got := f.get(authorizePath() + "&nonce=again").callback(t)
	if got.Get("error") != "invalid_request" {
		t.Errorf("callback %v", got)
	}
}

func TestAuthorize_state_comes_back_byte_for_byte(t *testing.T) {
	for _, state := range []string{"simple", "a b+c%20d", "semi;colon", "ümläut", "line\nbreak", `"quoted"<b>`, "=&=", strings.Repeat("x", 512), "tail="} {
		t.Run(state, func(t *testing.T) {
			f := newFixture(t)
			sent := f.get(authorizePath("state", state))
			got := f.submit(sent.location(), "username", "alice@example.com", "password", DefaultPassword).callback(t)
			if got.Get("state") != state || got.Get("code") == "" {
				t.Errorf("state %q came back as %q", state, got.Get("state"))
			}
		})
	}
}

func TestAuthorize_a_bare_semicolon_is_part_of_the_value(t *testing.T) {
	f := newFixture(t)
	sent := f.get(authorizePath("state", "") + "&state=semi;colon%2B1")
	got := f.submit(sent.location(), "username", "alice@example.com", "password", DefaultPassword).callback(t)
	if got.Get("state") != "semi;colon+1" {
		t.Errorf("state came back as %q", got.Get("state"))
	}
}

func TestAuthorize_no_state_sent_means_none_back(t *testing.T) {
	f := newFixture(t)
	f.signIn()
	if got := f.get(authorizePath("state", "")).callback(t); got.Has("state") {
		t.Errorf("callback %v", got)
	}
}

func TestAuthorize_a_state_that_looks_like_JSON_is_an_empty_400_where_there_are_several_providers(t *testing.T) {
	f := newFixture(t)
	if got := f.get(authorizePath("state", `{"a":1}`)); got.status != http.StatusBadRequest || got.body != "" {
		t.Errorf("status %d %q", got.status, got.body)
	}
	alone := newFixture(t, func(o *Options) { o.Seed.Clients[0].Providers = []string{"COGNITO"} })
	if got := alone.get(authorizePath("state", `{"a":1}`)); got.status != http.StatusFound {
		t.Errorf("one provider: status %d", got.status)
	}
}

func TestAuthorize_prompt(t *testing.T) {
	t.Run("none without a login is login_required", func(t *testing.T) {
		f := newFixture(t)
		if got := f.get(authorizePath("prompt", "none")).callback(t); got.Get("error") != "login_required" || got.Get("state") != "st4te" {
			t.Errorf("callback %v", got)
		}
	})
	t.Run("none with a login is a code", func(t *testing.T) {
		f := newFixture(t)
		f.signIn()
		if got := f.get(authorizePath("prompt", "none")).callback(t); got.Get("code") == "" {
			t.Errorf("callback %v", got)
		}
	})
	t.Run("login always asks", func(t *testing.T) {
		f := newFixture(t)
		f.signIn()
		got := f.get(authorizePath("prompt", "login"))
		if !strings.HasPrefix(got.location(), "/login?") {
			t.Fatalf("went to %s", got.location())
		}
		if page := f.get(got.location()); strings.Contains(page.body, "Continue as") {
			t.Error("the page offers to go on without signing in")
		}
	})
	t.Run("the classic pages ignore it", func(t *testing.T) {
		f := newFixture(t, func(o *Options) { o.Seed.ManagedLoginVersion = 1 })
		if got := f.get(authorizePath("prompt", "none")); !strings.HasPrefix(got.location(), "/login?") {
			t.Errorf("went to %s", got.location())
		}
	})
}

func TestAuthorize_scope_left_out_asks_for_every_scope_of_the_client(t *testing.T) {
	f := newFixture(t)
	got := claimsOf(t, f.freshTokens("scope", "").AccessToken)["scope"]
	if got != "openid email phone profile aws.cognito.signin.user.admin" {
		t.Errorf("scope %q", got)
	}
}

func TestAuthorize_resource_becomes_the_audience_and_stays(t *testing.T) {
	f := newFixture(t)
	set := f.freshTokens("resource", "https://api.example.com")
	for name, token := range map[string]string{"first": set.AccessToken, "refreshed": f.tokens(f.refresh(set.RefreshToken)).AccessToken} {
		if got := claimsOf(t, token)["aud"]; got != "https://api.example.com" {
			t.Errorf("%s: aud %v", name, got)
		}
	}
}

func TestAuthorize_login_hint_fills_in_the_address(t *testing.T) {
	f := newFixture(t)
	if page := f.get("/login?" + request("login_hint", `bob"><script>`).Encode()); !strings.Contains(page.body, `value="bob&#34;&gt;&lt;script&gt;"`) {
		t.Errorf("not filled in, or not escaped:\n%s", page.body)
	}
}

func TestAuthorize_lang_is_accepted(t *testing.T) {
	f := newFixture(t)
	if page := f.get("/login?" + request("lang", "de").Encode()); page.status != 200 || !strings.Contains(page.header.Get("Set-Cookie"), "lang=de") {
		t.Errorf("status %d, cookie %q", page.status, page.header.Get("Set-Cookie"))
	}
}

func TestLogin_cookie(t *testing.T) {
	f := newFixture(t)
	sent := f.get(authorizePath())
	back := f.submit(sent.location(), "username", "alice@example.com", "password", DefaultPassword)

	t.Run("is HttpOnly and lives for an hour", func(t *testing.T) {
		cookies := (&http.Response{Header: back.header}).Cookies()
		if len(cookies) != 1 || cookies[0].Name != "cognito" || !cookies[0].HttpOnly || cookies[0].MaxAge != 3600 {
			t.Errorf("cookies %v", cookies)
		}
	})
	t.Run("is not prolonged by silent reuse or refresh", func(t *testing.T) {
		f.emulator.Levers().Advance(59 * time.Minute)
		code := f.get(authorizePath()).callback(t).Get("code")
		f.tokens(f.refresh(f.tokens(f.exchange(code)).RefreshToken))
		f.emulator.Levers().Advance(time.Minute)
		if got := f.get(authorizePath()); !strings.HasPrefix(got.location(), "/login?") {
			t.Errorf("after an hour: to %s", got.location())
		}
	})
}

func TestLogin_silent_reuse_keeps_the_time_of_the_sign_in(t *testing.T) {
	f := newFixture(t)
	f.signIn()
	f.emulator.Levers().Advance(10 * time.Minute)
	code := f.get(authorizePath()).callback(t).Get("code")
	if got := claimsOf(t, f.tokens(f.exchange(code)).IDToken)["auth_time"]; got != float64(start.Unix()) {
		t.Errorf("auth_time %v, want %d", got, start.Unix())
	}
}

// FuzzAuthorize: whatever is asked, a redirect goes to the callback or to a path
// of the emulator's own.
func FuzzAuthorize(f *testing.F) {
	f.Add(request().Encode())
	f.Add(request("redirect_uri", "https://evil.example").Encode())
	f.Add("client_id=gatehouse-dev&redirect_uri=//evil.example")
	f.Add("client_id=gatehouse-dev&redirect_uri=" + callbackURL + "&redirect_uri=https://evil.example")
	f.Add("client_id=%0d%0aLocation:%20https://evil.example")
	f.Add("client_id=gatehouse-dev;redirect_uri=https://evil.example")
	emulator, err := New(Options{PagesURL: "http://127.0.0.1:9229", APIURL: "http://localhost:9229",
		Seed: DefaultSeed([]string{callbackURL}, []string{logoutURL})})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, query string) {
		for _, path := range []string{"/oauth2/authorize", "/login", "/logout", "/confirm", "/simulated/Google"} {
			r := httptest.NewRequest(http.MethodGet, "http://127.0.0.1:9229"+path, nil)
			r.URL.RawQuery = query
			w := httptest.NewRecorder()
			emulator.ServeHTTP(w, r)
			to := w.Header().Get("Location")
			own := strings.HasPrefix(to, "/") && !strings.HasPrefix(to, "//") && !strings.HasPrefix(to, `/\`)
			if to != "" && !own && !strings.HasPrefix(to, callbackURL+"?") && to != logoutURL {
				t.Errorf("%s?%s redirects to %s", path, query, to)
			}
			if w.Code >= 500 {
				t.Error(fmt.Errorf("%s?%s: status %d", path, query, w.Code))
			}
		}
	})
}
