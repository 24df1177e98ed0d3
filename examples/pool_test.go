package examples

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/cognitoemu"
)

// client is the gateway's, whose tokens an API takes; another is none of its business.
const client, another = cognitoemu.DefaultClientID, "another-client"

// keys are shared by all pools: that a token is by another issuer shows in nothing
// but its claims then.
var keys = sync.OnceValues(cognitoemu.NewKeys)

// pool is a user pool with two clients.
type pool struct {
	t        *testing.T
	emulator *cognitoemu.Emulator
	api      string
}

func startPool(t *testing.T) *pool { return startPoolCalled(t, cognitoemu.DefaultPoolID) }

func startPoolCalled(t *testing.T, id string) *pool {
	t.Helper()
	k, err := keys()
	if err != nil {
		t.Fatal(err)
	}
	var emulator *cognitoemu.Emulator
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { emulator.ServeHTTP(w, r) }))
	t.Cleanup(server.Close)
	u, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	callback := []string{"http://localhost:8080/auth/callback"}
	seed := cognitoemu.DefaultSeed(callback, callback)
	seed.PoolID = id
	seed.Clients = append(seed.Clients, cognitoemu.Client{ID: another, Name: "Another", CallbackURLs: callback, PasswordAuth: true})
	api := "http://localhost:" + u.Port()
	if emulator, err = cognitoemu.New(cognitoemu.Options{PagesURL: server.URL, APIURL: api, Keys: k, Seed: seed}); err != nil {
		t.Fatal(err)
	}
	return &pool{t, emulator, api}
}

// signedIn are the tokens of a sign-in.
type signedIn struct{ AccessToken, IDToken string }

// signIn signs Alice in at a client.
func (p *pool) signIn(client string) signedIn {
	p.t.Helper()
	body, err := json.Marshal(map[string]any{"AuthFlow": "USER_PASSWORD_AUTH", "ClientId": client,
		"AuthParameters": map[string]string{"USERNAME": "alice@example.com", "PASSWORD": cognitoemu.DefaultPassword}})
	if err != nil {
		p.t.Fatal(err)
	}
	r, err := http.NewRequest(http.MethodPost, p.api, strings.NewReader(string(body)))
	if err != nil {
		p.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	r.Header.Set("X-Amz-Target", "AWSCognitoIdentityProviderService.InitiateAuth")
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	var answer struct{ AuthenticationResult signedIn }
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil || answer.AuthenticationResult.AccessToken == "" {
		p.t.Fatalf("sign-in: %s, %v", res.Status, err)
	}
	return answer.AuthenticationResult
}

// bad are tokens that no API may take, by what is wrong with them. good is one that
// it takes.
func (p *pool) bad(good string) map[string]string {
	p.t.Helper()
	levers := p.emulator.Levers()
	now := levers.Now()
	levers.SetClock(now.Add(-time.Hour - 61*time.Second)) // past the leeway that docs/apis.md allows
	expired := p.signIn(client).AccessToken
	levers.SetClock(now)
	altered := claims(p.t, good)
	altered["sub"] = "somebody-else"
	otherUse, endless := claims(p.t, good), claims(p.t, good)
	otherUse["token_use"] = "id"
	delete(endless, "exp")
	header, rest, _ := strings.Cut(good, ".")
	payload, signature, _ := strings.Cut(rest, ".")
	return map[string]string{
		"an_ID_token":                       p.signIn(client).IDToken,
		"an_access_token_of_another_client": p.signIn(another).AccessToken,
		"an_access_token_but_for_its_use":   p.sign(otherUse),
		"an_expired_token":                  expired,
		"a_token_that_never_expires":        p.sign(endless),
		"a_token_of_another_issuer":         startPoolCalled(p.t, "eu-west-1_Another01").signIn(client).AccessToken,
		"altered_claims":                    header + "." + part(p.t, altered) + "." + signature,
		"no_signature":                      part(p.t, map[string]any{"alg": "none"}) + "." + payload + ".",
		"the_signature_of_another_token":    header + "." + payload + "." + expired[strings.LastIndexByte(expired, '.')+1:],
		"what_is_no_token":                  "token",
		"nothing":                           "",
	}
}

func (p *pool) sign(claims map[string]any) string {
	p.t.Helper()
	token, err := p.emulator.Levers().Sign(claims)
	if err != nil {
		p.t.Fatal(err)
	}
	return token
}

// claims are what a token says.
func claims(t *testing.T, token string) (c map[string]any) {
	t.Helper()
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	if err == nil {
		err = json.Unmarshal(payload, &c)
	}
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// part is a part of a token.
func part(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(text)
}
