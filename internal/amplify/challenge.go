package amplify

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/gatehouse-auth/gatehouse/internal/problem"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/session"
)

const challengeLabel = "amplify challenge v1"

// challenge is a sign-in between two calls of a page. It travels through the page as
// the Session of the user-pool API, sealed: so it is the gateway's own word how
// the sign-in began, whichever instance it comes back to.
type challenge struct {
	// Session is the user pool's own; empty where it gave none.
	Session string         `json:"s,omitempty"`
	SignIn  session.SignIn `json:"i"`
}

// challenges seals challenges and opens them.
type challenges struct {
	ring *secret.Ring
	aad  []byte
}

func newChallenges(ring *secret.Ring, audience session.Audience) challenges {
	return challenges{ring: ring, aad: []byte(audience.String())}
}

func (s challenges) seal(c challenge) (string, error) {
	plain, err := json.Marshal(c)
	if err != nil {
		return "", fmt.Errorf("seal challenge: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(s.ring.Seal(challengeLabel, plain, s.aad)), nil
}

// open returns the challenge of a text that a page sent; the zero one for no text.
func (s challenges) open(text string) (c challenge, err error) {
	if text == "" {
		return c, nil
	}
	sealed, err := base64.RawURLEncoding.DecodeString(text)
	if err == nil {
		sealed, err = s.ring.Open(challengeLabel, sealed, s.aad)
	}
	if err == nil {
		err = json.Unmarshal(sealed, &c)
	}
	if err != nil {
		return challenge{}, &problem.Error{Status: http.StatusBadRequest, Code: "invalid_challenge", Err: err,
			Public: "Invalid session for the user: begin the sign-in anew."}
	}
	return c, nil
}
