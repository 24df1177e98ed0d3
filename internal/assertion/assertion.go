// Package assertion makes the gateway's own statement of who is calling: a JWT
// (RFC 7519) for one audience, and the keys by which it is checked. An upstream that
// goes by it trusts no network and needs no token of the user's.
//
// Its keys come from the session keys, so that instances that share those share them
// too, and roll with them ([Signer.Rekey]). The one invariant: what is signed is good for a
// minute at most.
package assertion

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/gatehouse-auth/gatehouse/internal/cognito"
	"github.com/gatehouse-auth/gatehouse/internal/identity"
	"github.com/gatehouse-auth/gatehouse/internal/oauth"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

const (
	// lifetime is how long an assertion is good. Clocks may differ by half of it, for
	// none is sent that is older.
	lifetime = time.Minute
	// reuse is how long one is sent again.
	reuse = lifetime / 2
)

// Rule is that of a route: for whom an assertion is, and by which header it goes.
type Rule struct {
	audience, header string
	key              string // what was made by this rule, of [oauth.Identity.Kept]
}

// NewRule makes a rule.
func NewRule(audience, header string) *Rule {
	header = http.CanonicalHeaderKey(header)
	return &Rule{audience, header, "assertion\n" + header + "\n" + audience}
}

// Names are the headers that the rule may make, as [identity.Headers.Names] has them.
func (r *Rule) Names() []string {
	if r == nil {
		return nil
	}
	return []string{r.header}
}

// Signer makes assertions. Safe for concurrent use.
type Signer struct {
	issuer string
	ring   *secret.Ring
	keys   atomic.Pointer[keys]
}

// NewSigner returns a signer for an issuer, which is the gateway's public address, with
// keys that are derived from those of the ring.
func NewSigner(issuer string, ring *secret.Ring) *Signer {
	s := &Signer{issuer: issuer, ring: ring}
	s.Rekey()
	return s
}

// Rekey takes over the keys that the ring has now. Call it after [secret.Ring.Replace].
func (s *Signer) Rekey() { s.keys.Store(deriveKeys(s.ring)) }

// KeySet is the public half of the keys, as a JWK Set (RFC 7517 §5). Change nothing.
func (s *Signer) KeySet() []byte { return s.keys.Load().public }

// claims are what an assertion says (RFC 7519 §4.1, OpenID Connect Core §5.1).
type claims struct {
	Issuer    string `json:"iss"`
	Audience  string `json:"aud"`
	Subject   string `json:"sub"`
	IssuedAt  int64  `json:"iat"`
	ExpiresAt int64  `json:"exp"`

	Username string   `json:"username,omitempty"`
	Email    string   `json:"email,omitempty"` // verified ones only
	Groups   []string `json:"groups,omitempty"`
	Session  string   `json:"sid,omitempty"` // the public id
}

// made is an assertion that is sent for a while.
type made struct {
	header identity.Header
	by     *keys
	until  time.Time
}

// Of returns the header that says who is calling. sessionID is the public id of the
// caller's session, if there is one; an identity is that of one session. It is signed
// once in half a minute for a set of tokens, and shared between requests: change nothing.
func (s *Signer) Of(r *Rule, i *oauth.Identity, sessionID string, now time.Time) (identity.Header, error) {
	keys := s.keys.Load()
	if m, ok := i.Kept(r.key).(*made); ok && m.by == keys && now.Before(m.until) {
		return m.header, nil
	}
	token, err := jwt.Signed(keys.signer).Claims(claims{
		Issuer: s.issuer, Audience: r.audience, Subject: i.Subject, IssuedAt: now.Unix(), ExpiresAt: now.Add(lifetime).Unix(),
		Username: cognito.Username(i), Email: cognito.VerifiedEmail(i), Groups: cognito.Groups(i), Session: sessionID,
	}).Serialize()
	if err != nil {
		return identity.Header{}, fmt.Errorf("sign an assertion: %w", err)
	}
	m := &made{identity.Header{Name: r.header, Values: []string{token}}, keys, now.Add(reuse)}
	i.Keep(r.key, m, madeBytes+len(token))
	return m.header, nil
}

// madeBytes is what an assertion takes besides its text.
const madeBytes = 160
