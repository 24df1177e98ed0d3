package cognitoemu

import (
	"errors"
	"net/http"
	"strings"
)

// revoke is POST /oauth2/revoke (RFC 7009): 200 with an empty body, also for a
// token that is unknown or revoked already. It ends the token's grant: every token
// with the same origin_jti. The browser's sign-in cookie stays.
func (e *Emulator) revoke(w http.ResponseWriter, r *http.Request) {
	if !e.oauthMethod(w, r, http.MethodPost) {
		return
	}
	if err := e.revokeAnswer(w, r); err != nil {
		e.log.Info("revocation refused", "error", err)
		status := http.StatusBadRequest
		if errors.Is(err, errInvalidClient) {
			status = http.StatusUnauthorized
		}
		writeJSON(w, status, err)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
}

// revokeAnswer's error is an *oauthError.
func (e *Emulator) revokeAnswer(w http.ResponseWriter, r *http.Request) error {
	form, err := readForm(w, r)
	if err != nil {
		return err
	}
	client, err := e.authenticateClient(r, form)
	if err != nil {
		return errInvalidClient // here a client that names itself nowhere is 401 too
	}
	token := form.Get("token")
	switch {
	case token == "" || client.DisableRevocation:
		return errInvalidRequest
	case isJWT(token):
		return &oauthError{Code: "unsupported_token_type"}
	}
	e.grants.revoke(token, client.ID)
	return nil
}

// isJWT tells the three-part access and ID tokens from the five-part refresh token.
func isJWT(token string) bool { return strings.Count(token, ".") == 2 }
