package cognitoemu

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"time"
)

const (
	passkeyTTL  = 5 * time.Minute // of a registration that was started
	maxPasskeys = 20              // quota of the real service: passkeys per user
)

// passkey is a WebAuthn credential that a user registered.
type passkey struct {
	id         string // base64url
	name       string
	attachment string
	transports []string
	created    time.Time
}

// passkeyRegistration is one that was started: what its answer must repeat.
type passkeyRegistration struct {
	challenge string // base64url
	expires   time.Time
}

// startWebAuthnRegistration gives the options of the ceremony (WebAuthn Level 3 §5.4,
// in the JSON form of §5.1.9). One started before is dropped.
func (e *Emulator) startWebAuthnRegistration(user caller, _ nothing) (any, error) {
	started := passkeyRegistration{challenge: randomText(32), expires: e.clock.now().Add(passkeyTTL)}
	if _, err := e.users.change(user.sub, func(a *account) error {
		a.registration = started
		return nil
	}); err != nil {
		return nil, err
	}
	exclude := []any{}
	for _, p := range user.passkeys {
		exclude = append(exclude, map[string]any{"type": "public-key", "id": p.id, "transports": p.transports})
	}
	return map[string]any{"CredentialCreationOptions": map[string]any{
		"challenge": started.challenge,
		"rp":        map[string]string{"id": e.seed.RelyingPartyID, "name": e.seed.RelyingPartyID},
		"user": map[string]string{"id": base64.RawURLEncoding.EncodeToString([]byte(user.sub)),
			"name": user.email(), "displayName": user.email()},
		"pubKeyCredParams":       []any{map[string]any{"type": "public-key", "alg": -7}, map[string]any{"type": "public-key", "alg": -257}}, // ES256, RS256
		"timeout":                60_000,
		"excludeCredentials":     exclude,
		"authenticatorSelection": map[string]any{"requireResidentKey": true, "residentKey": "required", "userVerification": "preferred"},
	}}, nil
}

// passkeyInput is the credential as RegistrationResponseJSON (WebAuthn Level 3 §5.1.8).
type passkeyInput struct {
	Credential struct {
		ID                      string
		Type                    string
		AuthenticatorAttachment string
		Response                struct {
			ClientDataJSON    string
			AttestationObject string
			Transports        []string
		}
	}
}

// completeWebAuthnRegistration checks what the client says it signed (WebAuthn Level 3
// §7.1, steps 5 to 12) and that the authenticator names the relying party. It looks at
// neither the public key nor the attestation: nobody can sign in with it here.
func (e *Emulator) completeWebAuthnRegistration(user caller, input passkeyInput) (any, error) {
	sent := input.Credential
	if err := e.checkClientData(user.registration, sent.Response.ClientDataJSON); err != nil {
		return nil, err
	}
	attestation, err := decodeBase64URL(sent.Response.AttestationObject)
	party := sha256.Sum256([]byte(e.seed.RelyingPartyID))
	switch {
	case err != nil || len(attestation) == 0 || sent.Type != "public-key" || sent.ID == "":
		return nil, &apiError{"WebAuthnCredentialNotSupportedException", "The credential is not a public-key credential with an attestation object"}
	case !bytes.Contains(attestation, party[:]):
		return nil, &apiError{"WebAuthnRelyingPartyMismatchException", "The credential is for another relying party than " + e.seed.RelyingPartyID}
	}
	_, err = e.users.change(user.sub, func(a *account) error {
		if a.registration.challenge != user.registration.challenge {
			return errNoPasskeyChallenge // two answers at once
		}
		a.registration = passkeyRegistration{}
		if slices.ContainsFunc(a.passkeys, func(p passkey) bool { return p.id == sent.ID }) {
			return invalidParameter("The credential is registered already")
		}
		if len(a.passkeys) >= maxPasskeys {
			return &apiError{"LimitExceededException", "A user has at most 20 passkeys"}
		}
		a.passkeys = append(a.passkeys, passkey{id: sent.ID, name: passkeyName(sent.AuthenticatorAttachment), attachment: sent.AuthenticatorAttachment,
			transports: sent.Response.Transports, created: e.clock.now()})
		return nil
	})
	return nothing{}, err
}

var errNoPasskeyChallenge = &apiError{"WebAuthnChallengeNotFoundException", "No registration of a passkey was started, or it is too old"}

// checkClientData checks type, challenge and origin of the client data.
func (e *Emulator) checkClientData(started passkeyRegistration, encoded string) error {
	raw, err := decodeBase64URL(encoded)
	var data struct{ Type, Challenge, Origin string }
	if err != nil || json.Unmarshal(raw, &data) != nil || data.Type != "webauthn.create" {
		return &apiError{"WebAuthnCredentialNotSupportedException", "clientDataJSON is not that of a credential's creation"}
	}
	if started.challenge == "" || !sameText(strings.TrimRight(data.Challenge, "="), started.challenge) || !e.clock.now().Before(started.expires) {
		return errNoPasskeyChallenge
	}
	if !originOf(data.Origin, e.seed.RelyingPartyID) {
		return &apiError{"WebAuthnOriginNotAllowedException", "The origin is not one of the relying party " + e.seed.RelyingPartyID}
	}
	return nil
}

// originOf reports whether an origin may use a relying party's id: https, or http on
// this machine, at the id itself or a subdomain (WebAuthn Level 3 §5.1.3).
func originOf(origin, party string) bool {
	u, err := url.Parse(origin)
	if err != nil || (u.Scheme != "https" && (u.Scheme != "http" || !isLoopback(u.Hostname()))) {
		return false
	}
	return u.Hostname() == party || strings.HasSuffix(u.Hostname(), "."+party)
}

func passkeyName(attachment string) string {
	if attachment == "cross-platform" {
		return "Security key"
	}
	return "Passkey"
}

// decodeBase64URL takes padding or leaves it.
func decodeBase64URL(text string) ([]byte, error) {
	return base64.RawURLEncoding.DecodeString(strings.TrimRight(text, "="))
}

type listPasskeysInput struct {
	MaxResults int
	NextToken  string
}

const maxListedPasskeys = 20 // of one answer

func (e *Emulator) listWebAuthnCredentials(user caller, input listPasskeysInput) (any, error) {
	if input.MaxResults < 0 || input.MaxResults > maxListedPasskeys {
		return nil, invalidParameter("MaxResults must lie between 0 and %d", maxListedPasskeys)
	}
	limit := cmp.Or(input.MaxResults, maxListedPasskeys)
	page, next, err := pageOf(user.passkeys, func(p passkey) string { return p.id }, limit, input.NextToken)
	if err != nil {
		return nil, err
	}
	list := make([]any, len(page))
	for i, p := range page {
		description := map[string]any{"CredentialId": p.id, "FriendlyCredentialName": p.name, "RelyingPartyId": e.seed.RelyingPartyID,
			"AuthenticatorTransports": append([]string{}, p.transports...), "CreatedAt": epoch(p.created)}
		if p.attachment != "" {
			description["AuthenticatorAttachment"] = p.attachment
		}
		list[i] = description
	}
	out := map[string]any{"Credentials": list}
	if next != "" {
		out["NextToken"] = next
	}
	return out, nil
}

func (e *Emulator) deleteWebAuthnCredential(user caller, input struct{ CredentialID string }) (any, error) {
	_, err := e.users.change(user.sub, func(a *account) error {
		i := slices.IndexFunc(a.passkeys, func(p passkey) bool { return p.id == input.CredentialID })
		if i < 0 {
			return &apiError{"ResourceNotFoundException", "The credential does not exist."}
		}
		a.passkeys = slices.Delete(a.passkeys, i, i+1)
		return nil
	})
	return nothing{}, err
}
