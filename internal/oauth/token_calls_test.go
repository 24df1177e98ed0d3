package oauth

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

func TestExchange(t *testing.T) {
	t.Run("turns a code into verified tokens", func(t *testing.T) {
		p := newProvider(t)
		c := p.serve()
		l := beginLogin(t, c)
		answer := p.tokenAnswer(p.idToken(l.query.Get("nonce")))
		p.answers(200, answer)
		before := time.Now()
		got, err := l.exchange(t, c)
		if err != nil {
			t.Fatal(err)
		}
		for name, pair := range map[string][2]string{
			"access token":  {got.Access.Reveal(), answer["access_token"].(string)},
			"ID token":      {got.ID.Reveal(), answer["id_token"].(string)},
			"refresh token": {got.Refresh.Reveal(), "refresh-1"},
			"issuer":        {got.Issuer, p.issuer},
			"subject":       {got.Subject, testSubject},
		} {
			if pair[0] != pair[1] {
				t.Errorf("%s is %q", name, pair[0])
			}
		}
		if in := got.AccessExpiresAt.Sub(before); in < time.Hour-time.Minute || in > time.Hour { // exp has whole seconds
			t.Errorf("expires in %v", in)
		}
		if time.Since(got.AuthTime) > time.Minute {
			t.Errorf("authenticated at %v", got.AuthTime)
		}
		if !strings.Contains(string(got.IDClaims), "ada@example.com") || !strings.Contains(string(got.AccessClaims), `"scope"`) {
			t.Errorf("claims are %s and %s", got.IDClaims, got.AccessClaims)
		}
	})

	t.Run("sends code and verifier once, with the secret in the header", func(t *testing.T) {
		p := newProvider(t)
		c := p.serve()
		l := beginLogin(t, c)
		p.answers(200, p.tokenAnswer(p.idToken(l.query.Get("nonce"))))
		if _, err := l.exchange(t, c); err != nil {
			t.Fatal(err)
		}
		forms, auths := p.sent()
		want := []url.Values{{
			"grant_type": {"authorization_code"}, "code": {"code-1"}, "redirect_uri": {redirectURL},
			"code_verifier": {l.pending.attempt.verifier(l.binding)},
		}}
		if d := cmp.Diff(want, forms); d != "" {
			t.Error(d)
		}
		basic := url.QueryEscape(testClientID) + ":" + url.QueryEscape(testSecret)
		if want := "Basic " + base64.StdEncoding.EncodeToString([]byte(basic)); auths[0] != want {
			t.Error("authenticates otherwise than RFC 6749 §2.3.1 says")
		}
	})

	t.Run("names a public client in the form", func(t *testing.T) {
		p := newProvider(t)
		c := p.serve(func(o *Options) { o.ClientSecret = secret.Text{} })
		l := beginLogin(t, c)
		p.answers(200, p.tokenAnswer(p.idToken(l.query.Get("nonce"))))
		if _, err := l.exchange(t, c); err != nil {
			t.Fatal(err)
		}
		forms, auths := p.sent()
		if forms[0].Get("client_id") != testClientID || forms[0].Has("client_secret") || auths[0] != "" {
			t.Errorf("sent %v with %q", forms[0], auths[0])
		}
	})
}

func TestExchangeSpendsNoCode(t *testing.T) {
	p := newProvider(t)
	c := p.serve()
	good := beginLogin(t, c)
	denied := &AuthorizationError{Code: "access_denied"}
	for name, tc := range map[string]struct {
		change func(*login)
		want   error
	}{
		"of a state that did not open":        {func(l *login) { l.pending = Pending{} }, ErrStateUnbound},
		"of another browser's state":          {func(l *login) { l.pending, _ = c.Open(l.callback.State, NewBinding()) }, ErrStateUnbound},
		"that another issuer sent (RFC 9207)": {func(l *login) { l.callback.Issuer = p.issuer + "/" }, ErrCallback},
		"of a refusal":                        {func(l *login) { l.callback.Refusal = denied }, denied},
		"of a refusal by another issuer": {func(l *login) {
			l.callback.Refusal, l.callback.Issuer = denied, "https://evil.example.com"
		}, ErrCallback},
		"that is empty": {func(l *login) { l.callback.Code = secret.Text{} }, ErrCallback},
		"whose ID token nobody could verify then": {func(*login) { p.jwks = raw(503, "text/html", "down") }, ErrUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			l := good
			tc.change(&l)
			if _, err := l.exchange(t, c); !errors.Is(err, tc.want) {
				t.Errorf("err = %v", err)
			}
			if calls, _ := p.asked(); calls > 0 {
				t.Error("the token endpoint was asked")
			}
		})
	}
	t.Run("but one with the right issuer", func(t *testing.T) {
		p := newProvider(t)
		c := p.serve()
		l := beginLogin(t, c)
		l.callback.Issuer = p.issuer
		p.answers(200, p.tokenAnswer(p.idToken(l.query.Get("nonce"))))
		if _, err := l.exchange(t, c); err != nil {
			t.Error(err)
		}
	})
}

// tokenOutcomes is what a token endpoint may answer, and what it means.
func tokenOutcomes() map[string]struct {
	answer http.HandlerFunc
	want   error
} {
	const leak = "leaked-token-abcdef"
	j := "application/json"
	return map[string]struct {
		answer http.HandlerFunc
		want   error
	}{
		"400 invalid_grant":                {raw(400, j, `{"error":"invalid_grant"}`), ErrGrantRevoked},
		"401 invalid_grant":                {raw(401, j, `{"error":"invalid_grant","error_description":"`+leak+strings.Repeat("-x", 20)+`"}`), ErrGrantRevoked},
		"400 invalid_client":               {raw(400, j, `{"error":"invalid_client"}`), ErrMisconfigured},
		"401 invalid_client":               {raw(401, j, `{"error":"invalid_client"}`), ErrMisconfigured},
		"400 unauthorized_client":          {raw(400, j, `{"error":"unauthorized_client","error_description":"invalid_redirect"}`), ErrMisconfigured},
		"400 unsupported_grant_type":       {raw(400, j, `{"error":"unsupported_grant_type"}`), ErrMisconfigured},
		"400 invalid_scope":                {raw(400, j, `{"error":"invalid_scope"}`), ErrMisconfigured},
		"400 invalid_request":              {raw(400, j, `{"error":"invalid_request"}`), ErrMisconfigured},
		"400 unknown code":                 {raw(400, j, `{"error":"`+leak+`"}`), ErrUnavailable},
		"400 without a code":               {raw(400, j, `{}`), ErrUnavailable},
		"400 HTML":                         {raw(400, "text/html", "<h1>invalid_grant "+leak), ErrUnavailable},
		"400 HTML said to be JSON":         {raw(400, j, "<h1>invalid_grant "+leak), ErrUnavailable},
		"400 form":                         {raw(400, "text/plain", "error=invalid_grant"), ErrUnavailable},
		"400 JSON cut off":                 {raw(400, j, `{"error":"invalid_grant"`), ErrUnavailable},
		"400 array":                        {raw(400, j, `[{"error":"invalid_grant"}]`), ErrUnavailable},
		"400 error not a string":           {raw(400, j, `{"error":{"code":"invalid_grant"}}`), ErrUnavailable},
		"403 of a firewall":                {raw(403, j, `{"error":"invalid_grant"}`), ErrUnavailable},
		"404":                              {raw(404, "text/plain", leak), ErrMisconfigured},
		"404 that says invalid_grant":      {raw(404, j, `{"error":"invalid_grant","error_description":"`+leak+`"}`), ErrMisconfigured},
		"405 of a web page's host":         {raw(405, "text/html", leak), ErrMisconfigured},
		"503 with a description":           {raw(503, j, `{"error":"invalid_grant","error_description":"`+leak+`"}`), ErrUnavailable},
		"429 text":                         {raw(429, "text/plain", "Rate exceeded "+leak), ErrUnavailable},
		"429 that says invalid_grant":      {raw(429, j, `{"error":"invalid_grant"}`), ErrUnavailable},
		"500 HTML":                         {raw(500, "text/html", "<html>"+leak), ErrUnavailable},
		"500 that says invalid_grant":      {raw(500, j, `{"error":"invalid_grant"}`), ErrUnavailable},
		"503 that says invalid_client":     {raw(503, j, `{"error":"invalid_client"}`), ErrUnavailable},
		"200 that says invalid_grant":      {raw(200, j, `{"error":"invalid_grant"}`), ErrUnavailable},
		"200 HTML":                         {raw(200, "text/html", "<html>"+leak), ErrUnavailable},
		"200 nothing":                      {raw(200, j, ``), ErrUnavailable},
		"200 null":                         {raw(200, j, `null`), ErrUnavailable},
		"200 array":                        {raw(200, j, `["`+leak+`"]`), ErrUnavailable},
		"200 form":                         {raw(200, "application/x-www-form-urlencoded", "access_token="+leak+"&token_type=Bearer"), ErrUnavailable},
		"200 text":                         {raw(200, "text/plain", "access_token="+leak+"&token_type=Bearer"), ErrUnavailable},
		"200 JSON cut off":                 {raw(200, j, `{"access_token":"`+leak+`","token_type":"Bea`), ErrUnavailable},
		"200 of 2 MB":                      {raw(200, j, `{"access_token":"`+leak+strings.Repeat("x", 2<<20)+`"}`), ErrUnavailable},
		"200 without access token":         {raw(200, j, `{"token_type":"Bearer","id_token":"`+leak+`"}`), ErrUnavailable},
		"200 with a number for the token":  {raw(200, j, `{"token_type":"Bearer","access_token":1234567890123}`), ErrUnavailable},
		"200 with text for expires_in":     {raw(200, j, `{"token_type":"Bearer","access_token":"x","expires_in":"`+leak+`"}`), ErrUnavailable},
		"201":                              {raw(201, j, `{"token_type":"Bearer","access_token":"x"}`), ErrUnavailable},
		"another token type":               {raw(200, j, `{"token_type":"mac","access_token":"`+leak+`"}`), ErrInvalidToken},
		"no token type":                    {raw(200, j, `{"access_token":"`+leak+`"}`), ErrInvalidToken},
		"an access token of 70 KB":         {raw(200, j, `{"token_type":"Bearer","access_token":"`+leak+strings.Repeat("x", 70<<10)+`"}`), ErrInvalidToken},
		"a line break in the access token": {raw(200, j, `{"token_type":"Bearer","access_token":"x\r\nX-Evil: `+leak+`"}`), ErrInvalidToken},
		"an access token that is none":     {raw(200, j, `{"token_type":"Bearer","access_token":"`+idTokenInPlaceOfAccess()+`"}`), ErrInvalidToken},
		"another client's access token":    {raw(200, j, `{"token_type":"Bearer","access_token":"`+sign(`{"alg":"RS256"}`, `{"token_use":"access","client_id":"client-2"}`, signingKey())+`"}`), ErrInvalidToken},
		"claims of the wrong type":         {raw(200, j, `{"token_type":"Bearer","access_token":"`+sign(`{"alg":"RS256"}`, `{"token_use":["access"]}`, signingKey())+`"}`), ErrInvalidToken},
		"a redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		}, ErrUnavailable},
		"a dropped connection": {dropConnection, ErrUnavailable},
		"half a body":          {halfABody, ErrUnavailable},
		"no HTTP at all":       {notHTTP, ErrUnavailable},
	}
}

func idTokenInPlaceOfAccess() string {
	return sign(`{"alg":"RS256"}`, `{"token_use":"id","aud":"client-1"}`, signingKey())
}

func halfABody(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", "1000")
	_, _ = io.WriteString(w, `{"access_token":"leaked-token-abcdef",`)
}

func notHTTP(w http.ResponseWriter, _ *http.Request) {
	c, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(err)
	}
	_, _ = io.WriteString(c, "leaked-token-abcdef is not HTTP\r\n\r\n")
	_ = c.Close()
}

func TestTokenEndpointOutcomes(t *testing.T) {
	for name, tc := range tokenOutcomes() {
		t.Run(name, func(t *testing.T) {
			p := newProvider(t)
			c := p.serve()
			l := beginLogin(t, c)
			p.token = tc.answer
			_, exchanged := l.exchange(t, c)
			_, refreshed := c.Refresh(t.Context(), Tokens{Refresh: secret.NewText("refresh-0"), Issuer: c.opts.Issuer, Subject: testSubject})
			for what, err := range map[string]error{"exchange": exchanged, "refresh": refreshed} {
				assertOnly(t, what, err, tc.want)
				if s := fmt.Sprintf("%v %+v %q", err, err, err); strings.Contains(s, "leaked") || strings.Contains(s, "1234567890123") {
					t.Errorf("%s: the error quotes the answer: %v", what, err)
				}
			}
			if calls, _ := p.asked(); calls != 2 {
				t.Errorf("%d calls for one exchange and one refresh: something is tried twice", calls)
			}
			p.noOtherRequest(t)
		})
	}
}

// TestTheProvidersReasonIsKept: in quotes, on one line, cut, and without what
// may be a secret.
func TestTheProvidersReasonIsKept(t *testing.T) {
	for reason, want := range map[string]string{
		"PreTokenGeneration failed with error E-4711.":                                `answered 400 invalid_grant "PreTokenGeneration failed with error E-4711."`,
		`say "no"` + "\r\nlevel=ERROR":                                                `answered 400 invalid_grant "say \"no\"  level=ERROR"`,
		"token eyJraWQiOiJhIn0.eyJzdWIiOiJhIn0.c2lnbmF0dXJl":                          `answered 400 invalid_grant "token […]"`,
		"refresh-0 is spent":                                                          `answered 400 invalid_grant "[…] is spent"`,
		strings.Repeat("no ", 95) + "is eyJraWQiOiJhIn0.eyJzdWIiOiJhIn0.c2lnbmF0dXJl": `answered 400 invalid_grant "` + strings.Repeat("no ", 95) + `is […]"`,
		strings.Repeat("no ", 200):                                                    `answered 400 invalid_grant "` + strings.TrimSpace(strings.Repeat("no ", 100)) + ` "`,
		"":                                                                            `answered 400 invalid_grant`,
	} {
		p := newProvider(t)
		c := p.serve()
		p.answers(400, object{"error": "invalid_grant", "error_description": reason, "secret": "leaked"})
		_, err := c.Refresh(t.Context(), Tokens{Refresh: secret.NewText("refresh-0"), Issuer: c.opts.Issuer, Subject: testSubject})
		assertOnly(t, "refresh", err, ErrGrantRevoked)
		if !strings.HasSuffix(err.Error(), ": "+want) {
			t.Errorf("%q: %v", reason, err)
		}
	}
}

// TestMisconfiguredSaysWhereToLook: at which address, and at which setting.
func TestMisconfiguredSaysWhereToLook(t *testing.T) {
	settings := func(o *Options) {
		o.Settings = Settings{Issuer: "the issuer", Domain: "the domain", Client: "the client"}
	}
	for name, tc := range map[string]struct {
		answer  http.HandlerFunc
		address bool
		look    string
	}{
		"no such endpoint":    {raw(404, "text/html", "x"), true, "the domain"},
		"another kind of one": {raw(405, "text/html", "x"), true, "the domain"},
		"a wrong secret":      {raw(400, "application/json", `{"error":"invalid_client"}`), true, "the client"},
		"a flow not enabled":  {raw(400, "application/json", `{"error":"unauthorized_client"}`), true, "the client"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newProvider(t)
			c := p.serve(settings)
			p.token, p.revoke = tc.answer, tc.answer
			_, refreshed := c.Refresh(t.Context(), Tokens{Refresh: secret.NewText("refresh-0"), Issuer: c.opts.Issuer, Subject: testSubject})
			for address, err := range map[string]error{c.opts.TokenURL: refreshed, c.opts.RevokeURL: c.Revoke(t.Context(), Tokens{Refresh: secret.NewText("r"), Issuer: c.opts.Issuer})} {
				assertOnly(t, address, err, ErrMisconfigured)
				if text := err.Error(); !strings.Contains(text, address+" answered") || !strings.HasSuffix(text, "; look at "+tc.look) {
					t.Error(err)
				}
			}
		})
	}
	t.Run("another issuer", func(t *testing.T) {
		p := newProvider(t)
		c := p.serve(settings)
		for issuer, told := range map[string]string{
			"https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Other": "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Other",
			"https://x.example/a?leaked=1":                                "another issuer",
			"leaked":                                                      "another issuer",
		} {
			l := beginLogin(t, c)
			claims := p.idClaims(l.query.Get("nonce")).with("iss", issuer).json()
			p.answers(200, p.tokenAnswer(sign(object{"alg": "RS256", "kid": "of the other pool"}.json(), claims, strangerKey())).with("access_token", "opaque"))
			_, err := l.exchange(t, c)
			assertOnly(t, "exchange", err, ErrMisconfigured)
			if text := err.Error(); !strings.Contains(text, "by "+told+", not by "+p.issuer) || !strings.HasSuffix(text, "; look at the issuer") {
				t.Error(err)
			}
		}
	})
}

// TestBusy: what an endpoint says of when to come again is believed, within
// bounds.
func TestBusy(t *testing.T) {
	date := func(in time.Duration) string { return time.Now().Add(in).UTC().Format(http.TimeFormat) }
	none := time.Duration(-1) // not a BusyError
	for name, tc := range map[string]struct {
		status     int
		retryAfter string
		ahead      time.Duration // of the provider's clock; its answer then has a date
		want       time.Duration
	}{
		"429 in seconds":               {429, "7", 0, 7 * time.Second},
		"429 without":                  {429, "", 0, 0},
		"429 at a date":                {429, date(30 * time.Second), 0, 30 * time.Second},
		"429 by a clock that is ahead": {429, date(time.Hour + 30*time.Second), time.Hour, 30 * time.Second},
		"429 at a date that has been":  {429, date(-time.Hour), 0, 0},
		"429 for a day":                {429, "86400", 0, time.Minute},
		"429 at a date in a year":      {429, date(365 * 24 * time.Hour), 0, time.Minute},
		"429 for longer than numbers":  {429, "99999999999999999999999", 0, time.Minute},
		"429 for less than nothing":    {429, "-5", 0, 0},
		"429 for a fraction":           {429, "1.5", 0, 0},
		"429 for a word":               {429, "soon", 0, 0},
		"503 in seconds":               {503, "7", 0, 7 * time.Second},
		"503 without":                  {503, "", 0, none},
		"503 for no time":              {503, "0", 0, none},
		"500 in seconds":               {500, "7", 0, none},
		"400 in seconds":               {400, "7", 0, none},
	} {
		t.Run(name, func(t *testing.T) {
			p := newProvider(t)
			c := p.serve()
			p.token = func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Retry-After", tc.retryAfter)
				w.Header().Set("Date", date(tc.ahead))
				w.WriteHeader(tc.status)
			}
			before := time.Now()
			_, err := c.Refresh(t.Context(), Tokens{Refresh: secret.NewText("refresh-0"), Issuer: c.opts.Issuer, Subject: testSubject})
			assertOnly(t, "refresh", err, ErrUnavailable)
			var busy *BusyError
			switch is := errors.As(err, &busy); {
			case is != (tc.want != none):
				t.Errorf("%v", err)
			case is && tc.want == 0 && !busy.Until.IsZero():
				t.Errorf("until %v", busy.Until)
			case is && tc.want > 0:
				const blur = 10 * time.Second // dates have whole seconds, and the test takes its time
				if in := busy.Until.Sub(before); in < tc.want-2*time.Second || in > tc.want+blur || busy.Status != tc.status {
					t.Errorf("%d in %v, want %v", busy.Status, in, tc.want)
				}
			}
		})
	}
}

// assertOnly wants err to be of one kind, and of no other.
func assertOnly(t *testing.T, what string, err, want error) {
	t.Helper()
	for _, kind := range []error{ErrGrantRevoked, ErrUnavailable, ErrMisconfigured, ErrInvalidToken} {
		if errors.Is(err, kind) != (kind == want) {
			t.Errorf("%s: %v, want only %v", what, err, want)
		}
	}
}

func TestExchangeWithNobodyThere(t *testing.T) {
	p := newProvider(t)
	s := httptest.NewServer(p)
	c := p.client(s.URL)
	l := beginLogin(t, c)
	p.answers(200, p.tokenAnswer(p.idToken(l.query.Get("nonce"))))
	if _, err := l.exchange(t, c); err != nil {
		t.Fatal(err)
	}
	s.Close()
	_, err := beginLogin(t, c).exchange(t, c)
	assertOnly(t, "refused connection", err, ErrUnavailable)
}

func TestCallsHaveTheirOwnDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProvider(t)
		c := p.inBubble(func(o *Options) { o.Timeout = 7 * time.Second })
		l := beginLogin(t, c)
		p.token, p.revoke = hang, hang
		tokens := Tokens{Refresh: secret.NewText("refresh-1"), Issuer: c.opts.Issuer}
		for what, call := range map[string]func() error{
			"exchange": func() error { _, err := l.exchange(t, c); return err },
			"refresh":  func() error { _, err := c.Refresh(t.Context(), tokens); return err },
			"revoke":   func() error { return c.Revoke(t.Context(), tokens) },
		} {
			begin := time.Now()
			err := call()
			assertOnly(t, what, err, ErrUnavailable)
			if !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) != 7*time.Second {
				t.Errorf("%s after %v: %v", what, time.Since(begin), err)
			}
		}
		_, err := c.Exchange(cancelled(t), l.callback, l.pending, l.binding)
		if !errors.Is(err, context.Canceled) {
			t.Errorf("caller gone: %v", err)
		}
	})
}

// TestObserve: every call that goes out is told once, with its time, its sorted
// error and the values of its caller's context, and nothing is told that did not go
// out.
func TestObserve(t *testing.T) {
	type told struct {
		Call string
		Took time.Duration
		Kind error
	}
	kindOf := func(err error) error {
		for _, kind := range []error{ErrGrantRevoked, ErrUnavailable, ErrMisconfigured, ErrInvalidToken} {
			if errors.Is(err, kind) {
				return kind
			}
		}
		return err
	}
	synctest.Test(t, func(t *testing.T) {
		p := newProvider(t)
		var got []told // calls here come one after the other
		c := p.inBubble(func(o *Options) {
			o.Observe = func(ctx context.Context, call string, took time.Duration, err error) {
				if ctx.Value(traceKey{}) != "trace" {
					t.Errorf("%s was told without its caller's context", call)
				}
				got = append(got, told{call, took, kindOf(err)})
			}
		})
		ctx := context.WithValue(t.Context(), traceKey{}, "trace")
		l := beginLogin(t, c)
		p.jwks = slow(p.jwks)
		p.answers(200, p.tokenAnswer(p.idToken(l.query.Get("nonce"))))
		p.token = slow(p.token)
		tokens, err := c.Exchange(ctx, l.callback, l.pending, l.binding)
		if err != nil {
			t.Fatal(err)
		}
		p.token = raw(400, "application/json", `{"error":"invalid_grant"}`)
		_, _ = c.Refresh(ctx, tokens)
		p.token = raw(200, "application/json", `{"token_type":"mac","access_token":"x"}`)
		_, _ = c.Refresh(ctx, tokens)
		p.revoke = hang
		_ = c.Revoke(ctx, tokens)
		time.Sleep(keysSoftAge)
		p.jwks = raw(500, "", "")
		_, _ = c.keys.key(ctx, "another")
		_, _ = c.keys.key(ctx, "another") // too soon
		_ = c.Revoke(ctx, Tokens{})
		_, _ = c.Refresh(ctx, Tokens{})
		want := []told{
			{"jwks", 3 * time.Second, nil}, {"code", 3 * time.Second, nil},
			{"refresh", 0, ErrGrantRevoked}, {"refresh", 0, ErrInvalidToken},
			{"revoke", callTimeout, ErrUnavailable}, {"jwks", 0, ErrUnavailable},
		}
		if d := cmp.Diff(want, got, cmp.Comparer(func(a, b error) bool { return a == b })); d != "" {
			t.Error(d)
		}
	})
}

// traceKey is where a caller's context keeps what its trace needs.
type traceKey struct{}

func TestAccessExpiry(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(object) object
		want   time.Duration
	}{
		"comes from expires_in":                {func(o object) object { return o.with("expires_in", 300) }, 300 * time.Second},
		"comes from expires_in as text":        {func(o object) object { return o.with("expires_in", "300") }, 300 * time.Second},
		"is never later than the token's own":  {func(o object) object { return o.with("expires_in", 86400) }, time.Hour},
		"is so for the longest expires_in too": {func(o object) object { return o.with("expires_in", math.MaxInt32) }, time.Hour},
		"comes from expires_in where the token has none": {func(o object) object {
			return o.with("expires_in", 7200).with("access_token", "opaque")
		}, 2 * time.Hour},
		"is a year at most": {func(o object) object {
			return o.with("expires_in", math.MaxInt32).with("access_token", "opaque")
		}, 365 * 24 * time.Hour},
		"comes from the token where none came":  {func(o object) object { return o.without("expires_in") }, time.Hour},
		"comes from the token where it is zero": {func(o object) object { return o.with("expires_in", 0) }, time.Hour},
		"comes from the token where it is less": {func(o object) object { return o.with("expires_in", -1) }, time.Hour},
		"is five minutes for an opaque token": {func(o object) object {
			return o.without("expires_in").with("access_token", "opaque")
		}, 5 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newProvider(t)
				c := p.inBubble()
				l := beginLogin(t, c)
				p.answers(200, tc.change(p.tokenAnswer(p.idToken(l.query.Get("nonce")))))
				got, err := l.exchange(t, c)
				if err != nil {
					t.Fatal(err)
				}
				if in := time.Until(got.AccessExpiresAt); in != tc.want {
					t.Errorf("in %v", in)
				}
			})
		})
	}
}

// TestAccessTokenIsOfThisLogin: the access token, which becomes the upstream's
// word on who is there, must be about the user of the ID token, of this provider
// and client, and not over.
func TestAccessTokenIsOfThisLogin(t *testing.T) {
	p := newProvider(t)
	c := p.serve()
	signed := func(claims object) string { return sign(goodHeader().json(), claims.json(), signingKey()) }
	good := p.accessClaims()
	for name, tc := range map[string]struct {
		token string
		want  error
	}{
		"as Cognito makes it":     {signed(good), nil},
		"without a subject":       {signed(good.without("sub")), nil},
		"without an issuer":       {signed(good.without("iss")), nil},
		"another subject":         {signed(good.with("sub", "mallory")), ErrInvalidToken},
		"an empty subject":        {signed(good.with("sub", "")), ErrInvalidToken},
		"a subject in capitals":   {signed(good.with("sub", strings.ToUpper(testSubject))), ErrInvalidToken},
		"a subject of no text":    {signed(good.with("sub", []string{testSubject})), ErrInvalidToken},
		"another issuer":          {signed(good.with("iss", p.issuer+"/")), ErrMisconfigured},
		"another client":          {signed(good.with("client_id", "client-2")), ErrInvalidToken},
		"another use":             {signed(good.with("token_use", "id")), ErrInvalidToken},
		"a passed expiry":         {signed(good.with("exp", time.Now().Add(-time.Hour).Unix())), ErrInvalidToken},
		"two subjects":            {sign(goodHeader().json(), `{"sub":"mallory","sub":"`+testSubject+`"}`, signingKey()), ErrInvalidToken},
		"padding":                 {b64(goodHeader().json()) + "." + base64.URLEncoding.EncodeToString([]byte(`{"sub":"mallory"} `)) + ".x", ErrInvalidToken},
		"bytes behind its claims": {b64(goodHeader().json()) + "." + b64(`{"sub":"mallory"}`) + "=.x", ErrInvalidToken},
	} {
		t.Run(name, func(t *testing.T) {
			l := beginLogin(t, c)
			p.answers(200, p.tokenAnswer(p.idToken(l.query.Get("nonce"))).with("access_token", tc.token))
			got, err := l.exchange(t, c)
			assertOnly(t, "exchange", err, tc.want)
			if (err == nil) == got.Access.Empty() {
				t.Errorf("tokens there: %v, error %v", !got.Access.Empty(), err)
			}
		})
	}
}

func TestExchangeTakesOpaqueTokens(t *testing.T) {
	p := newProvider(t)
	c := p.serve()
	for _, token := range []string{"opaque", "a.b.c", "one.two.three.four.five", "eyJhbGciOiJSUzI1NiJ9.bm90IEpTT04.x", "a-._~+/=="} {
		l := beginLogin(t, c)
		p.answers(200, p.tokenAnswer(p.idToken(l.query.Get("nonce"))).with("access_token", token).with("token_type", "bEARER"))
		got, err := l.exchange(t, c)
		if err != nil || got.Access.Reveal() != token || string(got.AccessClaims) != "{}" {
			t.Errorf("%s: claims %s, %v", token, got.AccessClaims, err)
		}
	}
}

func TestAccessClaims(t *testing.T) {
	for token, want := range map[string]string{
		sign(`{"alg":"none"}`, `{"sub":"x"}`, signingKey()): `{"sub":"x"}`,
		"": "{}", "opaque": "{}", "a.b": "{}",
		sign(`{"alg":"RS256"}`, `{"sub":"x","sub":"y"}`, signingKey()): "{}",
	} {
		if got := AccessClaims(secret.NewText(token)); string(got) != want {
			t.Errorf("%s: %s", token, got)
		}
	}
}
