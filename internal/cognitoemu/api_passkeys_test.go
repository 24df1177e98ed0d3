package cognitoemu

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/document"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"
)

// creation are the options of a registration, as far as an authenticator needs them.
type creation struct {
	Challenge          string
	RP                 struct{ ID string } `json:"rp"`
	User               struct{ ID, Name string }
	ExcludeCredentials []struct{ ID string }
}

func (f *fixture) startPasskey(token *string) creation {
	f.Helper()
	got, err := f.sdk().StartWebAuthnRegistration(f.Context(), &cip.StartWebAuthnRegistrationInput{AccessToken: token})
	if err != nil {
		f.Fatal(err)
	}
	raw, err := got.CredentialCreationOptions.MarshalSmithyDocument()
	if err != nil {
		f.Fatal(err)
	}
	var options creation
	if err := json.Unmarshal(raw, &options); err != nil {
		f.Fatal(err)
	}
	return options
}

// credential is what an authenticator at localhost makes of a challenge.
type credential struct{ id, kind, challenge, origin, party string }

func (c credential) complete(f *fixture, token *string) error {
	encode := base64.RawURLEncoding.EncodeToString
	clientData, err := json.Marshal(map[string]any{"type": c.kind, "challenge": c.challenge, "origin": c.origin, "crossOrigin": false})
	if err != nil {
		f.Fatal(err)
	}
	party := sha256.Sum256([]byte(c.party))
	_, err = f.sdk().CompleteWebAuthnRegistration(f.Context(), &cip.CompleteWebAuthnRegistrationInput{AccessToken: token,
		Credential: document.NewLazyDocument(map[string]any{
			"id": c.id, "rawId": c.id, "type": "public-key", "authenticatorAttachment": "platform", "clientExtensionResults": map[string]any{},
			"response": map[string]any{"clientDataJSON": encode(clientData), "attestationObject": encode(append([]byte("authData"), party[:]...)),
				"transports": []string{"internal", "hybrid"}},
		})})
	return err
}

func TestAPI_passkeys(t *testing.T) {
	f := newFixture(t)
	token := f.accessTokenOf("alice@example.com")
	list := func() []types.WebAuthnCredentialDescription {
		t.Helper()
		got, err := f.sdk().ListWebAuthnCredentials(t.Context(), &cip.ListWebAuthnCredentialsInput{AccessToken: token, MaxResults: aws.Int32(20)})
		if err != nil {
			t.Fatal(err)
		}
		return got.Credentials
	}
	good := func(id string) credential {
		return credential{id, "webauthn.create", f.startPasskey(token).Challenge, "http://localhost:5173", "localhost"}
	}

	const none = "No registration of a passkey was started, or it is too old"
	typed[*types.WebAuthnChallengeNotFoundException](t, credential{"a2V5", "webauthn.create", "", "http://localhost:5173", "localhost"}.complete(f, token), none)
	first := good("a2V5")
	if err := first.complete(f, token); err != nil {
		t.Fatal(err)
	}
	typed[*types.WebAuthnChallengeNotFoundException](t, first.complete(f, token), none)

	got := list()
	if len(got) != 1 || *got[0].CredentialId != "a2V5" || *got[0].RelyingPartyId != "localhost" || *got[0].AuthenticatorAttachment != "platform" ||
		len(got[0].AuthenticatorTransports) != 2 || !got[0].CreatedAt.Equal(start) || *got[0].FriendlyCredentialName == "" {
		t.Fatalf("%+v", got)
	}
	options := f.startPasskey(token)
	if options.RP.ID != "localhost" || options.User.Name != "alice@example.com" || len(options.ExcludeCredentials) != 1 || options.ExcludeCredentials[0].ID != "a2V5" {
		t.Errorf("%+v", options)
	}

	refusal := func(change func(*credential)) error {
		c := good("b3RoZXI")
		change(&c)
		return c.complete(f, token)
	}
	const wrongKind, wrongOrigin = "clientDataJSON is not that of a credential's creation", "The origin is not one of the relying party localhost"
	typed[*types.WebAuthnChallengeNotFoundException](t, refusal(func(c *credential) { c.challenge = "YW5vdGhlcg" }), none)
	typed[*types.WebAuthnCredentialNotSupportedException](t, refusal(func(c *credential) { c.kind = "webauthn.get" }), wrongKind)
	typed[*types.WebAuthnOriginNotAllowedException](t, refusal(func(c *credential) { c.origin = "https://evil.example" }), wrongOrigin)
	typed[*types.WebAuthnOriginNotAllowedException](t, refusal(func(c *credential) { c.origin = "https://notlocalhost" }), wrongOrigin)
	typed[*types.WebAuthnRelyingPartyMismatchException](t, refusal(func(c *credential) { c.party = "evil.example" }), "The credential is for another relying party than localhost")
	typed[*types.InvalidParameterException](t, refusal(func(c *credential) { c.id = "a2V5" }), "The credential is registered already")
	late := good("b3RoZXI")
	f.emulator.Levers().Advance(passkeyTTL)
	typed[*types.WebAuthnChallengeNotFoundException](t, late.complete(f, token), none)

	remove := func(id string) error {
		_, err := f.sdk().DeleteWebAuthnCredential(t.Context(), &cip.DeleteWebAuthnCredentialInput{AccessToken: token, CredentialId: &id})
		return err
	}
	if err := remove("a2V5"); err != nil || len(list()) != 0 {
		t.Errorf("%v, %+v", err, list())
	}
	typed[*types.ResourceNotFoundException](t, remove("a2V5"), "The credential does not exist.")
}

func TestPasskeys_origins_of_a_relying_party(t *testing.T) {
	for origin, want := range map[string]bool{
		"https://example.com": true, "https://app.example.com:8443": true, "http://example.com": false, "https://badexample.com": false,
		"https://example.com.evil.example": false, "null": false, "": false,
	} {
		if got := originOf(origin, "example.com"); got != want {
			t.Errorf("%q: %v, want %v", origin, got, want)
		}
	}
}
