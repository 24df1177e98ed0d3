package cognito

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/gatehouse-auth/gatehouse/internal/oauth"
)

// cloud plays what gives out credentials on AWS: STS, the agent of a container,
// the metadata service of an instance.
type cloud struct {
	*httptest.Server
	expires time.Time
	tokens  []string // what the agent was shown
}

func newCloud(t *testing.T) *cloud {
	t.Helper()
	c := &cloud{expires: time.Now().Add(time.Hour).UTC()}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /sts", c.exchange)
	mux.HandleFunc("GET /agent", c.agent)
	mux.HandleFunc("PUT /latest/api/token", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Aws-Ec2-Metadata-Token-Ttl-Seconds", "21600")
		_, _ = fmt.Fprint(w, "imds-token")
	})
	mux.HandleFunc("GET /latest/meta-data/iam/security-credentials/", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprint(w, "gateway-role")
	})
	mux.HandleFunc("GET /latest/meta-data/iam/security-credentials/gateway-role", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintf(w, `{"Code":"Success","AccessKeyId":"INSTANCE","SecretAccessKey":"s","Token":"t","Expiration":%q}`,
			c.expires.Format(time.RFC3339))
	})
	c.Server = httptest.NewServer(mux)
	t.Cleanup(c.Close)
	return c
}

func (c *cloud) exchange(w http.ResponseWriter, r *http.Request) {
	if r.PostFormValue("Action") != "AssumeRoleWithWebIdentity" || r.PostFormValue("RoleArn") != "arn:aws:iam::1:role/gateway" ||
		r.PostFormValue("WebIdentityToken") != "service-account" || r.PostFormValue("RoleSessionName") != "gateway" {
		http.Error(w, "", http.StatusBadRequest)
		return
	}
	_, _ = fmt.Fprintf(w, `<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials>
<AccessKeyId>WEBIDENTITY</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>%s</Expiration>
</Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>`, c.expires.Format(time.RFC3339))
}

func (c *cloud) agent(w http.ResponseWriter, r *http.Request) {
	c.tokens = append(c.tokens, r.Header.Get("Authorization"))
	w.Header().Set("Content-Type", "application/json")
	_, _ = fmt.Fprintf(w, `{"AccessKeyId":"CONTAINER","SecretAccessKey":"s","Token":"t","Expiration":%q}`, c.expires.Format(time.RFC3339))
}

func written(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestCredentialsAreThoseOfThePlace(t *testing.T) {
	tests := map[string]struct {
		environ func(*testing.T, *cloud) map[string]string
		want    string
	}{
		"environment": {func(*testing.T, *cloud) map[string]string {
			return map[string]string{"AWS_ACCESS_KEY_ID": "ENVIRONMENT", "AWS_SECRET_ACCESS_KEY": "s"}
		}, "ENVIRONMENT"},
		"web_identity": {func(t *testing.T, c *cloud) map[string]string {
			return map[string]string{
				"AWS_WEB_IDENTITY_TOKEN_FILE": written(t, "service-account"), "AWS_ROLE_ARN": "arn:aws:iam::1:role/gateway",
				"AWS_ROLE_SESSION_NAME": "gateway", "AWS_ENDPOINT_URL_STS": c.URL + "/sts",
			}
		}, "WEBIDENTITY"},
		"container": {func(_ *testing.T, c *cloud) map[string]string {
			return map[string]string{"AWS_CONTAINER_CREDENTIALS_FULL_URI": c.URL + "/agent", "AWS_CONTAINER_AUTHORIZATION_TOKEN": "pod"}
		}, "CONTAINER"},
		"container_with_a_token_file": {func(t *testing.T, c *cloud) map[string]string {
			return map[string]string{
				"AWS_CONTAINER_CREDENTIALS_FULL_URI": c.URL + "/agent", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": written(t, "pod"),
			}
		}, "CONTAINER"},
		"instance": {func(_ *testing.T, c *cloud) map[string]string {
			return map[string]string{"AWS_EC2_METADATA_DISABLED": "", "AWS_EC2_METADATA_SERVICE_ENDPOINT": c.URL}
		}, "INSTANCE"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			noCredentials(t)
			c := newCloud(t)
			for name, value := range tc.environ(t, c) {
				t.Setenv(name, value)
			}
			got, err := retrieve(t)
			if err != nil || got.AccessKeyID != tc.want {
				t.Fatalf("got %q, %v", got.AccessKeyID, err)
			}
			for _, token := range c.tokens {
				if token != "pod" {
					t.Errorf("the agent was shown %q", token)
				}
			}
		})
	}
}

func retrieve(t *testing.T) (aws.Credentials, error) {
	t.Helper()
	p, err := awsCredentials("eu-west-1", oauth.NewHTTPClient(nil))
	if err != nil {
		return aws.Credentials{}, err
	}
	return p.Retrieve(t.Context())
}

// TestCredentialsAreRenewedBeforeTheirEnd: an agent whose credentials are about
// to end is asked again, one whose credentials last is not.
func TestCredentialsAreRenewedBeforeTheirEnd(t *testing.T) {
	for name, tc := range map[string]struct {
		left  time.Duration
		asked int
	}{"with_an_hour_left": {time.Hour, 1}, "with_four_minutes_left": {4 * time.Minute, 2}} {
		t.Run(name, func(t *testing.T) {
			noCredentials(t)
			c := newCloud(t)
			c.expires = time.Now().Add(tc.left).UTC()
			t.Setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", c.URL+"/agent")
			p, err := awsCredentials("eu-west-1", oauth.NewHTTPClient(nil))
			if err != nil {
				t.Fatal(err)
			}
			for range 2 {
				if _, err := p.Retrieve(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			if len(c.tokens) != tc.asked {
				t.Errorf("asked %d times, want %d", len(c.tokens), tc.asked)
			}
		})
	}
}

func TestCredentialsThatAreSetUpWrongSayHow(t *testing.T) {
	for variable, value := range map[string]string{
		"AWS_WEB_IDENTITY_TOKEN_FILE":        "token",
		"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://metadata.example.com/credentials",
	} {
		t.Run(variable, func(t *testing.T) {
			noCredentials(t)
			t.Setenv(variable, value)
			a := NewAdmin(AdminOptions{PoolID: "p", Endpoint: mustURL(t, "http://127.0.0.1:1")})
			err := a.SignOutUser(context.Background(), "alice")
			if !errors.Is(err, oauth.ErrMisconfigured) || !strings.Contains(err.Error(), variable) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestCredentialsOfTheMachineAreAskedForWithoutAProxy: they come by plain http, and
// the SDK's own client would ask the proxy of HTTP_PROXY for them. net/http reads
// that variable once, so each question is asked in a process of its own.
func TestCredentialsOfTheMachineAreAskedForWithoutAProxy(t *testing.T) {
	const child = "GATEHOUSE_TEST_ASKS_FOR_CREDENTIALS"
	if os.Getenv(child) != "" {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if p, err := awsCredentials("eu-west-1", oauth.NewHTTPClient(nil)); err == nil {
			_, _ = p.Retrieve(ctx) // nobody is there
		}
		return
	}
	for name, variable := range map[string]string{
		"instance":           "AWS_EC2_METADATA_SERVICE_ENDPOINT=http://192.0.2.1",
		"container":          "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI=/v2/credentials",
		"container_in_full":  "AWS_CONTAINER_CREDENTIALS_FULL_URI=http://169.254.170.23/v1/credentials",
		"nothing_but_itself": "AWS_EC2_METADATA_DISABLED=true",
	} {
		t.Run(name, func(t *testing.T) {
			asked := make(chan string, 100)
			proxy := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { asked <- r.RequestURI }))
			defer proxy.Close()
			self := exec.Command(os.Args[0], "-test.run=^TestCredentialsOfTheMachineAreAskedForWithoutAProxy$")
			self.Env = []string{child + "=1", "HTTP_PROXY=" + proxy.URL, variable}
			if out, err := self.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			if len(asked) > 0 {
				t.Errorf("the proxy was asked for %s", <-asked)
			}
		})
	}
}
