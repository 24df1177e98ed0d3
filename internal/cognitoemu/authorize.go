package cognitoemu

import (
	"net/http"
	"net/url"
)

// authorize is GET /oauth2/authorize: a code at once for a browser that is signed
// in, else on to the page or the provider that can sign it in.
func (e *Emulator) authorize(w http.ResponseWriter, r *http.Request) {
	req, err := e.parseAuthorization(r)
	if err != nil {
		e.refuse(w, r, err)
		return
	}
	session, user, ok := e.signedIn(r)
	// A login at one provider is not reused for a request that names another
	// (assumed).
	ok = ok && (req.provider == "" || req.provider == session.provider)
	switch {
	case ok && !req.wants("login"):
		e.issueCode(w, req, user, session)
	case req.wants("none"):
		redirect(w, req.errorRedirect("login_required", ""))
	case req.provider != "" && req.provider != cognitoProvider:
		redirect(w, "/simulated/"+url.PathEscape(req.provider)+"?"+r.URL.RawQuery)
	default:
		redirect(w, "/login?"+r.URL.RawQuery)
	}
}

// issueCode ends an authorization request well: back to the client with a code.
func (e *Emulator) issueCode(w http.ResponseWriter, req authorizationRequest, user account, session login) {
	nonce := req.nonce
	if nonce == "" && user.federated() {
		// The real service makes one of its own for federated sign-ins, which a client
		// that sent none must put up with.
		nonce = randomText(32)
	}
	now := e.clock.now()
	code := e.codes.add(authorizationCode{
		grant: grant{
			sub: user.sub, clientID: req.client.ID, scopes: req.scopes, nonce: nonce, resource: req.resource,
			authTime: session.at, deviceKey: session.deviceKey,
		},
		redirectURI: req.redirectURI, challenge: req.challenge, expires: now.Add(codeTTL),
	}, now)
	redirect(w, req.redirect(url.Values{"code": {code}}))
}
