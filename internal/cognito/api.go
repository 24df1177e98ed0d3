package cognito

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	idp "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/smithy-go"

	"github.com/gatehouse-auth/gatehouse/internal/oauth"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

const (
	// DefaultAPITimeout bounds one call, its retries included.
	DefaultAPITimeout = 5 * time.Second
	// adminScope is what an access token needs for calls on its user's behalf.
	adminScope = "aws.cognito.signin.user.admin"
	attempts   = 2
)

// APIOptions describe the user-pool API.
type APIOptions struct {
	// Endpoint is the regional one, or an emulator's.
	Endpoint *url.URL
	Region   string // empty: [DefaultRegion]
	// HTTP makes the calls; nil: [oauth.NewHTTPClient].
	HTTP *http.Client
	// Timeout bounds one call, other than those of [API.Do]; zero: [DefaultAPITimeout].
	Timeout time.Duration
	// Observe is told of each call: the operation (get_user, global_sign_out), how
	// long it took, retries included, its error after sorting. Default: none.
	Observe oauth.Observer
}

// API makes the calls that a user's own access token authorizes. They are not
// signed, so neither AWS credentials nor the environment play a part. Safe for
// concurrent use.
//
// Errors of its methods: [oauth.ErrGrantRevoked] (the token is signed out or
// expired, or the user is disabled or gone), [oauth.ErrMisconfigured] (the token
// lacks the scope aws.cognito.signin.user.admin, or the pool refuses the
// operation), [oauth.ErrUnavailable].
type API struct {
	client   *idp.Client
	http     *http.Client // for Do, which the SDK has no part in
	endpoint string       // without a slash at its end
	timeout  time.Duration
	patience time.Duration // of Do
	observe  oauth.Observer
}

// NewAPI returns a client of the user-pool API. It calls nobody.
func NewAPI(o APIOptions) *API {
	if o.Region == "" {
		o.Region = DefaultRegion
	}
	if o.HTTP == nil {
		o.HTTP = oauth.NewHTTPClient(nil)
	}
	if o.Timeout <= 0 {
		o.Timeout = DefaultAPITimeout
	}
	if o.Observe == nil {
		o.Observe = func(context.Context, string, time.Duration, error) {}
	}
	endpoint := strings.TrimSuffix(o.Endpoint.String(), "/")
	return &API{http: o.HTTP, endpoint: endpoint, timeout: o.Timeout, patience: operationTimeout, observe: o.Observe, client: idp.New(idp.Options{
		Region:           o.Region,
		BaseEndpoint:     aws.String(endpoint),
		Credentials:      aws.AnonymousCredentials{},
		HTTPClient:       o.HTTP,
		RetryMaxAttempts: attempts,
	})}
}

// GlobalSignOut ends all of the user's sessions at the pool, on every device.
func (a *API) GlobalSignOut(ctx context.Context, access secret.Text) error {
	return a.call(ctx, "global_sign_out", access, func(ctx context.Context, token *string) error {
		_, err := a.client.GlobalSignOut(ctx, &idp.GlobalSignOutInput{AccessToken: token})
		return err
	})
}

// GetUser asks the pool whether the token is still good. Verifying its signature
// would not tell: a revoked access token verifies until it expires.
func (a *API) GetUser(ctx context.Context, access secret.Text) error {
	return a.call(ctx, "get_user", access, func(ctx context.Context, token *string) error {
		_, err := a.client.GetUser(ctx, &idp.GetUserInput{AccessToken: token})
		return err
	})
}

func (a *API) call(ctx context.Context, operation string, access secret.Text, do func(context.Context, *string) error) error {
	// The pool answers a missing scope and a revoked token with the same code and
	// two texts. The token itself tells them apart.
	if err := CheckScope(access); err != nil {
		return fmt.Errorf("call %s: %w", operation, err)
	}
	bounded, cancel := context.WithTimeout(ctx, a.timeout)
	defer cancel()
	began := time.Now()
	err := do(bounded, aws.String(access.Reveal()))
	if err != nil {
		err = fmt.Errorf("call %s: %w", operation, classify(bounded, err))
	}
	a.observe(ctx, operation, time.Since(began), err)
	return err
}

// CheckScope returns [oauth.ErrMisconfigured] where the token says which scopes it
// has, and the one that calls on its user's behalf take is not among them.
func CheckScope(access secret.Text) error {
	m := oauth.ParseMembers(oauth.AccessClaims(access))
	if _, says := m["scope"]; says && !slices.Contains(strings.Fields(m.Text("scope")), adminScope) {
		return fmt.Errorf("%w: access token lacks the scope %s", oauth.ErrMisconfigured, adminScope)
	}
	return nil
}

// gone are the exceptions by which the pool says that a token, or its user, is not
// good any more.
var gone = map[string]bool{
	"NotAuthorizedException": true, "UserNotFoundException": true,
	"PasswordResetRequiredException": true, "UserNotConfirmedException": true,
}

// classify sorts an error of the SDK by its code. Texts are dropped: they quote
// messages and, where the answer was none of the API's, its body.
func classify(ctx context.Context, err error) error {
	var api smithy.APIError
	if errors.As(err, &api) {
		code := api.ErrorCode()
		if gone[code] {
			return fmt.Errorf("%w: %s", oauth.ErrGrantRevoked, code)
		}
		switch code {
		case "InvalidParameterException", "ResourceNotFoundException", "OperationNotEnabledException":
			return fmt.Errorf("%w: %s", oauth.ErrMisconfigured, code)
		case "TooManyRequestsException", "InternalErrorException", "ForbiddenException":
			return fmt.Errorf("%w: %s", oauth.ErrUnavailable, code)
		}
		return fmt.Errorf("%w: answer of an unknown kind", oauth.ErrUnavailable)
	}
	var network *net.OpError
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("%w: %w", oauth.ErrUnavailable, ctx.Err())
	case errors.As(err, &network):
		return fmt.Errorf("%w: %w", oauth.ErrUnavailable, network)
	}
	return fmt.Errorf("%w: no answer", oauth.ErrUnavailable)
}
