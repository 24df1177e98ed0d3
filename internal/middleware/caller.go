package middleware

import (
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/oauth"
	"github.com/gatehouse-auth/gatehouse/internal/routing"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/session"
)

// Caller is who makes a request, however that was proved. The zero value is
// nobody. What is to be known of the user is asked of the caller; its session is only
// for code that acts on a session.
type Caller struct {
	// Subject is the user's sub, or the client's where a machine calls; empty for nobody.
	Subject string
	// Session is the session that the request came with, as it is now; nil without
	// one.
	Session *session.Session
	// Token is the access token that the request brought; nil without one. A caller
	// with a token has no session.
	Token *oauth.AccessToken

	// authorization is "Bearer " and the text of Token.
	authorization secret.Text
}

// CallerOf returns the caller that a session proves; nil proves nobody.
func CallerOf(s *session.Session) Caller {
	if s == nil {
		return Caller{}
	}
	return Caller{Subject: s.Subject, Session: s}
}

// CallerWith returns the caller that an access token proves; authorization is the header
// that shows it.
func CallerWith(t *oauth.AccessToken, authorization secret.Text) Caller {
	return Caller{Subject: t.Subject, Token: t, authorization: authorization}
}

// Anonymous reports whether nobody is known to make the request.
func (c *Caller) Anonymous() bool { return c.Session == nil && c.Token == nil }

// SessionID is the public id of the caller's session; empty without one.
func (c *Caller) SessionID() string {
	if c.Session == nil {
		return ""
	}
	return c.Session.ID
}

// Identity returns what is verified of the caller, who must not be anonymous. It
// is parsed once a set of tokens, not once a request.
func (c *Caller) Identity() *oauth.Identity {
	if c.Token != nil {
		return c.Token.Identity
	}
	return c.Session.Identity()
}

// AuthTime is when the user signed in; zero where nobody knows.
func (c *Caller) AuthTime() time.Time {
	if c.Token != nil {
		return c.Token.AuthTime
	}
	return c.Session.Tokens.AuthTime
}

// Bearer returns the Authorization header that shows the caller to an upstream by
// the token that it wants; empty if it wants none, or there is none.
func (c *Caller) Bearer(token routing.Token) secret.Text {
	switch {
	case c.Anonymous():
		return secret.Text{}
	case c.Token != nil && token == routing.TokenAccess:
		return c.authorization
	case c.Token != nil: // there is no ID token
		return secret.Text{}
	case token == routing.TokenAccess:
		return c.Session.Bearer
	case token == routing.TokenID:
		return c.Session.IDBearer
	}
	return secret.Text{}
}
