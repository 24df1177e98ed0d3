package cognito

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-auth/gatehouse/internal/oauth"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// pool answers the user-pool API as scripted.
type pool struct {
	answer http.HandlerFunc
	calls  atomic.Int64
	last   atomic.Pointer[request]
}

type request struct {
	method, path, target, contentType, authorization string
	body                                             map[string]any
}

func (p *pool) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.calls.Add(1)
	raw, _ := io.ReadAll(r.Body)
	got := &request{
		method: r.Method, path: r.URL.Path, target: r.Header.Get("X-Amz-Target"),
		contentType: r.Header.Get("Content-Type"), authorization: r.Header.Get("Authorization"),
	}
	_ = json.Unmarshal(raw, &got.body)
	p.last.Store(got)
	p.answer(w, r)
}

func serve(t *testing.T, answer http.HandlerFunc) (*pool, *API) {
	t.Helper()
	p := &pool{answer: answer}
	s := httptest.NewServer(p)
	t.Cleanup(s.Close)
	return p, NewAPI(APIOptions{Endpoint: mustURL(t, s.URL+"/")})
}

func answer(status int, contentType, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// exception answers as Cognito does: status 400 whatever it is, the code in body
// and header.
func exception(code string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Amzn-Errortype", code+":")
		answer(400, "application/x-amz-json-1.1", `{"__type":"`+code+`","message":"leaked-message"}`)(w, r)
	}
}

func TestAPI(t *testing.T) {
	token := accessToken(`{"sub":"s","scope":"openid aws.cognito.signin.user.admin"}`)
	t.Run("calls unsigned, with the access token in the body", func(t *testing.T) {
		for target, call := range map[string]func(*API) error{
			"GlobalSignOut": func(a *API) error { return a.GlobalSignOut(t.Context(), secret.NewText(token)) },
			"GetUser":       func(a *API) error { return a.GetUser(t.Context(), secret.NewText(token)) },
		} {
			p, a := serve(t, answer(200, "application/x-amz-json-1.1", `{}`))
			if err := call(a); err != nil {
				t.Fatal(err)
			}
			want := &request{
				method: "POST", path: "/", target: "AWSCognitoIdentityProviderService." + target,
				contentType: "application/x-amz-json-1.1", body: map[string]any{"AccessToken": token},
			}
			if d := cmp.Diff(want, p.last.Load(), cmp.AllowUnexported(request{})); d != "" {
				t.Errorf("%s: %s", target, d)
			}
		}
	})

	const jsonType = "application/x-amz-json-1.1"
	for name, tc := range map[string]struct {
		answer http.HandlerFunc
		want   error
	}{
		"a token signed out":         {exception("NotAuthorizedException"), oauth.ErrGrantRevoked},
		"a user gone":                {exception("UserNotFoundException"), oauth.ErrGrantRevoked},
		"a password to be reset":     {exception("PasswordResetRequiredException"), oauth.ErrGrantRevoked},
		"an unconfirmed user":        {exception("UserNotConfirmedException"), oauth.ErrGrantRevoked},
		"a malformed token":          {exception("InvalidParameterException"), oauth.ErrMisconfigured},
		"no such pool":               {exception("ResourceNotFoundException"), oauth.ErrMisconfigured},
		"an operation switched off":  {exception("OperationNotEnabledException"), oauth.ErrMisconfigured},
		"throttling":                 {exception("TooManyRequestsException"), oauth.ErrUnavailable},
		"an internal error":          {exception("InternalErrorException"), oauth.ErrUnavailable},
		"a firewall":                 {exception("ForbiddenException"), oauth.ErrUnavailable},
		"an unknown code":            {exception("LeakedException"), oauth.ErrUnavailable},
		"the code in the body alone": {answer(400, jsonType, `{"__type":"ns#NotAuthorizedException"}`), oauth.ErrGrantRevoked},
		"429 text":                   {answer(429, "text/plain", "leaked-message"), oauth.ErrUnavailable},
		"500 HTML":                   {answer(500, "text/html", "<html>NotAuthorizedException leaked-message"), oauth.ErrUnavailable},
		"400 HTML":                   {answer(400, "text/html", "<html>NotAuthorizedException leaked-message"), oauth.ErrUnavailable},
		"200 HTML":                   {answer(200, "text/html", "<html>leaked-message"), oauth.ErrUnavailable},
		"200 cut off":                {answer(200, jsonType, `{"Username":"leaked-mess`), oauth.ErrUnavailable},
		"200 of 2 MB":                {answer(200, jsonType, `{"Username":"`+strings.Repeat("x", 2<<20)+`"}`), oauth.ErrUnavailable},
		"a redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		}, oauth.ErrUnavailable},
	} {
		t.Run("means by "+name, func(t *testing.T) {
			p, a := serve(t, tc.answer)
			err := a.GetUser(t.Context(), secret.NewText(token))
			assertOnly(t, err, tc.want)
			if err != nil && (strings.Contains(strings.ToLower(err.Error()), "leaked") || strings.Contains(err.Error(), token)) {
				t.Errorf("quotes the answer: %v", err)
			}
			if p.calls.Load() > attempts || p.last.Load().path != "/" {
				t.Errorf("%d calls, the last of %s", p.calls.Load(), p.last.Load().path)
			}
		})
	}

	t.Run("says that the scope is missing without asking", func(t *testing.T) {
		p, a := serve(t, exception("NotAuthorizedException"))
		for _, claims := range []string{`{"scope":"openid email"}`, `{"scope":""}`, `{"scope":"xaws.cognito.signin.user.admin"}`} {
			assertOnly(t, a.GlobalSignOut(t.Context(), secret.NewText(accessToken(claims))), oauth.ErrMisconfigured)
		}
		if p.calls.Load() > 0 {
			t.Error("asked")
		}
	})
	t.Run("asks where the token does not say its scopes", func(t *testing.T) {
		for _, token := range []string{"opaque", accessToken(`{"sub":"s"}`)} {
			p, a := serve(t, answer(200, jsonType, `{}`))
			if err := a.GlobalSignOut(t.Context(), secret.NewText(token)); err != nil || p.calls.Load() != 1 {
				t.Errorf("%v after %d calls", err, p.calls.Load())
			}
		}
	})
	t.Run("gives up at its deadline, retries included", func(t *testing.T) {
		_, a := serve(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		a.timeout = 100 * time.Millisecond
		err := a.GetUser(t.Context(), secret.NewText(token))
		assertOnly(t, err, oauth.ErrUnavailable)
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	})
	t.Run("says when the caller has gone", func(t *testing.T) {
		_, a := serve(t, answer(200, jsonType, `{}`))
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := a.GetUser(ctx, secret.NewText(token)); !errors.Is(err, context.Canceled) || !errors.Is(err, oauth.ErrUnavailable) {
			t.Error(err)
		}
	})
	t.Run("says when nobody is there", func(t *testing.T) {
		s := httptest.NewServer(http.NotFoundHandler())
		a := NewAPI(APIOptions{Endpoint: mustURL(t, s.URL)})
		s.Close()
		err := a.GetUser(t.Context(), secret.NewText(token))
		assertOnly(t, err, oauth.ErrUnavailable)
	})
}

func assertOnly(t *testing.T, err, want error) {
	t.Helper()
	for _, kind := range []error{oauth.ErrGrantRevoked, oauth.ErrUnavailable, oauth.ErrMisconfigured} {
		if errors.Is(err, kind) != (kind == want) {
			t.Errorf("%v, want only %v", err, want)
		}
	}
}

func TestAPIObserve(t *testing.T) {
	var told []string
	p := &pool{}
	s := httptest.NewServer(p)
	t.Cleanup(s.Close)
	a := NewAPI(APIOptions{Endpoint: mustURL(t, s.URL+"/"), Observe: func(ctx context.Context, operation string, took time.Duration, err error) {
		if ctx.Err() != nil {
			t.Errorf("%s was told under the context of its deadline: %v", operation, ctx.Err())
		}
		if took <= 0 || took > time.Minute {
			t.Errorf("%s took %v", operation, took)
		}
		switch {
		case err == nil:
			operation += " ok"
		case errors.Is(err, oauth.ErrGrantRevoked):
			operation += " refused"
		case errors.Is(err, oauth.ErrUnavailable):
			operation += " unavailable"
		}
		told = append(told, operation)
	}})
	token := secret.NewText(accessToken(`{"sub":"s","scope":"openid aws.cognito.signin.user.admin"}`))
	p.answer = answer(200, "application/x-amz-json-1.1", `{}`)
	_ = a.GetUser(t.Context(), token)
	_ = a.GlobalSignOut(t.Context(), token)
	p.answer = exception("NotAuthorizedException")
	_ = a.GetUser(t.Context(), token)
	p.answer = exception("TooManyRequestsException") // tried again, and told once
	_ = a.GlobalSignOut(t.Context(), token)
	_ = a.GetUser(t.Context(), secret.NewText(accessToken(`{"sub":"s","scope":"openid"}`))) // never sent
	want := []string{"get_user ok", "global_sign_out ok", "get_user refused", "global_sign_out unavailable"}
	if d := cmp.Diff(want, told); d != "" {
		t.Error(d)
	}
}
