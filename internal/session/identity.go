package session

import (
	"bytes"
	"encoding/json"
	"sync"
	"sync/atomic"

	"github.com/gatehouse-auth/gatehouse/internal/oauth"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// identity is what tokens say of their user, parsed when somebody asks. All
// snapshots of a session that hold the same tokens share it.
type identity struct {
	once   sync.Once
	parsed *oauth.Identity
	bytes  atomic.Int64          // what parsed takes, about, and what was made of it
	cache  atomic.Pointer[cache] // to be told of that; nil: none
}

// Identity returns what the session's tokens say of its user. They are parsed
// once, however many requests ask and however many snapshots hold them.
func (s *Session) Identity() *oauth.Identity {
	if s.identity == nil { // neither made nor opened here
		parsed, _ := s.parse()
		return parsed
	}
	s.identity.once.Do(func() {
		parsed, bytes := s.parse()
		s.identity.fill(parsed, bytes, s.ID)
	})
	return s.identity.parsed
}

func (s *Session) parse() (_ *oauth.Identity, bytes int) {
	const parsed = 5 // times its text is what a payload takes, most of it in its lists
	t := s.Tokens
	t.AccessClaims, t.IDClaims = s.AccessClaims(), s.IDClaims()
	return t.Identity(), parsed * (len(t.AccessClaims) + len(t.IDClaims))
}

// fill takes over what the tokens of the session with that id say.
func (i *identity) fill(parsed *oauth.Identity, bytes int, id string) {
	i.parsed = parsed
	parsed.Grown = func(more int) {
		i.bytes.Add(int64(more))
		if c := i.cache.Load(); c != nil {
			c.grown(id, i)
		}
	}
	parsed.Grown(bytes)
}

// size is what has been parsed so far takes, and what was made of it.
func (i *identity) size() int {
	if i == nil {
		return 0
	}
	return int(i.bytes.Load())
}

// AccessClaims returns the payload of the access token, or {} where it is no JWT.
// It is decoded anew each time: see [Session.Identity] for what is asked often.
func (s *Session) AccessClaims() json.RawMessage {
	return claims(s.Tokens.AccessClaims, s.Tokens.Access)
}

// IDClaims returns the verified payload of the ID token, as AccessClaims does.
func (s *Session) IDClaims() json.RawMessage { return claims(s.Tokens.IDClaims, s.Tokens.ID) }

func claims(own json.RawMessage, token secret.Text) json.RawMessage {
	if own != nil {
		return own
	}
	return payload(token.Reveal())
}

// ownClaims returns c, and nil where token says the same: kept beside it, its payload
// would be a third of what a session takes.
func ownClaims(c json.RawMessage, token secret.Text) json.RawMessage {
	if c == nil || bytes.Equal(c, payload(token.Reveal())) {
		return nil
	}
	return c
}
