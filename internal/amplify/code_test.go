package amplify

import (
	"context"
	"encoding/base64"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/session"
)

var granted = grant{redirectURI: "https://app.example.com/", challenge: challengeOf("verifier"), subject: "ann"}

// newCodes returns codes that are remembered for as long as a store would.
func newCodes(t *testing.T, audience string) *codes {
	t.Helper()
	ring, err := secret.NewRing(make([]byte, secret.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	spent := map[string]time.Time{}
	return &codes{ring: ring, audience: audience, once: func(_ context.Context, name string, within time.Duration) (bool, error) {
		first := !time.Now().Before(spent[name])
		if first {
			spent[name] = time.Now().Add(within)
		}
		return first, nil
	}}
}

func TestCodes(t *testing.T) {
	within := func(name string, test func(t *testing.T, c *codes, code string)) {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCodes(t, "pool client")
				test(t, c, c.issue(granted))
			})
		})
	}
	within("are_good_up_to_their_end", func(t *testing.T, c *codes, code string) {
		time.Sleep(codeLifetime - time.Millisecond)
		if err := c.redeem(t.Context(), code, granted); err != nil {
			t.Error(err)
		}
	})
	within("are_good_no_longer", func(t *testing.T, c *codes, code string) {
		time.Sleep(codeLifetime)
		if err := c.redeem(t.Context(), code, granted); !errors.Is(err, errCodeExpired) {
			t.Errorf("error %v", err)
		}
	})
	within("are_remembered_for_longer_than_they_are_good", func(t *testing.T, c *codes, code string) {
		for _, want := range []error{nil, errCodeSpent, errCodeSpent} {
			if err := c.redeem(t.Context(), code, granted); !errors.Is(err, want) {
				t.Errorf("error %v, want %v", err, want)
			}
			time.Sleep(codeLifetime/2 - time.Millisecond)
		}
		if time.Sleep(codeLifetime); codeMemory < 2*codeLifetime {
			t.Error("an instance whose clock is behind takes the code again")
		}
	})
	within("are_for_what_they_were_issued_for", func(t *testing.T, c *codes, code string) {
		for name, other := range map[string]grant{
			"redirect_uri": {"https://app.example.com", granted.challenge, granted.subject},
			"challenge":    {granted.redirectURI, challengeOf("another"), granted.subject},
			"subject":      {granted.redirectURI, granted.challenge, "bob"},
			"no subject":   {granted.redirectURI, granted.challenge, ""},
			"shifted":      {granted.redirectURI + `" "` + granted.challenge, "", granted.subject},
		} {
			if err := c.redeem(t.Context(), code, other); !errors.Is(err, errCode) {
				t.Errorf("another %s: error %v", name, err)
			}
		}
		if err := newCodes(t, "pool another").redeem(t.Context(), code, granted); !errors.Is(err, errCode) {
			t.Errorf("another client of the same keys: error %v", err)
		}
		if err := c.redeem(t.Context(), code, granted); err != nil {
			t.Errorf("and then: %v", err)
		}
	})
	within("are_refused_in_every_other_form", func(t *testing.T, c *codes, code string) {
		raw, err := base64.RawURLEncoding.DecodeString(code)
		if err != nil {
			t.Fatal(err)
		}
		for i := range len(raw) * 8 {
			changed := append([]byte(nil), raw...)
			changed[i/8] ^= 1 << (i % 8)
			if err := c.redeem(t.Context(), base64.RawURLEncoding.EncodeToString(changed), granted); !errors.Is(err, errCode) {
				t.Fatalf("bit %d: error %v", i, err)
			}
		}
		for _, other := range []string{"", "x", code[:16], code + "AAAA", code + "=", "%", code[1:]} {
			if err := c.redeem(t.Context(), other, granted); !errors.Is(err, errCode) {
				t.Errorf("%q: error %v", other, err)
			}
		}
	})
	within("stay_good_over_an_outage", func(t *testing.T, c *codes, code string) {
		once := c.once
		c.once = func(context.Context, string, time.Duration) (bool, error) { return false, session.ErrUnavailable }
		if err := c.redeem(t.Context(), code, granted); !errors.Is(err, session.ErrUnavailable) {
			t.Errorf("error %v", err)
		}
		c.once = once
		if err := c.redeem(t.Context(), code, granted); err != nil {
			t.Error(err)
		}
	})
}

// TestChallenge has the example of RFC 7636, appendix B.
func TestChallenge(t *testing.T) {
	const verifier, challenge = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
	if got := challengeOf(verifier); got != challenge || !isChallenge(got) {
		t.Errorf("%s", got)
	}
	for _, other := range []string{"", verifier[:42], challenge + "A", challenge[:42] + "\n" + challenge[42:], challenge[:42] + "N", challenge + "="} {
		if isChallenge(other) {
			t.Errorf("%q is taken", other)
		}
	}
}
