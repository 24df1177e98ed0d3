package server_test

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/cognitoemu"
)

// TestFacadeOnTheCookieStore: what an operation brings of a session reaches the browser
// with its answer, also with the answer of a refusal: the refresh has happened.
func TestFacadeOnTheCookieStore(t *testing.T) {
	var refuses atomic.Bool
	front := func(r *rig) {
		r.emulate = func(o *cognitoemu.Options) { o.Rotate = true }
		r.around = func(next http.Handler) http.Handler {
			return tokenRefuser{next, func(string) bool { return refuses.Load() }}
		}
	}
	r := newRigBehind(t, front, passwords, section("session", map[string]any{"store": "cookie:"}))
	b := r.browser()
	b.does("InitiateAuth", passwordSignIn("alice@example.com", "Passw0rd!"))
	generation := func() int { return b.session().Generation }
	if generation() != 0 {
		t.Fatalf("generation %d after the sign-in", generation())
	}
	b.does("GetTokensFromRefreshToken", "{}")
	if generation() != 1 {
		t.Errorf("generation %d after a forced refresh", generation())
	}
	b.does("UpdateUserAttributes", `{"UserAttributes":[{"Name":"name","Value":"Alice Adams"}]}`)
	if s := b.session(); s.Generation != 2 || s.Tokens.IDToken.Payload["name"] != "Alice Adams" {
		t.Errorf("after a change: %+v", s)
	}
	if _, body := b.fetch("GET", "/auth/user", ""); !strings.Contains(body, `"authFlowType":"USER_PASSWORD_AUTH"`) {
		t.Errorf("user: %s", body)
	}
	refuses.Store(true)
	res, body := b.operation("GetUser", "{}")
	if got := exception(t, res, body); got != "NotAuthorizedException" || len(res.Cookies()) == 0 {
		t.Errorf("a token that the pool refuses: %s with %d cookies", body, len(res.Cookies()))
	}
	refuses.Store(false)
	if generation() != 3 {
		t.Errorf("generation %d after a refresh behind a refusal", generation())
	}
	b.does("GetTokensFromRefreshToken", "{}") // by the refresh token that came with it
	b.does("GlobalSignOut", "{}")
	if b.session().Authenticated {
		t.Error("still signed in")
	}
}

// TestFacadeDevicesAndPasskeys: operations with fields that are lists and objects.
func TestFacadeDevicesAndPasskeys(t *testing.T) {
	r := newRig(t, facade)
	b := r.signedIn("alice@example.com")
	if got := b.does("ListDevices", `{"AccessToken":"x","Limit":60}`); got["Devices"] == nil {
		t.Errorf("devices: %v", got)
	}
	for _, operation := range []string{"ForgetDevice", "UpdateDeviceStatus"} {
		res, body := b.operation(operation, `{"DeviceKey":"eu-west-1_00000000-0000-0000-0000-000000000000","DeviceRememberedStatus":"remembered"}`)
		if got := exception(t, res, body); got != "ResourceNotFoundException" {
			t.Errorf("%s: %s", operation, body)
		}
	}
	options := b.does("StartWebAuthnRegistration", "{}")["CredentialCreationOptions"].(map[string]any)
	if options["challenge"] == nil {
		t.Errorf("options: %v", options)
	}
	res, body := b.operation("CompleteWebAuthnRegistration", `{"Credential":{"id":"x","type":"public-key","response":{}}}`)
	if got := exception(t, res, body); !strings.HasSuffix(got, "Exception") || got == "InternalErrorException" {
		t.Errorf("a credential that is none: %s", body)
	}
	if got := b.does("ListWebAuthnCredentials", `{"MaxResults":20}`); got["Credentials"] == nil {
		t.Errorf("passkeys: %v", got)
	}
	res, body = b.operation("DeleteWebAuthnCredential", `{"CredentialId":"unknown"}`)
	if got := exception(t, res, body); got != "ResourceNotFoundException" {
		t.Errorf("a passkey that is none: %s", body)
	}
}
