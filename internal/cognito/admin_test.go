package cognito

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/oauth"
)

// noCredentials takes away whatever credentials the machine may have.
func noCredentials(t *testing.T) {
	t.Helper()
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_SESSION_TOKEN": "",
		"AWS_WEB_IDENTITY_TOKEN_FILE": "", "AWS_ROLE_ARN": "", "AWS_ENDPOINT_URL_STS": "",
		"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "", "AWS_CONTAINER_CREDENTIALS_FULL_URI": "",
		"AWS_CONTAINER_AUTHORIZATION_TOKEN": "", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": "",
		"AWS_EC2_METADATA_DISABLED": "true",
	} {
		t.Setenv(name, value)
	}
}

func withCredentials(t *testing.T) {
	t.Helper()
	noCredentials(t)
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "not-a-secret")
}

func serveAdmin(t *testing.T, answer http.HandlerFunc) (*pool, *Admin) {
	t.Helper()
	p := &pool{answer: answer}
	s := httptest.NewServer(p)
	t.Cleanup(s.Close)
	return p, NewAdmin(AdminOptions{PoolID: "eu-central-1_Pool", Endpoint: mustURL(t, s.URL+"/"), Region: "eu-central-1"})
}

func TestSignOutUser(t *testing.T) {
	t.Run("is_a_call_signed_for_the_region_of_the_pool", func(t *testing.T) {
		withCredentials(t)
		t.Setenv("AWS_REGION", "us-west-2") // that of whatever else runs here
		p, a := serveAdmin(t, answer(200, "application/x-amz-json-1.1", "{}"))
		if err := a.SignOutUser(t.Context(), "Google_1"); err != nil {
			t.Fatal(err)
		}
		got := p.last.Load()
		if got.target != "AWSCognitoIdentityProviderService.AdminUserGlobalSignOut" ||
			got.body["UserPoolId"] != "eu-central-1_Pool" || got.body["Username"] != "Google_1" {
			t.Errorf("asked %+v", got)
		}
		if !strings.HasPrefix(got.authorization, "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/") ||
			!strings.Contains(got.authorization, "/eu-central-1/cognito-idp/") {
			t.Errorf("signed as %q", got.authorization)
		}
	})
	t.Run("without_credentials_asks_nobody", func(t *testing.T) {
		noCredentials(t)
		p, a := serveAdmin(t, answer(200, "application/x-amz-json-1.1", "{}"))
		for range 2 {
			if err := a.SignOutUser(t.Context(), "alice"); !errors.Is(err, ErrNoCredentials) {
				t.Errorf("got %v", err)
			}
		}
		if n := p.calls.Load(); n != 0 {
			t.Errorf("%d calls", n)
		}
	})
	for code, want := range map[string]error{
		"UserNotFoundException":       ErrUnknownUser,
		"AccessDeniedException":       oauth.ErrMisconfigured,
		"NotAuthorizedException":      oauth.ErrMisconfigured,
		"UnrecognizedClientException": oauth.ErrMisconfigured,
		"ResourceNotFoundException":   oauth.ErrMisconfigured,
		"TooManyRequestsException":    oauth.ErrUnavailable,
		"SomethingNewException":       oauth.ErrUnavailable,
	} {
		t.Run("answered_with_"+code, func(t *testing.T) {
			withCredentials(t)
			_, a := serveAdmin(t, answer(400, "application/x-amz-json-1.1", `{"__type":"`+code+`","message":"of alice@example.com"}`))
			err := a.SignOutUser(t.Context(), "alice")
			if !errors.Is(err, want) || strings.Contains(err.Error(), "alice@") {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestCredentialsThatComeLaterAreFound(t *testing.T) {
	withCredentials(t)
	synctest.Test(t, func(t *testing.T) {
		a := NewAdmin(AdminOptions{PoolID: "p", Endpoint: mustURL(t, "http://127.0.0.1:1")})
		a.retry = time.Now().Add(withoutCredentials) // none were found just now
		if _, err := a.signed(t.Context()); !errors.Is(err, ErrNoCredentials) {
			t.Errorf("searched again at once: %v", err)
		}
		time.Sleep(withoutCredentials)
		if _, err := a.signed(t.Context()); err != nil {
			t.Errorf("after a minute: %v", err)
		}
	})
}
