package cognitoemu

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

func basic(id, secret string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(url.QueryEscape(id)+":"+url.QueryEscape(secret)))
}

func TestToken_answers_as_the_real_endpoint(t *testing.T) {
	f := newFixture(t)
	got := f.exchange(f.signIn())
	set := f.tokens(got)
	if set.IDToken == "" || set.AccessToken == "" || set.RefreshToken == "" || set.TokenType != "Bearer" || set.ExpiresIn != 3600 {
		t.Errorf("got %+v", set)
	}
	for name, want := range map[string]string{
		"Content-Type": "application/json;charset=UTF-8", "Cache-Control": "no-store"} {
		if got.header.Get(name) != want {
			t.Errorf("%s: %q, want %q", name, got.header.Get(name), want)
		}
	}
	if got.header.Get("x-amz-cognito-request-id") == "" {
		t.Error("no request id")
	}
}

func TestToken_takes_a_posted_form_only(t *testing.T) {
	f := newFixture(t)
	if got := f.get("/oauth2/token?grant_type=refresh_token"); got.status != http.StatusMethodNotAllowed {
		t.Errorf("GET: status %d", got.status)
	}
	refused(t, f.post("/oauth2/token", url.Values{"grant_type": {"refresh_token"}}, "Content-Type", "application/json"), 400, "invalid_request")
	// Parameters in the query do not count.
	refused(t, f.post("/oauth2/token?grant_type=refresh_token&client_id="+DefaultClientID, url.Values{}), 400, "invalid_request")
	refused(t, f.post("/oauth2/token", url.Values{"grant_type": {"refresh_token", "refresh_token"}}), 400, "invalid_request")
	refused(t, f.post("/oauth2/token", url.Values{"grant_type": {"password"}, "client_id": {DefaultClientID}}), 400, "unsupported_grant_type")
}

func TestToken_client_authentication(t *testing.T) {
	const secret, client = DefaultClientSecret, DefaultConfidentialClientID
	for name, test := range map[string]struct {
		form   url.Values
		header []string
		want   string
	}{
		"secret in Basic":                {url.Values{}, []string{"Authorization", basic(client, secret)}, ""},
		"secret in Basic, id in both":    {url.Values{"client_id": {client}}, []string{"Authorization", basic(client, secret)}, ""},
		"secret in the body":             {url.Values{"client_id": {client}, "client_secret": {secret}}, nil, ""},
		"no secret":                      {url.Values{"client_id": {client}}, nil, "invalid_client"},
		"wrong secret in Basic":          {url.Values{}, []string{"Authorization", basic(client, "wrong")}, "invalid_client"},
		"wrong secret in the body":       {url.Values{"client_id": {client}, "client_secret": {"wrong"}}, nil, "invalid_client"},
		"both ways at once":              {url.Values{"client_id": {client}, "client_secret": {secret}}, []string{"Authorization", basic(client, secret)}, "invalid_client"},
		"ids that differ":                {url.Values{"client_id": {DefaultClientID}}, []string{"Authorization", basic(client, secret)}, "invalid_client"},
		"unknown client":                 {url.Values{"client_id": {"nobody"}}, nil, "invalid_client"},
		"no client at all":               {url.Values{}, nil, "invalid_request"},
		"not Basic":                      {url.Values{"client_id": {client}}, []string{"Authorization", "Bearer x"}, "invalid_client"},
		"public client with a secret":    {url.Values{"client_id": {DefaultClientID}, "client_secret": {"x"}}, nil, "invalid_client"},
		"public client with empty Basic": {url.Values{}, []string{"Authorization", basic(DefaultClientID, "")}, "invalid_client"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			test.form.Set("grant_type", "authorization_code")
			test.form.Set("code", f.signIn("client_id", client))
			test.form.Set("redirect_uri", callbackURL)
			test.form.Set("code_verifier", verifier)
			got := f.post("/oauth2/token", test.form, test.header...)
			if test.want == "" {
				f.tokens(got)
				return
			}
			refused(t, got, 400, test.want)
		})
	}
}

func TestToken_invalid_client_can_be_401(t *testing.T) {
	f := newFixture(t, func(o *Options) { o.InvalidClientStatus = http.StatusUnauthorized })
	refused(t, f.exchange(newUUID(), "client_id", "nobody"), 401, "invalid_client")
}

func TestToken_a_code(t *testing.T) {
	t.Run("works once", func(t *testing.T) {
		f := newFixture(t)
		code := f.signIn()
		f.tokens(f.exchange(code))
		refused(t, f.exchange(code), 400, "invalid_grant")
	})
	t.Run("lives for five minutes", func(t *testing.T) {
		f := newFixture(t)
		code := f.signIn()
		f.emulator.Levers().Advance(5*time.Minute - time.Second)
		f.tokens(f.exchange(code))
		code = f.signInAs("bob@example.com", "prompt", "login")
		f.emulator.Levers().Advance(5 * time.Minute)
		refused(t, f.exchange(code), 400, "invalid_grant")
	})
	t.Run("is the client's that asked for it", func(t *testing.T) {
		f := newFixture(t)
		got := f.exchange(f.signIn(), "client_id", DefaultConfidentialClientID, "client_secret", DefaultClientSecret)
		refused(t, got, 400, "invalid_grant")
	})
	t.Run("never issued is refused", func(t *testing.T) {
		refused(t, newFixture(t).exchange(newUUID()), 400, "invalid_grant")
	})
	t.Run("left out is an invalid request", func(t *testing.T) {
		refused(t, newFixture(t).exchange(""), 400, "invalid_request")
	})
}

func TestToken_the_first_attempt_burns_the_code_whatever_its_result(t *testing.T) {
	for name, wrong := range map[string][]string{
		"wrong verifier":       {"code_verifier", "wrong"},
		"wrong redirect_uri":   {"redirect_uri", callbackURL + "/"},
		"wrong client":         {"client_id", DefaultConfidentialClientID},
		"no redirect_uri sent": {"redirect_uri", "", "code_verifier", ""},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			code := f.signIn()
			if got := f.exchange(code, wrong...); got.status == http.StatusOK {
				t.Fatal("accepted")
			}
			refused(t, f.exchange(code), 400, "invalid_grant")
		})
	}
}

func TestToken_another_redirect_uri_is_unauthorized_client(t *testing.T) {
	f := newFixture(t)
	got := f.exchange(f.signIn(), "redirect_uri", callbackURL+"/")
	if want := `{"error":"unauthorized_client","error_description":"invalid_redirect"}`; got.status != 400 || strings.TrimSpace(got.body) != want {
		t.Errorf("%d %s, want %s", got.status, got.body, want)
	}
}

func TestToken_the_verifier_must_prove_the_challenge(t *testing.T) {
	for name, test := range map[string]struct {
		authorize []string
		exchange  []string
	}{
		"wrong verifier":             {nil, []string{"code_verifier", "wrong"}},
		"no verifier":                {nil, []string{"code_verifier", ""}},
		"verifier without challenge": {[]string{"code_challenge", "", "code_challenge_method", ""}, nil},
		"the challenge itself":       {nil, []string{"code_verifier", challengeOf(verifier)}},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			refused(t, f.exchange(f.signIn(test.authorize...), test.exchange...), 400, "invalid_grant")
		})
	}
	t.Run("without both a code is accepted", func(t *testing.T) {
		f := newFixture(t)
		f.tokens(f.exchange(f.signIn("code_challenge", "", "code_challenge_method", ""), "code_verifier", ""))
	})
}

func TestToken_a_scope_whose_attributes_the_client_cannot_read_is_invalid_grant(t *testing.T) {
	f := newFixture(t, func(o *Options) { o.Seed.Clients[0].ReadAttributes = []string{"email", "name"} })
	refused(t, f.exchange(f.signIn()), 400, "invalid_grant")
	f.tokens(f.exchange(f.signIn("scope", "openid profile", "prompt", "login")))
}

func TestToken_an_ID_token_needs_openid(t *testing.T) {
	f := newFixture(t)
	if set := f.freshTokens("scope", "aws.cognito.signin.user.admin"); set.IDToken != "" || set.AccessToken == "" {
		t.Error("an ID token without openid, or no access token")
	}
}

func TestToken_validity_is_configurable(t *testing.T) {
	f := newFixture(t, func(o *Options) { o.TokenTTL = 5 * time.Minute })
	set := f.freshTokens()
	for _, token := range []string{set.IDToken, set.AccessToken} {
		claims := claimsOf(t, token)
		if set.ExpiresIn != 300 || claims["exp"].(float64)-claims["iat"].(float64) != 300 {
			t.Errorf("expires_in %d, claims %v", set.ExpiresIn, claims)
		}
	}
}

func TestRefresh_without_rotation(t *testing.T) {
	f := newFixture(t)
	first := f.freshTokens()
	f.emulator.Levers().Advance(30 * time.Minute)
	second := f.tokens(f.refresh(first.RefreshToken))

	t.Run("holds no refresh token and the old one goes on working", func(t *testing.T) {
		if second.RefreshToken != "" {
			t.Error("a refresh token")
		}
		f.tokens(f.refresh(first.RefreshToken))
	})
	t.Run("keeps origin_jti and auth_time, and makes the rest anew", func(t *testing.T) {
		for name, pair := range map[string][2]string{"ID": {first.IDToken, second.IDToken}, "access": {first.AccessToken, second.AccessToken}} {
			before, after := claimsOf(t, pair[0]), claimsOf(t, pair[1])
			for _, same := range []string{"origin_jti", "auth_time", "sub"} {
				if before[same] != after[same] {
					t.Errorf("%s: %s changed from %v to %v", name, same, before[same], after[same])
				}
			}
			for _, fresh := range []string{"jti", "event_id", "iat", "exp"} {
				if before[fresh] == after[fresh] {
					t.Errorf("%s: %s is still %v", name, fresh, before[fresh])
				}
			}
		}
	})
	t.Run("has no nonce unless asked for", func(t *testing.T) {
		if nonce, ok := claimsOf(t, second.IDToken)["nonce"]; ok {
			t.Errorf("nonce %v", nonce)
		}
		f := newFixture(t, func(o *Options) { o.NonceOnRefresh = true })
		if nonce := claimsOf(t, f.tokens(f.refresh(f.freshTokens().RefreshToken)).IDToken)["nonce"]; nonce != "n0nce" {
			t.Errorf("nonce %v", nonce)
		}
	})
	t.Run("ends with the refresh token's validity", func(t *testing.T) {
		f.emulator.Levers().SetClock(start.Add(30 * 24 * time.Hour))
		refused(t, f.refresh(first.RefreshToken), 400, "invalid_grant")
	})
	t.Run("is the client's that got the token", func(t *testing.T) {
		f := newFixture(t)
		refused(t, f.post("/oauth2/token", url.Values{"grant_type": {"refresh_token"}, "client_id": {DefaultConfidentialClientID},
			"client_secret": {DefaultClientSecret}, "refresh_token": {f.freshTokens().RefreshToken}}), 400, "invalid_grant")
	})
	t.Run("needs a refresh token", func(t *testing.T) {
		refused(t, f.refresh(""), 400, "invalid_request")
		refused(t, f.refresh("garbage"), 400, "invalid_grant")
	})
}

func TestRefresh_with_rotation(t *testing.T) {
	rotating := func(grace time.Duration) func(*Options) {
		return func(o *Options) { o.Rotate, o.RotationGrace = true, grace }
	}
	t.Run("gives a new refresh token", func(t *testing.T) {
		f := newFixture(t, rotating(0))
		first := f.freshTokens()
		second := f.tokens(f.refresh(first.RefreshToken))
		if second.RefreshToken == "" || second.RefreshToken == first.RefreshToken {
			t.Error("no new refresh token")
		}
		f.tokens(f.refresh(second.RefreshToken))
	})
	t.Run("without grace the old token is dead at once and the new one is not", func(t *testing.T) {
		f := newFixture(t, rotating(0))
		first := f.freshTokens()
		second := f.tokens(f.refresh(first.RefreshToken))
		refused(t, f.refresh(first.RefreshToken), 400, "invalid_grant")
		f.tokens(f.refresh(second.RefreshToken))
	})
	t.Run("the old token works within the grace, counted from its first use", func(t *testing.T) {
		f := newFixture(t, rotating(10*time.Second))
		first := f.freshTokens()
		f.tokens(f.refresh(first.RefreshToken))
		f.emulator.Levers().Advance(6 * time.Second)
		f.tokens(f.refresh(first.RefreshToken))
		f.emulator.Levers().Advance(4 * time.Second)
		refused(t, f.refresh(first.RefreshToken), 400, "invalid_grant")
	})
	t.Run("a successor expires when the original would", func(t *testing.T) {
		f := newFixture(t, rotating(0))
		first := f.freshTokens()
		f.emulator.Levers().Advance(29 * 24 * time.Hour)
		second := f.tokens(f.refresh(first.RefreshToken))
		f.emulator.Levers().Advance(24*time.Hour - time.Second)
		third := f.tokens(f.refresh(second.RefreshToken))
		f.emulator.Levers().Advance(time.Second)
		refused(t, f.refresh(third.RefreshToken), 400, "invalid_grant")
	})
	t.Run("revoking any of them ends all", func(t *testing.T) {
		f := newFixture(t, rotating(time.Minute))
		first := f.freshTokens()
		second := f.tokens(f.refresh(first.RefreshToken))
		f.post("/oauth2/revoke", url.Values{"client_id": {DefaultClientID}, "token": {first.RefreshToken}})
		refused(t, f.refresh(second.RefreshToken), 400, "invalid_grant")
	})
	t.Run("can be one client's own setting", func(t *testing.T) {
		f := newFixture(t, func(o *Options) { o.Seed.Clients[0].Rotate = true })
		if f.tokens(f.refresh(f.freshTokens().RefreshToken)).RefreshToken == "" {
			t.Error("no new refresh token")
		}
	})
}

func TestRevoke(t *testing.T) {
	revoke := func(f *fixture, form url.Values) answer { return f.post("/oauth2/revoke", form) }

	t.Run("ends the grant: refresh, userInfo; but the access token still verifies", func(t *testing.T) {
		f := newFixture(t)
		set, sibling := f.freshTokens(), f.freshTokens("prompt", "login")
		if got := revoke(f, url.Values{"client_id": {DefaultClientID}, "token": {set.RefreshToken}}); got.status != 200 || got.body != "" {
			t.Errorf("status %d %q", got.status, got.body)
		}
		refused(t, f.refresh(set.RefreshToken), 400, "invalid_grant")
		if got := f.userInfo(set.AccessToken); got.status != http.StatusUnauthorized {
			t.Errorf("userInfo: status %d", got.status)
		}
		if _, err := f.verify(set.AccessToken); err != nil {
			t.Errorf("offline: %v", err)
		}
		f.tokens(f.refresh(sibling.RefreshToken))
		if got := f.userInfo(sibling.AccessToken); got.status != http.StatusOK {
			t.Errorf("sibling: status %d", got.status)
		}
		if got := f.get(authorizePath()).callback(t); got.Get("code") == "" {
			t.Error("the login cookie was ended too")
		}
	})
	f := newFixture(t)
	set := f.freshTokens()
	for name, test := range map[string]struct {
		form   url.Values
		status int
		code   string
	}{
		"garbage is fine":                  {url.Values{"client_id": {DefaultClientID}, "token": {"a.b.c.d.e"}}, 200, ""},
		"an access token is unsupported":   {url.Values{"client_id": {DefaultClientID}, "token": {set.AccessToken}}, 400, "unsupported_token_type"},
		"no token is an invalid request":   {url.Values{"client_id": {DefaultClientID}}, 400, "invalid_request"},
		"an unknown client is refused":     {url.Values{"client_id": {"nobody"}, "token": {set.RefreshToken}}, 401, "invalid_client"},
		"a missing client is refused":      {url.Values{"token": {set.RefreshToken}}, 401, "invalid_client"},
		"a missing secret is refused":      {url.Values{"client_id": {DefaultConfidentialClientID}, "token": {set.RefreshToken}}, 401, "invalid_client"},
		"another client's changes nothing": {url.Values{"client_id": {DefaultConfidentialClientID}, "client_secret": {DefaultClientSecret}, "token": {set.RefreshToken}}, 200, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := revoke(f, test.form)
			if test.code != "" {
				refused(t, got, test.status, test.code)
			} else if got.status != test.status {
				t.Errorf("status %d %s", got.status, got.body)
			}
			f.tokens(f.refresh(set.RefreshToken))
		})
	}
	t.Run("twice is fine", func(t *testing.T) {
		for range 2 {
			if got := revoke(f, url.Values{"client_id": {DefaultClientID}, "token": {set.RefreshToken}}); got.status != 200 {
				t.Errorf("status %d", got.status)
			}
		}
	})
	t.Run("is refused where revocation is off", func(t *testing.T) {
		f := newFixture(t, func(o *Options) { o.Seed.Clients[0].DisableRevocation = true })
		refused(t, revoke(f, url.Values{"client_id": {DefaultClientID}, "token": {"a.b.c.d.e"}}), 400, "invalid_request")
	})
}

func TestDisabledUser_loses_every_token_and_does_not_get_them_back(t *testing.T) {
	f := newFixture(t)
	set := f.freshTokens()
	levers := f.emulator.Levers()
	if err := levers.DisableUser("alice@example.com"); err != nil {
		t.Fatal(err)
	}
	refused(t, f.refresh(set.RefreshToken), 400, "invalid_grant")
	if got := f.get(authorizePath()); !strings.HasPrefix(got.location(), "/login?") {
		t.Errorf("authorize: to %s", got.location())
	}
	if err := levers.EnableUser("alice@example.com"); err != nil {
		t.Fatal(err)
	}
	refused(t, f.refresh(set.RefreshToken), 400, "invalid_grant")
	if got := f.userInfo(set.AccessToken); got.status != http.StatusUnauthorized {
		t.Errorf("userInfo: status %d", got.status)
	}
	if err := levers.DisableUser("nobody@example.com"); err == nil {
		t.Error("disabled someone who does not exist")
	}
}
