// Command api-go is an API behind the gateway: GET /api/me says whose token it was sent.
package main

import (
	"cmp"
	"encoding/json"
	"log"
	"net/http"
	"os"
	"strings"
	"time"
)

func main() {
	caller := callerOf(os.Getenv)
	http.HandleFunc("GET /api/me", func(w http.ResponseWriter, r *http.Request) {
		subject, err := caller(r)
		switch {
		case err == nil:
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(map[string]string{"sub": subject}) // fails only where the caller has gone
		case strings.Contains(err.Error(), "fetching keys"):
			http.Error(w, "no keys to verify tokens by", http.StatusServiceUnavailable)
		default:
			w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
			http.Error(w, "invalid token", http.StatusUnauthorized)
		}
	})
	server := &http.Server{Addr: "127.0.0.1:" + cmp.Or(os.Getenv("PORT"), "3000"), ReadHeaderTimeout: 10 * time.Second}
	log.Fatal(server.ListenAndServe())
}

// callerOf returns what finds out who is calling: by the gateway's assertion where its
// issuer is set, else by the user's access token.
func callerOf(getenv func(string) string) func(*http.Request) (subject string, err error) {
	if issuer := getenv("GATEWAY_ISSUER"); issuer != "" {
		verify := NewAssertionVerifier(issuer, getenv("GATEWAY_KEYS"), getenv("ASSERTION_AUDIENCE"))
		return func(r *http.Request) (string, error) {
			a, err := verify(r.Context(), r.Header.Get("X-Gatehouse-Assertion"))
			return a.Subject, err
		}
	}
	verify := NewVerifier(getenv("COGNITO_ISSUER"), getenv("COGNITO_CLIENT_ID"))
	return func(r *http.Request) (string, error) {
		_, token, _ := strings.Cut(r.Header.Get("Authorization"), "Bearer ")
		claims, err := verify(r.Context(), token)
		return claims.Subject, err
	}
}
