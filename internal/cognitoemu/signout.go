package cognitoemu

import (
	"net/http"
	"slices"
)

// logout is GET /logout. With client_id and a registered logout_uri it clears the
// browser's login and redirects there; with redirect_uri and response_type it
// clears it and asks for another sign-in. It revokes no token, and standard OpenID
// Connect parameters mean nothing to it.
func (e *Emulator) logout(w http.ResponseWriter, r *http.Request) {
	query, err := parseQuery(r.URL.RawQuery)
	client, known := e.client(query.Get("client_id"))
	if err != nil || !known {
		e.redirectToError(w, "invalid_request", query.Get("client_id"))
		return
	}
	if target := query.Get("logout_uri"); slices.Contains(client.LogoutURLs, target) {
		e.clearLogin(w, r)
		redirect(w, target)
		return
	}
	if query.Get("redirect_uri") == "" {
		e.log.Warn("sign-out refused: logout_uri is not registered with the client", "logout_uri", query.Get("logout_uri"), "registered", client.LogoutURLs)
		e.renderError(w, r, http.StatusBadRequest, errorView{
			Heading: "An error was encountered with the requested page.",
			Text:    "Required String parameter 'redirect_uri' is not present",
		})
		return
	}
	// The login page repeats the request without the choice of provider.
	query.Del("logout_uri")
	query.Del("identity_provider")
	query.Del("idp_identifier")
	again := r.Clone(r.Context())
	again.URL.RawQuery = query.Encode()
	if _, err := e.parseAuthorization(again); err != nil {
		e.refuse(w, again, err)
		return
	}
	e.clearLogin(w, r)
	redirect(w, "/login?"+again.URL.RawQuery)
}

func (e *Emulator) clearLogin(w http.ResponseWriter, r *http.Request) {
	e.logins.end(cookieValue(r, loginCookie))
	e.setCookie(w, loginCookie, "", -1)
}
