package cognitoemu

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// openToScripts lets the scripts of some pages read the answer. The real service
// opens itself to every origin; here passwords are published and tokens are
// anyone's, so that a page of the web must not reach into a developer's machine.
// Pages of this machine may, and those of Options.AllowedOrigins. It reports
// whether the origin is one.
func (e *Emulator) openToScripts(w http.ResponseWriter, r *http.Request) bool {
	h := w.Header()
	h.Add("Vary", "Origin")
	origin := r.Header.Get("Origin")
	if origin == "" {
		return false
	}
	if !e.allows(origin) {
		e.log.Warn("a page of another machine was kept out; name its origin with --allow-origin to let it in", "origin", origin, "path", r.URL.Path)
		return false
	}
	h.Set("Access-Control-Allow-Origin", origin)
	return true
}

// preflight answers OPTIONS: what a script may send (Fetch §3.2.2).
func (e *Emulator) preflight(w http.ResponseWriter, r *http.Request, method, headers string) {
	if !e.openToScripts(w, r) {
		w.WriteHeader(http.StatusForbidden)
		return
	}
	h := w.Header()
	h.Set("Access-Control-Allow-Methods", method)
	h.Set("Access-Control-Allow-Headers", headers)
	h.Set("Access-Control-Max-Age", "600")
	w.WriteHeader(http.StatusOK)
}

func (e *Emulator) allows(origin string) bool {
	u, err := parseOrigin(origin)
	return err == nil && (isLoopback(u.Hostname()) || slices.Contains(e.opts.AllowedOrigins, u.String()))
}

// parseOrigin reads a serialised origin (RFC 6454 §6.2), as browsers send it:
// scheme, host and the port that is not the scheme's own.
func parseOrigin(raw string) (*url.URL, error) {
	u, err := url.Parse(strings.ToLower(raw))
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" ||
		u.Path != "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil || strings.ContainsAny(raw, "?#*") {
		return nil, errors.New("must be scheme, host and port only, such as https://app.test:5173")
	}
	u.Host = canonicalHost(u.Host, u.Scheme)
	return u, nil
}
