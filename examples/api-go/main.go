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
	verify := NewVerifier(os.Getenv("COGNITO_ISSUER"), os.Getenv("COGNITO_CLIENT_ID"))
	http.HandleFunc("GET /api/me", func(w http.ResponseWriter, r *http.Request) {
		_, token, _ := strings.Cut(r.Header.Get("Authorization"), "Bearer ")
		claims, err := verify(r.Context(), token)
		switch {
		case err == nil:
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(map[string]string{"sub": claims.Subject}) // fails only where the caller has gone
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
