package cognito

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-auth/gatehouse/internal/oauth"
)

func TestDo(t *testing.T) {
	t.Run("asks once, in the form of the API", func(t *testing.T) {
		p, a := serve(t, answer(200, ContentType, `{"CodeDeliveryDetailsList":[]}`))
		got, err := a.Do(t.Context(), "UpdateUserAttributes", map[string]any{"AccessToken": "t"})
		if err != nil || string(got["CodeDeliveryDetailsList"]) != "[]" {
			t.Errorf("%v, %v", got, err)
		}
		want := &request{
			method: "POST", path: "/", target: "AWSCognitoIdentityProviderService.UpdateUserAttributes",
			contentType: "application/x-amz-json-1.1", body: map[string]any{"AccessToken": "t"},
		}
		if d := cmp.Diff(want, p.last.Load(), cmp.AllowUnexported(request{})); d != "" {
			t.Error(d)
		}
	})
	for name, tc := range map[string]struct {
		answer http.HandlerFunc
		want   Refusal
	}{
		"in header and body": {exception("CodeMismatchException"), Refusal{"CodeMismatchException", "leaked-message"}},
		"in the body alone":  {answer(400, ContentType, `{"__type":"ns#LimitExceededException","message":"a\nb"}`), Refusal{"LimitExceededException", "a b"}},
		"in the header alone": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Amzn-Errortype", "NotAuthorizedException:http://internal/")
			w.WriteHeader(400)
		}, Refusal{"NotAuthorizedException", ""}},
		"of a firewall": {answer(403, ContentType, `{"__type":"ForbiddenException","message":"Request not allowed due to WAF block."}`),
			Refusal{"ForbiddenException", "Request not allowed due to WAF block."}},
		"with a long text": {answer(400, ContentType, `{"__type":"UserLambdaValidationException","message":"`+strings.Repeat("ü", 1000)+`"}`),
			Refusal{"UserLambdaValidationException", strings.Repeat("ü", maxRefusalText/2)}},
	} {
		t.Run("passes on a refusal "+name, func(t *testing.T) {
			p, a := serve(t, tc.answer)
			_, err := a.Do(t.Context(), "VerifyUserAttribute", nil)
			var got *Refusal
			if !errors.As(err, &got) || *got != tc.want || p.calls.Load() != 1 {
				t.Errorf("%+v, %v after %d calls", got, err, p.calls.Load())
			}
			if err != nil && strings.Contains(err.Error(), "leaked") {
				t.Errorf("the error quotes the message: %v", err)
			}
		})
	}
	for name, from := range map[string]http.HandlerFunc{
		"an internal error":            exception("InternalErrorException"),
		"what is no exception":         answer(400, ContentType, `{"__type":"leaked text","message":"leaked"}`),
		"a name that is none":          answer(400, ContentType, `{"__type":"<script>Exception"}`),
		"an exception with status 500": answer(500, ContentType, `{"__type":"NotAuthorizedException"}`),
		"HTML":                         answer(400, "text/html", "<html>leaked NotAuthorizedException"),
		"200 HTML":                     answer(200, "text/html", "<html>leaked"),
		"200 null":                     answer(200, ContentType, "null"),
		"200 cut off":                  answer(200, ContentType, `{"Username":"leak`),
		"an answer without end":        answer(200, ContentType, `{"Username":"`+strings.Repeat("x", maxOperationAnswer)+`"}`),
		"a redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		},
	} {
		t.Run("takes for an outage "+name, func(t *testing.T) {
			p, a := serve(t, from)
			_, err := a.Do(t.Context(), "GetUser", nil)
			assertOnly(t, err, oauth.ErrUnavailable)
			var refusal *Refusal
			if errors.As(err, &refusal) || p.calls.Load() != 1 || p.last.Load().path != "/" || strings.Contains(err.Error(), "leak") {
				t.Errorf("%v after %d calls", err, p.calls.Load())
			}
		})
	}
	t.Run("gives up at its deadline", func(t *testing.T) {
		_, a := serve(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		a.patience = 100 * time.Millisecond
		_, err := a.Do(t.Context(), "GetUser", nil)
		assertOnly(t, err, oauth.ErrUnavailable)
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	})
	t.Run("waits for a trigger that takes its three attempts", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			slow := roundTripper(func(r *http.Request) (*http.Response, error) {
				select {
				case <-time.After(15 * time.Second):
					return &http.Response{StatusCode: 200, Body: io.NopCloser(strings.NewReader("{}"))}, nil
				case <-r.Context().Done():
					return nil, r.Context().Err()
				}
			})
			a := NewAPI(APIOptions{Endpoint: mustURL(t, "http://localhost"), HTTP: &http.Client{Transport: slow}})
			if _, err := a.Do(t.Context(), "SignUp", nil); err != nil {
				t.Error(err)
			}
		})
	})
	t.Run("tells its observer", func(t *testing.T) {
		var told []string
		s := httptest.NewServer(answer(200, ContentType, "{}"))
		defer s.Close()
		a := NewAPI(APIOptions{Endpoint: mustURL(t, s.URL), Observe: func(_ context.Context, operation string, _ time.Duration, err error) {
			if err != nil {
				t.Error(err)
			}
			told = append(told, operation)
		}})
		for _, operation := range []string{"GetUser", "SetUserMFAPreference", "StartWebAuthnRegistration", "GetTokensFromRefreshToken"} {
			_, _ = a.Do(t.Context(), operation, nil)
		}
		want := []string{"get_user", "set_user_mfa_preference", "start_web_authn_registration", "get_tokens_from_refresh_token"}
		if d := cmp.Diff(want, told); d != "" {
			t.Error(d)
		}
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
