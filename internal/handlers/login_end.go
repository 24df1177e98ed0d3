package handlers

import (
	"net/http"
	"net/url"

	"github.com/gatehouse-auth/gatehouse/internal/middleware"
	"github.com/gatehouse-auth/gatehouse/internal/problem"
	"github.com/gatehouse-auth/gatehouse/internal/session"
)

// Outcome is what came of a login.
type Outcome struct {
	// Session is the one that the browser has now; nil where there is a Problem.
	Session *session.Session
	Problem *problem.Error
	// Unasked says of the Problem that the login was to ask nothing, and the user pool
	// would have had to.
	Unasked bool
	// RequestID names the request at which the login ended, as the log does.
	RequestID string
}

// End says where a login leads that ends with an outcome, in place of its return
// address. It is for those who began the login to be told what came of it. "" is for an
// address that it cannot read, or does not take any more: the login then ends as
// others do.
type End func(address *url.URL, o Outcome) string

// PopupEnd is the end of logins in a window of their own. The window's page gets their
// failures, as nobody but the page that opened the window can do anything.
func PopupEnd(address *url.URL, o Outcome) string {
	if o.Problem != nil && !o.Unasked {
		address.RawQuery = failureQuery(o.Problem, o.RequestID)
	}
	return address.String()
}

// lead asks the end of a login, if its return address has one.
func (f *Flow) lead(back string, o Outcome) (to string, ends bool) {
	address, err := url.Parse(back)
	if err != nil || f.Ends[address.Path] == nil {
		return "", false
	}
	return f.Ends[address.Path](address, o), true
}

// tellEnd sends the browser on with a failure, where the login has an end that takes it.
// Elsewhere it answers nothing and returns err.
func (f *Flow) tellEnd(w http.ResponseWriter, r *http.Request, x *middleware.Exchange, back string, err error) error {
	e := problem.Of(err)
	to, _ := f.lead(back, Outcome{Problem: e, RequestID: x.Event.RequestID})
	if to == "" {
		return err
	}
	x.LogFailure(e)
	return problem.Redirect(w, r, to)
}

// failureQuery is the query that tells a page of the site's own what has failed.
func failureQuery(e *problem.Error, requestID string) string {
	query := url.Values{"code": {string(e.Code)}, "requestId": {requestID}}
	if e.Reason != "" {
		query.Set("reason", e.Reason)
	}
	return query.Encode()
}
