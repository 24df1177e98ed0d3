package cognitoemu

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"
)

// sdk is the real client for the emulator's API host, unsigned and not retrying.
func (f *fixture) sdk() *cip.Client { return f.sdkWith(aws.AnonymousCredentials{}) }

// signedSDK is the same with credentials that nobody checks.
func (f *fixture) signedSDK() *cip.Client {
	return f.sdkWith(aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: "AKIAEXAMPLE", SecretAccessKey: "not-a-secret"}, nil
	}))
}

func (f *fixture) sdkWith(credentials aws.CredentialsProvider) *cip.Client {
	return cip.New(cip.Options{
		Region: "eu-west-1", BaseEndpoint: aws.String(f.idp), Credentials: credentials, Retryer: aws.NopRetryer{},
		HTTPClient: plainBodies{f.server.Client()},
	})
}

// plainBodies hides WriteTo of the SDK's request bodies. The SDK closes a body as
// soon as the response has begun, and its WriteTo then answers io.EOF where nil is
// due; with a server as near as this one net/http may not be done with the body by
// then, takes that for a failed write, and drops the connection under the response.
type plainBodies struct{ client *http.Client }

func (p plainBodies) Do(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		r.Body = struct{ io.ReadCloser }{r.Body}
	}
	return p.client.Do(r)
}

// typed fails unless err is the SDK's error type E with this message.
func typed[E error](t *testing.T, err error, message string) {
	t.Helper()
	var want E
	if !errors.As(err, &want) {
		t.Errorf("got %v, want %T", err, want)
		return
	}
	var api smithy.APIError
	if errors.As(err, &api) && api.ErrorMessage() != message {
		t.Errorf("message %q, want %q", api.ErrorMessage(), message)
	}
}

func TestAPI_GetUser(t *testing.T) {
	f := newFixture(t)
	set := f.freshTokens()
	sub := stableUUID(DefaultPoolID, "alice@example.com")

	t.Run("gives the attributes as strings", func(t *testing.T) {
		got, err := f.sdk().GetUser(t.Context(), &cip.GetUserInput{AccessToken: &set.AccessToken})
		if err != nil {
			t.Fatal(err)
		}
		attributes := map[string]string{}
		for _, a := range got.UserAttributes {
			attributes[*a.Name] = *a.Value
		}
		want := map[string]string{"sub": sub, "email": "alice@example.com", "email_verified": "true", "name": "Alice Archer",
			"given_name": "Alice", "family_name": "Archer", "locale": "en-GB", "custom:tenant": "acme"}
		if diff := cmp.Diff(want, attributes); diff != "" || *got.Username != sub {
			t.Errorf("username %s, attributes %s", *got.Username, diff)
		}
	})
	getUser := func(token string) error {
		_, err := f.sdk().GetUser(t.Context(), &cip.GetUserInput{AccessToken: &token})
		return err
	}
	t.Run("refuses a token without the scope", func(t *testing.T) {
		typed[*types.NotAuthorizedException](t, getUser(f.freshTokens("scope", "openid").AccessToken), "Access Token does not have required scopes")
	})
	t.Run("refuses what is no access token of this pool", func(t *testing.T) {
		typed[*types.NotAuthorizedException](t, getUser("garbage"), "Invalid Access Token")
		typed[*types.NotAuthorizedException](t, getUser(set.IDToken), "Invalid Access Token")
	})
	t.Run("refuses a revoked token", func(t *testing.T) {
		if _, err := f.sdk().RevokeToken(t.Context(), &cip.RevokeTokenInput{ClientId: aws.String(DefaultClientID), Token: &set.RefreshToken}); err != nil {
			t.Fatal(err)
		}
		typed[*types.NotAuthorizedException](t, getUser(set.AccessToken), "Access Token has been revoked")
	})
	t.Run("refuses an expired token", func(t *testing.T) {
		token := f.freshTokens().AccessToken
		f.emulator.Levers().Advance(time.Hour)
		typed[*types.NotAuthorizedException](t, getUser(token), "Access Token has expired")
	})
}

func TestAPI_GlobalSignOut(t *testing.T) {
	f := newFixture(t)
	first, second := f.freshTokens(), f.freshTokens()

	t.Run("needs the scope", func(t *testing.T) {
		token := f.freshTokens("scope", "openid").AccessToken
		_, err := f.sdk().GlobalSignOut(t.Context(), &cip.GlobalSignOutInput{AccessToken: &token})
		typed[*types.NotAuthorizedException](t, err, "Access Token does not have required scopes")
		f.tokens(f.refresh(first.RefreshToken))
	})
	t.Run("ends every grant of the user and leaves the login cookie", func(t *testing.T) {
		if _, err := f.sdk().GlobalSignOut(t.Context(), &cip.GlobalSignOutInput{AccessToken: &first.AccessToken}); err != nil {
			t.Fatal(err)
		}
		refused(t, f.refresh(first.RefreshToken), 400, "invalid_grant")
		refused(t, f.refresh(second.RefreshToken), 400, "invalid_grant")
		if f.get(authorizePath()).callback(t).Get("code") == "" {
			t.Error("the next authorization request is not silent")
		}
	})
	t.Run("repeated says revoked", func(t *testing.T) {
		_, err := f.sdk().GlobalSignOut(t.Context(), &cip.GlobalSignOutInput{AccessToken: &first.AccessToken})
		typed[*types.NotAuthorizedException](t, err, "Access Token has been revoked")
	})
	t.Run("leaves other users alone", func(t *testing.T) {
		f := newFixture(t)
		bob := f.tokens(f.exchange(f.signInAs("bob@example.com")))
		alice := f.tokens(f.exchange(f.signIn("prompt", "login")))
		if _, err := f.sdk().GlobalSignOut(t.Context(), &cip.GlobalSignOutInput{AccessToken: &alice.AccessToken}); err != nil {
			t.Fatal(err)
		}
		f.tokens(f.refresh(bob.RefreshToken))
	})
}

func TestAPI_RevokeToken(t *testing.T) {
	f := newFixture(t)
	set := f.freshTokens()
	revoke := func(input *cip.RevokeTokenInput) error {
		_, err := f.sdk().RevokeToken(t.Context(), input)
		return err
	}
	t.Run("refuses what is no refresh token", func(t *testing.T) {
		typed[*types.UnsupportedTokenTypeException](t, revoke(&cip.RevokeTokenInput{ClientId: aws.String(DefaultClientID), Token: &set.AccessToken}),
			"Only refresh tokens can be revoked")
	})
	t.Run("refuses a client without its secret", func(t *testing.T) {
		typed[*types.UnauthorizedException](t, revoke(&cip.RevokeTokenInput{ClientId: aws.String(DefaultConfidentialClientID), Token: &set.RefreshToken}),
			"Invalid client or client secret")
	})
	t.Run("refuses where revocation is off", func(t *testing.T) {
		f := newFixture(t, func(o *Options) { o.Seed.Clients[0].DisableRevocation = true })
		_, err := f.sdk().RevokeToken(t.Context(), &cip.RevokeTokenInput{ClientId: aws.String(DefaultClientID), Token: &set.RefreshToken})
		typed[*types.UnsupportedOperationException](t, err, "Token revocation is not enabled for this client")
	})
	t.Run("ends the grant", func(t *testing.T) {
		if err := revoke(&cip.RevokeTokenInput{ClientId: aws.String(DefaultClientID), Token: &set.RefreshToken}); err != nil {
			t.Fatal(err)
		}
		refused(t, f.refresh(set.RefreshToken), 400, "invalid_grant")
	})
}

func initiate(flow types.AuthFlowType, client string, params map[string]string) *cip.InitiateAuthInput {
	return &cip.InitiateAuthInput{AuthFlow: flow, ClientId: &client, AuthParameters: params}
}

func TestAPI_InitiateAuth_by_password(t *testing.T) {
	f := newFixture(t)
	password := func(client string, params map[string]string) (*cip.InitiateAuthOutput, error) {
		return f.sdk().InitiateAuth(t.Context(), initiate(types.AuthFlowTypeUserPasswordAuth, client, params))
	}
	t.Run("gives tokens that have the API's scope only and no at_hash", func(t *testing.T) {
		got, err := password(DefaultClientID, map[string]string{"USERNAME": "alice@example.com", "PASSWORD": DefaultPassword})
		if err != nil {
			t.Fatal(err)
		}
		result := got.AuthenticationResult
		id, access := claimsOf(t, *result.IdToken), claimsOf(t, *result.AccessToken)
		if access["scope"] != scopeUserAdmin || id["at_hash"] != nil || id["nonce"] != nil || id["email"] != "alice@example.com" ||
			result.ExpiresIn != 3600 || *result.TokenType != "Bearer" || result.RefreshToken == nil {
			t.Errorf("ID %v, access %v", id, access)
		}
		if info := f.userInfo(*result.AccessToken); info.status != http.StatusUnauthorized {
			t.Errorf("userInfo takes a token of the API: status %d", info.status)
		}
	})
	t.Run("of a confidential client needs the secret hash", func(t *testing.T) {
		params := map[string]string{"USERNAME": "alice@example.com", "PASSWORD": DefaultPassword}
		_, err := password(DefaultConfidentialClientID, params)
		typed[*types.NotAuthorizedException](t, err, "Client "+DefaultConfidentialClientID+" is configured with secret but SECRET_HASH was not received")
		params["SECRET_HASH"] = "d3Jvbmc="
		_, err = password(DefaultConfidentialClientID, params)
		typed[*types.NotAuthorizedException](t, err, "Unable to verify secret hash for client "+DefaultConfidentialClientID)
		client, _ := f.emulator.client(DefaultConfidentialClientID)
		params["SECRET_HASH"] = client.secretHash("alice@example.com")
		if _, err := password(DefaultConfidentialClientID, params); err != nil {
			t.Error(err)
		}
	})
	t.Run("refusals", func(t *testing.T) {
		_, err := password(DefaultClientID, map[string]string{"USERNAME": "alice@example.com", "PASSWORD": "wrong"})
		typed[*types.NotAuthorizedException](t, err, "Incorrect username or password.")
		_, err = password(DefaultClientID, map[string]string{"USERNAME": "erin@example.com", "PASSWORD": DefaultPassword})
		typed[*types.NotAuthorizedException](t, err, "User is disabled.")
		_, err = password("nobody", nil)
		typed[*types.ResourceNotFoundException](t, err, "User pool client nobody does not exist.")
	})
	t.Run("is refused where the client does not allow it", func(t *testing.T) {
		f := newFixture(t, func(o *Options) { o.Seed.Clients[0].PasswordAuth = false })
		_, err := f.sdk().InitiateAuth(t.Context(), initiate(types.AuthFlowTypeUserPasswordAuth, DefaultClientID, nil))
		typed[*types.InvalidParameterException](t, err, "USER_PASSWORD_AUTH flow not enabled for this client")
	})
	t.Run("says what it has where a flow is not built", func(t *testing.T) {
		for _, flow := range []types.AuthFlowType{types.AuthFlowTypeCustomAuth, types.AuthFlowTypeUserAuth} {
			_, err := f.sdk().InitiateAuth(t.Context(), initiate(flow, DefaultClientID, nil))
			typed[*types.InvalidParameterException](t, err,
				string(flow)+" is not enabled for the client: this emulator has USER_SRP_AUTH, USER_PASSWORD_AUTH and REFRESH_TOKEN_AUTH only.")
		}
	})
	t.Run("locks out after five wrong passwords", func(t *testing.T) {
		wrong := map[string]string{"USERNAME": "bob@example.com", "PASSWORD": "wrong"}
		for range 5 {
			_, _ = password(DefaultClientID, wrong)
		}
		_, err := password(DefaultClientID, wrong)
		typed[*types.NotAuthorizedException](t, err, "Password attempts exceeded")
	})
}

func TestAPI_InitiateAuth_by_refresh_token(t *testing.T) {
	refresh := func(f *fixture, token string) (*cip.InitiateAuthOutput, error) {
		return f.sdk().InitiateAuth(f.Context(), initiate(types.AuthFlowTypeRefreshTokenAuth, DefaultClientID, map[string]string{"REFRESH_TOKEN": token}))
	}
	f := newFixture(t)
	set := f.freshTokens()
	got, err := refresh(f, set.RefreshToken)
	if err != nil || got.AuthenticationResult.RefreshToken != nil || got.AuthenticationResult.IdToken == nil {
		t.Errorf("result %+v, %v", got, err)
	}
	_, err = refresh(f, "garbage")
	typed[*types.NotAuthorizedException](t, err, "Invalid Refresh Token")
	f.emulator.Levers().Advance(30 * 24 * time.Hour)
	_, err = refresh(f, set.RefreshToken)
	typed[*types.NotAuthorizedException](t, err, "Refresh Token has expired")

	rotating := newFixture(t, func(o *Options) { o.Rotate = true })
	_, err = refresh(rotating, rotating.freshTokens().RefreshToken)
	typed[*types.InvalidParameterException](t, err, "REFRESH_TOKEN_AUTH flow not enabled for this client")
}

func TestAPI_GetTokensFromRefreshToken(t *testing.T) {
	f := newFixture(t, func(o *Options) { o.Rotate = true })
	set := f.freshTokens()
	get := func(token string) (*cip.GetTokensFromRefreshTokenOutput, error) {
		return f.sdk().GetTokensFromRefreshToken(t.Context(), &cip.GetTokensFromRefreshTokenInput{ClientId: aws.String(DefaultClientID), RefreshToken: &token})
	}
	got, err := get(set.RefreshToken)
	if err != nil || got.AuthenticationResult.RefreshToken == nil {
		t.Fatalf("result %+v, %v", got, err)
	}
	_, err = get(set.RefreshToken)
	typed[*types.RefreshTokenReuseException](t, err, "Refresh Token was already used")
	if err := f.emulator.Levers().SignOutUser("alice@example.com"); err != nil {
		t.Fatal(err)
	}
	_, err = get(*got.AuthenticationResult.RefreshToken)
	typed[*types.NotAuthorizedException](t, err, "Refresh Token has been revoked")
}

func TestAPI_admin_operations_must_be_signed(t *testing.T) {
	f := newFixture(t)
	set := f.freshTokens()
	input := &cip.AdminUserGlobalSignOutInput{UserPoolId: aws.String(DefaultPoolID), Username: aws.String("alice@example.com")}

	_, err := f.sdk().AdminUserGlobalSignOut(t.Context(), input)
	var api smithy.APIError
	if !errors.As(err, &api) || api.ErrorCode() != "MissingAuthenticationTokenException" {
		t.Errorf("unsigned: %v", err)
	}
	f.tokens(f.refresh(set.RefreshToken))

	if _, err := f.signedSDK().AdminUserGlobalSignOut(t.Context(), input); err != nil {
		t.Fatal(err)
	}
	refused(t, f.refresh(set.RefreshToken), 400, "invalid_grant")

	_, err = f.signedSDK().AdminDisableUser(t.Context(), &cip.AdminDisableUserInput{UserPoolId: aws.String(DefaultPoolID), Username: aws.String("nobody")})
	typed[*types.UserNotFoundException](t, err, "User does not exist.")
	_, err = f.signedSDK().AdminEnableUser(t.Context(), &cip.AdminEnableUserInput{UserPoolId: aws.String("eu-west-1_Other"), Username: aws.String("x")})
	typed[*types.ResourceNotFoundException](t, err, "User pool eu-west-1_Other does not exist.")
}

func TestAPI_the_wire_is_that_of_the_real_service(t *testing.T) {
	f := newFixture(t)
	r, err := http.NewRequest(http.MethodPost, f.idp+"/", strings.NewReader(`{"AccessToken":"x","Unheard":1}`))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Amz-Target", "AWSCognitoIdentityProviderService.GetUser")
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	got := f.do(r)
	want := answer{status: 400, body: `{"__type":"NotAuthorizedException","message":"Invalid Access Token"}` + "\n"}
	if got.status != want.status || got.body != want.body {
		t.Errorf("%d %s", got.status, got.body)
	}
	for name, value := range map[string]string{
		"Content-Type": "application/x-amz-json-1.1", "x-amzn-errortype": "NotAuthorizedException:",
		"x-amzn-errormessage": "Invalid Access Token"} {
		if got.header.Get(name) != value {
			t.Errorf("%s: %q, want %q", name, got.header.Get(name), value)
		}
	}
	if got.header.Get("x-amzn-requestid") == "" {
		t.Error("no request id")
	}
}

func TestAPI_an_operation_that_is_not_emulated_is_loud(t *testing.T) {
	var log bytes.Buffer
	f := newFixture(t, func(o *Options) { o.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
	_, err := f.signedSDK().AdminListGroupsForUser(t.Context(), &cip.AdminListGroupsForUserInput{UserPoolId: aws.String(DefaultPoolID), Username: aws.String("alice")})
	var api smithy.APIError
	if !errors.As(err, &api) || api.ErrorCode() != "UnknownOperationException" {
		t.Errorf("got %v", err)
	}
	if !strings.Contains(log.String(), "level=ERROR") || !strings.Contains(log.String(), "AdminListGroupsForUser") {
		t.Errorf("log %q", log.String())
	}
}

func TestAPI_no_token_or_password_is_ever_logged(t *testing.T) {
	var log bytes.Buffer
	f := newFixture(t, func(o *Options) {
		o.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	f.submit(loginPath(), "username", "alice@example.com", "password", "Wrong-Passw0rd")
	set := f.freshTokens()
	code := f.get(authorizePath()).callback(t).Get("code")
	f.exchange(code, "code_verifier", "wrong")
	f.refresh(set.RefreshToken + "x")
	f.userInfo(set.IDToken)
	_, _ = f.sdk().GetUser(t.Context(), &cip.GetUserInput{AccessToken: &set.IDToken})
	_, _ = f.signUpByAPI("zoe@example.com", "Sesame-12")
	_, _ = f.signUpByAPI("zoe@example.com", "Sesame-13")
	sent := f.emulator.Levers().Code("zoe@example.com")
	_, _ = f.sdk().ConfirmSignUp(t.Context(), &cip.ConfirmSignUpInput{ClientId: aws.String(DefaultClientID), Username: aws.String("zoe@example.com"), ConfirmationCode: &sent})
	_, _ = f.srpSignIn("zoe@example.com", "wrong")
	if log.Len() == 0 {
		t.Fatal("nothing was logged at all")
	}
	for name, secret := range map[string]string{"ID token": set.IDToken, "access token": set.AccessToken,
		"refresh token": set.RefreshToken, "code": code, "password": DefaultPassword, "wrong password": "Wrong-Passw0rd",
		"new password": "Sesame-12", "refused password": "Sesame-13", "mailed code": sent} {
		if strings.Contains(log.String(), secret) {
			t.Errorf("the %s is in the log", name)
		}
	}
}
