package server_test

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-auth/gatehouse/internal/cognitoemu"
)

// passwords enables the façade and the operations that take a password.
var passwords = section("amplify", map[string]any{"enabled": true, "password_sign_in": true})

// publicClient makes the gateway's client one without a secret.
var publicClient = section("cognito", map[string]any{"client_id": cognitoemu.DefaultClientID, "client_secret": ""})

// passwordSignIn is the call of a page that has a form of its own.
func passwordSignIn(user, password string) string {
	return fmt.Sprintf(`{"AuthFlow":"USER_PASSWORD_AUTH","ClientId":"other","AuthParameters":
		{"USERNAME":%q,"PASSWORD":%q,"SECRET_HASH":"forged","DEVICE_KEY":"forged"},"ClientMetadata":{},"Session":""}`, user, password)
}

func TestFacadePasswordsAreOffUnlessSwitchedOn(t *testing.T) {
	r := newRig(t, facade)
	b := r.signedIn("alice@example.com")
	for operation, input := range map[string]string{
		"InitiateAuth":           passwordSignIn("alice@example.com", "Passw0rd!"),
		"RespondToAuthChallenge": `{"ChallengeName":"PASSWORD_VERIFIER","ChallengeResponses":{"USERNAME":"a"}}`,
		"SignUp":                 `{"Username":"new@example.com","Password":"Passw0rd!"}`,
		"ConfirmSignUp":          `{"Username":"new@example.com","ConfirmationCode":"1"}`,
		"ResendConfirmationCode": `{"Username":"new@example.com"}`,
		"ForgotPassword":         `{"Username":"alice@example.com"}`,
		"ConfirmForgotPassword":  `{"Username":"alice@example.com","ConfirmationCode":"1","Password":"Passw0rd!"}`,
		"ChangePassword":         `{"PreviousPassword":"Passw0rd!","ProposedPassword":"Other0ne!"}`,
		"AssociateSoftwareToken": `{"Session":"from a challenge"}`,
	} {
		res, body := b.operation(operation, input)
		if got := exception(t, res, body); got != "UnsupportedOperationException" || res.StatusCode != 400 {
			t.Errorf("%s: %d %s", operation, res.StatusCode, body)
		}
		if n := r.emu.Levers().Calls(cognitoemu.Endpoint(operation)); n != 0 {
			t.Errorf("%s reached the user pool", operation)
		}
	}
}

func TestFacadeSignsInByPassword(t *testing.T) {
	for name, client := range map[string]settings{"confidential_client": func(map[string]any) {}, "public_client": publicClient} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, passwords, client)
			b := r.browser()
			b.signIn("bob@example.com", "/")
			before, bob := b.sessionCookie(), b.sessionID()
			result := b.does("InitiateAuth", passwordSignIn("alice@example.com", "Passw0rd!"))["AuthenticationResult"].(map[string]any)
			s := b.session()
			if s.Tokens.IDToken.Payload["email"] != "alice@example.com" || b.sessionCookie() == before || b.sessionID() == bob {
				t.Fatalf("the session is %+v", s)
			}
			if diff := cmp.Diff(s.Tokens.AccessToken.Payload, shadowClaims(t, result["AccessToken"])); diff != "" {
				t.Errorf("access token:\n%s", diff)
			}
			if len(result) != 5 || result["RefreshToken"] != "kept-at-the-gateway" {
				t.Errorf("result: %v", result)
			}
			for _, path := range []string{"/auth/session", "/auth/user"} {
				_, body := b.fetch("GET", path, "")
				got := decode[struct{ SignInDetails map[string]string }](t, body).SignInDetails
				want := map[string]string{"loginId": "alice@example.com", "authFlowType": "USER_PASSWORD_AUTH"}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("%s:\n%s", path, diff)
				}
			}
			// The session is one like any other: refreshed, used by calls, ended.
			b.does("GetTokensFromRefreshToken", `{"RefreshToken":"kept-at-the-gateway"}`)
			b.fetch("GET", "/api/x", "")
			if auth := r.seen.last(t).Header.Get("Authorization"); !strings.HasPrefix(auth, "Bearer ey") {
				t.Errorf("the API saw Authorization %.20q", auth)
			}
			if _, body := b.fetch("GET", "/auth/user", ""); !strings.Contains(body, "USER_PASSWORD_AUTH") {
				t.Errorf("after the refresh: %s", body)
			}
			b.does("RevokeToken", "{}")
			if b.session().Authenticated {
				t.Error("still signed in")
			}
		})
	}
}

// sessionCookie is the value of the browser's session cookie.
func (b *browser) sessionCookie() string {
	req := b.request("GET", b.rig.url, nil)
	for _, c := range b.http.Jar.Cookies(req.URL) {
		if c.Name == "__Host-Http-gatehouse" {
			return c.Value
		}
	}
	return ""
}

func TestFacadePasswordRefusals(t *testing.T) {
	r := newRig(t, passwords)
	b := r.signedIn("bob@example.com")
	for name, tc := range map[string]struct{ operation, input, want string }{
		"a_wrong_password":         {"InitiateAuth", passwordSignIn("alice@example.com", "wrong"), "NotAuthorizedException"},
		"nobody":                   {"InitiateAuth", passwordSignIn("nobody@example.com", "Passw0rd!"), "NotAuthorizedException"},
		"a_disabled_user":          {"InitiateAuth", passwordSignIn("erin@example.com", "Passw0rd!"), "NotAuthorizedException"},
		"an_unknown_flow":          {"InitiateAuth", `{"AuthFlow":"ADMIN_USER_PASSWORD_AUTH"}`, "InvalidParameterException"},
		"no_flow":                  {"InitiateAuth", `{}`, "InvalidParameterException"},
		"parameters_that_are_null": {"InitiateAuth", `{"AuthFlow":"USER_PASSWORD_AUTH","AuthParameters":null}`, "NotAuthorizedException"},
		"answers_that_are_null":    {"RespondToAuthChallenge", `{"ChallengeName":"PASSWORD_VERIFIER","ChallengeResponses":null}`, "NotAuthorizedException"},
		"parameters_of_a_kind":     {"InitiateAuth", `{"AuthFlow":"USER_SRP_AUTH","AuthParameters":{"USERNAME":["a"]}}`, "InvalidParameterException"},
		"a_forged_session":         {"RespondToAuthChallenge", `{"ChallengeName":"SOFTWARE_TOKEN_MFA","Session":"forged","ChallengeResponses":{}}`, "NotAuthorizedException"},
		"an_unknown_challenge":     {"RespondToAuthChallenge", `{"ChallengeName":"RIDDLE","ChallengeResponses":{"USERNAME":"a"}}`, "InvalidParameterException"},
		"a_password_that_is_weak":  {"SignUp", `{"Username":"new@example.com","Password":"a","UserAttributes":[{"Name":"email","Value":"new@example.com"}]}`, "InvalidPasswordException"},
		"a_name_that_is_taken":     {"SignUp", `{"Username":"alice@example.com","Password":"Passw0rd!","UserAttributes":[{"Name":"email","Value":"alice@example.com"}]}`, "UsernameExistsException"},
		"a_wrong_old_password":     {"ChangePassword", `{"PreviousPassword":"wrong","ProposedPassword":"Other0ne!"}`, "NotAuthorizedException"},
		"a_code_that_is_wrong":     {"ConfirmForgotPassword", `{"Username":"alice@example.com","ConfirmationCode":"000000","Password":"Other0ne!"}`, "ExpiredCodeException"},
		"an_authenticator_code":    {"VerifySoftwareToken", `{"Session":"forged","UserCode":"1"}`, "NotAuthorizedException"},
		"a_proof_that_is_not_SRPs": {"RespondToAuthChallenge", `{"ChallengeName":"PASSWORD_VERIFIER","ChallengeResponses":{"USERNAME":"a","PASSWORD_CLAIM_SECRET_BLOCK":"x"}}`, "NotAuthorizedException"},
	} {
		t.Run(name, func(t *testing.T) {
			res, body := b.operation(tc.operation, tc.input)
			if got := exception(t, res, body); got != tc.want || res.StatusCode != 400 {
				t.Errorf("answered %d %s, want %s", res.StatusCode, body, tc.want)
			}
		})
	}
	if s := b.session(); s.Tokens.IDToken.Payload["email"] != "bob@example.com" || s.Generation != 0 {
		t.Errorf("what was refused changed the session: %+v", s)
	}
	for _, site := range []string{"cross-site", "same-site"} {
		res, body := r.browser().operationFrom(site, "InitiateAuth", passwordSignIn("alice@example.com", "Passw0rd!"))
		if got := exception(t, res, body); got != "ForbiddenException" || res.Header.Get("Set-Cookie") != "" {
			t.Errorf("a foreign page that would sign its visitor in: %s", body)
		}
	}
	for _, secret := range []string{"Passw0rd!", "Other0ne!"} {
		if strings.Contains(r.logs.String(), secret) {
			t.Error("a password is in the log")
		}
	}
}

// secondFactor gives the pool a user with an authenticator app, and one with a
// temporary password.
func secondFactor(r *rig) {
	r.emulate = func(o *cognitoemu.Options) {
		o.Seed.Users = append(slices.Clone(o.Seed.Users),
			cognitoemu.User{Email: "frida@example.com", Name: "Frida", Password: "Passw0rd!", TOTPSecret: totpSecret},
			cognitoemu.User{Email: "gus@example.com", Name: "Gus", Password: "Passw0rd!", TemporaryPassword: true})
	}
}

const totpSecret = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"

// totp is the code of an authenticator app (RFC 6238).
func totp(secret string, at time.Time) string {
	key, _ := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(secret)
	h := hmac.New(sha1.New, key)
	_ = binary.Write(h, binary.BigEndian, at.Unix()/30)
	sum := h.Sum(nil)
	offset := sum[len(sum)-1] & 15
	return fmt.Sprintf("%06d", binary.BigEndian.Uint32(sum[offset:])&0x7fffffff%1_000_000)
}

// doesWithCode calls an operation with the code of an authenticator app, and again
// where the code grew too old on the way.
func (b *browser) doesWithCode(name, secret string, input func(code string) string) {
	b.t.Helper()
	until(b.t.(*testing.T), name, func() bool {
		res, _ := b.operation(name, input(totp(secret, b.rig.emu.Levers().Now())))
		return res.StatusCode == http.StatusOK
	})
}

// TestFacadeAsksForMore: a sign-in of several steps.
func TestFacadeAsksForMore(t *testing.T) {
	r := newRigBehind(t, secondFactor, passwords)
	t.Run("a_code_of_an_authenticator_app", func(t *testing.T) {
		b := r.browser()
		asked := b.does("InitiateAuth", passwordSignIn("frida@example.com", "Passw0rd!"))
		if asked["ChallengeName"] != "SOFTWARE_TOKEN_MFA" || asked["AuthenticationResult"] != nil || b.session().Authenticated {
			t.Fatalf("answered %v", asked)
		}
		name := asked["ChallengeParameters"].(map[string]any)["USER_ID_FOR_SRP"]
		answer := func(code string) string {
			return fmt.Sprintf(`{"ChallengeName":"SOFTWARE_TOKEN_MFA","Session":%q,"ChallengeResponses":
				{"USERNAME":%q,"SOFTWARE_TOKEN_MFA_CODE":%q}}`, asked["Session"], name, code)
		}
		res, body := b.operation("RespondToAuthChallenge", answer("000000"))
		if got := exception(t, res, body); got != "CodeMismatchException" {
			t.Errorf("a wrong code: %s", body)
		}
		b.doesWithCode("RespondToAuthChallenge", totpSecret, answer)
		_, body = b.fetch("GET", "/auth/user", "")
		if !strings.Contains(body, `"signInDetails":{"loginId":"frida@example.com","authFlowType":"USER_PASSWORD_AUTH"}`) {
			t.Errorf("user: %s", body)
		}
	})
	t.Run("a_password_of_the_users_own", func(t *testing.T) {
		b := r.browser()
		asked := b.does("InitiateAuth", passwordSignIn("gus@example.com", "Passw0rd!"))
		name := asked["ChallengeParameters"].(map[string]any)["USER_ID_FOR_SRP"]
		b.does("RespondToAuthChallenge", fmt.Sprintf(`{"ChallengeName":"NEW_PASSWORD_REQUIRED","Session":%q,"ChallengeResponses":
			{"USERNAME":%q,"NEW_PASSWORD":"Other0ne!","userAttributes.given_name":"Gustav"}}`, asked["Session"], name))
		if s := b.session(); s.Tokens.IDToken.Payload["given_name"] != "Gustav" {
			t.Errorf("session: %+v", s)
		}
	})
	t.Run("the_proof_of_a_password", func(t *testing.T) {
		asked := r.browser().does("InitiateAuth", `{"AuthFlow":"USER_SRP_AUTH","AuthParameters":{"USERNAME":"alice@example.com","SRP_A":"`+strings.Repeat("a1", 384)+`"}}`)
		if asked["ChallengeName"] != "PASSWORD_VERIFIER" || asked["Session"] == nil || asked["ChallengeParameters"].(map[string]any)["SRP_B"] == nil {
			t.Errorf("answered %v", asked)
		}
	})
	t.Run("an_app_that_is_set_up_while_signed_in", func(t *testing.T) {
		b := r.signedIn("carol@example.com")
		secret := b.does("AssociateSoftwareToken", `{"AccessToken":"x"}`)["SecretCode"].(string)
		b.doesWithCode("VerifySoftwareToken", secret, func(code string) string { return `{"AccessToken":"x","UserCode":"` + code + `"}` })
		b.does("SetUserMFAPreference", `{"SoftwareTokenMfaSettings":{"Enabled":true,"PreferredMfa":true}}`)
		if user := b.does("GetUser", "{}"); user["PreferredMfaSetting"] != "SOFTWARE_TOKEN_MFA" {
			t.Errorf("user: %v", user)
		}
	})
}

// TestFacadeAcrossInstances: a step of a sign-in may be answered by another instance
// than the one before, by what the page brings back.
func TestFacadeAcrossInstances(t *testing.T) {
	f := newFleet(t, passwords)
	here := f.signedIn("carol@example.com")
	there := f.elsewhere(here)
	secret := here.does("AssociateSoftwareToken", "{}")["SecretCode"].(string)
	there.doesWithCode("VerifySoftwareToken", secret, func(code string) string { return `{"UserCode":"` + code + `"}` })
	here.does("SetUserMFAPreference", `{"SoftwareTokenMfaSettings":{"Enabled":true,"PreferredMfa":true}}`)
	there.does("RevokeToken", "{}")

	asked := here.does("InitiateAuth", passwordSignIn("carol@example.com", "Passw0rd!"))
	f.emu.Levers().Advance(30 * time.Second) // a code is for one use
	there.doesWithCode("RespondToAuthChallenge", secret, func(code string) string {
		return fmt.Sprintf(`{"ChallengeName":"SOFTWARE_TOKEN_MFA","Session":%q,"ChallengeResponses":
			{"USERNAME":%q,"SOFTWARE_TOKEN_MFA_CODE":%q}}`, asked["Session"],
			asked["ChallengeParameters"].(map[string]any)["USER_ID_FOR_SRP"], code)
	})
	for _, b := range []*browser{here, there} {
		if _, body := b.fetch("GET", "/auth/user", ""); !strings.Contains(body, `{"loginId":"carol@example.com","authFlowType":"USER_PASSWORD_AUTH"}`) {
			t.Errorf("user: %s", body)
		}
	}
}

func TestFacadeSignsUp(t *testing.T) {
	r := newRig(t, passwords)
	b := r.browser()
	made := b.does("SignUp", `{"Username":"hana@example.com","Password":"Passw0rd!","ClientId":"other","SecretHash":"forged",
		"UserAttributes":[{"Name":"email","Value":"hana@example.com"}]}`)
	if made["UserConfirmed"] != false || made["UserSub"] == nil || made["CodeDeliveryDetails"] == nil {
		t.Errorf("answered %v", made)
	}
	if res, body := b.operation("InitiateAuth", passwordSignIn("hana@example.com", "Passw0rd!")); exception(t, res, body) != "UserNotConfirmedException" {
		t.Errorf("before the code: %s", body)
	}
	b.does("ResendConfirmationCode", `{"Username":"hana@example.com"}`)
	b.does("ConfirmSignUp", `{"Username":"hana@example.com","ConfirmationCode":"`+r.emu.Levers().Code("hana@example.com")+`"}`)
	b.does("ForgotPassword", `{"Username":"hana@example.com"}`)
	b.does("ConfirmForgotPassword", `{"Username":"hana@example.com","Password":"Other0ne!","ConfirmationCode":"`+r.emu.Levers().Code("hana@example.com")+`"}`)
	b.does("InitiateAuth", passwordSignIn("hana@example.com", "Other0ne!"))
	b.does("ChangePassword", `{"AccessToken":"x","PreviousPassword":"Other0ne!","ProposedPassword":"Third0ne!"}`)
	if !b.session().Authenticated {
		t.Error("signed out")
	}
}

// TestFacadeLimitsAttempts: guessing has an end at the gateway, by name and address;
// what is refused does not reach the pool.
func TestFacadeLimitsAttempts(t *testing.T) {
	r := newRig(t, passwords)
	b := r.browser()
	const most = 20 // a minute; were the machine that slow, more than one of them
	reached := func() int { return r.emu.Levers().Calls("InitiateAuth") }
	until(t, "the limit", func() bool {
		before := reached()
		res, body := b.operation("InitiateAuth", passwordSignIn("Alice@example.com ", "wrong"))
		limited := exception(t, res, body) == "LimitExceededException"
		if limited && (res.Header.Get("Retry-After") == "" || reached() != before) {
			t.Errorf("what is refused reached the pool, or does not say until when: %v", res.Header)
		}
		return limited
	})
	if n := reached(); n < most {
		t.Errorf("refused after %d attempts, want %d", n, most)
	}
	if res, _ := b.operation("InitiateAuth", passwordSignIn("bob@example.com", "Passw0rd!")); res.StatusCode != http.StatusOK {
		t.Errorf("another user is answered %d", res.StatusCode)
	}
}

// TestFacadeLimitsAnswersByTheNamesTheyHave: a sign-in that began for one user may be
// answered for another, and counts for both.
func TestFacadeLimitsAnswersByTheNamesTheyHave(t *testing.T) {
	r := newRig(t, passwords)
	b := r.browser()
	for i := range 45 { // as many as one address may, were none refused
		begun := b.does("InitiateAuth", fmt.Sprintf(`{"AuthFlow":"USER_SRP_AUTH","AuthParameters":{"USERNAME":"user%d@example.com","SRP_A":%q}}`,
			i, strings.Repeat("a1", 384)))
		res, body := b.operation("RespondToAuthChallenge", fmt.Sprintf(`{"ChallengeName":"PASSWORD_VERIFIER","Session":%q,"ChallengeResponses":
			{"USERNAME":"alice@example.com","PASSWORD_CLAIM_SECRET_BLOCK":"x"}}`, begun["Session"]))
		if exception(t, res, body) == "LimitExceededException" {
			if n := r.emu.Levers().Calls("RespondToAuthChallenge"); n != i || n < 20 {
				t.Errorf("answer %d is refused, %d reached the pool", i+1, n)
			}
			return
		}
	}
	t.Error("none is refused")
}

// TestFacadeVerifiesTokensOfASignIn: tokens by which a pool answers a sign-in are
// verified before they make a session.
func TestFacadeVerifiesTokensOfASignIn(t *testing.T) {
	r := newRig(t, passwords)
	b := r.browser()
	r.emu.Levers().Fail("InitiateAuth", cognitoemu.Fault{Kind: cognitoemu.Unavailable, Times: 1})
	res, body := b.operation("InitiateAuth", passwordSignIn("alice@example.com", "Passw0rd!"))
	if got := exception(t, res, body); got != "ServiceUnavailableException" || res.StatusCode != 503 {
		t.Errorf("in an outage: %d %s", res.StatusCode, body)
	}
	r.emu.Levers().Advance(-time.Hour) // its tokens have expired
	res, body = b.operation("InitiateAuth", passwordSignIn("alice@example.com", "Passw0rd!"))
	if got := exception(t, res, body); got != "InternalErrorException" || res.Header.Get("Set-Cookie") != "" {
		t.Errorf("tokens that do not verify: %d %s", res.StatusCode, body)
	}
	if b.session().Authenticated {
		t.Error("signed in by tokens that do not verify")
	}
}
