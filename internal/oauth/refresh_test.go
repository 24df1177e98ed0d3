package oauth

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// signedIn returns what a login gave, an hour after it.
func signedIn(t *testing.T, p *provider, c *Client) Tokens {
	t.Helper()
	l := beginLogin(t, c)
	p.answers(200, p.tokenAnswer(p.idToken(l.query.Get("nonce"))))
	tokens, err := l.exchange(t, c)
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Hour)
	p.forms = nil
	return tokens
}

func TestRefresh(t *testing.T) {
	type world struct {
		p     *provider
		c     *Client
		prior Tokens
		// renewed is an answer with a new ID token, such as Cognito gives: no
		// nonce, no refresh token, the first auth_time.
		renewed func(change func(object) object) object
	}
	run := func(name string, test func(*testing.T, world)) {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := world{p: newProvider(t)}
				w.c = w.p.inBubble()
				w.prior = signedIn(t, w.p, w.c)
				w.renewed = func(change func(object) object) object {
					claims := w.p.idClaims("").without("nonce").with("auth_time", w.prior.AuthTime.Unix())
					id := sign(goodHeader().json(), change(claims).json(), signingKey())
					return w.p.tokenAnswer(id).without("refresh_token")
				}
				test(t, w)
			})
		})
	}
	same := func(o object) object { return o }

	run("takes new tokens and keeps the refresh token where none comes", func(t *testing.T, w world) {
		answer := w.renewed(func(o object) object { return o.with("cognito:groups", []string{"staff"}) })
		w.p.answers(200, answer)
		got, err := w.c.Refresh(t.Context(), w.prior)
		if err != nil {
			t.Fatal(err)
		}
		if got.Access.Reveal() != answer["access_token"] || got.ID.Reveal() != answer["id_token"] || got.Refresh.Reveal() != "refresh-1" {
			t.Error("not the tokens that came")
		}
		if !strings.Contains(string(got.IDClaims), "staff") || got.Subject != testSubject || got.Issuer != w.p.issuer || !got.AuthTime.Equal(w.prior.AuthTime) {
			t.Errorf("claims %s, subject %s, auth time %v", got.IDClaims, got.Subject, got.AuthTime)
		}
		if in := time.Until(got.AccessExpiresAt); in != time.Hour {
			t.Errorf("expires in %v", in)
		}
		forms, _ := w.p.sent()
		want := []url.Values{{"grant_type": {"refresh_token"}, "refresh_token": {"refresh-1"}}}
		if d := cmp.Diff(want, forms); d != "" {
			t.Error(d)
		}
	})

	run("takes a rotated refresh token", func(t *testing.T, w world) {
		w.p.answers(200, w.renewed(same).with("refresh_token", "refresh-2"))
		got, err := w.c.Refresh(t.Context(), w.prior)
		if err != nil || got.Refresh.Reveal() != "refresh-2" {
			t.Errorf("%v, %v", got.Refresh.Reveal(), err)
		}
	})

	run("keeps the identity where no ID token comes", func(t *testing.T, w world) {
		w.p.answers(200, w.renewed(same).without("id_token"))
		got, err := w.c.Refresh(t.Context(), w.prior)
		if err != nil {
			t.Fatal(err)
		}
		if !got.ID.Equal(w.prior.ID) || string(got.IDClaims) != string(w.prior.IDClaims) || got.Subject != testSubject {
			t.Errorf("became %s of %s", got.IDClaims, got.Subject)
		}
	})

	run("never makes the sign-in look younger", func(t *testing.T, w world) {
		w.p.answers(200, w.renewed(func(o object) object { return o.with("auth_time", time.Now().Unix()) }))
		got, err := w.c.Refresh(t.Context(), w.prior)
		if err != nil || !got.AuthTime.Equal(w.prior.AuthTime) {
			t.Errorf("%v, %v", got.AuthTime, err)
		}
	})

	run("takes an ID token older than a login's may be", func(t *testing.T, w world) {
		w.p.answers(200, w.renewed(func(o object) object { return o.with("iat", time.Now().Add(-30*time.Minute).Unix()) }))
		if _, err := w.c.Refresh(t.Context(), w.prior); err != nil {
			t.Error(err)
		}
	})

	for name, status := range map[string]int{"an outage of the key set": 503, "a key set that has moved": 404} {
		run("does not lose a rotated token to "+name, func(t *testing.T, w world) {
			w.p.jwks = raw(status, "text/html", "down")
			claims := w.p.idClaims("").json()
			rotated := sign(goodHeader().with("kid", "kid-2").json(), claims, strangerKey())
			w.p.answers(200, w.p.tokenAnswer(rotated).with("refresh_token", "refresh-2"))
			got, err := w.c.Refresh(t.Context(), w.prior)
			if err != nil {
				t.Fatal(err)
			}
			if got.Refresh.Reveal() != "refresh-2" || !got.ID.Equal(w.prior.ID) || string(got.IDClaims) != string(w.prior.IDClaims) {
				t.Error("took an ID token nobody verified, or lost the refresh token")
			}
		})
	}

	for name, change := range map[string]func(object) object{
		"another subject":       func(o object) object { return o.with("sub", "mallory") },
		"another audience":      func(o object) object { return o.with("aud", "client-2") },
		"a passed expiry":       func(o object) object { return o.with("exp", time.Now().Add(-time.Hour).Unix()) },
		"an access token's use": func(o object) object { return o.with("token_use", "access") },
		"another at_hash":       func(o object) object { return o.with("at_hash", atHash("other")) },
	} {
		run("refuses an ID token with "+name, func(t *testing.T, w world) {
			w.p.answers(200, w.renewed(change))
			got, err := w.c.Refresh(t.Context(), w.prior)
			assertOnly(t, "refresh", err, ErrInvalidToken)
			if !got.Access.Empty() {
				t.Error("gave tokens all the same")
			}
		})
	}

	run("takes another issuer's ID token for a wrong setting", func(t *testing.T, w world) {
		w.p.answers(200, w.renewed(func(o object) object { return o.with("iss", "https://evil.example.com") }))
		_, err := w.c.Refresh(t.Context(), w.prior)
		assertOnly(t, "refresh", err, ErrMisconfigured)
	})

	run("refuses an ID token under a stranger's key", func(t *testing.T, w world) {
		id := sign(goodHeader().json(), w.p.idClaims("").json(), strangerKey())
		w.p.answers(200, w.p.tokenAnswer(id))
		_, err := w.c.Refresh(t.Context(), w.prior)
		assertOnly(t, "refresh", err, ErrInvalidToken)
	})

	run("refuses another user's access token", func(t *testing.T, w world) {
		access := sign(goodHeader().json(), w.p.accessClaims().with("sub", "mallory").json(), signingKey())
		w.p.answers(200, w.renewed(same).without("id_token").with("access_token", access))
		_, err := w.c.Refresh(t.Context(), w.prior)
		assertOnly(t, "refresh", err, ErrInvalidToken)
	})

	for name, token := range map[string]string{
		"an opaque access token in a JWT's place": "opaque",
		"a JWE in a JWT's place":                  "one.two.three.four.five",
	} {
		run("refuses "+name, func(t *testing.T, w world) {
			w.p.answers(200, w.renewed(same).without("id_token").with("access_token", token))
			_, err := w.c.Refresh(t.Context(), w.prior)
			assertOnly(t, "refresh", err, ErrInvalidToken)
		})
	}

	run("holds an access token against the session where the one before was opaque", func(t *testing.T, w world) {
		w.prior.Access, w.prior.AccessClaims = secret.NewText("opaque"), json.RawMessage("{}")
		w.p.answers(200, w.renewed(same).without("id_token"))
		if _, err := w.c.Refresh(t.Context(), w.prior); err != nil {
			t.Error(err)
		}
		access := sign(goodHeader().json(), w.p.accessClaims().with("sub", "mallory").json(), signingKey())
		w.p.answers(200, w.renewed(same).with("access_token", access))
		_, err := w.c.Refresh(t.Context(), w.prior)
		assertOnly(t, "refresh", err, ErrInvalidToken)
	})

	run("ends the access token when it says itself", func(t *testing.T, w world) {
		w.p.answers(200, w.renewed(same).with("expires_in", 86400))
		got, err := w.c.Refresh(t.Context(), w.prior)
		if in := time.Until(got.AccessExpiresAt); err != nil || in != time.Hour {
			t.Errorf("in %v, %v", in, err)
		}
	})

	run("asks nobody without a refresh token", func(t *testing.T, w world) {
		w.prior.Refresh = secret.Text{}
		_, err := w.c.Refresh(t.Context(), w.prior)
		assertOnly(t, "refresh", err, ErrGrantRevoked)
		if calls, _ := w.p.asked(); calls > 0 {
			t.Error("asked")
		}
	})
}

func TestRevoke(t *testing.T) {
	const j = "application/json"
	for name, tc := range map[string]struct {
		answer http.HandlerFunc
		want   error
	}{
		"200, also for an unknown token": {raw(200, "", ""), nil},
		"200 with a page":                {raw(200, "text/html", "<html>"), nil},
		"400 invalid_request":            {raw(400, j, `{"error":"invalid_request"}`), ErrMisconfigured},
		"400 unsupported_token_type":     {raw(400, j, `{"error":"unsupported_token_type"}`), ErrMisconfigured},
		"401 invalid_client":             {raw(401, j, `{"error":"invalid_client"}`), ErrMisconfigured},
		"400 invalid_grant":              {raw(400, j, `{"error":"invalid_grant"}`), ErrUnavailable},
		"400 HTML":                       {raw(400, "text/html", `leaked`), ErrUnavailable},
		"429":                            {raw(429, "text/plain", "leaked"), ErrUnavailable},
		"500":                            {raw(500, j, `{"error":"invalid_client"}`), ErrUnavailable},
		"503 and half a body":            {halfABody503, ErrUnavailable},
		"a redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/elsewhere", http.StatusPermanentRedirect)
		}, ErrUnavailable},
		"a dropped connection": {dropConnection, ErrUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			p := newProvider(t)
			c := p.serve()
			p.revoke = tc.answer
			err := c.Revoke(t.Context(), Tokens{Refresh: secret.NewText("refresh-1"), Issuer: c.opts.Issuer})
			assertOnly(t, "revoke", err, tc.want)
			if (err == nil) != (tc.want == nil) {
				t.Errorf("err = %v", err)
			}
			if err != nil && (strings.Contains(err.Error(), "leaked") || strings.Contains(err.Error(), "refresh-1")) {
				t.Errorf("leaks: %v", err)
			}
			forms, auths := p.sent()
			if d := cmp.Diff([]url.Values{{"token": {"refresh-1"}}}, forms); d != "" {
				t.Fatal(d)
			}
			if !strings.HasPrefix(auths[0], "Basic ") {
				t.Error("without the client's secret")
			}
			p.noOtherRequest(t)
		})
	}
	t.Run("names a public client in the form", func(t *testing.T) {
		p := newProvider(t)
		c := p.serve(func(o *Options) { o.ClientSecret = secret.Text{} })
		p.revoke = raw(200, "", "")
		if err := c.Revoke(t.Context(), Tokens{Refresh: secret.NewText("refresh-1"), Issuer: c.opts.Issuer}); err != nil {
			t.Fatal(err)
		}
		forms, auths := p.sent()
		want := []url.Values{{"token": {"refresh-1"}, "client_id": {testClientID}}}
		if d := cmp.Diff(want, forms); d != "" || auths[0] != "" {
			t.Error(d, auths)
		}
	})
	t.Run("keeps a token from a provider that has not issued it", func(t *testing.T) {
		p := newProvider(t)
		c, foreign := p.serve(), Tokens{Refresh: secret.NewText("refresh-1"), Issuer: "https://another.example", Subject: testSubject}
		_, refreshed := c.Refresh(t.Context(), foreign)
		assertOnly(t, "refresh", refreshed, ErrMisconfigured)
		assertOnly(t, "revoke", c.Revoke(t.Context(), foreign), ErrMisconfigured)
		if calls, _ := p.asked(); calls > 0 {
			t.Errorf("asked %d times", calls)
		}
	})
	t.Run("does nothing without a token", func(t *testing.T) {
		p := newProvider(t)
		err := p.serve().Revoke(t.Context(), Tokens{})
		if calls, _ := p.asked(); err != nil || calls > 0 {
			t.Errorf("%v, asked %d times", err, calls)
		}
	})
}

func halfABody503(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", "1000")
	w.WriteHeader(503)
	_, _ = w.Write([]byte(`{"error":"invalid_client","x":"leaked`))
}
