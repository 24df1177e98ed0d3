package oauth

import (
	"context"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

const (
	// maxToken is the most bytes a token has. Real ones stay under 8 KiB.
	maxToken = 64 << 10
	// blindLifetime is how long an access token counts as good where neither
	// expires_in nor the token itself says: the shortest that Cognito has.
	blindLifetime = 5 * time.Minute
	// maxLifetime bounds expires_in, in seconds: a year, which still fits a Duration.
	maxLifetime = 365 * 24 * 60 * 60
)

// Exchange redeems the callback's code and verifies what comes for it. p must
// come from [Client.Open] without error, for the same binding.
//
// Errors: [ErrCallback] (there is no code, or iss names another provider),
// [ErrStateUnbound], *[AuthorizationError], [ErrGrantRevoked] (the code is not good any more),
// [ErrMisconfigured], [ErrUnavailable], [ErrInvalidToken]. The code is sent at
// most once.
func (c *Client) Exchange(ctx context.Context, cb Callback, p Pending, binding Binding) (Tokens, error) {
	if err := c.MayExchange(cb, p); err != nil {
		return Tokens{}, err
	}
	// Fetch the keys first. Without them the ID token cannot be checked, and a code
	// spent for nothing is a lost login; while it is unspent, a reload may succeed.
	if err := c.keys.ready(ctx); err != nil {
		return Tokens{}, fmt.Errorf("exchange code: %w", err)
	}
	verifier := p.attempt.verifier(binding)
	sent := []secret.Text{cb.Code, secret.NewText(verifier)}
	t, err := c.call(ctx, "code", sent, func(ctx context.Context) (*oauth2.Token, error) {
		return c.config().Exchange(ctx, cb.Code.Reveal(), oauth2.VerifierOption(verifier))
	})
	if err != nil {
		return Tokens{}, fmt.Errorf("exchange code: %w", err)
	}
	err = c.identify(ctx, &t, func(id *idClaims) error {
		return id.checkLogin(p.attempt.nonce(binding), t.Access, time.Now())
	})
	if err != nil {
		return Tokens{}, fmt.Errorf("exchange code: %w", err)
	}
	return t, nil
}

// identify fills in whose tokens these are, by their ID token, which must pass check
// besides all that holds of any.
func (c *Client) identify(ctx context.Context, t *Tokens, check func(*idClaims) error) error {
	if t.ID.Empty() {
		return fmt.Errorf("%w: no ID token came", ErrInvalidToken)
	}
	id, err := c.verify(ctx, t.ID.Reveal())
	if err == nil {
		err = check(id)
	}
	if err != nil {
		return fmt.Errorf("verify ID token: %w", err)
	}
	if err := checkAccessSubject(t.AccessClaims, id.sub); err != nil {
		return err
	}
	t.Issuer, t.Subject, t.AuthTime, t.IDClaims = c.opts.Issuer, id.sub, id.authTime, id.raw
	return nil
}

// Grant is what the provider gave for a user's own proof, such as a password, by
// another way than the token endpoint.
type Grant struct {
	Access, ID, Refresh secret.Text
	ExpiresIn           int64 // seconds; 0: not said
}

// Accept verifies the tokens of a grant as those of a login, but for the nonce: only
// a login by redirect has one, and here the answer came over the call that asked for it.
//
// Errors: [ErrInvalidToken], [ErrMisconfigured], [ErrUnavailable].
func (c *Client) Accept(ctx context.Context, g Grant) (Tokens, error) {
	got := &oauth2.Token{AccessToken: g.Access.Reveal(), TokenType: "Bearer", ExpiresIn: g.ExpiresIn}
	t, err := c.accept(got.WithExtra(map[string]any{"id_token": g.ID.Reveal(), "refresh_token": g.Refresh.Reveal()}), time.Now())
	if err == nil {
		err = c.identify(ctx, &t, func(id *idClaims) error { return id.checkNew(t.Access, time.Now()) })
	}
	if err != nil {
		return Tokens{}, fmt.Errorf("accept tokens: %w", err)
	}
	return t, nil
}

// MayExchange judges what [Client.Exchange] is given, and asks nobody. Errors:
// [ErrCallback], [ErrStateUnbound], *[AuthorizationError].
func (c *Client) MayExchange(cb Callback, p Pending) error {
	switch {
	case !p.bound:
		return fmt.Errorf("exchange code: %w", ErrStateUnbound)
	case cb.Issuer != "" && cb.Issuer != c.opts.Issuer:
		return fmt.Errorf("exchange code: %w: answered by another issuer (RFC 9207)", ErrCallback)
	case cb.Refusal != nil:
		return cb.Refusal
	case cb.Code.Empty():
		return fmt.Errorf("exchange code: %w", ErrCallback)
	}
	return nil
}

// Refresh redeems prior's refresh token. What the answer leaves out stays as it
// was: the refresh token where there is no rotation, the ID token where none
// comes. Issuer, subject and the time of authentication never change (OpenID
// Connect Core §12.2).
//
// Errors: [ErrGrantRevoked], [ErrMisconfigured], [ErrUnavailable],
// [ErrInvalidToken] (the answer is about someone else, or forged). Tokens of
// another issuer are ErrMisconfigured, and nobody is asked.
func (c *Client) Refresh(ctx context.Context, prior Tokens) (Tokens, error) {
	if prior.Refresh.Empty() {
		return Tokens{}, fmt.Errorf("refresh tokens: %w: there is no refresh token", ErrGrantRevoked)
	}
	if err := c.checkOwn(prior); err != nil {
		return Tokens{}, fmt.Errorf("refresh tokens: %w", err)
	}
	t, err := c.call(ctx, "refresh", []secret.Text{prior.Refresh}, func(ctx context.Context) (*oauth2.Token, error) {
		// Without an access token the source always asks the provider.
		return c.config().TokenSource(ctx, &oauth2.Token{RefreshToken: prior.Refresh.Reveal()}).Token()
	})
	if err != nil {
		return Tokens{}, fmt.Errorf("refresh tokens: %w", err)
	}
	if t.Refresh.Empty() {
		t.Refresh = prior.Refresh
	}
	if err := c.renewIdentity(ctx, &t, prior); err != nil {
		return Tokens{}, fmt.Errorf("refresh tokens: %w", err)
	}
	return t, nil
}

// checkOwn keeps a token from a provider that has not issued it.
func (c *Client) checkOwn(t Tokens) error {
	if t.Issuer != c.opts.Issuer {
		return fmt.Errorf("%w: they are another issuer's", ErrMisconfigured)
	}
	return nil
}

// call makes one call of the token endpoint under its own deadline, which sends
// these secrets and the client's own, and checks the answer's form. The answer's
// ID token is not verified yet.
func (c *Client) call(ctx context.Context, what string, sent []secret.Text, ask func(context.Context) (*oauth2.Token, error)) (t Tokens, err error) {
	began := time.Now()
	defer func() { c.opts.Observe(ctx, what, time.Since(began), err) }()
	bounded, cancel := context.WithTimeout(ctx, c.opts.Timeout)
	defer cancel()
	h := *c.http
	h.Transport = jsonOnly{orDefault(h.Transport)}
	got, err := ask(context.WithValue(bounded, oauth2.HTTPClient, &h))
	if err != nil {
		return Tokens{}, c.classifyToken(bounded, err, append(sent, c.opts.ClientSecret))
	}
	return c.accept(got, time.Now())
}

// accept checks a token response (RFC 6749 §5.1) and sorts it into Tokens.
func (c *Client) accept(got *oauth2.Token, now time.Time) (Tokens, error) {
	idToken, _ := got.Extra("id_token").(string)
	// Read the raw answer, to see whether a refresh token came: x/oauth2 fills in
	// the one that was sent.
	refresh, _ := got.Extra("refresh_token").(string)
	if !strings.EqualFold(got.TokenType, "Bearer") {
		return Tokens{}, fmt.Errorf("%w: token type is not Bearer", ErrInvalidToken)
	}
	for _, token := range []string{got.AccessToken, idToken, refresh} {
		if len(token) > maxToken || strings.ContainsFunc(token, notB64Token) {
			return Tokens{}, fmt.Errorf("%w: too long, or not the characters of a token", ErrInvalidToken)
		}
	}
	t := Tokens{
		Access:       secret.NewText(got.AccessToken),
		ID:           secret.NewText(idToken),
		Refresh:      secret.NewText(refresh),
		AccessClaims: json.RawMessage("{}"),
	}
	var access accessClaims // none where the token is opaque, as RFC 6749 §1.4 has it
	switch payload, ok := jwtPayload(got.AccessToken); {
	case ok:
		err := c.checkIssuer(payload)
		if err != nil {
			return Tokens{}, fmt.Errorf("access token: %w", err)
		}
		if access, err = readAccessClaims(payload); err == nil {
			err = access.check(c.opts.ClientID, now)
		}
		if err != nil {
			return Tokens{}, fmt.Errorf("%w: access token: %w", ErrInvalidToken, err)
		}
		t.AccessClaims = payload
	case looksLikeJWT(got.AccessToken):
		return Tokens{}, fmt.Errorf("%w: access token: a JWT that readers disagree about", ErrInvalidToken)
	}
	t.AccessExpiresAt = accessExpiry(got.ExpiresIn, access.exp, now)
	return t, nil
}

// accessExpiry is when an access token ends: expires_in after its receipt, but
// not after its own exp, which is what an upstream goes by. If it has neither, it
// ends after blindLifetime.
func accessExpiry(expiresIn int64, exp, now time.Time) time.Time {
	end := now.Add(blindLifetime)
	if !exp.IsZero() {
		end = exp
	}
	if expiresIn > 0 {
		counted := now.Add(time.Duration(min(expiresIn, maxLifetime)) * time.Second)
		if exp.IsZero() || counted.Before(exp) {
			end = counted
		}
	}
	return end
}

// notB64Token reports what may not stand in a bearer token (RFC 6750 §2.1); a
// line break in one would end a header of the upstream's request.
func notB64Token(r rune) bool {
	switch {
	case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
		return false
	}
	return !strings.ContainsRune("-._~+/=", r)
}

// jsonOnly refuses successful answers that x/oauth2 would read as a form, which
// is no token response (RFC 6749 §5.1), and successes other than 200.
type jsonOnly struct{ next http.RoundTripper }

func (t jsonOnly) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := t.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	success := res.StatusCode >= 200 && res.StatusCode <= 299
	if success && (res.StatusCode != http.StatusOK || isForm(res)) {
		_ = res.Body.Close()
		return nil, errNotAnAnswer
	}
	return res, nil
}

// isForm reports whether x/oauth2 reads res as a form and not as JSON.
func isForm(res *http.Response) bool {
	mt, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type"))
	return mt == "application/x-www-form-urlencoded" || mt == "text/plain"
}

func orDefault(t http.RoundTripper) http.RoundTripper {
	if t == nil {
		return http.DefaultTransport
	}
	return t
}
