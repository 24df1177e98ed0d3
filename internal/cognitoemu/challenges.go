package cognitoemu

import (
	"errors"
	"sync"
	"time"
)

// challengeTTL is how long a sign-in may wait for the next answer: AuthSessionValidity
// of a new app client.
const challengeTTL = 3 * time.Minute

// Why the answer to a challenge was refused before it was looked at.
var (
	errSessionUnknown = errors.New("no such session")
	errSessionExpired = errors.New("session is expired")
	errSessionSpent   = errors.New("session was used")
)

// challenge is what a sign-in waits for.
type challenge struct {
	name     string // PASSWORD_VERIFIER, SOFTWARE_TOKEN_MFA, NEW_PASSWORD_REQUIRED
	username string // subject, or the name that somebody typed and nobody has
	clientID string
	srp      *srpServer // of PASSWORD_VERIFIER
	// deviceKey is the device that the client named.
	deviceKey string

	expires time.Time
	spent   bool
}

// challengeTable holds the challenges by what the answer must repeat: the session, or
// the secret block of PASSWORD_VERIFIER.
type challengeTable struct {
	mu      sync.Mutex
	pending map[string]*challenge
}

func newChallengeTable() *challengeTable { return &challengeTable{pending: map[string]*challenge{}} }

func (t *challengeTable) add(id string, c challenge, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for old, other := range t.pending {
		if now.After(other.expires.Add(time.Hour)) { // until then it is told why it ended
			delete(t.pending, old)
		}
	}
	c.expires = now.Add(challengeTTL)
	t.pending[id] = &c
}

func (t *challengeTable) find(id, name, clientID string, now time.Time) (challenge, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	c, ok := t.pending[id]
	switch {
	case !ok || c.name != name || c.clientID != clientID:
		return challenge{}, errSessionUnknown
	case c.spent:
		return challenge{}, errSessionSpent
	case !now.Before(c.expires):
		return challenge{}, errSessionExpired
	}
	return *c, nil
}

// spend ends a challenge and reports whether it was still open: of two right answers
// at once, one counts.
func (t *challengeTable) spend(id string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	c, ok := t.pending[id]
	if !ok || c.spent {
		return false
	}
	c.spent = true
	return true
}
