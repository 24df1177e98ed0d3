package problem

import (
	"net/http"

	"github.com/gatehouse-auth/gatehouse/internal/telemetry"
	"github.com/gatehouse-auth/gatehouse/web"
)

// WritePage answers with one of the gateway's own pages. formAction names the
// origins, besides the own one, that a form of the page may lead to.
func WritePage(w http.ResponseWriter, status int, page web.Page, formAction ...string) error {
	body, err := page.Render()
	if err != nil {
		return err
	}
	csp, opener := web.CSP(formAction...), "same-origin"
	if page.Script != "" {
		// The page that opened this one's window waits for what the script says, and
		// would take the window for closed.
		csp, opener = web.ScriptCSP(), "unsafe-none"
	}
	writeHTML(w, status, body, csp, opener)
	return nil
}

func writeHTML(w http.ResponseWriter, status int, body []byte, csp, opener string) {
	h := w.Header()
	OwnHeaders(h)
	// Under no-referrer a form's POST has "Origin: null" (Fetch §3.2.5), which
	// without fetch metadata looks foreign.
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", csp)
	h.Set("Cross-Origin-Opener-Policy", opener)
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that left cannot be told
}

// asksToSignIn reports whether a login is what a reader can do about it.
func (e *Error) asksToSignIn() bool { return e.Status == http.StatusUnauthorized || e.LoginQuery != "" }

// page answers a navigation. The page of a 401, or of a sign-in that is too old, may be seen in a frame of the
// own origin, because that is where it is asked for; its link leaves the frame.
func (p *Renderer) page(w http.ResponseWriter, r *http.Request, ev *telemetry.Event, e *Error) {
	page := web.Page{
		Heading: e.heading(), Text: e.Public, Quote: e.Reason, Hint: e.Hint,
		Code: string(e.Code), RequestID: ev.RequestID, Action: p.wayOn(r, ev, e),
	}
	page.Secondary = p.wayBack(e, page.Action)
	csp := web.CSP()
	if e.asksToSignIn() {
		csp = web.FramedCSP()
	}
	body, err := page.Render()
	if err != nil { // an address in the action that no page may lead to
		page.Action, page.Secondary = nil, nil
		if body, err = page.Render(); err != nil {
			p.document(w, ev, e)
			return
		}
	}
	writeHTML(w, e.Status, body, csp, "same-origin")
}

// wayOn is what a reader of the page can do next.
func (p *Renderer) wayOn(r *http.Request, ev *telemetry.Event, e *Error) *web.Action {
	switch {
	case e.WayOn != nil:
		return e.WayOn
	case e.challenges():
		return p.start()
	case e.asksToSignIn() && r.Method == http.MethodGet:
		return &web.Action{Label: "Sign in", Href: p.loginURL(r, ev, e.LoginQuery), Top: true}
	case e.asksToSignIn():
		return &web.Action{Label: "Sign in", Href: p.loginWith(e.LoginQuery), Top: true}
	case e.Status == http.StatusMisdirectedRequest: // "/" would be on the wrong host again
		return &web.Action{Label: "Go to the start page", Href: p.opts.PublicURL}
	case (e.Status >= 500 || e.Status == http.StatusTooManyRequests) && r.Method == http.MethodGet:
		if again := p.opts.ReturnTo.Request(r.URL.EscapedPath(), r.URL.RawQuery); !again.IsZero() && !again.Truncated() {
			return &web.Action{Label: "Try again", Href: again.String()}
		}
	}
	return p.start()
}

// wayBack is how a reader leaves a page whose way on is something else, and may
// fail again. One that asks to sign in has none: it may stand in a frame, and the start page would
// ask for the same.
func (p *Renderer) wayBack(e *Error, on *web.Action) *web.Action {
	switch {
	case e.asksToSignIn(), e.Status == http.StatusMisdirectedRequest, on.Href == p.opts.StartURL:
		return nil
	}
	return p.start()
}

func (p *Renderer) start() *web.Action {
	return &web.Action{Label: "Go to the start page", Href: p.opts.StartURL}
}

func (e *Error) heading() string {
	if e.Heading != "" {
		return e.Heading
	}
	switch e.Status {
	case http.StatusUnauthorized:
		return "Please sign in"
	case http.StatusForbidden:
		return "Not allowed"
	case http.StatusNotFound:
		return "Page not found"
	case http.StatusMethodNotAllowed:
		return "This address does not take that"
	case http.StatusMisdirectedRequest:
		return "Wrong host"
	case http.StatusBadGateway:
		return "Something behind this site failed"
	case http.StatusTooManyRequests, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return "Try again in a moment"
	}
	if e.Status >= 500 {
		return "Something went wrong"
	}
	return "This request cannot be served"
}
