package handlers

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/cookie"
	"github.com/gatehouse-auth/gatehouse/internal/fetchmeta"
	"github.com/gatehouse-auth/gatehouse/internal/middleware"
	"github.com/gatehouse-auth/gatehouse/internal/oauth"
	"github.com/gatehouse-auth/gatehouse/internal/problem"
	"github.com/gatehouse-auth/gatehouse/internal/returnto"
	"github.com/gatehouse-auth/gatehouse/internal/telemetry"
)

var logins = telemetry.NewCounter("logins_total", "Returns from the user pool, by outcome.", "outcome")

// Flow is the way of a browser to the user pool and back.
type Flow struct {
	OAuth    *oauth.Client
	Sessions *middleware.Sessions
	Cookies  *cookie.Jar
	// ReturnTo judges what a caller names, and what a login brings back. Its own
	// origin is PublicURL's.
	ReturnTo returnto.Policy
	// DefaultReturnTo is where a login ends that named no address.
	DefaultReturnTo string
	// Providers are those that a caller may name; with none the user pool judges.
	Providers []string
	// ErrorURL, if set, gets the failures of the callback instead of a page.
	ErrorURL string
	// Ends are those who say where the logins lead whose return address has their path.
	Ends map[string]End
	// PublicURL is the one host that logs in; LoginPath is there.
	PublicURL *url.URL
	LoginPath string
	// LogoutPath is the page with the button that signs out.
	LogoutPath string
	// Starts limits how often logins are started; nil: not at all.
	Starts *middleware.Rate
	// Username finds the user's name in verified tokens.
	Username func(*oauth.Identity) string
	Metrics  *telemetry.Metrics

	redeemed redemptions
}

// Login is GET {mount}/login: it sends a login navigation to the user pool, and
// nothing else anywhere. It sets at most the one login cookie.
func (f *Flow) Login(w http.ResponseWriter, r *http.Request, x *middleware.Exchange) error {
	if !fetchmeta.LoginNavigation(r) {
		return NeedsNavigation()
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return badRequest("invalid_parameter", "The query of this address is malformed.")
	}
	if x.Decision.Host != f.PublicURL.Host {
		return problem.Redirect(w, r, f.loginAtPublicURL(query, x.Decision.Host))
	}
	back, err := f.returnAddress(query, x)
	if err != nil {
		return err
	}
	params, err := loginParams(query)
	if err == nil {
		err = f.checkProvider(params.Provider)
	}
	if err != nil {
		return f.tellEnd(w, r, x, back, err)
	}
	login, _ := f.Cookies.Login(r)
	switch {
	case looping(login.Returns, loopReturns) && f.signedOut(r, x):
		return f.endLoop(w, r, login, back)
	case params.Silent() && looping(login.Unasked, loopUnasked) && f.signedOut(r, x):
		return f.endSilentLoop(w, login, back)
	}
	if err := f.start(w, r, x, login, oauth.Request{ReturnTo: back, Params: params}); err != nil {
		return f.tellEnd(w, r, x, back, err)
	}
	return nil
}

// NeedsNavigation refuses what is no login navigation where a login begins.
func NeedsNavigation() error {
	return badRequest("login_needs_navigation", "Open this address in the browser's window: a login cannot be fetched.")
}

// returnToLife is how long the login cookie holds the end of a long return
// address. It is more than a state's life: a login that comes back too late
// starts over, and still ends at its address.
const returnToLife = time.Hour

// hostParam names the host of ours that a login began on. It is the gateway's
// own: no caller needs it.
const hostParam = "return_host"

// loginAtPublicURL sends a login on to the one host that does them.
func (f *Flow) loginAtPublicURL(query url.Values, host string) string {
	query.Set(hostParam, host)
	return f.PublicURL.String() + f.LoginPath + "?" + query.Encode()
}

// loginTo is the address of a login that ends at back, an accepted address.
func (f *Flow) loginTo(back string) string {
	if back == f.DefaultReturnTo {
		return f.LoginPath
	}
	return f.LoginPath + "?return_to=" + url.QueryEscape(back)
}

// start begins a login, or begins it again, and sends the browser to it.
func (f *Flow) start(w http.ResponseWriter, r *http.Request, x *middleware.Exchange, login cookie.Login, req oauth.Request) error {
	if err := f.Starts.Take(r.Context(), x); err != nil {
		return err
	}
	fresh := login.Binding.IsZero()
	if fresh {
		login.Binding = oauth.NewBinding()
	}
	req.Binding = login.Binding
	auth, err := f.OAuth.Start(req)
	if errors.Is(err, oauth.ErrParameter) {
		return badRequest("invalid_parameter", "A parameter of the login is too long, or not text.")
	}
	if err != nil {
		return err
	}
	if auth.Rest != "" {
		login.Keep(auth.Key, auth.Rest, returnToLife)
	}
	if fresh || auth.Rest != "" {
		if err := f.Cookies.SetLogin(w, login); err != nil {
			return err
		}
	}
	return problem.Redirect(w, r, auth.URL)
}

// returnAddress is where the login is to end. An address that is too long is cut
// to its path, or is the default's: a login is never refused for it.
func (f *Flow) returnAddress(query url.Values, x *middleware.Exchange) (string, error) {
	values, origin := query["return_to"], f.pageOrigin(query[hostParam])
	raw := f.DefaultReturnTo
	if len(values) == 1 && values[0] != "" {
		raw = values[0]
	}
	a, err := f.ReturnTo.ParseAt(origin, raw)
	if errors.Is(err, returnto.ErrTooLong) {
		x.Event.AddNote("return_to is too long, even its path: the default is used")
		a, err = f.ReturnTo.ParseAt(origin, f.DefaultReturnTo)
	}
	if err != nil || len(values) > 1 {
		return "", badRequest("invalid_return_to",
			"return_to must be one address of this site, or one at one of the configured return origins.")
	}
	if a.Truncated() {
		x.Event.AddNote("return_to is too long: cut to its path")
	}
	return a.String(), nil
}

// pageOrigin is the origin of ours that the login was begun on, to which a path
// belongs.
func (f *Flow) pageOrigin(hosts []string) string {
	if len(hosts) == 1 {
		if o := f.PublicURL.Scheme + "://" + hosts[0]; slices.Contains(f.ReturnTo.Origins, o) {
			return o
		}
	}
	return f.ReturnTo.Own
}

// loginParams reads the parameters that a caller may add. Everything else in
// the query is ignored: no caller adds a scope.
func loginParams(query url.Values) (oauth.Params, error) {
	var p oauth.Params
	screen := ""
	for _, q := range []struct {
		name string
		to   *string
	}{
		{"provider", &p.Provider}, {"idp_identifier", &p.IdPIdentifier}, {"login_hint", &p.LoginHint},
		{"lang", &p.Lang}, {"prompt", &p.Prompt}, {"screen", &screen},
	} {
		values := query[q.name]
		if len(values) > 1 {
			return p, badRequest("invalid_parameter", "The parameter "+q.name+" is repeated.")
		}
		if len(values) == 1 {
			*q.to = values[0]
		}
	}
	if screen != "" && screen != "signup" && screen != "login" {
		return p, badRequest("invalid_parameter", "The parameter screen takes signup or login.")
	}
	p.Signup = screen == "signup"
	return p, readMaxAge(query["max_age"], &p)
}

// mostMaxAge is 400 days, in seconds.
const mostMaxAge = 400 * 24 * 60 * 60

// readMaxAge reads how old the sign-in may be (OpenID Connect Core §3.1.2.1). 0 would be
// too old as soon as it is there: that is what prompt=login is for.
func readMaxAge(values []string, p *oauth.Params) error {
	if len(values) == 0 {
		return nil
	}
	seconds, err := strconv.Atoi(values[0])
	if len(values) > 1 || err != nil || seconds < 1 || seconds > mostMaxAge {
		return badRequest("invalid_parameter", "The parameter max_age takes a number of seconds, from 1 to "+strconv.Itoa(mostMaxAge)+".")
	}
	p.MaxAge = time.Duration(seconds) * time.Second
	return nil
}
