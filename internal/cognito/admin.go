package cognito

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	idp "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/smithy-go"

	"github.com/gatehouse-auth/gatehouse/internal/oauth"
)

var (
	// ErrNoCredentials: nothing around this process gives it AWS credentials.
	ErrNoCredentials = errors.New("no AWS credentials")
	// ErrUnknownUser: the pool has no user of that name.
	ErrUnknownUser = errors.New("user not found")
)

const (
	// credentialsTimeout bounds the search for credentials. Off AWS its last step
	// asks an address that nobody answers.
	credentialsTimeout = 2 * time.Second
	// withoutCredentials is how long a search that found none is believed.
	withoutCredentials = time.Minute
)

// AdminOptions describe the pool for an [Admin].
type AdminOptions struct {
	PoolID string
	// Endpoint is the regional one, or an emulator's.
	Endpoint *url.URL
	Region   string // empty: [DefaultRegion]
	// HTTP makes the calls; nil: [oauth.NewHTTPClient].
	HTTP *http.Client
	// Timeout bounds one call; zero: [DefaultAPITimeout].
	Timeout time.Duration
}

// Admin makes the calls that AWS credentials authorize, where there are any:
// environment, web identity, container or instance role. Nothing is looked up
// before the first call. Safe for concurrent use.
type Admin struct {
	o AdminOptions

	mu     sync.Mutex
	client *idp.Client // nil: not looked up, or none found
	retry  time.Time   // not looked up again before
}

// NewAdmin returns an Admin. It calls nobody.
func NewAdmin(o AdminOptions) *Admin {
	if o.Region == "" {
		o.Region = DefaultRegion
	}
	if o.HTTP == nil {
		o.HTTP = oauth.NewHTTPClient(nil)
	}
	if o.Timeout <= 0 {
		o.Timeout = DefaultAPITimeout
	}
	return &Admin{o: o}
}

// SignOutUser is AdminUserGlobalSignOut, which takes the IAM permission
// cognito-idp:AdminUserGlobalSignOut. The name is a username, or the subject of
// a user who did not come from another provider.
//
// Errors: [ErrNoCredentials], [ErrUnknownUser], [oauth.ErrMisconfigured] (the
// credentials do not allow it), [oauth.ErrUnavailable].
func (a *Admin) SignOutUser(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(ctx, a.o.Timeout)
	defer cancel()
	client, err := a.signed(ctx)
	if err != nil {
		return fmt.Errorf("sign out user: %w", err)
	}
	_, err = client.AdminUserGlobalSignOut(ctx, &idp.AdminUserGlobalSignOutInput{
		UserPoolId: aws.String(a.o.PoolID), Username: aws.String(name),
	})
	if err != nil {
		return fmt.Errorf("sign out user: %w", classifyAdmin(ctx, err))
	}
	return nil
}

// signed returns a client that signs. One caller searches; the others wait for
// what it finds.
func (a *Admin) signed(ctx context.Context) (*idp.Client, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.client != nil {
		return a.client, nil
	}
	if time.Now().Before(a.retry) {
		return nil, ErrNoCredentials
	}
	search, cancel := context.WithTimeout(ctx, credentialsTimeout)
	defer cancel()
	found, err := awsCredentials(a.o.Region, a.o.HTTP)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", oauth.ErrMisconfigured, err)
	}
	if _, err := found.Retrieve(search); err != nil { // its text may quote files
		a.retry = time.Now().Add(withoutCredentials)
		return nil, ErrNoCredentials
	}
	a.client = idp.New(idp.Options{
		Region: a.o.Region, BaseEndpoint: aws.String(strings.TrimSuffix(a.o.Endpoint.String(), "/")),
		Credentials: found, HTTPClient: a.o.HTTP, RetryMaxAttempts: attempts,
	})
	return a.client, nil
}

// classifyAdmin knows the codes that only signed calls are answered with.
func classifyAdmin(ctx context.Context, err error) error {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return classify(ctx, err)
	}
	switch code := api.ErrorCode(); code {
	case "UserNotFoundException":
		return ErrUnknownUser
	case "NotAuthorizedException", "AccessDeniedException", "UnrecognizedClientException", "InvalidSignatureException",
		"ExpiredTokenException", "IncompleteSignatureException", "MissingAuthenticationTokenException":
		return fmt.Errorf("%w: %s", oauth.ErrMisconfigured, code)
	}
	return classify(ctx, err)
}
