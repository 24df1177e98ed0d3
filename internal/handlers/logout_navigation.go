package handlers

import (
	"errors"
	"net/http"
	"net/url"

	"github.com/gatehouse-auth/gatehouse/internal/fetchmeta"
	"github.com/gatehouse-auth/gatehouse/internal/middleware"
	"github.com/gatehouse-auth/gatehouse/internal/problem"
	"github.com/gatehouse-auth/gatehouse/internal/session"
)

// Navigate is GET {mount}/amplify/logout?logout_uri=…, to which aws-amplify sends the
// window at a sign-out. It leads to Cognito's /logout, with the gateway's own client and
// the one address that is registered there, and from there on to logout_uri.
//
// Most often the session has ended before. Where one is left, only a page of ours ends
// it so; anyone else can make a browser send a GET, and gets the page with the button.
func (l *Logout) Navigate(w http.ResponseWriter, r *http.Request, x *middleware.Exchange) error {
	if fetchmeta.Speculative(r) {
		return l.Page(w, r, x)
	}
	if !fetchmeta.OwnNavigation(r) {
		if err := l.Sessions.Load(r.Context(), x); !errors.Is(err, session.ErrNotFound) {
			return l.Page(w, r, x)
		}
		// A Strict cookie does not come along from another site, so that there may be a
		// session all the same: nothing of it is touched.
		if err := l.keepReturn(w, r, l.logoutURI(r, x)); err != nil {
			return err
		}
		return problem.Redirect(w, r, l.ProviderURL)
	}
	if _, err := l.SignOut(w, r, x, SignOut{ReturnTo: l.logoutURI(r, x)}); err != nil {
		return err
	}
	return problem.Redirect(w, r, l.ProviderURL)
}

// logoutURI is where the page wants to end. Whatever is wrong with it keeps nobody
// signed in: the sign-out ends at the default.
func (l *Logout) logoutURI(r *http.Request, x *middleware.Exchange) string {
	query, err := url.ParseQuery(r.URL.RawQuery)
	back, _ := l.returnAddress(wishedPlace{query.Get("logout_uri"), err != nil || len(query["logout_uri"]) > 1}, x)
	return back
}
