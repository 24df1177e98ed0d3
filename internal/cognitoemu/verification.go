package cognitoemu

import (
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"
	"sync"
	"time"
)

// purpose is what a code is for.
type purpose string

// The purposes of codes. Those of attributes are the attribute's name.
const (
	signUpCode      purpose = "sign-up"
	newPasswordCode purpose = "new password"
)

// ttl is how long a code of the purpose counts.
func (p purpose) ttl() time.Duration {
	if p == newPasswordCode {
		return time.Hour
	}
	return 24 * time.Hour
}

// verification is a code that would have been mailed. One for a name that nobody has
// carries no subject and is never right: the answers look the same.
type verification struct {
	owner   string // the subject, or the name that nobody has
	purpose purpose
	sub     string
	to      string // the address that it proves
	code    string

	expires  time.Time
	failures int
}

// codeKey is what there is one code for at a time: the one sent last.
type codeKey struct {
	owner   string
	purpose purpose
}

func newCodeKey(owner string, p purpose) codeKey { return codeKey{strings.ToLower(owner), p} }

func (v verification) codeKey() codeKey { return newCodeKey(v.owner, v.purpose) }

// maxCodeFailures is how often a code may be mistyped before another one must be sent
// (assumed).
const maxCodeFailures = 5

// Why a code was refused.
var (
	errCodeExpired     = errors.New("no code is waited for, or it is too old")
	errCodeMismatch    = errors.New("wrong code")
	errTooManyAttempts = errors.New("too many wrong codes")
)

// verifications are the codes that are waited for, oldest first, and which browser
// the hosted pages asked for one.
type verifications struct {
	mu       sync.Mutex
	sent     []verification
	browsers map[string]codeKey // by the value of the cookie
}

func newVerifications() *verifications { return &verifications{browsers: map[string]codeKey{}} }

// send makes a code in place of the one before, which no longer counts.
func (e *Emulator) send(v verification) verification {
	now := e.clock.now()
	v = e.verifications.add(v, now)
	if v.sub != "" {
		e.log.Info("a code was sent: read it on the start page", "for", v.purpose, "page", e.opts.PagesURL+"/")
	}
	return v
}

func (t *verifications) add(v verification, now time.Time) verification {
	t.mu.Lock()
	defer t.mu.Unlock()
	before := ""
	t.sent = slices.DeleteFunc(t.sent, func(old verification) bool {
		if old.codeKey() == v.codeKey() {
			before = old.code
			return true
		}
		return !now.Before(old.expires)
	})
	for v.code = before; v.code == before; {
		v.code = newVerificationCode()
	}
	v.expires, v.failures = now.Add(v.purpose.ttl()), 0
	t.sent = append(t.sent, v)
	return v
}

func newVerificationCode() string {
	n, _ := rand.Int(rand.Reader, big.NewInt(1_000_000)) // see randomBytes
	return fmt.Sprintf("%06d", n)
}

// index needs the lock; it is -1 where no code of the key is waited for.
func (t *verifications) index(key codeKey) int {
	return slices.IndexFunc(t.sent, func(v verification) bool { return v.codeKey() == key })
}

// find returns the code that is waited for.
func (t *verifications) find(key codeKey) (verification, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	i := t.index(key)
	if i < 0 {
		return verification{}, false
	}
	return t.sent[i], true
}

// check returns the code that was typed, as a person types. It goes on counting until
// end, as there may be other things wrong with the request.
func (t *verifications) check(key codeKey, typed string, now time.Time) (verification, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	i := t.index(key)
	if i < 0 || !now.Before(t.sent[i].expires) {
		return verification{}, errCodeExpired
	}
	v := &t.sent[i]
	switch {
	case v.failures >= maxCodeFailures:
		return verification{}, errTooManyAttempts
	case v.sub == "" || !sameText(strings.TrimSpace(typed), v.code):
		v.failures++
		return verification{}, errCodeMismatch
	}
	return *v, nil
}

func (t *verifications) end(key codeKey) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sent = slices.DeleteFunc(t.sent, func(v verification) bool { return v.codeKey() == key })
}

// remember returns the cookie by which recall finds the key again.
func (t *verifications) remember(key codeKey) (cookie string) {
	cookie = randomText(16)
	t.mu.Lock()
	defer t.mu.Unlock()
	maps.DeleteFunc(t.browsers, func(_ string, old codeKey) bool { return t.index(old) < 0 })
	t.browsers[cookie] = key
	return cookie
}

// recall returns the code that a browser is to prove.
func (t *verifications) recall(cookie string) (verification, bool) {
	t.mu.Lock()
	key, ok := t.browsers[cookie]
	t.mu.Unlock()
	if !ok {
		return verification{}, false
	}
	return t.find(key)
}

// all are the codes of users that can be typed in now, the newest first.
func (t *verifications) all(now time.Time) []verification {
	t.mu.Lock()
	defer t.mu.Unlock()
	var list []verification
	for _, v := range slices.Backward(t.sent) {
		if v.sub != "" && now.Before(v.expires) {
			list = append(list, v)
		}
	}
	return list
}
