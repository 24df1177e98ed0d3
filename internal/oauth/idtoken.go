package oauth

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// maxSubject is the longest sub (OpenID Connect Core §2).
const maxSubject = 255

// maxAtLogin is how old an ID token may be when its login ends.
const maxAtLogin = 10 * time.Minute

// idClaims are the claims of a verified ID token.
type idClaims struct {
	raw      json.RawMessage
	sub      string
	nonce    *string
	atHash   *string
	issuedAt time.Time
	authTime time.Time // zero if there is none
}

// verify checks form, signature and the claims that hold at any time (OpenID
// Connect Core §3.1.3.7). What differs between login and refresh is for
// checkLogin and renewIdentity. Errors: [ErrInvalidToken]; [ErrMisconfigured] where
// another issuer made the token; those of the key set where it cannot be had.
func (c *Client) verify(ctx context.Context, token string) (*idClaims, error) {
	kid, err := checkForm(token)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalidToken, err)
	}
	payload, _ := jwtPayload(token)
	if err := c.checkIssuer(payload); err != nil {
		return nil, err
	}
	raw, err := c.checkSignature(ctx, token, kid, c.opts.ClientID)
	switch {
	case errors.Is(err, errSignature):
		return nil, fmt.Errorf("%w: %s", ErrInvalidToken, c.whyRefused(token))
	case err != nil:
		return nil, err
	}
	id, err := c.readIDClaims(raw, time.Now())
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalidToken, err)
	}
	return id, nil
}

// plainIssuer is an issuer that may be quoted: an address and nothing else, such as
// those of user pools.
var plainIssuer = regexp.MustCompile(`^https://[a-z0-9.-]{1,100}/[A-Za-z0-9_-]{1,55}$`)

// checkIssuer tells a token of another issuer from a forged one, before the keys
// of the wrong issuer are asked for one that they cannot have. Nothing is believed
// for it: an ID token's issuer is checked again behind the signature. A token that
// does not say passes.
func (c *Client) checkIssuer(claims json.RawMessage) error {
	r, err := newClaimReader(claims)
	if err != nil {
		return fmt.Errorf("%w: claims", ErrInvalidToken)
	}
	issuer := r.optionalText("iss")
	switch {
	case r.err != nil:
		return fmt.Errorf("%w: iss", ErrInvalidToken)
	case issuer == nil, *issuer == c.opts.Issuer:
		return nil
	}
	named := "another issuer"
	if plainIssuer.MatchString(*issuer) {
		named = *issuer
	}
	return fmt.Errorf("%w: %s", ErrMisconfigured,
		lookAt("iss: the token is by "+named+", not by "+c.opts.Issuer, c.opts.Settings.Issuer))
}

// whyRefused names what the verifier did not like, for the operator who
// configured the issuer wrongly. The verifier's own text quotes claims.
func (c *Client) whyRefused(token string) string {
	payload, _ := jwtPayload(token)
	if _, err := c.readIDClaims(payload, time.Now()); err != nil {
		return err.Error()
	}
	return "signature"
}

// readIDClaims checks the claims once more by their exact names and types: the
// verifier matches names whatever their case, and converts.
func (c *Client) readIDClaims(raw json.RawMessage, now time.Time) (*idClaims, error) {
	r, err := newClaimReader(raw)
	if err != nil {
		return nil, err
	}
	id := &idClaims{raw: raw}
	issuer := r.text("iss")
	audience := r.texts("aud")
	party := r.optionalText("azp")
	use := r.optionalText("token_use")
	exp, nbf := r.time("exp"), r.optionalTime("nbf")
	id.sub = r.text("sub")
	id.nonce, id.atHash = r.optionalText("nonce"), r.optionalText("at_hash")
	id.issuedAt, id.authTime = r.time("iat"), r.optionalTime("auth_time")
	switch {
	case r.err != nil:
		return nil, r.err
	case issuer != c.opts.Issuer:
		return nil, errors.New("iss")
	case !onlyThis(audience, c.opts.ClientID), party != nil && *party != c.opts.ClientID:
		return nil, errors.New("aud or azp")
	// Cognito's access tokens are signed by the same issuer; token_use keeps them
	// apart. Other OpenID providers have no such claim; their access tokens fail
	// because they have no nonce.
	case use != nil && *use != "id":
		return nil, errors.New("token_use")
	case id.sub == "" || len(id.sub) > maxSubject:
		return nil, errors.New("sub")
	case now.After(exp.Add(clockSkew)):
		return nil, errors.New("exp")
	case id.issuedAt.After(now.Add(clockSkew)):
		return nil, errors.New("iat")
	case nbf.After(now.Add(clockSkew)):
		return nil, errors.New("nbf")
	}
	return id, nil
}

// onlyThis reports whether client is the audience and nobody else is: a further
// audience could replay the token, and this client trusts none (Core §3.1.3.7,
// 3).
func onlyThis(audience []string, client string) bool {
	for _, a := range audience {
		if a != client {
			return false
		}
	}
	return len(audience) > 0
}

// checkLogin ties the token to this login: its nonce, its age, and the access
// token that came along.
func (id *idClaims) checkLogin(nonce string, access secret.Text, now time.Time) error {
	if id.nonce == nil || subtle.ConstantTimeCompare([]byte(*id.nonce), []byte(nonce)) != 1 {
		return fmt.Errorf("%w: nonce", ErrInvalidToken)
	}
	return id.checkNew(access, now)
}

// checkNew ties the token to a sign-in that happened just now, and to the access
// token that came along.
func (id *idClaims) checkNew(access secret.Text, now time.Time) error {
	if now.Sub(id.issuedAt) > maxAtLogin+clockSkew {
		return fmt.Errorf("%w: iat too old for a login", ErrInvalidToken)
	}
	return id.checkAccessHash(access)
}

// checkAccessHash compares at_hash, if there is one: the left half of SHA-256
// over the access token (Core §3.1.3.8). Cognito sends it with codes only.
func (id *idClaims) checkAccessHash(access secret.Text) error {
	if id.atHash == nil {
		return nil
	}
	sum := sha256.Sum256([]byte(access.Reveal()))
	want := base64.RawURLEncoding.EncodeToString(sum[:sha256.Size/2])
	if subtle.ConstantTimeCompare([]byte(*id.atHash), []byte(want)) != 1 {
		return fmt.Errorf("%w: at_hash", ErrInvalidToken)
	}
	return nil
}

// renewIdentity fills in t's identity from its ID token, or from prior.
//
// Where the keys cannot be had, prior's ID token stays and the rest is taken:
// under rotation the answer holds the only refresh token that is still good, and
// an outage of the key set must not cost it.
func (c *Client) renewIdentity(ctx context.Context, t *Tokens, prior Tokens) error {
	fresh := t.ID
	t.ID, t.IDClaims = prior.ID, prior.IDClaims
	t.Issuer, t.Subject, t.AuthTime = prior.Issuer, prior.Subject, prior.AuthTime
	if err := renewedAccess(*t, prior); err != nil {
		return err
	}
	if fresh.Empty() {
		return nil
	}
	id, err := c.verify(ctx, fresh.Reveal())
	switch {
	case errors.Is(err, errNoKeys):
		return nil
	case err != nil:
		return fmt.Errorf("verify ID token: %w", err)
	case id.sub != prior.Subject:
		return fmt.Errorf("verify ID token: %w: another subject", ErrInvalidToken)
	}
	if err := id.checkAccessHash(t.Access); err != nil {
		return fmt.Errorf("verify ID token: %w", err)
	}
	t.ID, t.IDClaims = fresh, id.raw
	if t.AuthTime.IsZero() {
		t.AuthTime = id.authTime
	}
	return nil
}

// renewedAccess refuses a refresh that turned one user into another, also where
// no ID token came to say so; and one whose access token no longer says whose it
// is, though the one before did.
func renewedAccess(t, prior Tokens) error {
	_, was := jwtPayload(prior.Access.Reveal())
	_, is := jwtPayload(t.Access.Reveal())
	if was && !is {
		return fmt.Errorf("%w: access token: opaque, where the one before was a JWT", ErrInvalidToken)
	}
	return checkAccessSubject(t.AccessClaims, prior.Subject)
}
