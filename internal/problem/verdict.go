package problem

import (
	"net/http"
	"net/url"

	"github.com/gatehouse-auth/gatehouse/internal/fetchmeta"
	"github.com/gatehouse-auth/gatehouse/internal/telemetry"
	"github.com/gatehouse-auth/gatehouse/web"
)

// loginURLHeader tells a front where a login for the request begins.
const loginURLHeader = "X-Auth-Login-Url"

// RenderVerdict tells a front why it may not pass on the request r that it asked about.
// Fronts know what 401 and 403 mean, and some make 500 of everything else. So whatever the
// request is to blame for is 403, and its code says what it is; an outage stays what it is,
// for it must look like neither. Many fronts pass the answer on, so it is in the form that
// the browser would get. Only with redirect are login navigations sent to log in.
func (p *Renderer) RenderVerdict(w http.ResponseWriter, r *http.Request, ev *telemetry.Event, err error, redirect bool) {
	if gone(r, ev, err) {
		return
	}
	found, level := classify(err)
	p.note(ev, found, level)
	h := w.Header()
	OwnHeaders(h)
	e := *found
	switch {
	case e.asksToSignIn():
		login := p.absoluteLoginURL(r, ev, e.LoginQuery)
		h.Set(loginURLHeader, login)
		if redirect && leadsToLogin(&e, err) && fetchmeta.LoginNavigation(r) {
			h.Set("Location", login)
			w.WriteHeader(http.StatusFound)
			return
		}
		if !e.challenges() {
			e.WayOn = &web.Action{Label: "Sign in", Href: login, Top: true}
		}
	case e.Status < http.StatusInternalServerError:
		e.Heading, e.Status = e.heading(), http.StatusForbidden
	}
	e.SetHeaders(h)
	if fetchmeta.Navigation(r) {
		p.page(w, r, ev, &e)
		return
	}
	p.document(w, ev, &e)
}

// absoluteLoginURL is the login with the way back to a request whose address is absolute,
// as it may have been for another host of ours. What was no GET cannot be returned to.
func (p *Renderer) absoluteLoginURL(r *http.Request, ev *telemetry.Event, query string) string {
	login := p.opts.ReturnTo.Own + p.loginWith(query)
	if r.Method != http.MethodGet {
		return login
	}
	back := p.opts.ReturnTo.RequestAt(r.URL.Scheme+"://"+r.URL.Host, r.URL.EscapedPath(), r.URL.RawQuery)
	if back.IsZero() {
		return login
	}
	if back.Truncated() {
		ev.AddNote("address is too long to return to: cut to its path")
	}
	return p.opts.ReturnTo.Own + p.loginWith(query, "return_to="+url.QueryEscape(back.String()))
}
