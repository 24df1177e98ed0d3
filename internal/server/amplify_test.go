package server_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-auth/gatehouse/internal/cognitoemu"
	"github.com/gatehouse-auth/gatehouse/internal/redistest"
)

// facade enables the façade.
var facade = section("amplify", map[string]any{"enabled": true})

// operation calls the façade as aws-amplify does from a page.
func (b *browser) operation(name, input string, headers ...string) (*http.Response, string) {
	b.t.Helper()
	return b.operationFrom("same-origin", name, input, headers...)
}

func (b *browser) operationFrom(site, name, input string, headers ...string) (*http.Response, string) {
	b.t.Helper()
	return b.fetchFrom(site, "POST", "/auth/amplify/idp/", input, append([]string{
		"Content-Type", "application/x-amz-json-1.1", "X-Amz-Target", "AWSCognitoIdentityProviderService." + name,
	}, headers...)...)
}

// does calls an operation that must succeed.
func (b *browser) does(name, input string) map[string]any {
	b.t.Helper()
	res, body := b.operation(name, input)
	if ct := res.Header.Get("Content-Type"); res.StatusCode != http.StatusOK || ct != "application/x-amz-json-1.1" {
		b.t.Fatalf("%s answered %d %s %s", name, res.StatusCode, ct, body)
	}
	return decode[map[string]any](b.t, body)
}

// exception is the name by which the façade refused.
func exception(t *testing.T, res *http.Response, body string) string {
	t.Helper()
	if ct := res.Header.Get("Content-Type"); res.StatusCode < 400 || ct != "application/x-amz-json-1.1" {
		t.Fatalf("answered %d %s %s, want an exception", res.StatusCode, ct, body)
	}
	said := decode[map[string]string](t, body)
	if said["__type"] == "" || said["__type"] != res.Header.Get("X-Amzn-Errortype") || said["message"] == "" || len(said) != 2 {
		t.Errorf("exception %s, and in the header %q", body, res.Header.Get("X-Amzn-Errortype"))
	}
	if id := res.Header.Get("X-Amzn-Requestid"); id == "" || id != res.Header.Get("X-Request-Id") {
		t.Errorf("the request is %q and %q", id, res.Header.Get("X-Request-Id"))
	}
	return said["__type"]
}

// shadowClaims reads a token as the library does, and sees that it is none.
func shadowClaims(t *testing.T, token any) map[string]any {
	t.Helper()
	parts := strings.Split(token.(string), ".")
	if len(parts) != 3 {
		t.Fatalf("%v has not three parts", token)
	}
	header, err := base64.RawURLEncoding.DecodeString(parts[0])
	if err != nil || !strings.Contains(string(header), `"alg":"BFF"`) || parts[2] != "unsigned" {
		t.Errorf("%v is no shadow", token)
	}
	claims, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	return decode[map[string]any](t, string(claims))
}

// logged waits for a text in the log, which is written behind the answers.
func (r *rig) logged(text string) {
	r.t.Helper()
	until(r.t.(*testing.T), "a log line with "+text, func() bool { return strings.Contains(r.logs.String(), text) })
}

func attributes(t *testing.T, user map[string]any) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, a := range user["UserAttributes"].([]any) {
		all[a.(map[string]any)["Name"].(string)] = a.(map[string]any)["Value"].(string)
	}
	return all
}

func TestFacadeCallsOnTheUsersBehalf(t *testing.T) {
	r := newRig(t, facade)
	alice := r.signedIn("alice@example.com")
	bob := r.signedIn("bob@example.com")
	t.Run("whatever_token_the_page_sends", func(t *testing.T) {
		for _, input := range []string{
			`{"AccessToken":"e30.e30.forged"}`, `{"AccessToken":""}`, `{}`, `{"AccessToken":{"a":[1]},"ClientId":"other","UserPoolId":"other","Username":"bob@example.com"}`,
		} {
			user := alice.does("GetUser", input)
			if got := attributes(t, user); got["email"] != "alice@example.com" || got["sub"] != alice.session().UserSub {
				t.Errorf("%s: %v", input, user)
			}
			for field := range user {
				if field != "Username" && field != "UserAttributes" {
					t.Errorf("the answer has %s", field)
				}
			}
		}
	})
	t.Run("and_shows_what_was_changed", func(t *testing.T) {
		before := alice.session()
		alice.does("UpdateUserAttributes", `{"AccessToken":"x","UserAttributes":[{"Name":"name","Value":"Alice Adams"}],"ClientMetadata":{"a":"b"}}`)
		after := alice.session()
		if after.Tokens.IDToken.Payload["name"] != "Alice Adams" || after.Generation != before.Generation+1 {
			t.Errorf("generation %d after %d, claims %v", after.Generation, before.Generation, after.Tokens.IDToken.Payload)
		}
	})
	t.Run("and_passes_on_the_pools_own_no", func(t *testing.T) {
		alice.does("GetUserAttributeVerificationCode", `{"AttributeName":"email"}`)
		res, body := alice.operation("VerifyUserAttribute", `{"AttributeName":"email","Code":"000000"}`)
		if got := exception(t, res, body); got != "CodeMismatchException" || res.StatusCode != 400 {
			t.Errorf("a wrong code: %d %s", res.StatusCode, body)
		}
		alice.does("VerifyUserAttribute", `{"AttributeName":"email","Code":"`+r.emu.Levers().Code("alice@example.com")+`"}`)
	})
	t.Run("and_ends_all_sessions_of_a_user_who_is_deleted", func(t *testing.T) {
		other := r.signedIn("bob@example.com")
		bob.does("DeleteUser", `{"AccessToken":"x"}`)
		if bob.session().Authenticated || other.session().Authenticated {
			t.Error("a session of the deleted user lives on")
		}
		if res, body := bob.operation("DeleteUser", `{}`); exception(t, res, body) != "NotAuthorizedException" {
			t.Errorf("once more: %s", body)
		}
		if !alice.session().Authenticated {
			t.Error("somebody else's session has ended")
		}
	})
}

// TestFacadeDeletesForAPageThatLeaves: once the pool is asked to delete a user their
// sessions end, though nobody waits for the answer.
func TestFacadeDeletesForAPageThatLeaves(t *testing.T) {
	asked, left := make(chan struct{}), make(chan struct{})
	front := func(r *rig) {
		r.around = func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".DeleteUser") {
					body, _ := io.ReadAll(r.Body) // what is left unread hides that the caller leaves
					close(asked)
					<-left
					select { // the time in which a gateway may give up, if it does
					case <-r.Context().Done():
					case <-time.After(time.Second):
					}
					r = r.WithContext(context.WithoutCancel(r.Context()))
					r.Body = io.NopCloser(bytes.NewReader(body))
				}
				next.ServeHTTP(w, r)
			})
		}
	}
	r := newRigBehind(t, front, facade)
	b, other := r.signedIn("bob@example.com"), r.signedIn("bob@example.com")
	ctx, leave := context.WithCancel(t.Context())
	go func() {
		defer close(left)
		<-asked
		leave()
	}()
	req := b.request("POST", r.url+"/auth/amplify/idp/", strings.NewReader("{}")).WithContext(ctx)
	b.metadata(req, "same-origin", "cors", "empty")
	req.Header.Set("Content-Type", "application/x-amz-json-1.1")
	req.Header.Set("X-Amz-Target", "AWSCognitoIdentityProviderService.DeleteUser")
	if res, err := b.http.Do(req); err == nil {
		_ = res.Body.Close()
		t.Fatalf("answered %d before it was left", res.StatusCode)
	}
	until(t, "the end of both sessions", func() bool { return !b.session().Authenticated && !other.session().Authenticated })
}

func TestFacadeRefreshes(t *testing.T) {
	for name, input := range map[string]string{
		"GetTokensFromRefreshToken": `{"RefreshToken":"forged","ClientId":"other","ClientSecret":"x","DeviceKey":"x"}`,
		"InitiateAuth":              `{"AuthFlow":"REFRESH_TOKEN_AUTH","ClientId":"other","AuthParameters":{"REFRESH_TOKEN":"forged"}}`,
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, facade, section("refresh", map[string]any{"forced_per_minute": 1}))
			b := r.signedIn("alice@example.com")
			result := b.does(name, input)["AuthenticationResult"].(map[string]any)
			s := b.session()
			if s.Generation != 1 || r.emu.Levers().TokenCalls("refresh_token") != 1 {
				t.Errorf("generation %d after %d refreshes", s.Generation, r.emu.Levers().TokenCalls("refresh_token"))
			}
			if diff := cmp.Diff(s.Tokens.AccessToken.Payload, shadowClaims(t, result["AccessToken"])); diff != "" {
				t.Errorf("access token:\n%s", diff)
			}
			if diff := cmp.Diff(s.Tokens.IDToken.Payload, shadowClaims(t, result["IdToken"])); diff != "" {
				t.Errorf("ID token:\n%s", diff)
			}
			if result["TokenType"] != "Bearer" || result["RefreshToken"] == "" || result["ExpiresIn"].(float64) < 3000 || len(result) != 5 {
				t.Errorf("result: %v", result)
			}
			res, body := b.operation(name, input)
			if got := exception(t, res, body); got != "TooManyRequestsException" || res.Header.Get("Retry-After") == "" {
				t.Errorf("the second within a minute: %s", got)
			}
			res, body = r.browser().operation(name, input)
			if got := exception(t, res, body); got != "NotAuthorizedException" {
				t.Errorf("signed out: %s", got)
			}
		})
	}
}

// TestShadowIsNoBearer: pages put what they take for a token into their calls.
func TestShadowIsNoBearer(t *testing.T) {
	r := newRig(t, facade)
	b := r.signedIn("alice@example.com")
	result := b.does("GetTokensFromRefreshToken", `{"RefreshToken":"x"}`)["AuthenticationResult"].(map[string]any)
	shadow := "Bearer " + result["AccessToken"].(string)

	t.Run("with_the_session_the_upstream_gets_the_real_token", func(t *testing.T) {
		if res, body := b.fetch("GET", "/api/x", "", "Authorization", shadow); res.StatusCode != http.StatusOK {
			t.Fatalf("%d %s", res.StatusCode, body)
		}
		if got := r.seen.last(t).Header.Values("Authorization"); len(got) != 1 || got[0] == shadow {
			t.Errorf("the upstream got %q", got)
		}
	})
	t.Run("without_it_is_refused", func(t *testing.T) {
		res, body := r.browser().fetch("GET", "/api/alone", "", "Authorization", shadow)
		if code := problemCode(t, res, body); res.StatusCode != http.StatusUnauthorized || code != "unauthenticated" {
			t.Errorf("%d %s", res.StatusCode, body)
		}
		if path := r.seen.last(t).URL.Path; path == "/api/alone" {
			t.Error("it reached the upstream")
		}
	})
	if strings.Contains(r.logs.String(), result["AccessToken"].(string)) {
		t.Error("the log has it")
	}
}

func TestFacadeSignsOut(t *testing.T) {
	t.Run("here", func(t *testing.T) {
		r := newRig(t, facade)
		b, other := r.signedIn("alice@example.com"), r.signedIn("alice@example.com")
		for range 3 { // the library repeats it where an answer is lost
			b.does("RevokeToken", `{"ClientId":"other","Token":"kept-at-the-gateway"}`)
		}
		if b.session().Authenticated || !other.session().Authenticated {
			t.Error("it did not end this session, or others too")
		}
		until(t, "the revocation", func() bool { return r.emu.Levers().Calls(cognitoemu.EndpointRevoke) == 1 })
	})
	t.Run("everywhere", func(t *testing.T) {
		r := newRig(t, facade)
		b, other := r.signedIn("alice@example.com"), r.signedIn("alice@example.com")
		for range 3 {
			b.does("GlobalSignOut", `{"AccessToken":"forged"}`)
		}
		if b.session().Authenticated || other.session().Authenticated {
			t.Error("a session lives on")
		}
		if n := r.emu.Levers().Calls("GlobalSignOut"); n != 1 {
			t.Errorf("Cognito was told %d times", n)
		}
	})
	t.Run("and_says_where_Cognito_was_not_told", func(t *testing.T) {
		r := newRig(t, facade)
		b := r.signedIn("alice@example.com")
		r.emu.Levers().Fail("GlobalSignOut", cognitoemu.Fault{Kind: cognitoemu.Unavailable})
		res, body := b.operation("GlobalSignOut", `{}`)
		if got := exception(t, res, body); got != "InternalErrorException" || res.StatusCode != 400 {
			t.Errorf("answered %d %s", res.StatusCode, body)
		}
		if b.session().Authenticated {
			t.Error("still signed in here")
		}
	})
}

// TestFacadeRefusals: each refusal has the form and the name that the library makes
// an error of, nothing reaches the user pool, and nobody is signed out.
func TestFacadeRefusals(t *testing.T) {
	r := newRig(t, facade, func(doc map[string]any) { doc["csrf_header"] = "X-CSRF" })
	b := r.browser()
	b.signIn("alice@example.com", "/")
	const secret = "unlikely-in-a-log"
	for name, tc := range map[string]struct {
		site, operation, input string
		headers                []string
		nobody                 bool
		want                   string
	}{
		"from_another_site":                {site: "cross-site", operation: "GetUser", input: "{}", want: "ForbiddenException"},
		"from_a_sibling":                   {site: "same-site", operation: "GetUser", input: "{}", want: "ForbiddenException"},
		"from_another_site_without_cookie": {site: "cross-site", operation: "RevokeToken", input: "{}", nobody: true, want: "ForbiddenException"},
		"without_the_header":               {operation: "GetUser", input: "{}", headers: []string{"X-Amz-Target", ""}, want: "ForbiddenException"},
		"with_a_form":                      {operation: "GetUser", input: "a=b", headers: []string{"Content-Type", "application/x-www-form-urlencoded"}, want: "SerializationException"},
		"with_plain_text":                  {operation: "GetUser", input: "{}", headers: []string{"Content-Type", "text/plain"}, want: "SerializationException"},
		"with_no_JSON":                     {operation: "GetUser", input: "{" + secret, want: "SerializationException"},
		"with_an_array":                    {operation: "GetUser", input: `["` + secret + `"]`, want: "SerializationException"},
		"with_null":                        {operation: "GetUser", input: "null", want: "SerializationException"},
		"with_too_much":                    {operation: "UpdateUserAttributes", input: `{"x":"` + strings.Repeat(secret, 16<<10) + `"}`, want: "InvalidParameterException"},
		"of_an_unknown_operation":          {operation: "MakeCoffee", input: "{}", want: "UnknownOperationException"},
		"of_what_is_no_name":               {operation: "<" + secret + ">", input: "{}", want: "UnknownOperationException"},
		"of_an_administrators_operation":   {operation: "AdminGetUser", input: "{}", want: "UnknownOperationException"},
		"of_a_foreign_service": {operation: "GetUser", input: "{}", want: "UnknownOperationException",
			headers: []string{"X-Amz-Target", "AWSCognitoIdentityService.GetId"}},
		"signed_out": {operation: "GetUser", input: "{}", nobody: true, want: "NotAuthorizedException"},
	} {
		t.Run(name, func(t *testing.T) {
			asks := b
			if tc.nobody {
				asks = r.browser()
			}
			if tc.site == "" {
				tc.site = "same-origin"
			}
			res, body := asks.operationFrom(tc.site, tc.operation, tc.input, tc.headers...)
			if got := exception(t, res, body); got != tc.want || res.StatusCode != 400 {
				t.Errorf("answered %d %s, want 400 %s", res.StatusCode, body, tc.want)
			}
			if strings.Contains(body, secret) {
				t.Errorf("it repeats what it was sent: %s", body)
			}
		})
	}
	if n := r.emu.Levers().Calls("GetUser") + r.emu.Levers().Calls("AdminGetUser"); n != 0 {
		t.Errorf("%d calls reached the user pool", n)
	}
	if _, body := b.operation("GetUser", "{}"); !strings.Contains(body, "alice@example.com") {
		t.Errorf("a call that is right, though without csrf_header: %s", body)
	}
	r.logged("operation AdminGetUser")
	if strings.Contains(r.logs.String(), secret) {
		t.Error("the log has what was sent")
	}
}

// tokenRefuser stands before the user pool and calls access tokens revoked.
type tokenRefuser struct {
	next    http.Handler
	refuses func(token string) bool
}

func (p tokenRefuser) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("X-Amz-Target") == "" {
		p.next.ServeHTTP(w, r)
		return
	}
	body, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	var input struct{ AccessToken string }
	if json.Unmarshal(body, &input) == nil && input.AccessToken != "" && p.refuses(input.AccessToken) {
		w.Header().Set("X-Amzn-Errortype", "NotAuthorizedException:")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `{"__type":"NotAuthorizedException","message":"Access Token has been revoked"}`)
		return
	}
	p.next.ServeHTTP(w, r)
}

// TestFacadeWhereTheTokenIsRefused: an access token that the pool takes no more is
// renewed once, and the call made again; only a refused refresh signs out.
func TestFacadeWhereTheTokenIsRefused(t *testing.T) {
	var first atomic.Pointer[string]
	var all atomic.Bool
	front := func(r *rig) {
		r.around = func(next http.Handler) http.Handler {
			return tokenRefuser{next, func(token string) bool {
				first.CompareAndSwap(nil, &token)
				return all.Load() || token == *first.Load()
			}}
		}
	}
	r := newRigBehind(t, front, facade)
	b := r.signedIn("alice@example.com")
	b.does("GetUserAttributeVerificationCode", `{"AttributeName":"email"}`)
	if s := b.session(); s.Generation != 1 {
		t.Errorf("generation %d, want 1", s.Generation)
	}
	all.Store(true)
	if res, body := b.operation("GetUser", "{}"); exception(t, res, body) != "NotAuthorizedException" {
		t.Errorf("answered %s", body)
	}
	if s := b.session(); !s.Authenticated || s.Generation != 2 {
		t.Errorf("a token that is refused though it is new: %+v", s)
	}
	if err := r.emu.Levers().SignOutUser("alice@example.com"); err != nil {
		t.Fatal(err)
	}
	if res, body := b.operation("GetUser", "{}"); exception(t, res, body) != "NotAuthorizedException" {
		t.Errorf("answered %s", body)
	}
	if b.session().Authenticated {
		t.Error("a user who is signed out at the pool is signed in here")
	}
}

// TestFacadeInAnOutage: no outage has a name that makes the library forget its user.
func TestFacadeInAnOutage(t *testing.T) {
	t.Run("of_the_user_pool", func(t *testing.T) {
		for name, kind := range map[string]cognitoemu.FaultKind{
			"503": cognitoemu.Unavailable, "500": cognitoemu.InternalError, "reset": cognitoemu.ConnectionReset, "half_an_answer": cognitoemu.TruncatedBody,
		} {
			t.Run(name, func(t *testing.T) {
				r := newRig(t, facade)
				b := r.signedIn("alice@example.com")
				r.emu.Levers().Fail("GetUser", cognitoemu.Fault{Kind: kind})
				res, body := b.operation("GetUser", "{}")
				if got := exception(t, res, body); got != "ServiceUnavailableException" || res.StatusCode != 503 {
					t.Errorf("answered %d %s", res.StatusCode, body)
				}
				r.emu.Levers().Heal("GetUser")
				r.emu.Levers().Fail("GetUser", cognitoemu.Fault{Kind: cognitoemu.RateExceeded})
				res, body = b.operation("GetUser", "{}")
				if got := exception(t, res, body); got != "TooManyRequestsException" {
					t.Errorf("throttled: %d %s", res.StatusCode, body)
				}
				r.emu.Levers().Heal("GetUser")
				b.does("GetUser", "{}")
			})
		}
	})
	t.Run("of_the_token_endpoint", func(t *testing.T) {
		r := newRig(t, facade)
		b := r.signedIn("alice@example.com")
		r.emu.Levers().Fail(cognitoemu.EndpointToken, cognitoemu.Fault{Kind: cognitoemu.Unavailable})
		res, body := b.operation("GetTokensFromRefreshToken", "{}")
		if got := exception(t, res, body); got != "ServiceUnavailableException" || res.StatusCode != 503 {
			t.Errorf("answered %d %s", res.StatusCode, body)
		}
		// What was changed is changed, though no token shows it yet.
		b.does("UpdateUserAttributes", `{"UserAttributes":[{"Name":"name","Value":"Alice Adams"}]}`)
		if !b.session().Authenticated {
			t.Error("an outage signed the user out")
		}
	})
	t.Run("of_the_store", func(t *testing.T) {
		redis := redistest.Start(t, redistest.Options{})
		r := newRig(t, facade, section("session", map[string]any{"store": redis.URL}))
		b := r.browser()
		b.signIn("alice@example.com", "/")
		redis.Stop()
		res, body := b.operation("GetUser", "{}")
		if got := exception(t, res, body); got != "ServiceUnavailableException" || res.StatusCode != 503 || res.Header.Get("Retry-After") == "" {
			t.Errorf("answered %d %s", res.StatusCode, body)
		}
		redis.Restart()
		until(t, "the store's return", func() bool {
			res, _ := b.operation("GetUser", "{}")
			return res.StatusCode == http.StatusOK
		})
	})
}

// TestFacadeWithoutTheScope: what Cognito would call NotAuthorizedException is a
// fault of the configuration, and signs nobody out in the page.
func TestFacadeWithoutTheScope(t *testing.T) {
	r := newRig(t, facade, section("cognito", map[string]any{"scopes": []string{"openid", "email"}}))
	b := r.signedIn("alice@example.com")
	res, body := b.operation("GetUser", "{}")
	if got := exception(t, res, body); got != "InternalErrorException" || res.StatusCode != 502 {
		t.Errorf("answered %d %s", res.StatusCode, body)
	}
	r.logged("lacks the scope aws.cognito.signin.user.admin")
}
