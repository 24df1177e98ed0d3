package amplify

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

const (
	// codeLifetime is how long a page has to load and to redeem its code.
	codeLifetime = time.Minute
	// codeMemory is how long a code that is spent is remembered. The clock of the
	// instance that is asked again may be behind by a lifetime.
	codeMemory = 2 * codeLifetime

	codeLabel = "amplify code"
)

var (
	// errCode is the answer to a code that does not open, for whatever reason.
	errCode        = errors.New("code is not of this gateway, or not for this redirect_uri, code_verifier and user")
	errCodeExpired = errors.New("code expired")
	errCodeSpent   = errors.New("code redeemed before")
)

// codes are the authorization codes that pages redeem for shadow tokens. A code holds
// no more than its end. Everything that it is for is bound into its seal, and so
// compared when it opens: nothing is kept for it until it is spent.
type codes struct {
	ring *secret.Ring
	// audience names the user pool and the client: gateways may share keys.
	audience string
	// once reports whether a name is used for the first time within the time.
	once func(ctx context.Context, name string, within time.Duration) (bool, error)
}

// grant is what a code is for.
type grant struct {
	redirectURI string // character for character
	challenge   string // RFC 7636 §4.2, S256
	subject     string // the user who signed in
}

func (c *codes) bound(g grant) []byte {
	return fmt.Appendf(nil, "%q", []string{c.audience, g.redirectURI, g.challenge, g.subject})
}

// issue returns a new code.
func (c *codes) issue(g grant) string {
	end := binary.BigEndian.AppendUint64(nil, uint64(time.Now().Add(codeLifetime).UnixMilli()))
	return base64.RawURLEncoding.EncodeToString(c.ring.Seal(codeLabel, end, c.bound(g)))
}

// redeem spends a code. Errors: errCode, errCodeExpired, errCodeSpent; those of once,
// which leave the code good.
func (c *codes) redeem(ctx context.Context, code string, g grant) error {
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(code)
	if err != nil {
		return errCode
	}
	end, err := c.ring.Open(codeLabel, sealed, c.bound(g))
	if err != nil || len(end) != 8 {
		return errCode
	}
	if !time.Now().Before(time.UnixMilli(int64(binary.BigEndian.Uint64(end)))) {
		return errCodeExpired
	}
	// The nonce is the code's own. Its text is not: a base64 decoder takes several.
	name := base64.RawURLEncoding.EncodeToString(sealed[:secret.NonceSize])
	first, err := c.once(ctx, "amplify code "+name, codeMemory)
	if err == nil && !first {
		err = errCodeSpent
	}
	return err
}

// challengeOf is the transformation S256 of a verifier (RFC 7636 §4.6).
func challengeOf(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// isChallenge reports whether s may have come of S256.
func isChallenge(s string) bool {
	sum, err := base64.RawURLEncoding.Strict().DecodeString(s)
	return err == nil && len(sum) == sha256.Size && len(s) == base64.RawURLEncoding.EncodedLen(sha256.Size)
}
