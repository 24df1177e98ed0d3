package handlers

import (
	"errors"
	"net/http"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/cookie"
	"github.com/gatehouse-auth/gatehouse/internal/middleware"
	"github.com/gatehouse-auth/gatehouse/internal/problem"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/web"
)

// A loop is this many returns from the user pool within this time, with no
// session arriving in between. Silent logins come back by themselves, and a browser
// that restores its tabs begins one in each.
const (
	loopReturns = 3
	loopUnasked = 12
	loopWindow  = 30 * time.Second
)

// looping reports whether the latest of the Unix times are a loop.
func looping(returns []int64, most int) bool {
	return len(returns) >= most && inLoop(returns[len(returns)-most])
}

func inLoop(at int64) bool { return time.Since(time.Unix(at, 0)) < loopWindow }

// returned adds now to those of the Unix times that may become a loop with it.
func returned(returns []int64, most int) []int64 {
	var kept []int64
	for _, at := range returns[max(0, len(returns)-most+1):] {
		if inLoop(at) {
			kept = append(kept, at)
		}
	}
	return append(kept, time.Now().Unix())
}

// signedOut reports whether no session arrives. A store that does not answer has
// not said so.
func (f *Flow) signedOut(r *http.Request, x *middleware.Exchange) bool {
	return errors.Is(f.Sessions.Load(r.Context(), x), session.ErrNotFound)
}

// endLoop ends a loop on a page that says why, and leads on to the same address
// once more. The count starts anew, so that it can.
func (f *Flow) endLoop(w http.ResponseWriter, r *http.Request, login cookie.Login, back string) error {
	login.Returns = nil
	if err := f.Cookies.SetLogin(w, login); err != nil {
		return err
	}
	f.Metrics.Count(logins, "loop")
	cause := f.loopCause(r)
	return &problem.Error{
		Status: http.StatusBadRequest, Code: "login_loop", Err: cause.log,
		Heading: "Signing in goes round in circles",
		Public:  "You came back from signing in several times, and there is still no session: " + cause.text,
		Hint:    cause.hint,
		WayOn:   &web.Action{Label: "Try again", Href: f.loginTo(back)},
	}
}

// endSilentLoop ends the loop of a page that tries again whenever a silent login
// has found nobody, and leads on to a login that asks.
func (f *Flow) endSilentLoop(w http.ResponseWriter, login cookie.Login, back string) error {
	login.Unasked = nil
	if err := f.Cookies.SetLogin(w, login); err != nil {
		return err
	}
	f.Metrics.Count(logins, "loop")
	return &problem.Error{
		Status: http.StatusBadRequest, Code: "login_loop",
		Err:     errors.New("a page begins a login with prompt=none whenever one has found nobody: it must try only once"),
		Heading: "Signing in goes round in circles",
		Public:  "This site has asked over and over whether you are signed in, and you are not.",
		WayOn:   &web.Action{Label: "Sign in", Href: f.loginTo(back)},
	}
}

// loopCause is why no session arrives, as far as it can be seen here.
type loopCause struct {
	text, hint string // for the user
	log        error  // for the operator
}

func (f *Flow) loopCause(r *http.Request) loopCause {
	const deleteThem = "Delete the cookies of this site, of its parent domain too, and try once more. " +
		"For the operator: give each gateway under one domain a session.cookie.name of its own."
	switch came, opened := f.Cookies.Seen(r); {
	case came == 0:
		return loopCause{"this browser sends no session cookie.", "Allow cookies for this site and try once more.",
			errors.New("no session cookie comes")}
	case opened > 1:
		return loopCause{"this browser sends several session cookies, of different sessions.", deleteThem,
			errors.New("several session cookies come, of different sessions: look at session.cookie.name and session.cookie.domain")}
	case came > 1 && opened == 0:
		return loopCause{"this browser sends several session cookies of this name, and none is of this site.", deleteThem,
			errors.New("several session cookies come and none opens: look at session.cookie.name and session.cookie.domain")}
	case opened == 0:
		return loopCause{"the session cookie that this browser sends is not one of this site.", deleteThem,
			errors.New("the session cookie that comes does not open: do all instances have the same session.keys, " +
				"and does another gateway set a cookie of that name (session.cookie.name)?")}
	}
	return loopCause{"the session cookie arrives, but its session is not known here.",
		"Try once more. If it happens again, give the operator of this site the request's id below.",
		errors.New("the session cookie opens and its session is not in the store: do all instances share one session.store?")}
}
