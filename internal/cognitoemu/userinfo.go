package cognitoemu

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// userInfo is GET /oauth2/userInfo. All values are strings, email_verified too.
func (e *Emulator) userInfo(w http.ResponseWriter, r *http.Request) {
	if !e.oauthMethod(w, r, http.MethodGet) {
		return
	}
	kind, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(kind, "Bearer") || token == "" {
		refuseUserInfo(w, http.StatusBadRequest, "invalid_request", "Bad OAuth2 request at UserInfo Endpoint")
		return
	}
	claims, user, err := e.bearer(token)
	if err != nil {
		e.log.Info("userInfo refused", "reason", err)
		refuseUserInfo(w, http.StatusUnauthorized, "invalid_token",
			"Access token is expired, disabled, or deleted, or the user has globally signed out.")
		return
	}
	scopes := strings.Fields(claims.Scope)
	if !slices.Contains(scopes, scopeOpenID) {
		refuseUserInfo(w, http.StatusUnauthorized, "invalid_token", "Access token does not contain openid scope")
		return
	}
	client, _ := e.client(claims.ClientID)
	info, err := userAttributes(visibleAttributes(grant{scopes: scopes}, client, user), user)
	if err != nil {
		e.log.Error("userInfo", "err", err)
		writeJSON(w, http.StatusInternalServerError, &oauthError{Code: "server_error"})
		return
	}
	info["username"] = user.username
	writeJSON(w, http.StatusOK, info)
}

// userAttributes adds what is no stored attribute: sub, and for federated users
// identities, which outside tokens is JSON inside a string.
func userAttributes(attributes map[string]string, user account) (map[string]string, error) {
	attributes["sub"] = user.sub
	if user.federated() {
		encoded, err := json.Marshal([]any{user.identity.claim()})
		if err != nil {
			return nil, fmt.Errorf("encode identities: %w", err)
		}
		attributes["identities"] = string(encoded)
	}
	return attributes, nil
}

func refuseUserInfo(w http.ResponseWriter, status int, code, description string) {
	w.Header().Set("WWW-Authenticate", fmt.Sprintf("Bearer error=%q, error_description=%q", code, description))
	writeJSON(w, status, &oauthError{Code: code, Description: description})
}
