package cognitoemu

import (
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
)

// maxForm bounds request bodies; a refresh token takes 2 kB of it.
const maxForm = 64 << 10

// oauthError is an error answer of the OAuth endpoints; most carry no description.
type oauthError struct {
	Code        string `json:"error"`
	Description string `json:"error_description,omitempty"`
}

func (e *oauthError) Error() string { return e.Code }

var (
	errInvalidRequest = &oauthError{Code: "invalid_request"}
	errInvalidClient  = &oauthError{Code: "invalid_client"}
	errInvalidGrant   = &oauthError{Code: "invalid_grant"}
)

// token is POST /oauth2/token.
func (e *Emulator) token(w http.ResponseWriter, r *http.Request) {
	if !e.oauthMethod(w, r, http.MethodPost) {
		return
	}
	set, err := e.tokenAnswer(w, r)
	if err == nil {
		writeJSON(w, http.StatusOK, set)
		return
	}
	var refusal *oauthError
	if !errors.As(err, &refusal) {
		e.log.Error("token endpoint", "err", err)
		writeJSON(w, http.StatusInternalServerError, &oauthError{Code: "server_error"})
		return
	}
	e.log.Info("token request refused", "error", refusal.Code, "description", refusal.Description)
	status := http.StatusBadRequest
	if errors.Is(err, errInvalidClient) {
		status = e.opts.InvalidClientStatus
	}
	writeJSON(w, status, refusal)
}

func (e *Emulator) tokenAnswer(w http.ResponseWriter, r *http.Request) (tokenSet, error) {
	form, err := readForm(w, r)
	if err != nil {
		return tokenSet{}, err
	}
	switch form.Get("grant_type") {
	case "authorization_code":
		// Burnt before anything is checked: a client that tries one way of
		// authenticating and then the other has lost its code.
		code, live := e.codes.take(form.Get("code"), e.clock.now())
		client, err := e.authenticateClient(r, form)
		if err != nil {
			return tokenSet{}, err
		}
		return e.exchange(client, form, code, live)
	case "refresh_token":
		client, err := e.authenticateClient(r, form)
		if err != nil {
			return tokenSet{}, err
		}
		return e.refresh(client, form.Get("refresh_token"))
	case "client_credentials":
		client, err := e.authenticateClient(r, form)
		if err != nil {
			return tokenSet{}, err
		}
		return e.machine(client, form)
	case "":
		return tokenSet{}, errInvalidRequest
	default:
		return tokenSet{}, &oauthError{Code: "unsupported_grant_type"}
	}
}

// exchange redeems an authorization code (RFC 6749 §4.1.3).
func (e *Emulator) exchange(client Client, form url.Values, code authorizationCode, live bool) (tokenSet, error) {
	switch {
	case form.Get("code") == "" || (form.Get("redirect_uri") == "" && len(client.CallbackURLs) > 1):
		return tokenSet{}, errInvalidRequest
	case !live || code.grant.clientID != client.ID:
		return tokenSet{}, errInvalidGrant
	case form.Has("redirect_uri") && form.Get("redirect_uri") != code.redirectURI:
		return tokenSet{}, &oauthError{Code: "unauthorized_client", Description: "invalid_redirect"}
	case !code.provenBy(form.Get("code_verifier")):
		return tokenSet{}, errInvalidGrant
	case !client.canReadScopes(code.grant.scopes):
		return tokenSet{}, errInvalidGrant
	}
	user, ok := e.users.lookup(code.grant.sub)
	if !ok || user.disabled {
		return tokenSet{}, errInvalidGrant
	}
	now := e.clock.now()
	code.grant.expires = now.Add(client.RefreshTTL)
	g, refreshToken := e.grants.begin(code.grant, now)
	set, err := e.mint(g, user, g.nonce)
	set.RefreshToken = refreshToken
	return set, err
}

// refresh renews the tokens of a grant (RFC 6749 §6). The answer holds a refresh
// token only under rotation. Why a token was refused is not told.
func (e *Emulator) refresh(client Client, raw string) (tokenSet, error) {
	if raw == "" {
		return tokenSet{}, errInvalidRequest
	}
	set, err := e.renew(client, raw)
	for _, refusal := range []error{errRefreshUnknown, errRefreshRevoked, errRefreshExpired, errRefreshReused, errUserDisabled} {
		if errors.Is(err, refusal) {
			e.log.Info("refresh token refused", "reason", refusal)
			return tokenSet{}, errInvalidGrant
		}
	}
	return set, err
}

// renew is a refresh by whichever way: token endpoint or JSON API.
func (e *Emulator) renew(client Client, raw string) (tokenSet, error) {
	g, successor, err := e.grants.redeem(raw, client.ID, e.rotationOf(client), e.clock.now())
	if err != nil {
		return tokenSet{}, err
	}
	user, ok := e.users.lookup(g.sub)
	if !ok || user.disabled {
		return tokenSet{}, errUserDisabled
	}
	nonce := ""
	if e.opts.NonceOnRefresh {
		nonce = g.nonce
	}
	set, err := e.mint(g, user, nonce)
	set.RefreshToken = successor
	return set, err
}

// authenticateClient accepts client_secret_basic and client_secret_post from
// confidential clients, one at a time, and a bare client_id from public ones.
func (e *Emulator) authenticateClient(r *http.Request, form url.Values) (Client, error) {
	id, secret := form.Get("client_id"), form.Get("client_secret")
	if r.Header.Get("Authorization") != "" {
		basicID, basicSecret, ok := basicCredentials(r)
		if !ok || secret != "" || (id != "" && id != basicID) {
			return Client{}, errInvalidClient
		}
		if basicSecret == "" { // a public client has no business with Basic (assumed)
			return Client{}, errInvalidClient
		}
		id, secret = basicID, basicSecret
	}
	if id == "" {
		return Client{}, errInvalidRequest
	}
	client, ok := e.client(id)
	if !ok || subtle.ConstantTimeCompare([]byte(client.Secret), []byte(secret)) != 1 {
		return Client{}, errInvalidClient
	}
	return client, nil
}

// basicCredentials undoes the form encoding that RFC 6749 §2.3.1 asks for inside
// Basic.
func basicCredentials(r *http.Request) (id, secret string, ok bool) {
	kind, encoded, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	raw, err := base64.StdEncoding.DecodeString(encoded)
	if !strings.EqualFold(kind, "Basic") || err != nil {
		return "", "", false
	}
	id, secret, ok = strings.Cut(string(raw), ":")
	if !ok {
		return "", "", false
	}
	id, idErr := url.QueryUnescape(id)
	secret, secretErr := url.QueryUnescape(secret)
	return id, secret, idErr == nil && secretErr == nil
}

// readForm reads the body only: parameters in the query do not count, and a
// repeated one is an error (RFC 6749 §3.2).
func readForm(w http.ResponseWriter, r *http.Request) (url.Values, error) {
	mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || mediaType != "application/x-www-form-urlencoded" {
		return nil, errInvalidRequest
	}
	if r.PostForm == nil { // the levers may have read it before
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxForm))
		if err != nil {
			return nil, errInvalidRequest
		}
		if r.PostForm, err = url.ParseQuery(string(body)); err != nil {
			return nil, errInvalidRequest
		}
	}
	for _, values := range r.PostForm {
		if len(values) > 1 {
			return nil, errInvalidRequest
		}
	}
	return r.PostForm, nil
}

// oauthMethod answers what the token, revoke and userInfo endpoints have in
// common, and reports whether the request itself is to be answered.
func (e *Emulator) oauthMethod(w http.ResponseWriter, r *http.Request, method string) bool {
	switch r.Method {
	case method:
		e.openToScripts(w, r)
		return true
	case http.MethodOptions:
		e.preflight(w, r, method, "Authorization, Content-Type, X-Amz-User-Agent")
	default:
		w.Header().Set("Allow", method)
		writeJSON(w, http.StatusMethodNotAllowed, errInvalidRequest)
	}
	return false
}

// writeJSON answers as the OAuth endpoints do.
func writeJSON(w http.ResponseWriter, status int, body any) {
	h := w.Header()
	h.Set("Content-Type", "application/json;charset=UTF-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Pragma", "no-cache")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the client has gone
}
