package cognito

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"

	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// Client is an app client of the user pool.
type Client struct {
	ID     string
	Secret secret.Text // empty: a public client
}

// SecretHash is what the user-pool API demands of a client that has a secret, for an
// operation about a user: base64 of HMAC-SHA256 over user name and client id, under
// the secret. It is empty for a public client.
func (c Client) SecretHash(username string) string {
	if c.Secret.Empty() {
		return ""
	}
	h := hmac.New(sha256.New, []byte(c.Secret.Reveal()))
	_, _ = h.Write([]byte(username + c.ID)) // never fails
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}
