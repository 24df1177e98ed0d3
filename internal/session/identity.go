package session

import (
	"sync"

	"github.com/gatehouse-auth/gatehouse/internal/oauth"
)

// identity is what tokens say of their user, parsed when somebody asks. All
// snapshots of a session that hold the same tokens share it.
type identity struct {
	once   sync.Once
	parsed *oauth.Identity
}

// Identity returns what the session's tokens say of its user. They are parsed
// once, however many requests ask and however many snapshots hold them.
func (s *Session) Identity() *oauth.Identity {
	if s.identity == nil { // neither made nor opened here
		return s.Tokens.Identity()
	}
	s.identity.once.Do(func() { s.identity.parsed = s.Tokens.Identity() })
	return s.identity.parsed
}
