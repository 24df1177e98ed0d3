package middleware

import (
	"context"
	"errors"
	"net/http"

	"github.com/gatehouse-auth/gatehouse/internal/bearer"
	"github.com/gatehouse-auth/gatehouse/internal/oauth"
	"github.com/gatehouse-auth/gatehouse/internal/problem"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// Bearers are callers that prove themselves by an access token of their own.
type Bearers struct {
	// Verify returns whom a token proves. Errors: as [oauth.Client.VerifyAccess].
	Verify func(ctx context.Context, token string) (*oauth.AccessToken, error)
}

// ByBearer reports whether a request is judged by its bearer, and the cookie has no power:
// where the route takes a bearer, and either no cookie, or the request has an Authorization
// header. Whatever that is, it decides.
func ByBearer(r *http.Request, x *Exchange) bool {
	auth := x.Decision.Route.Access.Auth
	return auth.TakesBearer() && (!auth.TakesCookie() || len(r.Header["Authorization"]) > 0)
}

// LoadBearer finds the caller of a request that is judged by its bearer.
func (b *Bearers) LoadBearer(next Handler) Handler {
	return func(w http.ResponseWriter, r *http.Request, x *Exchange) error {
		if !ByBearer(r, x) {
			return next(w, r, x)
		}
		caller, err := b.find(r.Context(), r.Header["Authorization"])
		if err != nil {
			return refuseBearer(err)
		}
		x.Caller = caller
		return next(w, r, x)
	}
}

// find errors: as [bearer.Token] and Verify.
func (b *Bearers) find(ctx context.Context, authorization []string) (Caller, error) {
	text, header, err := bearer.Token(authorization)
	if err != nil {
		return Caller{}, err
	}
	token, err := b.Verify(ctx, text)
	if err != nil {
		return Caller{}, err
	}
	return CallerWith(token, secret.NewText(header)), nil
}

// refuseBearer words an error of find (RFC 6750 §3). Nothing of the header is repeated.
func refuseBearer(err error) error {
	switch {
	case errors.Is(err, bearer.ErrNone):
		return challenge(realm, &problem.Error{Status: http.StatusUnauthorized, Code: "unauthenticated", Err: err,
			Public: "This address takes an access token, as Authorization: Bearer."})
	case errors.Is(err, bearer.ErrMalformed):
		return described("invalid_token", &problem.Error{Status: http.StatusUnauthorized, Code: "invalid_token", Err: err,
			Public: "The Authorization header must come once, as Bearer and a token."})
	case errors.Is(err, oauth.ErrExpired):
		return described("invalid_token", &problem.Error{Status: http.StatusUnauthorized, Code: "invalid_token", Err: err,
			Public: "The access token has expired."})
	case errors.Is(err, oauth.ErrInvalidToken):
		return described("invalid_token", &problem.Error{Status: http.StatusUnauthorized, Code: "invalid_token", Err: err,
			Public: "The access token is not valid here."})
	}
	return problem.ProviderUnavailable(err)
}

const realm = `realm="gatehouse"`

// bearerWanted is the challenge where a token would do (RFC 6750 §3).
var bearerWanted = []string{"Bearer " + realm}

// described says in the challenge too what is wrong.
func described(code string, e *problem.Error) error {
	return challenge(`error="`+code+`", error_description="`+e.Public+`"`, e)
}

// challenge says in WWW-Authenticate how a program does better.
func challenge(params string, e *problem.Error) error {
	e.Header = http.Header{"Www-Authenticate": {"Bearer " + params}}
	return e
}
