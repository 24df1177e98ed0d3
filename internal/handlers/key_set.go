package handlers

import (
	"net/http"

	"github.com/gatehouse-auth/gatehouse/internal/middleware"
	"github.com/gatehouse-auth/gatehouse/internal/problem"
)

// KeySet is GET {mount}/jwks.json: the keys by which an API checks assertions, for
// whoever asks.
type KeySet struct {
	// Of returns them as a JWK Set.
	Of func() []byte
}

// Serve answers with the keys. They are public, and read by programs that keep them: so
// they may be cached where answers may not, for less time than a key is published before
// it signs.
func (k *KeySet) Serve(w http.ResponseWriter, _ *http.Request, _ *middleware.Exchange) error {
	h := w.Header()
	problem.OwnHeaders(h)
	h.Set("Cache-Control", "public, max-age=300")
	h.Set("Content-Type", "application/jwk-set+json") // RFC 7517 §8.5.2
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(k.Of()) // a client that left cannot be told
	return nil
}
