package cognitoemu

import (
	"net/url"
	"strings"
	"testing"
)

func TestToken_for_a_program(t *testing.T) {
	f := newFixture(t)
	ask := func(client string, pairs ...string) answer {
		form := url.Values{"grant_type": {"client_credentials"}}
		for i := 0; i < len(pairs); i += 2 {
			form.Set(pairs[i], pairs[i+1])
		}
		return f.post("/oauth2/token", form, "Authorization", basic(client, DefaultClientSecret))
	}
	set := f.tokens(ask(DefaultMachineClientID))
	claims := claimsOf(t, set.AccessToken)
	if set.IDToken != "" || set.RefreshToken != "" || set.ExpiresIn != 3600 {
		t.Errorf("%+v", set)
	}
	for name, want := range map[string]any{
		"sub": DefaultMachineClientID, "client_id": DefaultMachineClientID, "token_use": "access", "scope": "api/read api/write", "version": 2.0,
	} {
		if claims[name] != want {
			t.Errorf("%s is %v, want %v", name, claims[name], want)
		}
	}
	for _, name := range []string{"username", "origin_jti", "event_id", "cognito:groups", "aud"} {
		if v, there := claims[name]; there {
			t.Errorf("%s is %v in a program's token", name, v)
		}
	}
	if one := claimsOf(t, f.tokens(ask(DefaultMachineClientID, "scope", "api/read")).AccessToken); one["scope"] != "api/read" {
		t.Errorf("scope %v", one["scope"])
	}
	refused(t, ask(DefaultMachineClientID, "scope", "openid"), 400, "invalid_scope")
	refused(t, ask(DefaultConfidentialClientID), 400, "unauthorized_client")
	refused(t, f.post("/oauth2/token", url.Values{"grant_type": {"client_credentials"}, "client_id": {DefaultMachineClientID}}), 400, "invalid_client")
}

func TestParseSeed_knows_what_a_program_needs(t *testing.T) {
	_, err := ParseSeed([]byte(`clients:
  - id: a
    client_credentials: true
    callback_urls: [https://app.example.com/cb]
  - id: b
    client_credentials: true
    secret: x
    scopes: [openid]
`))
	for _, want := range []string{"clients[0].secret", "clients[0].callback_urls", "clients[0].scopes", "clients[1].scopes[0]"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing from:\n%v", want, err)
		}
	}
	if err != nil && strings.Contains(err.Error(), "clients[1].callback_urls") {
		t.Errorf("callback_urls are asked for:\n%v", err)
	}
}
