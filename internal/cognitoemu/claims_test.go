package cognitoemu

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func (f *fixture) userInfo(accessToken string) answer {
	f.Helper()
	r, err := http.NewRequest(http.MethodGet, f.pages+"/oauth2/userInfo", nil)
	if err != nil {
		f.Fatal(err)
	}
	if accessToken != "" {
		r.Header.Set("Authorization", "Bearer "+accessToken)
	}
	return f.do(r)
}

// changing are the claims whose values a test cannot know.
var changing = cmpopts.IgnoreMapEntries(func(name string, _ any) bool {
	return name == "jti" || name == "origin_jti" || name == "event_id" || name == "at_hash"
})

func TestClaims_of_an_ID_token(t *testing.T) {
	f := newFixture(t)
	set := f.freshTokens()
	got := claimsOf(t, set.IDToken)
	sub := stableUUID(DefaultPoolID, "alice@example.com")
	want := map[string]any{
		"sub": sub, "cognito:username": sub, "iss": f.idp + "/" + DefaultPoolID, "aud": DefaultClientID, "token_use": "id",
		"cognito:groups": []any{"admins", "staff"}, "nonce": "n0nce",
		"auth_time": float64(start.Unix()), "iat": float64(start.Unix()), "exp": float64(start.Unix() + 3600),
		"email": "alice@example.com", "email_verified": true, "name": "Alice Archer", "given_name": "Alice", "family_name": "Archer",
		"locale": "en-GB", "custom:tenant": "acme",
	}
	if diff := cmp.Diff(want, got, changing); diff != "" {
		t.Error(diff)
	}
	for _, name := range []string{"jti", "origin_jti", "event_id"} {
		if text, _ := got[name].(string); !regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`).MatchString(text) {
			t.Errorf("%s is %v", name, got[name])
		}
	}
	if got["at_hash"] != accessTokenHash(set.AccessToken) {
		t.Errorf("at_hash %v", got["at_hash"])
	}
}

func TestClaims_of_an_access_token(t *testing.T) {
	f := newFixture(t)
	got := claimsOf(t, f.freshTokens().AccessToken)
	sub := stableUUID(DefaultPoolID, "alice@example.com")
	want := map[string]any{ // no aud, no at_hash, username rather than cognito:username
		"sub": sub, "username": sub, "iss": f.idp + "/" + DefaultPoolID, "client_id": DefaultClientID, "token_use": "access",
		"cognito:groups": []any{"admins", "staff"}, "version": float64(2), "scope": "openid email profile aws.cognito.signin.user.admin",
		"auth_time": float64(start.Unix()), "iat": float64(start.Unix()), "exp": float64(start.Unix() + 3600),
	}
	if diff := cmp.Diff(want, got, changing); diff != "" {
		t.Error(diff)
	}
}

func TestClaims_a_user_without_groups_has_no_such_claim(t *testing.T) {
	f := newFixture(t)
	set := f.tokens(f.exchange(f.signInAs("carol@example.com")))
	for _, token := range []string{set.IDToken, set.AccessToken} {
		if groups, ok := claimsOf(t, token)["cognito:groups"]; ok {
			t.Errorf("groups %v", groups)
		}
	}
}

func TestClaims_openid_alone_shows_everything_and_more_scopes_show_less(t *testing.T) {
	f := newFixture(t)
	if got := claimsOf(t, f.freshTokens("scope", "openid").IDToken); got["email"] == nil || got["name"] == nil {
		t.Errorf("openid: %v", got)
	}
	if got := claimsOf(t, f.freshTokens("scope", "openid email").IDToken); got["email"] == nil || got["name"] != nil || got["custom:tenant"] == nil {
		t.Errorf("openid email: %v", got)
	}
}

func TestClaims_without_a_nonce(t *testing.T) {
	t.Run("a native user's token has none", func(t *testing.T) {
		f := newFixture(t)
		if nonce, ok := claimsOf(t, f.freshTokens("nonce", "").IDToken)["nonce"]; ok {
			t.Errorf("nonce %v", nonce)
		}
	})
	t.Run("a federated user's token has a random one", func(t *testing.T) {
		f := newFixture(t)
		back := f.submit("/simulated/Google?"+request("nonce", "").Encode(), "choice", "user:108204268033311374519").callback(t)
		if nonce, _ := claimsOf(t, f.tokens(f.exchange(back.Get("code"))).IDToken)["nonce"].(string); nonce == "" {
			t.Error("no nonce")
		}
	})
}

func TestClaims_of_a_federated_user(t *testing.T) {
	for name, test := range map[string]struct {
		provider, choice, username string
		groups                     []any
		verified                   bool
		identity                   map[string]any
	}{
		"Google": {"Google", "108204268033311374519", "Google_108204268033311374519",
			[]any{DefaultPoolID + "_Google"}, true, map[string]any{"userId": "108204268033311374519", "providerName": "Google",
				"providerType": "Google", "issuer": nil, "primary": "true", "dateCreated": "1772366400000"}},
		"SAML": {"CorpSAML", "ines@corp.example", "CorpSAML_ines@corp.example",
			[]any{DefaultPoolID + "_CorpSAML", "staff"}, false, map[string]any{"userId": "ines@corp.example", "providerName": "CorpSAML",
				"providerType": "SAML", "issuer": "https://idp.corp.example/saml", "primary": "true", "dateCreated": "1772366400000"}},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			back := f.submit("/simulated/"+test.provider+"?"+request().Encode(), "choice", "user:"+test.choice).callback(t)
			got := claimsOf(t, f.tokens(f.exchange(back.Get("code"))).IDToken)
			want := map[string]any{"cognito:username": test.username, "cognito:groups": test.groups,
				"email_verified": test.verified, "identities": []any{test.identity}, "nonce": "n0nce"}
			for name, value := range want {
				if diff := cmp.Diff(value, got[name]); diff != "" {
					t.Errorf("%s: %s", name, diff)
				}
			}
			if got["sub"] == test.username || got["sub"] == "" {
				t.Errorf("sub %v", got["sub"])
			}
		})
	}
}

func TestTokens_have_the_sizes_of_real_ones(t *testing.T) {
	f := newFixture(t)
	set := f.freshTokens()
	for name, test := range map[string]struct {
		token    string
		min, max int
	}{
		"access": {set.AccessToken, 1000, 1300}, "ID": {set.IDToken, 1200, 1800}, "refresh": {set.RefreshToken, 1700, 1860},
	} {
		if n := len(test.token); n < test.min || n > test.max {
			t.Errorf("%s token of %d bytes, want %d to %d", name, n, test.min, test.max)
		}
	}
}

func TestTokens_a_refresh_token_looks_like_the_real_JWE(t *testing.T) {
	token := newFixture(t).freshTokens().RefreshToken
	parts := strings.Split(token, ".")
	if len(parts) != 5 || !regexp.MustCompile(`^[A-Za-z0-9-_=.]+$`).MatchString(token) {
		t.Fatalf("%d parts", len(parts))
	}
	header, err := base64.RawURLEncoding.DecodeString(parts[0])
	if err != nil || string(header) != `{"cty":"JWT","enc":"A256GCM","alg":"RSA-OAEP"}` {
		t.Errorf("header %s, %v", header, err)
	}
}

func TestUserInfo_values_are_strings(t *testing.T) {
	f := newFixture(t)
	got := f.userInfo(f.freshTokens("scope", "openid email").AccessToken)
	var info map[string]any
	if err := json.Unmarshal([]byte(got.body), &info); err != nil {
		t.Fatal(err)
	}
	sub := stableUUID(DefaultPoolID, "alice@example.com")
	want := map[string]any{"sub": sub, "username": sub, "email": "alice@example.com", "email_verified": "true", "custom:tenant": "acme"}
	if diff := cmp.Diff(want, info); diff != "" {
		t.Error(diff)
	}
	for name, want := range map[string]string{"Cache-Control": "no-store", "X-Frame-Options": "DENY", "X-Content-Type-Options": "nosniff"} {
		if got.header.Get(name) != want {
			t.Errorf("%s: %q", name, got.header.Get(name))
		}
	}
}

func TestUserInfo_refusals(t *testing.T) {
	f := newFixture(t)
	set := f.freshTokens()
	const bad = `Bearer error="invalid_request", error_description="Bad OAuth2 request at UserInfo Endpoint"`
	const dead = `Bearer error="invalid_token", error_description="Access token is expired, disabled, or deleted, or the user has globally signed out."`
	check := func(name string, got answer, status int, challenge string) {
		t.Helper()
		if got.status != status || (challenge != "" && got.header.Get("WWW-Authenticate") != challenge) {
			t.Errorf("%s: status %d, %s", name, got.status, got.header.Get("WWW-Authenticate"))
		}
	}
	check("no token", f.userInfo(""), 400, bad)
	check("garbage", f.userInfo("x"), 401, dead)
	check("an ID token", f.userInfo(set.IDToken), 401, dead)
	check("a forged token", f.userInfo(set.AccessToken[:len(set.AccessToken)-4]+"AAAA"), 401, dead)
	check("without openid", f.userInfo(f.freshTokens("scope", "aws.cognito.signin.user.admin").AccessToken), 401, "")
	check("good", f.userInfo(set.AccessToken), 200, "")
	f.emulator.Levers().SetClock(start.Add(3600e9))
	check("expired", f.userInfo(set.AccessToken), 401, dead)
}
