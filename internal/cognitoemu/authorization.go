package cognitoemu

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// authorizationRequest is a checked authorization request (RFC 6749 §4.1.1). The
// hosted pages carry the query along unchanged and check it anew at each step, so
// the emulator keeps no state for people who never finish.
type authorizationRequest struct {
	client      Client
	redirectURI string
	state       string
	hasState    bool
	scopes      []string
	nonce       string
	challenge   string
	resource    string
	prompt      []string
	provider    string // identity_provider, or what idp_identifier stands for
	loginHint   string
	rawQuery    string
}

// requestFault is an authorization request that cannot go on. Where the client or
// its callback is in doubt, the browser is shown a page; to redirect would make an
// open redirector of the pool.
type requestFault struct {
	code       string
	redirectTo string // empty: show the page
	clientID   string
}

func (f *requestFault) Error() string { return f.code }

// errBareBadRequest is answered with an empty 400, as observed.
var errBareBadRequest = errors.New("state looks like JSON")

// parseQuery parses a raw query without dropping the pairs that hold a semicolon,
// as net/url does since it stopped being a separator.
func parseQuery(raw string) (url.Values, error) {
	return url.ParseQuery(strings.ReplaceAll(raw, ";", "%3B"))
}

// parseAuthorization checks the query of /oauth2/authorize and of the pages that
// take the same. Errors are *requestFault or errBareBadRequest.
func (e *Emulator) parseAuthorization(r *http.Request) (authorizationRequest, error) {
	query, err := parseQuery(r.URL.RawQuery)
	clientID := query.Get("client_id")
	client, known := e.client(clientID)
	if err != nil || !known || len(query["client_id"]) > 1 {
		return authorizationRequest{}, &requestFault{code: "invalid_request", clientID: clientID}
	}
	req := authorizationRequest{client: client, rawQuery: r.URL.RawQuery}
	if req.redirectURI, known = client.callback(query["redirect_uri"]); !known {
		return authorizationRequest{}, &requestFault{code: "redirect_mismatch", clientID: clientID}
	}
	req.state, req.hasState = query.Get("state"), query.Has("state")
	if strings.HasPrefix(req.state, "{") && len(client.Providers) > 1 {
		return authorizationRequest{}, errBareBadRequest
	}
	if code := req.read(query, e.seed); code != "" {
		return authorizationRequest{}, &requestFault{code: code, redirectTo: req.errorRedirect(code, "")}
	}
	return req, nil
}

// callback compares as strings: one slash, port or letter case off is a mismatch.
// A client with a single callback may leave it out.
func (c Client) callback(sent []string) (string, bool) {
	if len(sent) == 0 && len(c.CallbackURLs) == 1 {
		return c.CallbackURLs[0], true
	}
	if len(sent) != 1 || !slices.Contains(c.CallbackURLs, sent[0]) {
		return "", false
	}
	return sent[0], true
}

// read takes what is left of the query; the result is an error code or "".
func (r *authorizationRequest) read(query url.Values, seed Seed) string {
	for _, values := range query {
		if len(values) > 1 {
			return "invalid_request" // RFC 6749 §3.1: no parameter more than once
		}
	}
	switch query.Get("response_type") {
	case "code":
	case "token":
		return "unauthorized_client" // no client of the emulator has the implicit flow
	default:
		return "invalid_request"
	}
	if code := r.readScopes(query.Get("scope")); code != "" {
		return code
	}
	challenge, method := query.Get("code_challenge"), query.Get("code_challenge_method")
	if (challenge == "") != (method == "") || (method != "" && method != "S256") {
		return "invalid_request"
	}
	r.challenge = challenge
	r.nonce, r.loginHint, r.resource = query.Get("nonce"), query.Get("login_hint"), query.Get("resource")
	if !validResource(r.resource) {
		return "invalid_request"
	}
	return r.readPromptAndProvider(query, seed)
}

// readScopes: no scope at all asks for every scope of the client. A scope that the
// client does not have is refused; the documentation contradicts itself here.
func (r *authorizationRequest) readScopes(sent string) string {
	r.scopes = strings.Fields(sent)
	if len(r.scopes) == 0 {
		r.scopes = r.client.Scopes
	}
	for _, scope := range r.scopes {
		if !slices.Contains(r.client.Scopes, scope) {
			return "invalid_scope"
		}
	}
	return ""
}

func (r *authorizationRequest) readPromptAndProvider(query url.Values, seed Seed) string {
	if seed.ManagedLoginVersion == 2 { // the classic pages ignore it
		r.prompt = strings.Fields(query.Get("prompt"))
	}
	for _, value := range r.prompt {
		if !slices.Contains([]string{"none", "login", "select_account", "consent"}, value) {
			return "invalid_request"
		}
	}
	if r.wants("none") && len(r.prompt) > 1 {
		return "invalid_request" // OpenID Connect Core §3.1.2.1
	}
	r.provider = query.Get("identity_provider")
	if alias := query.Get("idp_identifier"); alias != "" && r.provider == "" {
		r.provider = seed.providerFor(alias)
		if r.provider == "" {
			return "invalid_request"
		}
	}
	if r.provider != "" && !slices.Contains(r.client.Providers, r.provider) {
		return "invalid_request"
	}
	return ""
}

func (s Seed) providerFor(identifier string) string {
	for _, p := range s.Providers {
		if slices.ContainsFunc(p.Identifiers, func(id string) bool { return strings.EqualFold(id, identifier) }) {
			return p.Name
		}
	}
	return ""
}

// validResource: https, http on localhost, or a custom scheme.
func validResource(resource string) bool {
	if resource == "" {
		return true
	}
	u, err := url.Parse(resource)
	return err == nil && u.Scheme != "" && (u.Scheme != "http" || isLoopback(u.Hostname()))
}

// wants reports whether prompt holds value.
func (r *authorizationRequest) wants(value string) bool { return slices.Contains(r.prompt, value) }

// redirect is the callback with params and the state added. The state comes back
// as it was sent, and only if it was sent.
func (r *authorizationRequest) redirect(params url.Values) string {
	if r.hasState {
		params.Set("state", r.state)
	}
	separator := "?"
	if strings.Contains(r.redirectURI, "?") {
		separator = "&"
	}
	return r.redirectURI + separator + params.Encode()
}

func (r *authorizationRequest) errorRedirect(code, description string) string {
	params := url.Values{"error": {code}}
	if description != "" {
		params.Set("error_description", description)
	}
	return r.redirect(params)
}

// refuse answers a request that parseAuthorization did not accept.
func (e *Emulator) refuse(w http.ResponseWriter, r *http.Request, err error) {
	var fault *requestFault
	if !errors.As(err, &fault) {
		e.log.Warn("state looks like JSON: the real service answers an empty 400; encode it as base64url", "path", r.URL.Path)
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	e.log.Info("authorization request refused", "error", fault.code, "path", r.URL.Path)
	if fault.redirectTo != "" {
		redirect(w, fault.redirectTo)
		return
	}
	e.redirectToError(w, fault.code, fault.clientID)
}

// redirectToError sends the browser to the error page, never to the client.
func (e *Emulator) redirectToError(w http.ResponseWriter, code, clientID string) {
	redirect(w, "/error?"+url.Values{"error": {code}, "client_id": {clientID}}.Encode())
}

// redirect writes a 302 with location as it is; http.Redirect would clean its path
// and add a body.
func redirect(w http.ResponseWriter, location string) {
	w.Header().Set("Location", location)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusFound)
}
