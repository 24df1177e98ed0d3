package cognito

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-auth/gatehouse/internal/oauth"
)

func mustURL(t *testing.T, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestEndpoints(t *testing.T) {
	want := Endpoints{
		Authorize: "https://login.example.com/oauth2/authorize",
		Signup:    "https://login.example.com/signup",
		Token:     "https://login.example.com/oauth2/token",
		Revoke:    "https://login.example.com/oauth2/revoke",
		JWKS:      "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbC/.well-known/jwks.json",
	}
	for _, domain := range []string{"https://login.example.com", "https://login.example.com/"} {
		if d := cmp.Diff(want, NewEndpoints(mustURL(t, domain), "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbC")); d != "" {
			t.Errorf("%s: %s", domain, d)
		}
	}
	t.Run("of an emulator below a path and an issuer with a slash", func(t *testing.T) {
		e := NewEndpoints(mustURL(t, "http://127.0.0.1:9229/idp"), "http://localhost:9229/local_1/")
		if e.Token != "http://127.0.0.1:9229/idp/oauth2/token" || e.JWKS != "http://localhost:9229/local_1/.well-known/jwks.json" {
			t.Errorf("%+v", e)
		}
	})
}

func TestLogoutURL(t *testing.T) {
	u := mustURL(t, LogoutURL(mustURL(t, "https://login.example.com/"), "client+1", "https://app.example.com/auth/signed-out?a=b&c"))
	if u.Host != "login.example.com" || u.Path != "/logout" {
		t.Errorf("goes to %s", u)
	}
	want := url.Values{"client_id": {"client+1"}, "logout_uri": {"https://app.example.com/auth/signed-out?a=b&c"}}
	if d := cmp.Diff(want, u.Query()); d != "" {
		t.Error(d)
	}
}

func TestNames(t *testing.T) {
	for name, tc := range map[string]struct {
		id, access     string
		username, logi string
	}{
		"of Cognito": {
			`{"sub":"s","cognito:username":"ada","email":"ada@example.com"}`, `{"username":"ada"}`, "ada", "ada@example.com",
		},
		"of a federated user": {
			`{"sub":"s","cognito:username":"Google_12","email":"ada@example.com"}`, `{}`, "Google_12", "ada@example.com",
		},
		"without an e-mail address":          {`{"sub":"s","cognito:username":"ada"}`, `{}`, "ada", "ada"},
		"of the access token alone":          {`{"sub":"s"}`, `{"username":"ada"}`, "ada", "ada"},
		"of another provider":                {`{"sub":"s","preferred_username":"ada","email":"ada@example.com"}`, `{}`, "ada", "ada@example.com"},
		"of a provider with addresses alone": {`{"sub":"s","email":"ada@example.com"}`, `{}`, "ada@example.com", "ada@example.com"},
		"of nothing but a subject":           {`{"sub":"s"}`, `{}`, "subject", "subject"},
		"of the wrong types":                 {`{"cognito:username":5,"email":null,"preferred_username":["x"]}`, `{"username":{}}`, "subject", "subject"},
		"in another case":                    {`{"COGNITO:USERNAME":"eve","Email":"eve@example.com"}`, `{"Username":"eve"}`, "subject", "subject"},
		"of no claims at all":                {``, ``, "subject", "subject"},
	} {
		t.Run(name, func(t *testing.T) {
			tokens := oauth.Tokens{Subject: "subject", IDClaims: json.RawMessage(tc.id), AccessClaims: json.RawMessage(tc.access)}
			if got := Username(tokens.Identity()); got != tc.username {
				t.Errorf("username %q", got)
			}
			if got := LoginID(tokens.Identity()); got != tc.logi {
				t.Errorf("login id %q", got)
			}
		})
	}
}

func TestVerifiedEmail(t *testing.T) {
	for name, tc := range map[string]struct{ id, access, want string }{
		"verified":               {`{"email":"a@b.c","email_verified":true}`, ``, "a@b.c"},
		"verified as a text":     {`{"email":"a@b.c","email_verified":"true"}`, ``, "a@b.c"},
		"of the access token":    {``, `{"email":"a@b.c","email_verified":true}`, "a@b.c"},
		"not verified":           {`{"email":"a@b.c","email_verified":false}`, ``, ""},
		"not, as a text":         {`{"email":"a@b.c","email_verified":"false"}`, ``, ""},
		"in capitals":            {`{"email":"a@b.c","email_verified":"TRUE"}`, ``, ""},
		"by a number":            {`{"email":"a@b.c","email_verified":1}`, ``, ""},
		"by null":                {`{"email":"a@b.c","email_verified":null}`, ``, ""},
		"by nobody":              {`{"email":"a@b.c"}`, ``, ""},
		"by the other token":     {`{"email":"a@b.c"}`, `{"email":"a@b.c","email_verified":true}`, ""},
		"without an address":     {`{"email_verified":true}`, ``, ""},
		"verified, of no string": {`{"email":["a@b.c"],"email_verified":true}`, ``, ""},
	} {
		tokens := oauth.Tokens{IDClaims: json.RawMessage(tc.id), AccessClaims: json.RawMessage(tc.access)}
		if got := VerifiedEmail(tokens.Identity()); got != tc.want {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestGroups(t *testing.T) {
	for name, tc := range map[string]struct {
		id, access string
		want       []string
	}{
		"in order":            {`{"cognito:groups":["b","a"]}`, ``, []string{"b", "a"}},
		"of the access token": {`{}`, `{"cognito:groups":["a"]}`, []string{"a"}},
		"one":                 {`{"cognito:groups":"a,b"}`, ``, []string{"a,b"}},
		"of other types":      {`{"cognito:groups":[1,"a",null]}`, ``, []string{"a"}},
		"none":                {`{}`, ``, nil},
		"an object":           {`{"cognito:groups":{"a":"b"}}`, `{"cognito:groups":["a"]}`, nil},
	} {
		tokens := oauth.Tokens{IDClaims: json.RawMessage(tc.id), AccessClaims: json.RawMessage(tc.access)}
		if got := Groups(tokens.Identity()); !slices.Equal(got, tc.want) {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// accessToken is a token in form only: this package verifies none.
func accessToken(claims string) string {
	enc := base64.RawURLEncoding.EncodeToString
	return enc([]byte(`{"alg":"RS256"}`)) + "." + enc([]byte(claims)) + ".c2ln"
}
