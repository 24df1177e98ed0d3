package cognitoemu

import (
	"bytes"
	"embed"
	"html/template"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
)

//go:embed pages
var pageFiles embed.FS

// pageTemplates are one template set a page, each with the common frame.
var pageTemplates = parsePages("login", "signup", "confirm", "forgot", "newpassword", "mfa", "provider", "error", "about")

func parsePages(names ...string) map[string]*template.Template {
	pages := make(map[string]*template.Template, len(names))
	for _, name := range names {
		pages[name] = template.Must(template.ParseFS(pageFiles, "pages/frame.html", "pages/resend.html", "pages/"+name+".html"))
	}
	return pages
}

// view is what every page shows.
type view struct {
	Title  string
	Client string   // name of the app that asked
	Alerts []string // what went wrong with the last attempt
	Notice string   // what went right with it
	Data   any
}

// formView is a page's form: where it goes and what it carries.
type formView struct {
	Action string // path and the unchanged authorization query
	CSRF   string
}

func (e *Emulator) form(w http.ResponseWriter, r *http.Request) formView {
	return formView{Action: localURL(r.URL.EscapedPath(), r.URL.RawQuery), CSRF: e.formToken(w, r)}
}

// localURL is a link to a page with the authorization query as it was sent: the
// templates normalise it but escape no percent sign again.
func localURL(path, rawQuery string) string {
	return "/" + strings.TrimLeft(path, "/") + "?" + rawQuery
}

// render writes a page. formTargets are where a form's answer may redirect to: Chromium
// applies form-action to every redirect of a submission.
func (e *Emulator) render(w http.ResponseWriter, status int, name string, v view, formTargets ...string) {
	var body bytes.Buffer
	if err := pageTemplates[name].ExecuteTemplate(&body, "frame.html", v); err != nil {
		e.log.Error("render page", "page", name, "err", err)
		http.Error(w, "The page could not be made.", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; "+
		"frame-ancestors 'none'; form-action "+strings.Join(append([]string{"'self'"}, formTargets...), " "))
	h.Set("X-Frame-Options", "DENY")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	w.WriteHeader(status)
	_, _ = body.WriteTo(w) // the browser has gone
}

// formTargets are the schemes of a client's callbacks, and the web: the callback itself
// redirects on, to wherever the person was going, which may be another host.
func formTargets(client Client) []string {
	targets := []string{"http:", "https:"}
	for _, raw := range client.CallbackURLs {
		if u, err := url.Parse(raw); err == nil && !slices.Contains(targets, u.Scheme+":") {
			targets = append(targets, u.Scheme+":")
		}
	}
	return targets
}

// errorView is what the error page says.
type errorView struct {
	Heading string
	Text    string
	Code    string // the error parameter, for whoever looks for it
	Retry   string // path to start the page over; empty: none
	Client  string // name of the app that asked
	App     string // its address; empty: not known
}

// renderError shows what went wrong, and the way back to the app that the request
// names: to the origin of its first callback, as nothing else in the request is to
// be trusted.
func (e *Emulator) renderError(w http.ResponseWriter, r *http.Request, status int, v errorView) {
	if client, ok := e.client(r.URL.Query().Get("client_id")); ok {
		v.Client, v.App = client.Name, client.home()
	}
	if v.Retry != "" {
		v.Retry = "/" + strings.TrimLeft(v.Retry, "/") // never //host
	}
	e.render(w, status, "error", view{Title: v.Heading, Client: v.Client, Data: v})
}

// errorPage is GET /error, where a request ends that must not be redirected to the
// client. It is a 400.
func (e *Emulator) errorPage(w http.ResponseWriter, r *http.Request) {
	code := r.URL.Query().Get("error")
	v := errorView{Heading: "An error was encountered with the requested page.", Code: code}
	switch code {
	case "redirect_mismatch":
		v.Text = "The callback address of the request is not registered with the app client. They are compared as text: check scheme, port, letter case and a slash at the end."
	case "invalid_request":
		v.Text = "The app client of the request is not known to this user pool."
	default:
		v.Text = "Something went wrong."
		v.Code = ""
	}
	e.renderError(w, r, http.StatusBadRequest, v)
}

// aboutPage is GET / of the domain host; the real service has nothing there.
func (e *Emulator) aboutPage(w http.ResponseWriter, _ *http.Request) {
	e.render(w, http.StatusOK, "about", view{Title: "Cognito emulator", Data: struct {
		Issuer string
		Users  []User
		Codes  []pageCode
	}{e.issuer, e.shownUsers(), e.shownCodes()}})
}

// pageCode is a code that would have been sent, for the start page.
type pageCode struct{ To, For, Code string }

// shownCodes are those that wait to be typed in, the newest first.
func (e *Emulator) shownCodes() []pageCode {
	var list []pageCode
	for _, v := range e.verifications.all(e.clock.now()) {
		list = append(list, pageCode{v.to, string(v.purpose), v.code})
	}
	return list
}

// shownUsers are the ready-made users for the pages, as they are by now, unless
// strangers can see them.
func (e *Emulator) shownUsers() []User {
	if e.opts.AllowOffLoopback {
		return nil
	}
	var list []User
	for _, user := range e.seed.Users {
		if a, ok := e.users.lookup(user.Sub); ok {
			list = append(list, a.asUser())
		}
	}
	return list
}

// home is the start page of the client's app, or "" if no callback tells it.
func (c Client) home() string {
	for _, callback := range c.CallbackURLs {
		if u, err := url.Parse(callback); err == nil && (u.Scheme == "http" || u.Scheme == "https") {
			return u.Scheme + "://" + u.Host + "/"
		}
	}
	return ""
}

var assetTypes = map[string]string{".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}

// asset is GET /assets/{name}: the style sheet and the icon.
func (e *Emulator) asset(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	contentType, ok := assetTypes[path.Ext(name)]
	data, err := pageFiles.ReadFile("pages/" + name)
	if !ok || err != nil {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Cache-Control", "no-cache")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(data) // the browser has gone
}
