package handlers

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/cookie"
	"github.com/gatehouse-auth/gatehouse/internal/fetchmeta"
	"github.com/gatehouse-auth/gatehouse/internal/middleware"
	"github.com/gatehouse-auth/gatehouse/internal/oauth"
	"github.com/gatehouse-auth/gatehouse/internal/problem"
	"github.com/gatehouse-auth/gatehouse/internal/returnto"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/web"
)

const (
	// globalTimeout bounds the work at Cognito that a global sign-out waits for.
	globalTimeout = 5 * time.Second
	// signedOutKey is where the login cookie holds the returnTo of a sign-out that is
	// under way, and signedOutLife for how long.
	signedOutKey  = "signed-out"
	signedOutLife = 10 * time.Minute

	globalDone, globalFailed = "done", "failed"
	returnToRefused          = "refused"
)

// Logout ends sessions. Besides a user who ends the session at hand by its id
// ([Account.EndOne]), it is the one place that clears the session cookie.
type Logout struct {
	Sessions *middleware.Sessions
	Cookies  *cookie.Jar
	ReturnTo returnto.Policy
	// Trusts reports whether the request comes from an origin that may use the
	// cookie, whether or not one came.
	Trusts func(r *http.Request, host string) bool
	// GlobalSignOut ends all of a user's tokens at Cognito.
	GlobalSignOut func(ctx context.Context, access secret.Text) error
	// ProviderURL is Cognito's /logout with the one registered way back.
	ProviderURL string
	// DefaultReturnTo is where a sign-out ends that named no address.
	DefaultReturnTo string
	// StartURL is where somebody goes who changes their mind.
	StartURL string
	// Path is the path of this endpoint; FormOrigins are where its form may lead.
	Path        string
	FormOrigins []string
}

type logoutAnswer struct {
	LogoutURL     string `json:"logoutUrl"`
	GlobalSignOut string `json:"globalSignOut,omitempty"`
	Pending       bool   `json:"pending,omitempty"`
	// ReturnTo is "refused" where the sign-out ends at the default instead.
	ReturnTo string `json:"returnTo,omitempty"`
}

// End is POST {mount}/logout: it ends the session here, then at Cognito as far
// as that answers, and says where the browser must go to be signed out there
// too. Signed out already is the same answer.
func (l *Logout) End(w http.ResponseWriter, r *http.Request, x *middleware.Exchange) error {
	req, err := readLogout(w, r)
	if err != nil {
		return err
	}
	answer := logoutAnswer{LogoutURL: l.ProviderURL}
	back, ok := l.returnAddress(req.ReturnTo, x)
	if !ok {
		answer.ReturnTo = returnToRefused
	}
	ended, err := l.SignOut(w, r, x, SignOut{Everywhere: req.Global, AtCognito: req.Global, ReturnTo: back})
	if err != nil {
		return err
	}
	answer.Pending = ended.Pending
	if req.Global {
		answer.GlobalSignOut = globalDone
		if ended.Missed {
			answer.GlobalSignOut = globalFailed
		}
	}
	if wantsRedirect(r) {
		return problem.Redirect(w, r, answer.LogoutURL)
	}
	return problem.WriteJSON(w, http.StatusOK, answer)
}

// SignOut says how far a sign-out goes.
type SignOut struct {
	// Everywhere ends all of the user's sessions, not only the one at hand.
	Everywhere bool
	// AtCognito ends all of the user's tokens at Cognito, before.
	AtCognito bool
	// ReturnTo is where the browser ends after Cognito's /logout, judged before; ""
	// is the default.
	ReturnTo string
}

// SignedOut is what came of a sign-out. The session at hand is over in any case.
type SignedOut struct {
	// Pending: the store is away, and deletes the session's record later.
	Pending bool
	// Missed: not all of the user's other sessions, here and at Cognito, could be
	// ended; or nobody was signed in, so that it is not known whose they are.
	Missed bool
}

// SignOut ends the session at hand, and what else is asked for, and forgets it in
// this browser. It is for every endpoint at which a user signs out; the
// answer is the caller's. Errors: as [middleware.Sessions.End].
func (l *Logout) SignOut(w http.ResponseWriter, r *http.Request, x *middleware.Exchange, s SignOut) (ended SignedOut, err error) {
	why := session.ReasonLogout
	if s.Everywhere {
		why = session.ReasonGlobal
	}
	if s.AtCognito {
		ended.Missed = !l.signOutAtCognito(r.Context(), x)
	}
	user := x.Caller.Subject
	if ended.Pending, err = l.Sessions.End(r.Context(), x, why); err != nil {
		return ended, err
	}
	if s.Everywhere && user != "" && !l.endOthers(r.Context(), x, user) {
		ended.Missed = true
	}
	return ended, l.clearCookies(w, r, x, s.ReturnTo)
}

// endOthers ends the user's other sessions. This one has ended: no failure
// keeps the answer from saying so. Where the store keeps no registry they end
// when their next refresh is refused.
func (l *Logout) endOthers(ctx context.Context, x *middleware.Exchange, subject string) bool {
	_, err := l.Sessions.Manager.EndAll(context.WithoutCancel(ctx), subject, session.ReasonGlobal)
	if err != nil && !errors.Is(err, session.ErrNoRegistry) {
		x.Event.Err = err
		return false
	}
	return true
}

// clearCookies forgets the session in this browser. Without a cookie a foreign
// site's form looks like anyone's, and an answer to it must change nothing: it
// would sign the user out.
func (l *Logout) clearCookies(w http.ResponseWriter, r *http.Request, x *middleware.Exchange, back string) error {
	if x.Handle.Empty() && !l.Trusts(r, x.Decision.Host) {
		return nil
	}
	l.Cookies.ClearSession(w)
	return l.keepReturn(w, r, back)
}

// keepReturn remembers in this browser where the sign-out under way ends; "" is the
// default.
func (l *Logout) keepReturn(w http.ResponseWriter, r *http.Request, back string) error {
	login, had := l.Cookies.Login(r)
	if !had && back == "" {
		return nil
	}
	if login.Binding.IsZero() {
		login.Binding = oauth.NewBinding()
	}
	login.Returns = nil // a session had arrived: whatever comes now is no loop
	login.Take(signedOutKey)
	if back != "" {
		login.Keep(signedOutKey, back, signedOutLife)
	}
	return l.Cookies.SetLogin(w, login)
}

// signOutAtCognito ends all of the user's tokens at Cognito. It comes before
// this session's end, because revoking that one's tokens takes away the right
// to ask. It does not end with the request, as half of it is worth little.
func (l *Logout) signOutAtCognito(ctx context.Context, x *middleware.Exchange) bool {
	if x.Handle.Empty() {
		return false
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), globalTimeout)
	defer cancel()
	err := l.Sessions.Load(ctx, x)
	if err == nil {
		err = l.Sessions.Fresh(ctx, x)
	}
	if err == nil {
		err = l.GlobalSignOut(ctx, x.Caller.Session.Tokens.Access)
	}
	if err != nil {
		x.Event.Err = err
	}
	return err == nil
}

// returnAddress judges where the browser wants to end; "" is the default, and what a
// place that is refused becomes.
func (l *Logout) returnAddress(p wishedPlace, x *middleware.Exchange) (back string, ok bool) {
	if p.address == "" && !p.malformed {
		return "", true
	}
	a, err := l.ReturnTo.Parse(p.address)
	if p.malformed {
		err = returnto.ErrUnsafe
	}
	if err != nil {
		x.Event.AddNote("returnTo is refused: " + err.Error())
		return "", false
	}
	if a.Truncated() {
		x.Event.AddNote("returnTo is too long: cut to its path")
	}
	return a.String(), true
}

// Page is GET {mount}/logout: a page with one button. A GET ends nothing: any
// site can make a browser send one.
func (l *Logout) Page(w http.ResponseWriter, _ *http.Request, _ *middleware.Exchange) error {
	return problem.WritePage(w, http.StatusOK, web.Page{
		Heading:   "Sign out?",
		Text:      "You will be signed out here and at the sign-in service.",
		Action:    &web.Action{Label: "Sign out", Href: l.Path, Post: true},
		Secondary: &web.Action{Label: "Cancel", Href: l.StartURL},
	}, l.FormOrigins...)
}

// SignedOut is GET {mount}/signed-out: Cognito's /logout returns here, and the
// browser goes on to where that logout wanted to end.
func (l *Logout) SignedOut(w http.ResponseWriter, r *http.Request, _ *middleware.Exchange) error {
	to := l.DefaultReturnTo
	login, _ := l.Cookies.Login(r)
	if kept := login.Take(signedOutKey); kept != "" {
		if a, err := l.ReturnTo.Parse(kept); err == nil {
			to = a.String()
		}
		// A HEAD and a prefetch take nothing: the browser itself is still to come.
		if r.Method == http.MethodGet && !fetchmeta.Speculative(r) {
			if err := l.Cookies.SetLogin(w, login); err != nil {
				return err
			}
		}
	}
	return problem.Redirect(w, r, to)
}
