package cognitoemu

import (
	"encoding/json"
	"net/http"
)

// discoveryDocument has the members of the real one and no others: it announces
// neither PKCE methods nor grant types.
type discoveryDocument struct {
	AuthorizationEndpoint string   `json:"authorization_endpoint"`
	EndSessionEndpoint    string   `json:"end_session_endpoint"`
	SigningAlgorithms     []string `json:"id_token_signing_alg_values_supported"`
	Issuer                string   `json:"issuer"`
	JWKSURI               string   `json:"jwks_uri"`
	ResponseTypes         []string `json:"response_types_supported"`
	RevocationEndpoint    string   `json:"revocation_endpoint"`
	Scopes                []string `json:"scopes_supported"`
	SubjectTypes          []string `json:"subject_types_supported"`
	TokenEndpoint         string   `json:"token_endpoint"`
	TokenAuthMethods      []string `json:"token_endpoint_auth_methods_supported"`
	UserInfoEndpoint      string   `json:"userinfo_endpoint"`
}

// discovery is GET /POOL/.well-known/openid-configuration, on the IdP host only.
func (e *Emulator) discovery(w http.ResponseWriter, r *http.Request) {
	if !e.ownPool(w, r) {
		return
	}
	domain := e.opts.PagesURL
	e.writeMetadata(w, r, discoveryDocument{
		AuthorizationEndpoint: domain + "/oauth2/authorize",
		EndSessionEndpoint:    domain + "/logout",
		SigningAlgorithms:     []string{"RS256"},
		Issuer:                e.issuer,
		JWKSURI:               e.issuer + "/.well-known/jwks.json",
		ResponseTypes:         []string{"code", "token"},
		RevocationEndpoint:    domain + "/oauth2/revoke",
		Scopes:                []string{scopeOpenID, scopeEmail, scopePhone, scopeProfile},
		SubjectTypes:          []string{"public"},
		TokenEndpoint:         domain + "/oauth2/token",
		TokenAuthMethods:      []string{"client_secret_basic", "client_secret_post"},
		UserInfoEndpoint:      domain + "/oauth2/userInfo",
	})
}

// jwks is GET /POOL/.well-known/jwks.json, on the IdP host only.
func (e *Emulator) jwks(w http.ResponseWriter, r *http.Request) {
	if !e.ownPool(w, r) {
		return
	}
	var set struct {
		Keys []jwk `json:"keys"`
	}
	for _, key := range e.keys.published() {
		set.Keys = append(set.Keys, key.public())
	}
	e.writeMetadata(w, r, set)
}

func (e *Emulator) ownPool(w http.ResponseWriter, r *http.Request) bool {
	if r.PathValue("pool") == e.seed.PoolID {
		return true
	}
	e.log.Warn("well-known document of another user pool asked for", "pool", r.PathValue("pool"), "have", e.seed.PoolID)
	writeJSON(w, http.StatusNotFound, map[string]string{"message": "User pool " + r.PathValue("pool") + " does not exist."})
	return false
}

// writeMetadata answers with a document that may be cached for a while.
func (e *Emulator) writeMetadata(w http.ResponseWriter, r *http.Request, document any) {
	e.openToScripts(w, r)
	h := w.Header()
	h.Set("Cache-Control", "public, max-age=300")
	h.Set("Content-Type", "application/json;charset=UTF-8")
	_ = json.NewEncoder(w).Encode(document) // the client has gone
}
