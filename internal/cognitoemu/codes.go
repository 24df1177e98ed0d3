package cognitoemu

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"sync"
	"time"
)

const codeTTL = 5 * time.Minute

// authorizationCode is what a code stands for until it is redeemed.
type authorizationCode struct {
	grant       grant
	redirectURI string
	challenge   string // PKCE S256; empty where none was sent
	expires     time.Time
}

// codeTable holds the codes that nobody has presented yet.
type codeTable struct {
	mu    sync.Mutex
	codes map[string]authorizationCode
}

func newCodeTable() *codeTable { return &codeTable{codes: map[string]authorizationCode{}} }

func (t *codeTable) add(code authorizationCode, now time.Time) string {
	raw := newUUID()
	t.mu.Lock()
	defer t.mu.Unlock()
	for id, old := range t.codes {
		if !now.Before(old.expires) {
			delete(t.codes, id)
		}
	}
	t.codes[raw] = code
	return raw
}

// take burns a code: the first attempt is the only one, whatever comes of it.
func (t *codeTable) take(raw string, now time.Time) (authorizationCode, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	code, ok := t.codes[raw]
	delete(t.codes, raw)
	return code, ok && now.Before(code.expires)
}

// provenBy checks the code verifier (RFC 7636 §4.6). A verifier without a
// challenge is refused too (assumed), which catches a client whose challenge got
// lost on the way.
func (c authorizationCode) provenBy(verifier string) bool {
	if c.challenge == "" {
		return verifier == ""
	}
	digest := sha256.Sum256([]byte(verifier))
	computed := base64.RawURLEncoding.EncodeToString(digest[:])
	return subtle.ConstantTimeCompare([]byte(computed), []byte(c.challenge)) == 1
}
