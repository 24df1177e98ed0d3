package cognitoemu

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // RFC 6238: authenticator apps know no other hash
	"encoding/base32"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"
)

const (
	totpStep = 30 * time.Second
	// totpDrift is how many steps a code may be early or late (RFC 6238 §5.2).
	totpDrift = 1
)

// Why a code of an authenticator app was refused.
var (
	errTOTPMismatch = errors.New("wrong code of the authenticator app")
	errTOTPReused   = errors.New("code of the authenticator app was used before")
)

// softwareToken is a user's authenticator app.
type softwareToken struct {
	secret   []byte // of the app in use; nil: none
	pending  []byte // of one that has still to prove itself
	name     string
	lastStep int64 // of the code that signed in last, which does so once
	// enabled asks for a code at each sign-in; preferred is what GetUser tells.
	enabled   bool
	preferred bool
}

// totpMatch returns the time step whose code it is (RFC 6238 §4).
func totpMatch(secret []byte, code string, now time.Time) (step int64, ok bool) {
	current := now.Unix() / int64(totpStep/time.Second)
	for step := current - totpDrift; step <= current+totpDrift; step++ {
		if sameText(totpCode(secret, step), code) {
			return step, true
		}
	}
	return 0, false
}

// totpCode is the six-digit code of a time step (RFC 4226 §5.3).
func totpCode(secret []byte, step int64) string {
	mac := hmac.New(sha1.New, secret)
	mac.Write(binary.BigEndian.AppendUint64(nil, uint64(step)))
	sum := mac.Sum(nil)
	offset := sum[len(sum)-1] & 0x0f
	number := binary.BigEndian.Uint32(sum[offset:]) & 0x7fffffff
	return fmt.Sprintf("%06d", number%1_000_000)
}

var totpAlphabet = base32.StdEncoding.WithPadding(base32.NoPadding)

// totpText is a secret as people type it into their app.
func totpText(secret []byte) string { return totpAlphabet.EncodeToString(secret) }

// totpSecret undoes totpText; nil for what is no such text.
func totpSecret(text string) []byte {
	secret, err := totpAlphabet.DecodeString(strings.ToUpper(text))
	if err != nil || len(secret) == 0 {
		return nil
	}
	return secret
}

// useSoftwareToken checks a code at a sign-in. The one that set the app up may sign
// in as well (assumed).
func (e *Emulator) useSoftwareToken(sub, code string) (account, error) {
	return e.users.change(sub, func(a *account) error {
		step, ok := totpMatch(a.token.secret, code, e.clock.now())
		switch {
		case !ok || a.token.secret == nil:
			return errTOTPMismatch
		case step <= a.token.lastStep:
			return errTOTPReused
		}
		a.token.lastStep = step
		return nil
	})
}
