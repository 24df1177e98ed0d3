package cognitoemu

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

func loginPath(pairs ...string) string  { return "/login?" + request(pairs...).Encode() }
func signUpPath(pairs ...string) string { return "/signup?" + request(pairs...).Encode() }

func TestPages_every_page_says_that_it_is_no_real_one_and_allows_no_script_or_frame(t *testing.T) {
	f := newFixture(t)
	pages := map[string]string{
		"login": loginPath(), "sign-up": signUpPath(), "forgotten password": "/forgotPassword?" + request().Encode(), "Google": "/simulated/Google?" + request().Encode(),
		"SAML": "/simulated/CorpSAML?" + request().Encode(), "error": "/error?error=redirect_mismatch", "about": "/",
	}
	for name, path := range pages {
		t.Run(name, func(t *testing.T) {
			got := f.get(path)
			if !strings.Contains(got.body, "Emulator – not Amazon Cognito") {
				t.Error("no banner")
			}
			policy := got.header.Get("Content-Security-Policy")
			for _, want := range []string{"default-src 'none'", "style-src 'self'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"} {
				if !strings.Contains(policy, want) {
					t.Errorf("policy %q lacks %q", policy, want)
				}
			}
			if got.header.Get("X-Frame-Options") != "DENY" || got.header.Get("X-Content-Type-Options") != "nosniff" || got.header.Get("Cache-Control") != "no-store" {
				t.Errorf("header %v", got.header)
			}
			if regexp.MustCompile(`<script|<style| style=| on[a-z]+=`).MatchString(got.body) {
				t.Error("inline script or style, which the policy would block")
			}
			if got.header.Get("X-Amz-Cognito-Request-Id") == "" {
				t.Error("no request id")
			}
		})
	}
}

func TestPages_form_action_allows_the_redirect_to_the_callback(t *testing.T) {
	const callback = "https://app.example.com/auth/callback"
	f := newFixture(t, func(o *Options) { o.Seed.Clients[0].CallbackURLs = []string{callback, "myapp://signed-in"} })
	policy := f.get(loginPath("redirect_uri", callback)).header.Get("Content-Security-Policy")
	for _, want := range []string{" https:", " myapp:"} {
		if !strings.Contains(policy, want) {
			t.Errorf("policy %q lacks %q", policy, want)
		}
	}
}

func TestPages_a_form_needs_the_token_of_its_page(t *testing.T) {
	f := newFixture(t)
	f.get(loginPath())
	credentials := url.Values{"username": {"alice@example.com"}, "password": {DefaultPassword}}
	if got := f.post(loginPath(), credentials); got.status != http.StatusBadRequest || got.location() != "" {
		t.Errorf("without a token: status %d to %q", got.status, got.location())
	}
	other := newFixture(t)
	credentials.Set("_csrf", hiddenField.FindStringSubmatch(other.get(loginPath()).body)[1])
	if got := f.post(loginPath(), credentials, "Origin", f.pages); got.status != http.StatusBadRequest || got.location() != "" {
		t.Errorf("with another's token: status %d to %q", got.status, got.location())
	}
}

func TestPages_two_tabs_can_be_open_at_once(t *testing.T) {
	f := newFixture(t)
	first := hiddenField.FindStringSubmatch(f.get(loginPath("state", "first")).body)[1]
	f.get(loginPath("state", "second"))
	got := f.post(loginPath("state", "first"), url.Values{"_csrf": {first}, "username": {"alice@example.com"}, "password": {DefaultPassword}})
	if got.callback(t).Get("state") != "first" {
		t.Errorf("to %s", got.location())
	}
}

// Tabs opened at once in a fresh browser are each given a cookie. The last one
// wins, whereas the forms of the others name those that lost.
func TestPages_a_form_whose_cookie_lost_is_known_by_its_origin(t *testing.T) {
	f := newFixture(t)
	for _, test := range []struct {
		name, origin string
		status       int
	}{
		{"own origin", f.pages, http.StatusFound},
		{"no origin", "", http.StatusBadRequest},
		{"another site", "http://evil.example", http.StatusBadRequest},
		{"another port of this host", "http://127.0.0.1:1", http.StatusBadRequest},
		{"opaque origin", "null", http.StatusBadRequest},
	} {
		t.Run(strings.ReplaceAll(test.name, " ", "_"), func(t *testing.T) {
			f.browser = newBrowser(t)
			lost := hiddenField.FindStringSubmatch(f.get(loginPath()).body)[1]
			f.browser = newBrowser(t)
			f.get(loginPath())
			header := []string{}
			if test.origin != "" {
				header = []string{"Origin", test.origin}
			}
			got := f.post(loginPath(), url.Values{"_csrf": {lost}, "username": {"alice@example.com"}, "password": {DefaultPassword}}, header...)
			if got.status != test.status {
				t.Errorf("status %d, want %d", got.status, test.status)
			}
		})
	}
}

func TestPages_another_site_cannot_use_a_form_of_its_victim(t *testing.T) {
	f := newFixture(t)
	token := hiddenField.FindStringSubmatch(f.get(loginPath()).body)[1]
	got := f.post(loginPath(), url.Values{"_csrf": {token}, "username": {"alice@example.com"}, "password": {DefaultPassword}},
		"Origin", "http://evil.example")
	if got.status != http.StatusBadRequest {
		t.Errorf("status %d, want 400", got.status)
	}
}

func TestPages_a_page_older_than_five_minutes_is_refused(t *testing.T) {
	for _, test := range []struct {
		age    time.Duration
		status int
	}{{5 * time.Minute, http.StatusFound}, {5*time.Minute + time.Second, http.StatusBadRequest}} {
		f := newFixture(t)
		token := hiddenField.FindStringSubmatch(f.get(loginPath()).body)[1]
		f.emulator.Levers().Advance(test.age)
		got := f.post(loginPath(), url.Values{"_csrf": {token}, "username": {"alice@example.com"}, "password": {DefaultPassword}}, "Origin", f.pages)
		if got.status != test.status {
			t.Errorf("after %v: status %d, want %d", test.age, got.status, test.status)
		}
	}
}

func TestLogin_wrong_password_and_unknown_user_look_the_same(t *testing.T) {
	f := newFixture(t)
	for _, username := range []string{"alice@example.com", "nobody@example.com", "Google_108204268033311374519"} {
		got := f.submit(loginPath(), "username", username, "password", "wrong")
		if got.status != http.StatusOK || !strings.Contains(got.body, "Incorrect username or password.") || len((&http.Response{Header: got.header}).Cookies()) > 1 {
			t.Errorf("%s: status %d", username, got.status)
		}
	}
}

func TestLogin_a_disabled_user_is_refused(t *testing.T) {
	f := newFixture(t)
	if got := f.submit(loginPath(), "username", "erin@example.com", "password", DefaultPassword); !strings.Contains(got.body, "User is disabled.") {
		t.Errorf("status %d\n%s", got.status, got.body)
	}
}

func TestLogin_five_wrong_passwords_lock_out(t *testing.T) {
	f := newFixture(t)
	wrong := func() answer {
		return f.submit(loginPath(), "username", "bob@example.com", "password", "wrong")
	}
	right := func() answer {
		return f.submit(loginPath(), "username", "bob@example.com", "password", DefaultPassword)
	}
	for range 5 {
		wrong()
	}
	if got := right(); got.location() != "" || !strings.Contains(got.body, "Password attempts exceeded") {
		t.Fatalf("sixth attempt, with the right password: to %q", got.location())
	}
	f.emulator.Levers().Advance(time.Second)
	wrong() // the sixth: two seconds
	f.emulator.Levers().Advance(time.Second)
	if got := right(); got.location() != "" {
		t.Error("the second lock-out is no longer than the first")
	}
	f.emulator.Levers().Advance(time.Second)
	if right().callback(t).Get("code") == "" {
		t.Error("no code after the lock-out")
	}
}

func TestLogin_goes_on_as_the_user_that_is_signed_in(t *testing.T) {
	f := newFixture(t)
	f.signInAs("bob@example.com")
	page := f.get(loginPath())
	if !strings.Contains(page.body, "Continue as <small>bob@example.com</small>") {
		t.Fatal("the page does not offer it")
	}
	code := f.submit(loginPath(), "continue", "1").callback(t).Get("code")
	if got := claimsOf(t, f.tokens(f.exchange(code)).IDToken)["email"]; got != "bob@example.com" {
		t.Errorf("signed in as %v", got)
	}
}

func TestSignUp_carries_the_request_through_to_a_code(t *testing.T) {
	f := newFixture(t)
	sent := f.submit(signUpPath("state", "kept"), "username", "zoe@example.com", "name", "Zoe Zane", "password", "Sesame-12", "confirm_password", "Sesame-12")
	if !strings.HasPrefix(sent.location(), "/confirm?") {
		t.Fatalf("status %d to %q\n%s", sent.status, sent.location(), sent.body)
	}
	shown := shownCode.FindStringSubmatch(f.get(sent.location()).body)
	if shown == nil {
		t.Fatal("no code on the page")
	}
	if got := f.submit(sent.location(), "code", "x"); got.location() != "" || !strings.Contains(got.body, "Invalid verification code") {
		t.Errorf("wrong code: to %q", got.location())
	}
	back := f.submit(sent.location(), "code", shown[1]).callback(t)
	claims := claimsOf(t, f.tokens(f.exchange(back.Get("code"))).IDToken)
	if back.Get("state") != "kept" || claims["nonce"] != "n0nce" || claims["email"] != "zoe@example.com" ||
		claims["email_verified"] != true || claims["name"] != "Zoe Zane" {
		t.Errorf("callback %v, claims %v", back, claims)
	}
}

func TestSignUp_refusals(t *testing.T) {
	for name, test := range map[string]struct{ username, password, repeated, want string }{
		"no address":        {"zoe", "Sesame-12", "Sesame-12", "Invalid email"},
		"weak password":     {"zoe@example.com", "sesame", "sesame", "at least 8 characters"},
		"passwords differ":  {"zoe@example.com", "Sesame-12", "Sesame-13", "do not match"},
		"address is taken":  {"Alice@Example.com", "Sesame-12", "Sesame-12", "already exists"},
		"no address at all": {"", "Sesame-12", "Sesame-12", "Invalid email"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			got := f.submit(signUpPath(), "username", test.username, "password", test.password, "confirm_password", test.repeated)
			if got.location() != "" || !strings.Contains(got.body, test.want) {
				t.Errorf("to %q\n%s", got.location(), got.body)
			}
		})
	}
}

func TestSignUp_an_unconfirmed_user_is_sent_to_confirm_at_sign_in(t *testing.T) {
	f := newFixture(t)
	f.submit(signUpPath(), "username", "zoe@example.com", "password", "Sesame-12", "confirm_password", "Sesame-12")
	f.browser = newBrowser(t)
	if got := f.submit(loginPath(), "username", "zoe@example.com", "password", "Sesame-12"); !strings.HasPrefix(got.location(), "/confirm?") {
		t.Errorf("status %d to %q", got.status, got.location())
	}
}

var shownCode = regexp.MustCompile(`The code is <strong>(\d{6})</strong>`)

func TestForgotPassword_sets_a_new_one_and_carries_the_request_through_to_a_code(t *testing.T) {
	f := newFixture(t)
	sent := f.submit("/forgotPassword?"+request("state", "kept").Encode(), "username", "alice@example.com")
	code := shownCode.FindStringSubmatch(f.get(sent.location()).body)
	if code == nil {
		t.Fatalf("no code at %s", sent.location())
	}
	if got := f.submit(sent.location(), "code", "x", "password", "Sesame-12", "confirm_password", "Sesame-12"); got.location() != "" {
		t.Errorf("wrong code: to %q", got.location())
	}
	back := f.submit(sent.location(), "code", code[1], "password", "Sesame-12", "confirm_password", "Sesame-12").callback(t)
	if back.Get("code") == "" || back.Get("state") != "kept" {
		t.Errorf("callback %v", back)
	}
	if got := f.submit(loginPath(), "username", "alice@example.com", "password", DefaultPassword); got.location() != "" {
		t.Error("the old password still works")
	}
	if f.submit(loginPath(), "username", "alice@example.com", "password", "Sesame-12").callback(t).Get("code") == "" {
		t.Error("the new password does not work")
	}
}

func TestForgotPassword_goes_alike_for_an_address_that_nobody_has(t *testing.T) {
	f := newFixture(t)
	sent := f.submit("/forgotPassword?"+request().Encode(), "username", "nobody@example.com")
	page := f.get(sent.location())
	code := shownCode.FindStringSubmatch(page.body)
	if code == nil || page.status != http.StatusOK {
		t.Fatalf("status %d", page.status)
	}
	if got := f.submit(sent.location(), "code", code[1], "password", "Sesame-12", "confirm_password", "Sesame-12"); got.location() != "" {
		t.Errorf("to %q", got.location())
	}
}

func TestForgotPassword_a_disabled_user_stays_out(t *testing.T) {
	f := newFixture(t)
	sent := f.submit("/forgotPassword?"+request().Encode(), "username", "erin@example.com")
	code := shownCode.FindStringSubmatch(f.get(sent.location()).body)[1]
	got := f.submit(sent.location(), "code", code, "password", "Sesame-12", "confirm_password", "Sesame-12")
	if !strings.HasPrefix(got.location(), "/login?") {
		t.Errorf("to %q", got.location())
	}
}

func TestFederation_identity_provider_goes_straight_to_the_provider(t *testing.T) {
	for parameter, value := range map[string]string{"identity_provider": "CorpSAML", "idp_identifier": "Corp.Example"} {
		f := newFixture(t)
		if got := f.get(authorizePath(parameter, value)); !strings.HasPrefix(got.location(), "/simulated/CorpSAML?") {
			t.Errorf("%s=%s: to %s", parameter, value, got.location())
		}
	}
	f := newFixture(t)
	if got := f.get(authorizePath("identity_provider", "COGNITO")); !strings.HasPrefix(got.location(), "/login?") {
		t.Errorf("COGNITO: to %s", got.location())
	}
}

func TestFederation_the_login_page_leads_to_the_provider_and_keeps_the_request(t *testing.T) {
	f := newFixture(t)
	got := f.submit(loginPath("state", "kept"), "identity_provider", "Google")
	got = f.get(got.location())
	back := f.submit(got.location(), "choice", "user:108204268033311374519").callback(t)
	if back.Get("state") != "kept" || back.Get("code") == "" {
		t.Errorf("callback %v", back)
	}
}

func TestFederation_cancel_and_fail_redirect_with_an_error(t *testing.T) {
	for name, test := range map[string]struct{ provider, choice, code, description string }{
		"cancel at Google": {"Google", "cancel", "access_denied", "User cancelled the sign-in at Google"},
		"fail at Google":   {"Google", "fail", "invalid_request", "Google Error - 400 error getting token"},
		"cancel at SAML":   {"CorpSAML", "cancel", "access_denied", ""},
		"fail at SAML":     {"CorpSAML", "fail", "server_error", ""},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			got := f.submit("/simulated/"+test.provider+"?"+request().Encode(), "choice", test.choice).callback(t)
			if got.Get("error") != test.code || got.Get("error_description") != test.description || got.Get("state") != "st4te" || got.Has("code") {
				t.Errorf("callback %v", got)
			}
		})
	}
}

func TestFederation_a_login_at_one_provider_is_not_reused_for_another(t *testing.T) {
	f := newFixture(t)
	f.signIn()
	if got := f.get(authorizePath("identity_provider", "Google")); !strings.HasPrefix(got.location(), "/simulated/Google?") {
		t.Errorf("to %s", got.location())
	}
}

func TestLogout(t *testing.T) {
	logout := func(pairs ...string) string {
		query := url.Values{}
		for i := 0; i < len(pairs); i += 2 {
			query.Set(pairs[i], pairs[i+1])
		}
		return "/logout?" + query.Encode()
	}
	again := request("state", "again")
	for name, test := range map[string]struct {
		path      string
		status    int
		location  string
		signedOut bool
	}{
		"with logout_uri":                        {logout("client_id", DefaultClientID, "logout_uri", logoutURL), 302, logoutURL, true},
		"with logout_uri, state does not return": {logout("client_id", DefaultClientID, "logout_uri", logoutURL, "state", "s"), 302, logoutURL, true},
		"with redirect_uri":                      {"/logout?" + again.Encode(), 302, "/login?" + again.Encode(), true},
		"with both, logout_uri wins":             {"/logout?" + request("logout_uri", logoutURL).Encode(), 302, logoutURL, true},
		"with redirect_uri, the provider does not pass through": {"/logout?" + request("state", "again", "identity_provider", "Google").Encode(), 302,
			"/login?" + again.Encode(), true},
		"a slash too many":       {logout("client_id", DefaultClientID, "logout_uri", logoutURL+"/"), 400, "", false},
		"nothing given":          {logout("client_id", DefaultClientID), 400, "", false},
		"OpenID Connect's names": {logout("client_id", DefaultClientID, "post_logout_redirect_uri", logoutURL), 400, "", false},
		"unknown client":         {logout("client_id", "nobody", "logout_uri", logoutURL), 302, "/error?client_id=nobody&error=invalid_request", false},
		"unregistered redirect_uri": {"/logout?" + request("redirect_uri", "https://evil.example").Encode(), 302,
			"/error?client_id=gatehouse-dev&error=redirect_mismatch", false},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.signIn()
			got := f.get(test.path)
			if got.status != test.status || got.location() != test.location {
				t.Errorf("status %d to %q, want %d to %q", got.status, got.location(), test.status, test.location)
			}
			if test.status == 400 && !strings.Contains(got.body, "Required String parameter &#39;redirect_uri&#39; is not present") {
				t.Errorf("page:\n%s", got.body)
			}
			silent := !strings.HasPrefix(f.get(authorizePath()).location(), "/login?")
			if silent == test.signedOut {
				t.Errorf("signed in afterwards: %v", silent)
			}
		})
	}
}

func TestLogout_works_for_someone_who_is_not_signed_in(t *testing.T) {
	f := newFixture(t)
	got := f.get("/logout?" + url.Values{"client_id": {DefaultClientID}, "logout_uri": {logoutURL}}.Encode())
	if got.status != http.StatusFound || got.location() != logoutURL {
		t.Errorf("status %d to %q", got.status, got.location())
	}
}

func TestLogout_revokes_no_token(t *testing.T) {
	f := newFixture(t)
	set := f.freshTokens()
	f.get("/logout?" + url.Values{"client_id": {DefaultClientID}, "logout_uri": {logoutURL}}.Encode())
	f.tokens(f.refresh(set.RefreshToken))
}

// focused is the field that has the focus when the page is there.
var focused = regexp.MustCompile(`<input id="([a-z_]+)"[^>]* autofocus>`)

func focus(page string) string {
	all := focused.FindAllStringSubmatch(page, -1)
	if len(all) != 1 {
		return ""
	}
	return all[0][1]
}

func TestForms_say_all_that_is_wrong_and_lead_to_the_first_of_it(t *testing.T) {
	const differ, wrongCode = "do not match", "Invalid verification code"
	f := newFixture(t)
	reset := f.submit("/forgotPassword?"+request().Encode(), "username", "alice@example.com").location()
	for name, test := range map[string]struct {
		path  string
		form  []string
		says  []string
		focus string
	}{
		"nothing yet":                  {signUpPath(), nil, nil, "username"},
		"a weak password":              {signUpPath(), []string{"zoe@example.com", "sesame", "sesame"}, []string{"The password needs"}, "password"},
		"two passwords":                {signUpPath(), []string{"zoe@example.com", "Sesame-12", "Sesame-13"}, []string{differ}, "password"},
		"a weak password and another":  {signUpPath(), []string{"zoe@example.com", "sesame", "sesam"}, []string{"The password needs", differ}, "password"},
		"no address and all of it":     {signUpPath(), []string{"zoe", "sesame", "sesam"}, []string{"Invalid email", "The password needs", differ}, "username"},
		"an address that is taken":     {signUpPath(), []string{"bob@example.com", "Sesame-12", "Sesame-12"}, []string{"already exists"}, "username"},
		"nothing yet, reset":           {reset, nil, nil, "password"},
		"a weak password, reset":       {reset, []string{"", "sesame", "sesam"}, []string{wrongCode, "The password needs", differ}, "code"},
		"another address, nothing yet": {loginPath(), nil, nil, "username"},
	} {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			page := f.get(test.path).body
			if test.form != nil {
				page = f.submit(test.path, "username", test.form[0], "password", test.form[1], "confirm_password", test.form[2]).body
			}
			for _, text := range []string{"The password needs", differ, wrongCode, "Invalid email", "already exists"} {
				if strings.Contains(page, text) != slices.Contains(test.says, text) {
					t.Errorf("says %q: %v", text, strings.Contains(page, text))
				}
			}
			if got := focus(page); got != test.focus {
				t.Errorf("the focus is on %q, want %q", got, test.focus)
			}
			if marked := strings.Contains(page, `aria-invalid="true"`); marked != (test.says != nil) {
				t.Errorf("a field is marked: %v", marked)
			}
		})
	}
}

func TestVerification_another_code_can_be_had(t *testing.T) {
	f := newFixture(t)
	signUp := f.submit(signUpPath(), "username", "zoe@example.com", "password", "Sesame-12", "confirm_password", "Sesame-12").location()
	f.get(signUp)
	checkResend(t, f, signUp, "code")
	f.browser = newBrowser(t)
	reset := f.submit("/forgotPassword?"+request().Encode(), "username", "alice@example.com").location()
	checkResend(t, f, reset, "code", "password", "Sesame-12", "confirm_password", "Sesame-12")
}

// checkResend asks for another code, and ends the page's business with it.
func checkResend(t *testing.T, f *fixture, path, field string, others ...string) {
	t.Helper()
	page := f.get(path).body
	if !strings.Contains(page, `name="resend"`) {
		t.Fatalf("%s has no button for another code", path)
	}
	first := shownCode.FindStringSubmatch(page)[1]
	second := shownCode.FindStringSubmatch(f.submit(path, "resend", "1").body)[1]
	if got := f.submit(path, append([]string{field, first}, others...)...); got.location() != "" || second == first {
		t.Errorf("%s: the first code still works: to %q", path, got.location())
	}
	if got := f.submit(path, append([]string{field, second}, others...)...); got.callback(t).Get("code") == "" {
		t.Errorf("%s: the second code does not work", path)
	}
}

func TestPages_show_the_ready_made_users_as_they_are_now(t *testing.T) {
	f := newFixture(t)
	reset := f.submit("/forgotPassword?"+request().Encode(), "username", "alice@example.com").location()
	code := shownCode.FindStringSubmatch(f.get(reset).body)[1]
	f.submit(reset, "code", code, "password", "Sesame-12", "confirm_password", "Sesame-12")
	if err := f.emulator.Levers().EnableUser("erin@example.com"); err != nil {
		t.Fatal(err)
	}
	f.browser = newBrowser(t)
	for _, path := range []string{loginPath(), "/"} {
		page := f.get(path).body
		if !strings.Contains(page, "<code>Sesame-12</code>") || strings.Count(page, "<code>"+DefaultPassword+"</code>") != 4 {
			t.Errorf("%s shows an old password", path)
		}
		if strings.Contains(page, "disabled</span>") {
			t.Errorf("%s calls disabled who is not", path)
		}
	}
}

func TestErrorPages_lead_back_to_the_app_that_asked(t *testing.T) {
	f := newFixture(t)
	const back = `href="http://localhost:8080/">Go back to Gatehouse</a>`
	for path, want := range map[string]bool{
		f.get(authorizePath("redirect_uri", "https://evil.example/")).location(): true,
		"/logout?client_id=" + DefaultClientID:                                   true,
		"/error?error=invalid_request&client_id=nobody":                          false,
		"/error": false,
	} {
		if page := f.get(path).body; strings.Contains(page, back) != want || strings.Contains(page, "evil.example") {
			t.Errorf("%s leads back: %v\n%s", path, !want, page)
		}
	}
	f.get(loginPath())
	if page := f.post(loginPath(), url.Values{}).body; !strings.Contains(page, back) || !strings.Contains(page, "Start again") {
		t.Errorf("an expired page does not lead back:\n%s", page)
	}
}
