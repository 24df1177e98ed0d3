package middleware

import (
	"github.com/gatehouse-auth/gatehouse/internal/oauth"
	"github.com/gatehouse-auth/gatehouse/internal/routing"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/session"
)

// Caller is who makes a request, however that was proved. The zero value is
// nobody. What is to be known of the user is asked of the caller; its session is only
// for code that acts on a session.
type Caller struct {
	// Subject is the user's sub; empty for nobody.
	Subject string
	// Session is the session that the request came with, as it is now; nil without
	// one.
	Session *session.Session
}

// CallerOf returns the caller that a session proves; nil proves nobody.
func CallerOf(s *session.Session) Caller {
	if s == nil {
		return Caller{}
	}
	return Caller{Subject: s.Subject, Session: s}
}

// Anonymous reports whether nobody is known to make the request.
func (c *Caller) Anonymous() bool { return c.Session == nil }

// SessionID is the public id of the caller's session; empty without one.
func (c *Caller) SessionID() string {
	if c.Session == nil {
		return ""
	}
	return c.Session.ID
}

// Identity returns what is verified of the caller, who must not be anonymous. It
// is parsed once a set of tokens, not once a request.
func (c *Caller) Identity() *oauth.Identity { return c.Session.Identity() }

// Bearer returns the Authorization header that shows the caller to an upstream by
// the token that it wants; empty if it wants none, or there is none.
func (c *Caller) Bearer(token routing.Token) secret.Text {
	switch {
	case c.Anonymous():
		return secret.Text{}
	case token == routing.TokenAccess:
		return c.Session.Bearer
	case token == routing.TokenID:
		return c.Session.IDBearer
	}
	return secret.Text{}
}
