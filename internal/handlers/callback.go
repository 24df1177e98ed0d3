package handlers

import (
	"cmp"
	"errors"
	"net/http"
	"net/url"

	"github.com/gatehouse-auth/gatehouse/internal/cookie"
	"github.com/gatehouse-auth/gatehouse/internal/fetchmeta"
	"github.com/gatehouse-auth/gatehouse/internal/middleware"
	"github.com/gatehouse-auth/gatehouse/internal/oauth"
	"github.com/gatehouse-auth/gatehouse/internal/problem"
	"github.com/gatehouse-auth/gatehouse/internal/returnto"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/web"
)

// Callback is GET {mount}/callback: it takes the browser back from the user
// pool. It ends at the return address with a new session, at a page with a way
// on, or in the login once more; never in a session for another browser.
func (f *Flow) Callback(w http.ResponseWriter, r *http.Request, x *middleware.Exchange) error {
	if err := f.takeBack(w, r, x); err != nil {
		return f.fail(w, r, x, err)
	}
	return nil
}

func (f *Flow) takeBack(w http.ResponseWriter, r *http.Request, x *middleware.Exchange) error {
	// A HEAD and a prefetch do not spend the code: the browser itself is still to come.
	if r.Method != http.MethodGet || fetchmeta.Present(r) && !fetchmeta.LoginNavigation(r) {
		return badRequest("callback_needs_navigation", "This address is where a login comes back in the browser's window.")
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return badCallback("invalid_callback", "The address that the sign-in service sent you to is malformed.", oauth.ErrCallback)
	}
	cb, err := oauth.ParseCallback(query)
	if err != nil {
		return badCallback("invalid_callback", "The address that the sign-in service sent you to is incomplete or malformed.", err)
	}
	login, _ := f.Cookies.Login(r)
	pending, err := f.OAuth.Open(cb.State, login.Binding)
	switch {
	case errors.Is(err, oauth.ErrStateExpired):
		err = f.goOnOrRestart(w, r, x, login, pending, err)
	case errors.Is(err, oauth.ErrStateUnbound):
		err = f.restart(w, r, x, login, pending, err)
	case err != nil:
		return badCallback("invalid_state", "This sign-in was not begun here, or its address was changed.", err)
	default:
		err = f.complete(w, r, x, cb, login, pending)
	}
	if err != nil {
		return f.afterFailure(w, r, x, err, login, pending)
	}
	return nil
}

// complete makes a session of a login that came back in time, to its own browser.
func (f *Flow) complete(w http.ResponseWriter, r *http.Request, x *middleware.Exchange, cb oauth.Callback, login cookie.Login, pending oauth.Pending) error {
	made, err := f.redeem(r, x, cb, pending, login.Binding)
	var refusal *oauth.AuthorizationError
	switch {
	case errors.As(err, &refusal) && pending.Params.Silent() && wouldAsk(refusal):
		return f.turnBack(w, r, x, login, pending, f.refused(refusal, pending))
	case errors.As(err, &refusal):
		return f.refused(refusal, pending)
	case errors.Is(err, oauth.ErrGrantRevoked):
		x.Event.Err = err // a restart hides it from the user, not from the operator
		return f.goOnOrRestart(w, r, x, login, pending, err)
	case errors.Is(err, oauth.ErrCallback): // it names another issuer (RFC 9207 §2.4)
		return badCallback("invalid_callback", "This address is not from the sign-in service of this site.", err)
	case err != nil:
		return err
	}
	x.Caller = middleware.CallerOf(made)
	return f.finish(w, r, x, login, pending)
}

// turnBack ends a silent login for which the user pool would have had to ask: at its
// page, which is signed in, or is not, as it was before.
func (f *Flow) turnBack(w http.ResponseWriter, r *http.Request, x *middleware.Exchange, login cookie.Login, pending oauth.Pending, why error) error {
	f.Metrics.Count(logins, "unasked")
	to := f.destination(x, &login, pending)
	login.Unasked = returned(login.Unasked, loopUnasked)
	if err := f.Cookies.SetLogin(w, login); err != nil {
		return err
	}
	return f.goOn(w, r, to, Outcome{Problem: problem.Of(why), Unasked: true, RequestID: x.Event.RequestID})
}

// afterFailure lets the page of a failure lead on to a new login for the same address,
// unless another try would not cure it. It does not ask for the provider again,
// which may be what was wrong. Where an end of the login's own can be told, it is.
func (f *Flow) afterFailure(w http.ResponseWriter, r *http.Request, x *middleware.Exchange, err error, login cookie.Login, p oauth.Pending) error {
	back := f.destination(x, &login, p)
	e := problem.Of(err)
	if f.tellEnd(w, r, x, back, err) == nil {
		f.Metrics.Count(logins, string(e.Code))
		return nil
	}
	if errors.Is(err, oauth.ErrMisconfigured) {
		return err
	}
	if e.WayOn == nil {
		e.WayOn = &web.Action{Label: "Start again", Href: f.loginTo(back)}
	}
	return e
}

// badCallback is a callback that is refused in the same words whatever is wrong with
// it; the cause, which holds nothing of the query, is for the log.
func badCallback(code problem.Code, public string, cause error) error {
	return &problem.Error{Status: http.StatusBadRequest, Code: code, Public: public, Err: cause}
}

// finish gives the browser its session and sends it to where it wanted to go.
func (f *Flow) finish(w http.ResponseWriter, r *http.Request, x *middleware.Exchange, login cookie.Login, pending oauth.Pending) error {
	if err := f.Cookies.SetSession(w, x.Caller.Session.Handle); err != nil {
		return err
	}
	to := f.destination(x, &login, pending)
	login.Returns = returned(login.Returns, loopReturns)
	if err := f.Cookies.SetLogin(w, login); err != nil {
		return err
	}
	if err := f.stillTooOld(x.Caller.Session, pending); err != nil {
		return err
	}
	return f.goOn(w, r, to, Outcome{Session: x.Caller.Session})
}

// goOn ends a callback at a return address, or where its end leads on to. Browsers do
// not send a Strict cookie along a redirect that began at the user pool, so for such a
// cookie a page of ours begins the navigation.
func (f *Flow) goOn(w http.ResponseWriter, r *http.Request, to string, o Outcome) error {
	if on, ends := f.lead(to, o); ends {
		to = cmp.Or(on, f.DefaultReturnTo)
	}
	if !f.Cookies.Strict() {
		return problem.Redirect(w, r, to)
	}
	return ContinuePage(w, to)
}

// destination is the return address of the login, put together from what the
// state and the login cookie hold of it, and judged once more, because the
// configuration may have changed since. Where its end is lost it is the path alone.
func (f *Flow) destination(x *middleware.Exchange, login *cookie.Login, p oauth.Pending) string {
	raw := p.ReturnTo
	if p.ReturnToOverflow {
		if rest := login.Take(p.Key); rest != "" {
			raw += rest
		} else {
			raw = returnto.Path(raw)
			x.Event.AddNote("the login cookie has lost the end of the return address")
		}
	}
	a, err := f.ReturnTo.Parse(raw)
	if err != nil {
		return f.DefaultReturnTo
	}
	return a.String()
}

// goOnOrRestart is for a login whose code is spent or too old: a callback loaded
// twice, or a tab found again. A browser that is signed in by now goes on; else
// the login starts over.
func (f *Flow) goOnOrRestart(w http.ResponseWriter, r *http.Request, x *middleware.Exchange, login cookie.Login, p oauth.Pending, cause error) error {
	switch err := f.Sessions.Load(r.Context(), x); {
	case err == nil:
		f.Metrics.Count(logins, "repeated")
		if err := f.stillTooOld(x.Caller.Session, p); err != nil {
			return err
		}
		return f.goOn(w, r, f.destination(x, &login, p), Outcome{Session: x.Caller.Session})
	case !errors.Is(err, session.ErrNotFound):
		return err
	}
	return f.restart(w, r, x, login, p, cause)
}

// restart starts the login over, once and silently.
func (f *Flow) restart(w http.ResponseWriter, r *http.Request, x *middleware.Exchange, login cookie.Login, p oauth.Pending, cause error) error {
	if p.Restarts > 0 {
		return gaveUp(cause)
	}
	f.Metrics.Count(logins, "restarted")
	return f.start(w, r, x, login, oauth.Request{
		ReturnTo: f.destination(x, &login, p), Restarts: p.Restarts + 1, Params: p.Params,
	})
}

// fail words the failure of a callback, and sends it to the configured address
// if there is one. An outage keeps its own status.
func (f *Flow) fail(w http.ResponseWriter, r *http.Request, x *middleware.Exchange, err error) error {
	e := problem.Of(err)
	f.Metrics.Count(logins, string(e.Code))
	if f.ErrorURL != "" {
		x.LogFailure(e)
		return problem.Redirect(w, r, f.ErrorURL+"?"+failureQuery(e, x.Event.RequestID))
	}
	e.Heading = "Signing in did not work"
	if e.WayOn == nil && !errors.Is(err, oauth.ErrMisconfigured) { // which another try does not cure
		e.WayOn = &web.Action{Label: "Start again", Href: f.LoginPath}
	}
	return e
}

// ContinuePage answers with the small page that goes on to an address of ours by
// itself, as a navigation of this site.
func ContinuePage(w http.ResponseWriter, to string) error {
	return problem.WritePage(w, http.StatusOK, web.Page{
		Heading: "One moment", Text: "You are being taken on.", Refresh: to,
	})
}
