package amplify

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/problem"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/session"
)

func ring(t *testing.T) *secret.Ring {
	t.Helper()
	key, err := base64.StdEncoding.DecodeString(secret.NewKey())
	if err != nil {
		t.Fatal(err)
	}
	r, err := secret.NewRing(key)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestChallenges(t *testing.T) {
	keys := ring(t)
	ours := newChallenges(keys, session.Audience{Issuer: "pool", ClientID: "client"})
	want := challenge{Session: "the pool's own", SignIn: session.SignIn{LoginID: "ann", Flow: "USER_SRP_AUTH"}}
	sealed, err := ours.seal(want)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := ours.open(sealed); err != nil || got != want {
		t.Errorf("opened as %+v, %v", got, err)
	}
	if got, err := ours.open(""); err != nil || got != (challenge{}) {
		t.Errorf("nothing opens as %+v, %v", got, err)
	}
	for name, tc := range map[string]struct {
		by   challenges
		text string
	}{
		"another_client":   {newChallenges(keys, session.Audience{Issuer: "pool", ClientID: "other"}), sealed},
		"another_key_ring": {newChallenges(ring(t), session.Audience{Issuer: "pool", ClientID: "client"}), sealed},
		"a_change":         {ours, strings.Replace(sealed, sealed[20:22], "AA", 1)},
		"its_half":         {ours, sealed[:len(sealed)/2]},
		"the_pools_own":    {ours, want.Session},
		"no_base64":        {ours, "é"},
	} {
		t.Run("do_not_open_"+name, func(t *testing.T) {
			got, err := tc.by.open(tc.text)
			var p *problem.Error
			if !errors.As(err, &p) || p.Code != "invalid_challenge" || got != (challenge{}) {
				t.Errorf("opened as %+v, %v", got, err)
			}
		})
	}
}

func TestUserKey(t *testing.T) {
	if userKey(" Ann@Example.com") != userKey("ann@example.com ") || userKey("ann") == userKey("bob") {
		t.Error("names are told apart wrongly")
	}
	if n := len(userKey(strings.Repeat("a", 1000))); n != 128 {
		t.Errorf("a key of %d bytes", n)
	}
}
