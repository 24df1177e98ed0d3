//go:build !production

package command

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/websocket"

	"github.com/gatehouse-auth/gatehouse/web"
)

const (
	sampleEchoLimit = 1 << 20 // bytes of a body that /api/echo returns, or of a message of /api/socket
	sampleSlowLimit = time.Minute
	sampleTick      = time.Second
)

// newSample returns the API that `gateway dev` puts behind the gateway: what an
// application's own service would see of a signed-in user. With demo not nil it
// serves those files below / as well.
//
// It verifies no token and says so, since nothing but the gateway reaches it in
// dev mode. It never sends a token back, which a browser would then hold.
func newSample(demo fs.FS) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/hello", sampleHello)
	mux.HandleFunc("GET /api/events", sampleEvents)
	mux.HandleFunc("POST /api/echo", sampleEcho)
	mux.HandleFunc("GET /api/slow", sampleSlow)
	mux.Handle("GET /api/socket", websocket.Server{Handler: sampleSocket})
	mux.HandleFunc("/api/", sampleNotFound)
	if demo != nil {
		mux.Handle("/", demoFiles(demo))
	}
	return mux
}

// sampleClaims are the claims of an access token that the sample shows.
type sampleClaims struct {
	Subject  string   `json:"sub"`
	Username string   `json:"username"`
	Groups   []string `json:"cognito:groups"`
	Scope    string   `json:"scope"`
}

type helloAnswer struct {
	Greeting string            `json:"greeting"`
	Subject  string            `json:"subject,omitempty"`
	Username string            `json:"username,omitempty"`
	Groups   []string          `json:"groups"`
	Scope    string            `json:"scope,omitempty"`
	Verified bool              `json:"verified"`
	Note     string            `json:"note"`
	Headers  map[string]string `json:"headers"`
	Time     time.Time         `json:"time"`
}

func sampleHello(w http.ResponseWriter, r *http.Request) {
	claims := bearerClaims(r)
	greeting := "Hello, stranger!"
	if claims.Subject != "" {
		greeting = "Hello! The gateway told me who you are."
	}
	groups := claims.Groups
	if groups == nil {
		groups = []string{}
	}
	sampleJSON(w, http.StatusOK, helloAnswer{
		Greeting: greeting,
		Subject:  claims.Subject,
		Username: claims.Username,
		Groups:   groups,
		Scope:    claims.Scope,
		Note:     "The claims were decoded, not verified: a real API checks signature, issuer and expiry.",
		Headers:  maskedHeaders(r.Header),
		Time:     time.Now().UTC(),
	})
}

// bearerClaims decodes the claims of the bearer token without verifying them;
// what cannot be decoded counts as no token.
func bearerClaims(r *http.Request) sampleClaims {
	var claims sampleClaims
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return claims
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil || json.Unmarshal(payload, &claims) != nil {
		return sampleClaims{}
	}
	return claims
}

// jwtShape finds a JSON Web Token, or the opaque JWE that Cognito's refresh
// tokens are, anywhere in a value. Both begin with base64url of `{"`.
var jwtShape = regexp.MustCompile(`ey[A-Za-z0-9_-]{8,}(\.[A-Za-z0-9_-]*)+`)

// maskedHeaders lists what the sample received. Authorization, and anything that
// looks like a token under another name, is shown by its length only.
func maskedHeaders(h http.Header) map[string]string {
	masked := make(map[string]string, len(h))
	for name, values := range h {
		value := strings.Join(values, ", ")
		if name == "Authorization" {
			masked[name] = maskCredentials(value)
			continue
		}
		masked[name] = jwtShape.ReplaceAllStringFunc(value, mask)
	}
	return masked
}

// maskCredentials keeps the scheme of an Authorization header, which is no
// secret and worth seeing.
func maskCredentials(value string) string {
	scheme, credentials, ok := strings.Cut(value, " ")
	if !ok {
		return mask(value)
	}
	return scheme + " " + mask(credentials)
}

func mask(secret string) string {
	return fmt.Sprintf("%s… (%d characters)", secret[:min(2, len(secret)/8)], len(secret))
}

// sampleEvents sends a server-sent event each second until the client leaves.
func sampleEvents(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	out := http.NewResponseController(w)
	ticker := time.NewTicker(sampleTick)
	defer ticker.Stop()
	for n := 1; ; n++ {
		now := time.Now().UTC().Format(time.RFC3339)
		if _, err := fmt.Fprintf(w, "event: tick\nid: %d\ndata: {\"n\":%d,\"time\":%q}\n\n", n, n, now); err != nil {
			return
		}
		if out.Flush() != nil {
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-ticker.C:
		}
	}
}

// sampleEcho sends the body back as it arrives, up to 1 MiB. It answers JSON as
// JSON and all else as bytes: an echo of HTML would be a page of this origin.
func sampleEcho(w http.ResponseWriter, r *http.Request) {
	contentType := "application/octet-stream"
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		contentType = "application/json; charset=utf-8"
	}
	if r.ContentLength > sampleEchoLimit {
		sampleProblem(w, http.StatusRequestEntityTooLarge, "The echo takes at most 1 MiB.")
		return
	}
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	// HTTP/1 servers otherwise read the whole body before the answer begins.
	_ = http.NewResponseController(w).EnableFullDuplex()
	// The status is sent by then; a broken connection is the client's own news.
	_, _ = io.Copy(w, http.MaxBytesReader(w, r.Body, sampleEchoLimit))
}

// sampleSocket is a WebSocket that greets whom the gateway says is there, and then
// sends back each message as it came, up to 1 MiB. That a page of this origin opened
// it the gateway has seen to.
func sampleSocket(conn *websocket.Conn) {
	conn.MaxPayloadBytes = sampleEchoLimit
	text := "Hello, " + cmp.Or(bearerClaims(conn.Request()).Username, "stranger") + "!"
	for websocket.Message.Send(conn, text) == nil {
		if websocket.Message.Receive(conn, &text) != nil {
			return
		}
	}
}

// sampleSlow answers after the given number of milliseconds, a minute at most.
func sampleSlow(w http.ResponseWriter, r *http.Request) {
	ms, err := strconv.Atoi(r.URL.Query().Get("ms"))
	if err != nil || ms < 0 || int64(ms) > sampleSlowLimit.Milliseconds() {
		sampleProblem(w, http.StatusBadRequest, "ms is a number of milliseconds between 0 and 60000.")
		return
	}
	if waitFor(r.Context(), time.Duration(ms)*time.Millisecond) {
		sampleJSON(w, http.StatusOK, map[string]int{"waitedMs": ms})
	}
}

// waitFor reports whether d passed before ctx was done.
func waitFor(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

func sampleNotFound(w http.ResponseWriter, _ *http.Request) {
	sampleProblem(w, http.StatusNotFound, "The sample API has GET /api/hello, /api/events, /api/slow and /api/socket, and POST /api/echo.")
}

func sampleProblem(w http.ResponseWriter, status int, detail string) {
	sampleJSON(w, status, map[string]any{
		"type": "about:blank", "title": http.StatusText(status), "status": status, "detail": detail,
	})
}

func sampleJSON(w http.ResponseWriter, status int, answer any) {
	contentType := "application/json; charset=utf-8"
	if status >= http.StatusBadRequest {
		contentType = "application/problem+json"
	}
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	_ = encoder.Encode(answer) // the status is sent; there is nobody left to tell
}

// demoFiles serves the demo page under its policy, never from a cache: the
// files change with the binary, and carry no date.
func demoFiles(demo fs.FS) http.Handler {
	files := http.FileServerFS(demo)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", web.DemoCSP)
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		files.ServeHTTP(w, r)
	})
}
