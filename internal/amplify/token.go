package amplify

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"

	"github.com/gatehouse-auth/gatehouse/internal/middleware"
	"github.com/gatehouse-auth/gatehouse/internal/problem"
	"github.com/gatehouse-auth/gatehouse/internal/session"
)

// maxTokenBody bounds a token request. Its longest part is the redirect_uri.
const maxTokenBody = 16 << 10

// tokenAnswer is the answer to a token request (RFC 6749 §5.1).
type tokenAnswer struct {
	AccessToken  string `json:"access_token"`
	IDToken      string `json:"id_token"`
	RefreshToken string `json:"refresh_token"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int64  `json:"expires_in"` // seconds
}

// tokenError is the answer to one that is refused (RFC 6749 §5.2).
type tokenError struct {
	Error       string `json:"error"`
	Description string `json:"error_description"`
	// Message repeats the description under the name by which aws-amplify looks for it.
	Message string `json:"error_message"`
}

// Token is POST {mount}/amplify/oauth2/token: a page redeems its code (RFC 6749 §4.1.3,
// RFC 7636 §4.5). What it gets are shadows of the tokens of the session that its cookie
// names, which must be of the user who signed in.
func (f *Facade) Token(w http.ResponseWriter, r *http.Request, x *middleware.Exchange) error {
	got, err := f.redeem(w, r, x)
	if failed := f.deliver(w, r, x); failed != nil {
		return failed
	}
	if err != nil {
		return err
	}
	return problem.WriteJSON(w, http.StatusOK, tokenAnswer{
		AccessToken: got.Access, IDToken: got.ID, RefreshToken: RefreshToken, TokenType: "Bearer", ExpiresIn: got.ExpiresIn,
	})
}

// redeem spends the code last, so that an outage before leaves it good.
func (f *Facade) redeem(w http.ResponseWriter, r *http.Request, x *middleware.Exchange) (Shadow, error) {
	form, err := readTokenForm(w, r)
	if err != nil {
		return Shadow{}, err
	}
	switch err := f.load(r, x); {
	case errors.Is(err, session.ErrNotFound):
		return Shadow{}, invalidGrant("No session came with the code: the page must be at the gateway's own origin, and the browser must keep its cookies.", err)
	case err != nil:
		return Shadow{}, err
	}
	got, err := f.Shadows.Of(x.Caller.Session)
	if err != nil {
		return Shadow{}, err
	}
	err = f.codes.redeem(r.Context(), form.Get("code"), grant{
		redirectURI: form.Get("redirect_uri"), challenge: challengeOf(form.Get("code_verifier")), subject: x.Caller.Subject,
	})
	switch {
	case errors.Is(err, errCode):
		return Shadow{}, invalidGrant("The code is not of this gateway, or was not issued for this redirect_uri, code_verifier and user.", err)
	case errors.Is(err, errCodeExpired):
		return Shadow{}, invalidGrant("The code has expired: a page has a minute to redeem it.", err)
	case errors.Is(err, errCodeSpent):
		return Shadow{}, invalidGrant("The code has been redeemed before.", err)
	}
	return got, err
}

// load finds the session that the cookie names, with claims as fresh as they can be had.
func (f *Facade) load(r *http.Request, x *middleware.Exchange) error {
	if err := f.Sessions.Load(r.Context(), x); err != nil {
		return err
	}
	f.Sessions.Touch(r.Context(), x)
	return f.Sessions.FreshClaims(r.Context(), x)
}

// readTokenForm reads the body and judges what of it does not hang on the session.
func readTokenForm(w http.ResponseWriter, r *http.Request) (url.Values, error) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/x-www-form-urlencoded" {
		return nil, invalidRequest("Send a form: Content-Type: application/x-www-form-urlencoded.")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxTokenBody))
	if err != nil {
		return nil, invalidRequest("The body is too large or incomplete.")
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, invalidRequest("The form is malformed.")
	}
	for _, values := range form {
		if len(values) > 1 {
			return nil, invalidRequest("A parameter is repeated.")
		}
	}
	switch form.Get("grant_type") {
	case "":
		return nil, invalidRequest("grant_type is missing.")
	case "authorization_code":
	default:
		return nil, &problem.Error{Status: http.StatusBadRequest, Code: "unsupported_grant_type",
			Public: "grant_type must be authorization_code. Tokens are renewed by the gateway, which alone has them."}
	}
	for _, name := range []string{"code", "redirect_uri", "code_verifier"} {
		if form.Get(name) == "" {
			return nil, invalidRequest(name + " is missing.")
		}
	}
	return form, nil
}

// InOAuthsForm makes the errors of a handler answers of a token endpoint.
func InOAuthsForm(next middleware.Handler) middleware.Handler {
	return func(w http.ResponseWriter, r *http.Request, x *middleware.Exchange) error {
		err := next(w, r, x)
		if err == nil {
			return nil
		}
		e := problem.Of(err)
		said := failure(e)
		body, failed := json.Marshal(tokenError{
			Error: said.Get("error"), Description: said.Get("error_description"), Message: said.Get("error_description"),
		})
		if failed != nil {
			return failed
		}
		e.ContentType, e.Body = "application/json", body
		return e
	}
}
