package amplify

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/fetchmeta"
	"github.com/gatehouse-auth/gatehouse/internal/handlers"
	"github.com/gatehouse-auth/gatehouse/internal/middleware"
	"github.com/gatehouse-auth/gatehouse/internal/problem"
	"github.com/gatehouse-auth/gatehouse/internal/returnto"
)

// A page's login is a login of the gateway's like any other, whose return address is
// one of the façade's own. It holds what the page wants back:
//
//	{mount}/amplify/oauth2/return?c=CODE_CHALLENGE&r=REDIRECT_URI&s=STATE
//
// and travels as all of them do, sealed in the state of the login, and by its end in
// the login cookie where it is long. No browser is ever sent there: [Facade.EndLogin]
// says where the login leads.
const (
	keptChallenge, keptRedirectURI, keptState = "c", "r", "s"
)

// passedOn are the parameters of the authorization request that a login has too, with
// its names for them. The page's client_id, scope and nonce are not used: the gateway
// has its own.
var passedOn = map[string]string{
	"identity_provider": "provider", "idp_identifier": "idp_identifier",
	"login_hint": "login_hint", "lang": "lang", "prompt": "prompt",
}

// single are the parameters that must not be repeated (RFC 6749 §3.1): those that are
// read.
var single = append(slices.Collect(maps.Keys(passedOn)), "response_type", "state", "code_challenge", "code_challenge_method")

// Authorize is GET {mount}/amplify/oauth2/authorize: the authorization request of a page
// (RFC 6749 §4.1.1, RFC 7636 §4.3). It begins a login of the gateway's own. What is
// wrong with the request goes back to the page; only a redirect_uri that is not
// configured ends here (RFC 6749 §4.1.2.1).
func (f *Facade) Authorize(w http.ResponseWriter, r *http.Request, x *middleware.Exchange) error {
	if !fetchmeta.LoginNavigation(r) {
		return handlers.NeedsNavigation()
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil || len(query["redirect_uri"]) != 1 || !slices.Contains(f.RedirectURIs, query.Get("redirect_uri")) {
		return &problem.Error{
			Status: http.StatusBadRequest, Code: "invalid_redirect_uri",
			Public: "The page that wants you to sign in would have you return to an address that is not configured here.",
			Hint: "For the operator of this site: the page's redirectSignIn must stand in amplify.redirect_uris, " +
				"character for character.",
		}
	}
	login, err := f.login(query)
	if err != nil {
		e := problem.Of(err)
		x.LogFailure(e)
		return problem.Redirect(w, r, answer(query.Get("redirect_uri"), query.Get("state"), failure(e)))
	}
	return problem.Redirect(w, r, f.LoginPath+"?"+login.Encode())
}

// login translates an authorization request into the query of a login.
func (f *Facade) login(request url.Values) (url.Values, error) {
	for name, values := range request {
		if len(values) > 1 && slices.Contains(single, name) {
			return nil, invalidRequest("The parameter " + name + " is repeated.")
		}
	}
	switch {
	case request.Get("response_type") != "code":
		return nil, &problem.Error{Status: http.StatusBadRequest, Code: "unsupported_response_type",
			Public: "response_type must be code: set responseType to 'code' in the page's configuration."}
	case request.Get("code_challenge_method") != "S256" || !isChallenge(request.Get("code_challenge")):
		return nil, invalidRequest("PKCE is needed: a code_challenge of 43 characters, and code_challenge_method=S256.")
	}
	back := f.EndPath + "?" + url.Values{
		keptChallenge:   {request.Get("code_challenge")},
		keptRedirectURI: {request.Get("redirect_uri")},
		keptState:       {request.Get("state")},
	}.Encode()
	if excess := len(back) - returnto.MaxLength; excess > 0 {
		return nil, invalidRequest(fmt.Sprintf("state is too long by %d bytes: shorten customState.", excess))
	}
	login := url.Values{"return_to": {back}}
	for name, ofLogin := range passedOn {
		if request.Has(name) {
			login.Set(ofLogin, request.Get(name))
		}
	}
	return login, nil
}

// EndLogin is the [handlers.End] of logins that pages began: it sends the browser back
// to the page with a code for the session, or with what failed (RFC 6749 §4.1.2).
func (f *Facade) EndLogin(kept *url.URL, o handlers.Outcome) string {
	query := kept.Query()
	uri, challenge, state := query.Get(keptRedirectURI), query.Get(keptChallenge), query.Get(keptState)
	switch {
	case !slices.Contains(f.RedirectURIs, uri) || !isChallenge(challenge):
		return "" // of a configuration of before, or made by hand
	case o.Problem != nil:
		return answer(uri, state, failure(o.Problem))
	}
	code := f.codes.issue(grant{redirectURI: uri, challenge: challenge, subject: o.Session.Subject})
	return answer(uri, state, url.Values{"code": {code}})
}

// answer is the redirect to a page that answers its request.
func answer(redirectURI, state string, parameters url.Values) string {
	if state != "" {
		parameters.Set("state", state)
	}
	separator := "?"
	if strings.Contains(redirectURI, "?") {
		separator = "&"
	}
	return redirectURI + separator + parameters.Encode()
}
