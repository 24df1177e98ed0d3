package amplify

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/session"
)

const (
	// RefreshToken is what pages get for one. The library only wants it to be there.
	RefreshToken = "kept-at-the-gateway"

	// shadowHeader names an algorithm that no verifier knows. That of RFC 7519 §6
	// for unsecured tokens, none, is one that some would take.
	shadowHeader = `{"alg":"BFF","typ":"JWT"}`
	// shadowSignature stands where a signature would, as base64url that decodes.
	shadowSignature = "unsigned"
)

// Shadow is a session's tokens as a page sees them: with their claims, in the form
// of a JWT, and good for nothing. Package aws-amplify decodes them and
// goes by their claims.
type Shadow struct {
	Access, ID string
	// ExpiresIn is how long the access token holds, in seconds; 0 if it has expired.
	ExpiresIn int64
}

// Shadows makes shadows of tokens.
type Shadows struct {
	// ClientID is what the claims name as the client where the token does not say.
	ClientID string
	// AccessClaims and IDClaims are the claims to show besides those that the library
	// goes by; empty shows all.
	AccessClaims, IDClaims []string
}

// The claims that aws-amplify, and the decoders that pages use beside it, go by.
// They are shown whatever the configuration says.
var (
	neededOfAccess = []string{"sub", "username", "client_id", "token_use", "exp", "iat", "origin_jti", "device_key"}
	neededOfID     = []string{"sub", "cognito:username", "iss", "aud", "token_use", "exp", "iat"}
)

// Of returns the shadow of a session's tokens. Claims that the library cannot do
// without and a token lacks are filled in from the session: an access token may be
// opaque, and a login without the scope openid brings no ID token.
func (sh *Shadows) Of(s *session.Session) (Shadow, error) {
	access, err := members(s.AccessClaims())
	if err != nil {
		return Shadow{}, fmt.Errorf("access token: %w", err)
	}
	id, err := members(s.IDClaims())
	if err != nil {
		return Shadow{}, fmt.Errorf("ID token: %w", err)
	}
	fill(access, map[string]any{
		"sub": s.Subject, "username": s.Username, "client_id": sh.ClientID, "token_use": "access",
		"exp": s.Tokens.AccessExpiresAt.Unix(), "iat": s.TokensAt.Unix(),
		// Without one the library's signOut tells nobody: it takes the token to be
		// one that cannot be revoked.
		"origin_jti": s.ID,
	})
	fill(id, map[string]any{
		"sub": s.Subject, "cognito:username": s.Username, "iss": s.Issuer, "aud": sh.ClientID, "token_use": "id",
		"exp": access["exp"], "iat": access["iat"],
	})
	return Shadow{
		Access:    shadow(narrow(access, sh.AccessClaims, neededOfAccess)),
		ID:        shadow(narrow(id, sh.IDClaims, neededOfID)),
		ExpiresIn: max(0, int64(time.Until(s.Tokens.AccessExpiresAt)/time.Second)),
	}, nil
}

func members(claims json.RawMessage) (map[string]any, error) {
	m := map[string]json.RawMessage{}
	if len(claims) > 0 {
		if err := json.Unmarshal(claims, &m); err != nil {
			return nil, fmt.Errorf("claims: %w", err)
		}
	}
	all := make(map[string]any, len(m))
	for name, value := range m {
		all[name] = value
	}
	return all, nil
}

// fill adds the claims that are not there.
func fill(claims, missing map[string]any) {
	for name, value := range missing {
		if _, there := claims[name]; !there {
			claims[name] = value
		}
	}
}

// narrow keeps the claims that are shown or needed; no names to show keep all.
func narrow(claims map[string]any, shown, needed []string) map[string]any {
	if len(shown) == 0 {
		return claims
	}
	kept := make(map[string]any, len(shown)+len(needed))
	for _, names := range [][]string{shown, needed} {
		for _, name := range names {
			if value, there := claims[name]; there {
				kept[name] = value
			}
		}
	}
	return kept
}

// shadow writes claims as a JWT's compact serialisation (RFC 7519 §3). The space
// before the first claim shifts all behind it, so that not even the payload of the
// real token, where it has the same claims in the same order, is part of it.
func shadow(claims map[string]any) string {
	body, _ := json.Marshal(claims) // of strings, numbers and what was JSON before
	payload := append([]byte("{ "), body[1:]...)
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(shadowHeader)) + "." + encode(payload) + "." + shadowSignature
}
