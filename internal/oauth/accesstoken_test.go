package oauth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// accessForgeries are signed rightly, by the provider itself in part, and prove nobody.
func accessForgeries() map[string]forgery {
	m := map[string]forgery{
		"an ID token": func(f forged) string { return f.p.idToken("n") },
		"an ID token, of ours": func(f forged) string {
			return sign(f.header.json(), f.p.idClaims("n").with("client_id", testClientID).json(), signingKey())
		},
		"another client's": func(f forged) string { return f.withClaim("client_id", "client-3") },
		"CLIENT_ID for ours": func(f forged) string {
			return sign(f.header.json(), f.claims.with("client_id", "client-3").with("CLIENT_ID", testClientID).json(), signingKey())
		},
		"aud for client_id": func(f forged) string {
			return sign(f.header.json(), f.claims.without("client_id").with("aud", testClientID).json(), signingKey())
		},
		"another pool's":        func(f forged) string { return f.withClaim("iss", f.p.issuer+"2") },
		"iss with a slash":      func(f forged) string { return f.withClaim("iss", f.p.issuer+"/") },
		"iss in capitals":       func(f forged) string { return f.withClaim("iss", strings.ToUpper(f.p.issuer)) },
		"another pool's key":    func(f forged) string { return sign(f.header.json(), f.claims.json(), strangerKey()) },
		"sub of 300 bytes":      func(f forged) string { return f.withClaim("sub", strings.Repeat("s", 300)) },
		"sub twice":             func(f forged) string { return f.rawClaim("x", `1,"sub":"evil"`) },
		"exp twice":             func(f forged) string { return f.rawClaim("x", `1,"exp":2999999999`) },
		"client_id twice":       func(f forged) string { return f.rawClaim("x", `1,"client_id":"`+testClientID+`"`) },
		"a member twice, deep":  func(f forged) string { return f.rawClaim("x", `{"y":[{"z":1,"z":2}]}`) },
		"nested 100 deep":       func(f forged) string { return f.rawClaim("x", strings.Repeat("[", 100)+strings.Repeat("]", 100)) },
		"claims are an array":   func(f forged) string { return sign(f.header.json(), `[]`, signingKey()) },
		"claims are null":       func(f forged) string { return sign(f.header.json(), `null`, signingKey()) },
		"claims with a tail":    func(f forged) string { return sign(f.header.json(), f.claims.json()+"x", signingKey()) },
		"expired this second":   func(f forged) string { return f.withClaim("exp", time.Now().Unix()) },
		"issued in two minutes": func(f forged) string { return f.withClaim("iat", time.Now().Add(2*time.Minute).Unix()) },
		"not valid for two minutes": func(f forged) string {
			return f.withClaim("nbf", time.Now().Add(2*time.Minute).Unix())
		},
	}
	for _, name := range []string{"iss", "client_id", "sub", "exp", "iat", "token_use"} {
		m["no "+name] = func(f forged) string { return sign(f.header.json(), f.claims.without(name).json(), signingKey()) }
	}
	for name, values := range map[string][]any{
		"iss":       {"", nil, 1, []string{"x"}, "https://evil.example.com"},
		"client_id": {"", nil, 1, []string{testClientID}, "CLIENT-1", object{"client-1": true}, testClientID + " "},
		"sub":       {"", nil, 1, []string{testSubject}},
		"token_use": {"id", "refresh", "", nil, "ACCESS", 1, []string{"access"}},
		"exp":       {"2999999999", nil, -1, 0, true, []int{1}, "never"},
		"iat":       {"1", nil, -1, false},
		"nbf":       {"1", nil, -1, true},
		"auth_time": {"1", nil, -1, true},
		"aud":       {nil, 1, []string{}, []any{"x", nil}, object{"x": 1}},
		"scope":     {nil, 1, []string{"openid"}, object{}},
		"jti":       {nil, 1, []string{"x"}},
		"username":  {nil, 1, []string{"x"}},
	} {
		for _, v := range values {
			m[fmt.Sprintf("%s is %#v", name, v)] = func(f forged) string { return f.withClaim(name, v) }
		}
	}
	for _, name := range []string{"exp", "iat", "nbf"} {
		for _, v := range []string{"1e300", "1e999", "-1e300", "9007199254740993000", "253402300800", "NaN", "0x10"} {
			m[name+" is "+v] = func(f forged) string { return f.rawClaim(name, v) }
		}
	}
	return m
}

// honestAccess are variations that must be taken.
func honestAccess() map[string]forgery {
	now := func(by time.Duration) int64 { return time.Now().Add(by).Unix() }
	return map[string]forgery{
		"a user's":                   func(f forged) string { return f.sign() },
		"another client of the list": func(f forged) string { return f.withClaim("client_id", "client-2") },
		"a machine's": func(f forged) string {
			return sign(f.header.json(), f.claims.without("username").with("sub", testClientID).with("scope", "api/read").json(), signingKey())
		},
		"bound to a resource":     func(f forged) string { return f.withClaim("aud", "https://api.example.com") },
		"without a scope":         func(f forged) string { return sign(f.header.json(), f.claims.without("scope").json(), signingKey()) },
		"good for a minute":       func(f forged) string { return f.withClaim("exp", now(time.Minute)) },
		"issued in half a minute": func(f forged) string { return f.withClaim("iat", now(30*time.Second)) },
		"valid in half a minute":  func(f forged) string { return f.withClaim("nbf", now(30*time.Second)) },
		"typ jwt":                 func(f forged) string { return f.withHeader("typ", "jwt") },
		"of 30 KB":                func(f forged) string { return f.withClaim("x", strings.Repeat("x", 22<<10)) },
	}
}

// broughtBy verifies the access token that forge makes.
func broughtBy(t *testing.T, forge forgery) (*provider, *AccessToken, error) {
	t.Helper()
	p := newProvider(t)
	c := p.inBubble()
	f := forged{p: p, access: p.accessToken(), header: goodHeader(), claims: p.accessClaims()}
	got, err := c.VerifyAccess(t.Context(), forge(f), map[string]bool{testClientID: true, "client-2": true})
	return p, got, err
}

func TestVerifyAccess(t *testing.T) {
	refused := 0
	for group, forgeries := range map[string]map[string]forgery{
		"algorithm": algForgeries(), "header": headerForgeries(), "form": formForgeries(), "claims": accessForgeries(),
	} {
		for name, forge := range forgeries {
			refused++
			t.Run("refuses/"+group+"/"+name, func(t *testing.T) {
				p, got, err := broughtBy(t, forge)
				assertOnly(t, "verify", err, ErrInvalidToken)
				if got != nil {
					t.Errorf("an error and %+v", got)
				}
				if _, fetches := p.asked(); fetches > 2 {
					t.Errorf("%d fetches of the key set", fetches)
				}
				p.noOtherRequest(t)
			})
		}
	}
	for name, make := range honestAccess() {
		t.Run("accepts/"+name, func(t *testing.T) {
			_, got, err := broughtBy(t, make)
			if err != nil {
				t.Fatal(err)
			}
			if got.Subject == "" || got.ClientID == "" || got.ExpiresAt.IsZero() ||
				got.Identity.Subject != got.Subject || got.Identity.Access.Text("sub") != got.Subject || len(got.Identity.ID) != 0 {
				t.Errorf("%+v", got)
			}
		})
	}
	t.Logf("%d forgeries refused", refused)
}

// Whose signature is not the pool's is not asked about: what cannot be good costs no
// fetch of the keys.
func TestVerifyAccess_asks_for_keys_last(t *testing.T) {
	for name, forge := range map[string]forgery{
		"another pool's": func(f forged) string { return f.withClaim("iss", "https://evil.example.com") },
		"an ID token":    func(f forged) string { return f.p.idToken("n") },
		"no form":        func(f forged) string { return f.sign() + "=" },
		"over":           func(f forged) string { return f.withClaim("exp", time.Now().Add(-time.Second).Unix()) },
	} {
		p, _, err := broughtBy(t, forge)
		if _, fetches := p.asked(); fetches != 0 || !errors.Is(err, ErrInvalidToken) {
			t.Errorf("%s: %d fetches, %v", name, fetches, err)
		}
		if over := errors.Is(err, ErrExpired); over != (name == "over") {
			t.Errorf("%s: expired is %v", name, over)
		}
	}
}

// TestVerifyAccess_without_keys: nobody can say, which is no refusal.
func TestVerifyAccess_without_keys(t *testing.T) {
	for name, c := range map[string]struct {
		jwks http.HandlerFunc
		want error
	}{
		"they are away":    {raw(503, "text/plain", "no"), ErrUnavailable},
		"they are nowhere": {raw(404, "text/plain", "no"), ErrMisconfigured},
		"they are none":    {raw(200, "application/json", `{"keys":[]}`), ErrUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			p := newProvider(t)
			p.jwks = c.jwks
			_, err := p.inBubble().VerifyAccess(t.Context(), p.accessToken(), map[string]bool{testClientID: true})
			assertOnly(t, "verify", err, c.want)
		})
	}
	t.Run("the_caller_leaves", func(t *testing.T) {
		p := newProvider(t)
		ctx, leave := context.WithCancel(t.Context())
		p.jwks = func(w http.ResponseWriter, r *http.Request) { leave() }
		_, err := p.inBubble().VerifyAccess(ctx, p.accessToken(), map[string]bool{testClientID: true})
		if !errors.Is(err, ErrUnavailable) {
			t.Errorf("%v", err)
		}
	})
}
