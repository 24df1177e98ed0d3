// Package fetchmeta reads what a browser says about the kind and origin of a
// request: fetch metadata (W3C Fetch Metadata Request Headers), Origin and
// Accept. It decides nothing about sessions. The one invariant: everything here
// is a pure function of the request's headers and method.
package fetchmeta

import (
	"net/http"
	"slices"
	"strings"
)

// Navigation reports whether the request loads a document: Sec-Fetch-Mode
// navigate or, without fetch metadata, a GET or HEAD whose Accept names text/html.
func Navigation(r *http.Request) bool {
	if mode := r.Header.Get("Sec-Fetch-Mode"); mode != "" {
		return mode == "navigate"
	}
	if r.Header.Get("Sec-Fetch-Site") != "" || r.Header.Get("Sec-Fetch-Dest") != "" {
		return false
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return false
	}
	for _, v := range r.Header.Values("Accept") {
		if strings.Contains(strings.ToLower(v), "text/html") {
			return true
		}
	}
	return false
}

// LoginNavigation reports whether the request may be sent to log in: a GET
// navigation of a top window that somebody waits for. A frame, a prefetch and a
// form's POST are not.
//
// A service worker that passes a navigation on makes its destination empty. No
// script can ask for the mode navigate (Fetch §5.4), so the mode tells such a
// navigation from a script's own call.
func LoginNavigation(r *http.Request) bool {
	if r.Method != http.MethodGet || !Navigation(r) || Speculative(r) {
		return false
	}
	switch r.Header.Get("Sec-Fetch-Dest") {
	case "", "document", "empty":
		return true
	}
	return false
}

// OwnNavigation reports whether the browser says that a page of the request's own
// origin sends the top window here: not an image on it, nor another site through a
// redirect. What a service worker passes on may have begun anywhere.
func OwnNavigation(r *http.Request) bool {
	site, dest := r.Header["Sec-Fetch-Site"], r.Header["Sec-Fetch-Dest"]
	return LoginNavigation(r) && slices.Equal(site, []string{"same-origin"}) && slices.Equal(dest, []string{"document"})
}

// Speculative reports whether the browser says that nobody asked for this yet: a
// prefetch, also for a page that is rendered ahead.
func Speculative(r *http.Request) bool { return len(r.Header["Sec-Purpose"]) > 0 }

// Present reports whether the browser says anything about the request's kind.
func Present(r *http.Request) bool {
	for _, name := range [...]string{"Sec-Fetch-Mode", "Sec-Fetch-Site", "Sec-Fetch-Dest", "Sec-Purpose"} {
		if len(r.Header[name]) > 0 {
			return true
		}
	}
	return false
}

// WebSocket reports whether the request is a WebSocket handshake (RFC 6455 §4.1).
func WebSocket(r *http.Request) bool {
	return strings.EqualFold(r.Header.Get("Upgrade"), "websocket")
}

// Preflight reports whether the request is a CORS preflight (Fetch, §3.2.2).
func Preflight(r *http.Request) bool {
	return r.Method == http.MethodOptions && r.Header.Get("Origin") != "" &&
		r.Header.Get("Access-Control-Request-Method") != ""
}
