package admin

import (
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/problem"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

const (
	challenge = `Bearer realm="gatehouse admin"`

	// maxGuesses is how many wrong tokens a guessWindow may have before the next
	// are 429. Whose they are does not count: a guesser has many addresses.
	maxGuesses  = 10
	guessWindow = time.Minute
)

// tokenGuard asks for admin_token (RFC 6750 §2.1). Safe for concurrent use.
type tokenGuard struct {
	token secret.Text // empty: none is asked for
	log   *slog.Logger

	mu    sync.Mutex
	since time.Time
	wrong int
}

// refuse returns why a request may not pass, nil if it may. The right token
// passes whatever others guess: nobody shuts the operator out.
func (g *tokenGuard) refuse(r *http.Request) *problem.Error {
	if g.token.Empty() {
		return nil
	}
	scheme, sent, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if strings.EqualFold(scheme, "Bearer") && g.token.Equal(secret.NewText(sent)) {
		return nil
	}
	if sent != "" {
		if wait := g.guessed(time.Now()); wait > 0 {
			return &problem.Error{Status: http.StatusTooManyRequests, Code: "too_many_attempts",
				Public: "Too many wrong tokens.", RetryAfter: wait}
		}
	}
	return &problem.Error{Status: http.StatusUnauthorized, Code: "admin_token_required",
		Public: "Send admin_token as a bearer token.",
		Header: http.Header{"Www-Authenticate": {challenge}}}
}

// guard puts the question before a handler that answers in plain text.
func (g *tokenGuard) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		refused := g.refuse(r)
		if refused == nil {
			next.ServeHTTP(w, r)
			return
		}
		refused.SetHeaders(w.Header())
		plain(w, refused.Status, refused.Public)
	})
}

// guessed counts a wrong token, and returns how long there have been too many.
func (g *tokenGuard) guessed(now time.Time) (wait time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if now.Sub(g.since) >= guessWindow {
		g.since, g.wrong = now, 0
	}
	g.wrong++
	if g.wrong <= maxGuesses {
		return 0
	}
	if g.wrong == maxGuesses+1 {
		g.log.Warn("too many wrong admin tokens", "within", guessWindow.String())
	}
	return g.since.Add(guessWindow).Sub(now)
}
