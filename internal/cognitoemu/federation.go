package cognitoemu

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// providerView is the page of a simulated external provider.
type providerView struct {
	formView
	Provider Provider
	Hint     string // login_hint, which SAML providers do not get
}

// providerPage is GET /simulated/{provider}: what would be another company's
// sign-in page. Not a path of the real service, which hands over to a real one.
func (e *Emulator) providerPage(w http.ResponseWriter, r *http.Request) {
	req, provider, ok := e.federation(w, r)
	if !ok {
		return
	}
	v := providerView{formView: e.form(w, r), Provider: provider}
	if provider.Type != ProviderSAML {
		v.Hint = req.loginHint
	}
	e.render(w, http.StatusOK, "provider",
		view{Title: "Simulated " + provider.Name + " sign-in", Client: req.client.Name, Data: v}, formTargets(req.client)...)
}

// federation checks the request and its provider; where they do not hold it has
// answered.
func (e *Emulator) federation(w http.ResponseWriter, r *http.Request) (authorizationRequest, Provider, bool) {
	req, err := e.parseAuthorization(r)
	if err != nil {
		e.refuse(w, r, err)
		return req, Provider{}, false
	}
	provider, ok := e.provider(r.PathValue("provider"))
	if !ok || !slices.Contains(req.client.Providers, provider.Name) {
		redirect(w, req.errorRedirect("invalid_request", ""))
		return req, Provider{}, false
	}
	return req, provider, true
}

// providerAnswer is POST /simulated/{provider}: a person was picked, or the sign-in
// was cancelled or made to fail.
func (e *Emulator) providerAnswer(w http.ResponseWriter, r *http.Request) {
	req, provider, ok := e.federation(w, r)
	if !ok || !e.acceptForm(w, r) {
		return
	}
	choice := r.PostForm.Get("choice")
	id, picked := strings.CutPrefix(choice, "user:")
	i := slices.IndexFunc(provider.Users, func(p ProviderPerson) bool { return p.ID == id })
	switch {
	case choice == "cancel":
		redirect(w, cancelled(req, provider))
	case !picked || i < 0:
		redirect(w, failed(req, provider))
	default:
		now := e.clock.now()
		user, err := e.users.federate(e.seed.PoolID, provider, provider.Users[i], now)
		if err != nil {
			redirect(w, req.errorRedirect("invalid_request", "User is not enabled"))
			return
		}
		e.issueCode(w, req, user, e.signIn(w, r, user, provider.Name))
	}
}

// cancelled: the texts are assumed. A SAML provider's reason is not relayed.
func cancelled(req authorizationRequest, provider Provider) string {
	if provider.Type == ProviderSAML {
		return req.errorRedirect("access_denied", "")
	}
	return req.errorRedirect("access_denied", "User cancelled the sign-in at "+provider.Name)
}

// failed is the provider's own token endpoint refusing the pool; of SAML providers
// no detail is given.
func failed(req authorizationRequest, provider Provider) string {
	if provider.Type == ProviderSAML {
		return req.errorRedirect("server_error", "")
	}
	return req.errorRedirect("invalid_request", fmt.Sprintf("%s Error - 400 error getting token", provider.Name))
}
