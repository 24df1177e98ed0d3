package cognitoemu

import (
	"crypto/rand"
	"encoding/base64"
)

// randomBytes never fails: crypto/rand ends the process where the system has no
// randomness to give.
func randomBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return b
}

// randomText is n random bytes in unpadded base64url.
func randomText(n int) string { return base64.RawURLEncoding.EncodeToString(randomBytes(n)) }

// newUUID is a random UUID: the form of codes, jti, event_id and request ids.
func newUUID() string { return formatUUID([16]byte(randomBytes(16))) }
