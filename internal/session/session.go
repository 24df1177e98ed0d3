// Package session is what a session is and how it lives: the model and its
// limits, the [Manager] that creates, loads, refreshes and ends sessions, the
// [Store] contract, and the sealed record that stores write.
//
// It leaves to others: cookies and everything of HTTP (it never imports
// net/http), the token endpoint's dialect ([Provider] is implemented by oauth),
// and where records lie (sessionstore).
//
// The one invariant: that a session is gone is a fact only the store can state.
// Whatever keeps the store or the provider from answering never ends a session,
// and nothing that was running when a session ended brings it back.
package session

import (
	"cmp"
	"context"
	"errors"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/oauth"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

var (
	// ErrNotFound: there is no such session. A fact, whatever the reason: never
	// made, idle, over its absolute limit, ended.
	ErrNotFound = errors.New("session not found")
	// ErrUnavailable: the store could not say. Never a reason to sign anyone out.
	ErrUnavailable = errors.New("session store unavailable")
	// ErrUnconfirmed: the session has ended, but too few replicas of the store have
	// that. If one of the others takes over now, the session is back.
	ErrUnconfirmed = errors.New("end of the session not confirmed by enough replicas")
	// ErrConflict: the record changed since it was read.
	ErrConflict = errors.New("session changed meanwhile")
	// ErrTooLarge: no record of this store holds the session, now or later.
	ErrTooLarge = errors.New("session record too large")
	// ErrNoRegistry: the store does not know which sessions there are
	// ([Traits.NoRegistry]).
	ErrNoRegistry = errors.New("session store keeps no registry")
)

// Handle is what the browser presents to name its session. To everyone but the
// store it is opaque bytes, and a credential.
type Handle = secret.Text

// Session is one snapshot of a session. A Session that a store or the manager
// returned is shared between requests: never change it, make another.
type Session struct {
	// Handle is what the browser must present next time.
	Handle Handle
	// ID names the session in lists and logs; useless as a credential.
	ID string
	// Generation counts the refreshes; it is also the version that Replace compares.
	Generation uint64

	// Issuer and Subject name the user, as in the tokens.
	Issuer    string
	Subject   string
	Username  string
	UserAgent string
	Address   string
	// SignIn is how the user signed in, where a page of theirs asked for it.
	SignIn SignIn

	CreatedAt time.Time
	// LastSeen is the last recorded use; recorded at most once in a tenth of the
	// idle timeout.
	LastSeen time.Time
	// ExpiresAt is the absolute limit.
	ExpiresAt time.Time

	// Tokens are the latest. Their claims are left out where they are the payload of
	// their token: ask [Session.AccessClaims], [Session.IDClaims] or [Session.Identity].
	Tokens oauth.Tokens
	// TokensAt is when the tokens came, at millisecond precision like all times
	// here. With Tokens.AccessExpiresAt it gives the access token's lifetime.
	TokensAt time.Time
	// Bearer and IDBearer are "Bearer " and the access or the ID token, ready for
	// the upstream (RFC 6750 §2.1). They share their memory with the tokens.
	Bearer, IDBearer secret.Text

	identity *identity
}

// SignIn is how a user signed in through a page's own form. It is zero for a login
// by redirect, of which only the provider knows.
type SignIn struct {
	// LoginID is what the user typed: a name, an address, a number.
	LoginID string
	// Flow is the provider's name for the way, such as USER_SRP_AUTH.
	Flow string
}

// IsZero reports whether nothing is known.
func (s SignIn) IsZero() bool { return s == SignIn{} }

// Over reports whether the session is past its absolute limit at now.
func (s *Session) Over(now time.Time) bool { return !now.Before(s.ExpiresAt) }

// Listing is the part of s that lists show.
func (s *Session) Listing() Listing {
	return Listing{
		ID: s.ID, Subject: s.Subject, Username: s.Username,
		UserAgent: s.UserAgent, Address: s.Address,
		CreatedAt: s.CreatedAt, LastSeen: s.LastSeen, ExpiresAt: s.ExpiresAt,
	}
}

// scheme stands before a token in an Authorization header (RFC 6750 §2.1).
const scheme = "Bearer "

// setBearers takes over the access and the ID token, each with the scheme before
// it. The claims are there.
func (s *Session) setBearers(access, id string) {
	t := &s.Tokens
	s.Bearer, t.Access = bearer(access)
	s.IDBearer, t.ID = bearer(id)
	t.AccessClaims, t.IDClaims = ownClaims(t.AccessClaims, t.Access), ownClaims(t.IDClaims, t.ID)
	s.identity = new(identity)
}

// bearer returns a header and the token in it, which share their memory; neither
// where there is no token.
func bearer(header string) (whole, token secret.Text) {
	t := strings.TrimPrefix(header, scheme)
	if t == "" {
		return secret.Text{}, secret.Text{}
	}
	return secret.NewText(header), secret.NewText(t)
}

// Listing is what may be known of a session without its handle.
type Listing struct {
	ID        string
	Subject   string
	Username  string
	UserAgent string
	Address   string
	CreatedAt time.Time
	LastSeen  time.Time
	ExpiresAt time.Time
}

// Position is the place of l among its subject's sessions.
func (l Listing) Position() Position { return Position{CreatedAt: l.CreatedAt, ID: l.ID} }

// Position is a place among a subject's sessions, which are in order of their
// creation; ids decide between equal times, so that every instance sees one order.
// The zero value is before the newest.
type Position struct {
	CreatedAt time.Time
	ID        string
}

// IsZero reports whether p is before the newest session.
func (p Position) IsZero() bool { return p.ID == "" }

// Compare is below zero where p is older than q.
func (p Position) Compare(q Position) int {
	return cmp.Or(p.CreatedAt.Compare(q.CreatedAt), cmp.Compare(p.ID, q.ID))
}

// Page is a part of a subject's sessions, newest first.
type Page struct {
	Sessions []Listing
	// Next is what the next page comes after; zero: this is the last one.
	Next Position
}

// Provider is what the manager asks of the identity provider.
type Provider interface {
	// Refresh redeems prior's refresh token (oauth.Client.Refresh).
	Refresh(ctx context.Context, prior oauth.Tokens) (oauth.Tokens, error)
	// Revoke ends the refresh token of t at the provider (oauth.Client.Revoke).
	Revoke(ctx context.Context, t oauth.Tokens) error
}
