// Package web holds what the gateway itself shows to people: the one template
// behind all of its own pages, and the files of the demo page that
// `gateway dev` serves. It also holds the modules of the browser package.
//
// It owns the look of the pages and the policy they run under. Which page an
// answer needs, its words, status, headers and cookies are left to the caller;
// the package never touches a response.
//
// The one invariant: no page holds a script, and no text from outside becomes
// anything but text. One page names a script, a file of its own.
package web

import (
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"io/fs"
	"strings"
)

//go:embed page.css
var stylesheet string

//go:embed page.html
var pageSource string

//go:embed demo/index.html demo/*.css demo/*.js demo/*.svg demo/account/*.js demo/views/*.js
var files embed.FS

//go:embed client/src/*.js
var modules embed.FS

// Modules is @gatehouse/client as browsers run it: ES modules that import each
// other by relative addresses, all in one folder.
var Modules fs.FS = subtree(modules, "client/src")

// Demo is the demo page: index.html, its modules, stylesheet and icon, all of them
// relative to the place they are served from. The client that it imports is served
// by the gateway in front. It runs under DemoCSP.
var Demo fs.FS = subtree(files, "demo")

// DemoCSP is the Content-Security-Policy for the files of Demo: everything from
// the same origin, nothing inline. 'self' in form-action is not enough for a
// form that is redirected to the user pool, so the demo signs out by fetch.
const DemoCSP = "default-src 'self'; img-src 'self' data:; object-src 'none'; " +
	"base-uri 'none'; form-action 'self'; frame-ancestors 'self'"

// styleHash allows the embedded stylesheet, and no other, to stand inline
// (CSP Level 3 §2.3.1): a page needs no second request, which on a gateway
// without a session would be refused.
var styleHash = hashSource(stylesheet)

// CSP returns the Content-Security-Policy of pages rendered by Page.Render.
// Forms may be sent to the own origin and to the given origins. Browsers apply
// form-action to every redirect that follows (CSP Level 3 §6.4.1), so the logout
// page must name the user pool's origin, and the origin it returns to.
func CSP(formAction ...string) string {
	return policy("'none'", formAction)
}

// FramedCSP is CSP for the one page that must be readable inside a frame of the
// own origin: the 401 that a frame gets, whose link opens in the top window.
// Framing it gains an attacker nothing, as its only link leads to the login.
func FramedCSP() string {
	return policy("'self'", nil)
}

// ScriptCSP is CSP for the page that names a script, [Page.Script].
func ScriptCSP() string { return policy("'none'", nil) + "; script-src 'self'" }

// policy assembles a policy. Only what names one origin is taken over from
// formAction: a stray space or semicolon would begin another directive.
func policy(ancestors string, formAction []string) string {
	var b strings.Builder
	b.WriteString("default-src 'none'; style-src '" + styleHash + "'; img-src data:; form-action 'self'")
	for _, origin := range formAction {
		if origin != "" && !strings.ContainsAny(origin, " \t\r\n;,'\"") {
			b.WriteString(" " + origin)
		}
	}
	b.WriteString("; frame-ancestors " + ancestors + "; base-uri 'none'")
	return b.String()
}

func hashSource(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

// subtree returns the folder dir of fsys. fs.Sub fails on an invalid path only,
// and dir is a constant of this package.
func subtree(fsys fs.FS, dir string) fs.FS {
	sub, err := fs.Sub(fsys, dir)
	if err != nil {
		panic(err)
	}
	return sub
}
