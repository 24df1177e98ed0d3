package oauth

import (
	"encoding/json"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// Tokens is what the token endpoint gave, after verification.
type Tokens struct {
	Access  secret.Text
	ID      secret.Text
	Refresh secret.Text // empty if the provider gave none

	// AccessExpiresAt is when the access token ends, from expires_in at receipt.
	AccessExpiresAt time.Time

	// AccessClaims is the access token's payload, or {} where the token is no JWT.
	AccessClaims json.RawMessage
	// IDClaims is the verified payload of the ID token.
	IDClaims json.RawMessage

	// Issuer and Subject are the ID token's iss and sub, which together name the user
	// (OpenID Connect Core §5.7).
	Issuer  string
	Subject string
	// AuthTime is the ID token's auth_time; zero if it has none.
	AuthTime time.Time
}
