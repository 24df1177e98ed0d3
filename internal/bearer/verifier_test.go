package bearer_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/bearer"
	"github.com/gatehouse-auth/gatehouse/internal/oauth"
)

// pool verifies every token but "bad", as good for an hour, and counts.
type pool struct{ asked atomic.Int64 }

func (p *pool) verify(_ context.Context, token string, clients map[string]bool) (*oauth.AccessToken, error) {
	p.asked.Add(1)
	if strings.HasPrefix(token, "bad") || !clients["client"] {
		return nil, oauth.ErrInvalidToken
	}
	return &oauth.AccessToken{Subject: token, ExpiresAt: time.Now().Add(time.Hour)}, nil
}

const plenty = 1 << 20

func verifier(bytes int) (*bearer.Verifier, *pool) {
	p := &pool{}
	return bearer.NewVerifier(p.verify, []string{"client"}, bytes), p
}

func TestVerifier_remembers_to_the_tokens_end(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, p := verifier(plenty)
		check := func(token string, asked int64) {
			t.Helper()
			got, err := v.Verify(t.Context(), token)
			if err != nil || got.Subject != token || p.asked.Load() != asked {
				t.Errorf("%+v, %v, asked %d times, want %d", got, err, p.asked.Load(), asked)
			}
		}
		check("a", 1)
		check("a", 1)
		check("b", 2)
		time.Sleep(time.Hour - 1)
		check("a", 2)
		time.Sleep(time.Nanosecond)
		check("a", 3)
		check("a", 3)
	})
}

func TestVerifier_remembers_no_refusal(t *testing.T) {
	v, p := verifier(plenty)
	for i := range int64(3) {
		if got, err := v.Verify(t.Context(), "bad"); got != nil || !errors.Is(err, oauth.ErrInvalidToken) || p.asked.Load() != i+1 {
			t.Errorf("%+v, %v", got, err)
		}
	}
	if s := v.Stats(); s != (bearer.Stats{}) {
		t.Errorf("%+v", s)
	}
}

func TestVerifier_is_bounded(t *testing.T) {
	const budget = 64 * 10_000
	v, _ := verifier(budget)
	for n := range 1000 {
		if _, err := v.Verify(t.Context(), long(n)); err != nil {
			t.Fatal(err)
		}
		if s := v.Stats(); s.Bytes > budget {
			t.Fatalf("%+v after %d tokens", s, n)
		}
	}
	if s := v.Stats(); s.Tokens < 64 || s.Bytes < budget/2 {
		t.Errorf("%+v are too few", s)
	}
}

// long is a token of 1,000 bytes, of which the budget of a shard above holds two.
func long(n int) string { return fmt.Sprintf("%05d%s", n, strings.Repeat("x", 995)) }

func TestVerifier_makes_room_of_what_is_over(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, p := verifier(64 * 10_000)
		var beside []string // tokens of one shard
		for n := 0; len(beside) < 3; n++ {
			if sha256.Sum256([]byte(long(n)))[0]%64 == 0 {
				beside = append(beside, long(n))
			}
		}
		for _, token := range beside { // the first is over when the third comes
			_, _ = v.Verify(t.Context(), token)
			time.Sleep(31 * time.Minute)
		}
		_, _ = v.Verify(t.Context(), beside[2])
		if p.asked.Load() != 3 {
			t.Error("the newest was forgotten")
		}
		if s := v.Stats(); s.Tokens != 2 {
			t.Errorf("%+v", s)
		}
	})
}

func TestVerifier_takes_no_token_that_alone_is_too_large(t *testing.T) {
	v, _ := verifier(64 * 1000)
	if _, err := v.Verify(t.Context(), strings.Repeat("x", 5000)); err != nil || v.Stats().Tokens != 0 {
		t.Errorf("%v, %+v", err, v.Stats())
	}
}

func TestVerifier_allocates_nothing_for_a_token_it_knows(t *testing.T) {
	v, _ := verifier(plenty)
	token := strings.Repeat("x", 1000)
	if _, err := v.Verify(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(100, func() { _, _ = v.Verify(t.Context(), token) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestVerifier_serves_many_at_once(t *testing.T) {
	v, _ := verifier(64 * 10_000)
	var all sync.WaitGroup
	for worker := range 8 {
		all.Go(func() {
			for n := range 300 {
				token := fmt.Sprint(n%50*(worker%3+1), strings.Repeat("x", 900))
				if got, err := v.Verify(t.Context(), token); err != nil || got.Subject != token {
					t.Errorf("%+v, %v", got, err)
				}
			}
		})
	}
	all.Wait()
}

func BenchmarkVerifier(b *testing.B) {
	v, _ := verifier(plenty)
	token := strings.Repeat("x", 1000)
	for b.Loop() {
		_, _ = v.Verify(b.Context(), token)
	}
}
