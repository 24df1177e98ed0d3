package cognitoemu

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"slices"
	"sync"
	"time"
)

// Why a refresh token was refused. The token endpoint says invalid_grant to all
// of them; the JSON API tells them apart.
var (
	errRefreshUnknown = errors.New("invalid refresh token")
	errRefreshRevoked = errors.New("refresh token has been revoked")
	errRefreshExpired = errors.New("refresh token has expired")
	errRefreshReused  = errors.New("refresh token was used before")
)

// grant is one sign-in: all tokens that descend from it share its origin_jti, and
// revocation is by that.
type grant struct {
	originJTI string
	sub       string
	clientID  string
	deviceKey string // "" where devices are not tracked
	scopes    []string
	nonce     string
	resource  string // audience of the access token, RFC 8707
	authTime  time.Time
	expires   time.Time // of every refresh token of the grant: rotation does not prolong it
	// viaAPI marks a sign-in by InitiateAuth, whose tokens differ: no at_hash.
	viaAPI  bool
	revoked bool
}

// refreshToken is one presentable token of a grant.
type refreshToken struct {
	originJTI  string
	replacedAt time.Time // first use under rotation; zero before
}

// grantTable holds what was granted. Refresh tokens are kept by their hash, since
// nothing ever needs them back.
type grantTable struct {
	mu      sync.Mutex
	grants  map[string]*grant // by origin_jti
	refresh map[[sha256.Size]byte]*refreshToken
}

func newGrantTable() *grantTable {
	return &grantTable{grants: map[string]*grant{}, refresh: map[[sha256.Size]byte]*refreshToken{}}
}

// begin stores g under a new origin_jti and makes its first refresh token.
func (t *grantTable) begin(g grant, now time.Time) (grant, string) {
	g.originJTI = newUUID()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sweep(now)
	t.grants[g.originJTI] = &g
	return g, t.mint(g.originJTI)
}

// sweep forgets what can never be asked for again. The extra day outlasts the
// longest access token, so that a revoked one is never taken for a live one.
func (t *grantTable) sweep(now time.Time) {
	for id, g := range t.grants {
		if now.After(g.expires.Add(24 * time.Hour)) {
			delete(t.grants, id)
		}
	}
	for hash, token := range t.refresh {
		if _, ok := t.grants[token.originJTI]; !ok {
			delete(t.refresh, hash)
		}
	}
}

func (t *grantTable) mint(originJTI string) string {
	raw := newRefreshTokenText()
	t.refresh[sha256.Sum256([]byte(raw))] = &refreshToken{originJTI: originJTI}
	return raw
}

// rotation is the refresh rule of one client.
type rotation struct {
	enabled bool
	grace   time.Duration
}

// redeem checks a refresh token and, under rotation, makes its successor. A second
// use within the grace gets a successor of its own, and a use after it ends
// nothing but itself (both assumed: neither is documented).
func (t *grantTable) redeem(raw, clientID string, rule rotation, now time.Time) (grant, string, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	token, ok := t.refresh[sha256.Sum256([]byte(raw))]
	if !ok {
		return grant{}, "", errRefreshUnknown
	}
	g := t.grants[token.originJTI]
	switch {
	case g.clientID != clientID:
		return grant{}, "", errRefreshUnknown
	case g.revoked:
		return grant{}, "", errRefreshRevoked
	case !now.Before(g.expires):
		return grant{}, "", errRefreshExpired
	case !token.replacedAt.IsZero() && !now.Before(token.replacedAt.Add(rule.grace)):
		return grant{}, "", errRefreshReused
	case !rule.enabled:
		return *g, "", nil
	}
	if token.replacedAt.IsZero() {
		token.replacedAt = now
	}
	return *g, t.mint(token.originJTI), nil
}

// revoke ends the grant that the refresh token belongs to. A token that is unknown
// or another client's changes nothing and is no error.
func (t *grantTable) revoke(raw, clientID string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	token, ok := t.refresh[sha256.Sum256([]byte(raw))]
	if !ok {
		return
	}
	if g := t.grants[token.originJTI]; g.clientID == clientID {
		g.revoked = true
	}
}

// revokeUser ends every grant of a user, for all clients.
func (t *grantTable) revokeUser(sub string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, g := range t.grants {
		if g.sub == sub {
			g.revoked = true
		}
	}
}

// live reports whether the grant still stands.
func (t *grantTable) live(originJTI string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	g, ok := t.grants[originJTI]
	return ok && !g.revoked
}

func (g grant) hasScope(scope string) bool { return slices.Contains(g.scopes, scope) }

// refreshTokenHeader is the JOSE header of the real ones.
var refreshTokenHeader = base64.RawURLEncoding.EncodeToString([]byte(`{"cty":"JWT","enc":"A256GCM","alg":"RSA-OAEP"}`))

// newRefreshTokenText has the shape and size of a real refresh token, a five-part
// JWE of about 1.8 kB, so that cookies and headers meet the real load. Nothing is
// encrypted in it: key, IV, ciphertext and tag are random.
func newRefreshTokenText() string {
	return refreshTokenHeader + "." + randomText(256) + "." + randomText(12) + "." + randomText(1010) + "." + randomText(16)
}
