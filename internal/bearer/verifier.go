// Package bearer judges access tokens that callers bring themselves: where a token
// stands in a request, and whom it proves. Tokens that were verified are remembered, so
// that a caller's signature is checked once and not at each request.
//
// How a token is verified is left to package oauth, and what a request with a bad one is
// answered to package middleware. The one invariant: nothing is remembered but what was
// verified, and nothing longer than the token itself is good.
package bearer

import (
	"context"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/oauth"
)

// Verifier verifies tokens. Safe for concurrent use.
type Verifier struct {
	verify  func(ctx context.Context, token string, clients map[string]bool) (*oauth.AccessToken, error)
	clients map[string]bool
	kept    *memory
}

// NewVerifier returns a verifier that takes tokens of these clients. verify is
// [oauth.Client.VerifyAccess], whose every good answer is remembered in at most that many
// bytes.
func NewVerifier(
	verify func(ctx context.Context, token string, clients map[string]bool) (*oauth.AccessToken, error),
	clients []string, bytes int,
) *Verifier {
	v := &Verifier{verify: verify, clients: make(map[string]bool, len(clients)), kept: newMemory(bytes)}
	for _, c := range clients {
		v.clients[c] = true
	}
	return v
}

// Verify returns whom a token proves. A token that was verified before is good to its
// end, whatever has become of the key that signed it.
//
// Errors: as [oauth.Client.VerifyAccess].
func (v *Verifier) Verify(ctx context.Context, token string) (*oauth.AccessToken, error) {
	n := nameOf(token)
	if known := v.kept.get(n, time.Now()); known != nil {
		return known, nil
	}
	t, err := v.verify(ctx, token, v.clients)
	if err != nil {
		return nil, err
	}
	v.kept.put(n, t, len(token))
	return t, nil
}

// Stats are figures of what is remembered.
type Stats struct {
	Tokens, Bytes int
}

// Stats returns the figures as they are now.
func (v *Verifier) Stats() Stats { return v.kept.stats() }
