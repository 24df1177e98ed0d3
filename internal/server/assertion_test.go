package server_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-auth/gatehouse/internal/freeport"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

const ordersAPI = "https://orders.example.com"

// assertingRoutes have /api/ vouch for who is calling, and /bills/, by a header of its
// own, with no token and to whoever is signed in.
func assertingRoutes(doc map[string]any) {
	routes := doc["routes"].([]any)
	api := routes[0].(map[string]any)
	api["assertion"] = map[string]any{"audience": ordersAPI}
	doc["routes"] = append(routes, map[string]any{
		"path": "/bills/", "upstream": api["upstream"], "auth": "optional", "token": "none",
		"assertion": map[string]any{"audience": "bills", "header": "X-Voucher"},
	})
}

// vouched checks an assertion as an API does that reaches the gateway by its address, and
// returns what it says.
func (r *rig) vouched(audience, token string) (map[string]any, error) {
	r.t.Helper()
	return r.vouchedBy(r.transport(), audience, token)
}

// vouchedBy is vouched by the instance that a transport finds.
func (r *rig) vouchedBy(tr http.RoundTripper, audience, token string) (map[string]any, error) {
	r.t.Helper()
	ctx := oidc.ClientContext(context.Background(), &http.Client{Transport: tr})
	verifier := oidc.NewVerifier(r.url, oidc.NewRemoteKeySet(ctx, r.url+"/auth/jwks.json"),
		&oidc.Config{ClientID: audience, SupportedSigningAlgs: []string{oidc.ES256}})
	signed, err := verifier.Verify(ctx, token)
	if err != nil {
		return nil, err
	}
	claims := map[string]any{}
	return claims, signed.Claims(&claims)
}

func TestAssertion(t *testing.T) {
	r := newRig(t, assertingRoutes)
	b := r.browser()
	b.signIn("alice@example.com", "/api/x")
	s := b.session()
	token := r.seen.last(t).Header.Get("X-Gatehouse-Assertion")
	claims, err := r.vouched(ordersAPI, token)
	if err != nil {
		t.Fatal(err)
	}
	delete(claims, "iat")
	delete(claims, "exp")
	_, list := b.fetch("GET", "/auth/sessions", "")
	want := map[string]any{
		"iss": r.url, "aud": ordersAPI, "sub": s.UserSub, "username": s.Username, "email": "alice@example.com",
		"groups": []any{"admins", "staff"}, "sid": decode[[]struct{ ID string }](t, list)[0].ID,
	}
	if diff := cmp.Diff(want, claims); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if _, err := r.vouched("bills", token); err == nil {
		t.Error("it passes at another audience")
	}
	b.fetch("GET", "/api/x", "", "X-Gatehouse-Assertion", "evil", "X-Voucher", "evil")
	if h := r.seen.last(t).Header; h.Get("X-Gatehouse-Assertion") != token || len(h["X-Voucher"]) != 0 {
		t.Errorf("the next call has %q and %q", h["X-Gatehouse-Assertion"], h["X-Voucher"])
	}
	b.fetch("GET", "/bills/x", "", "x-voucher", "evil")
	h := r.seen.last(t).Header
	if claims, err := r.vouched("bills", h.Get("X-Voucher")); err != nil || claims["sub"] != s.UserSub || len(h["X-Voucher"]) != 1 || h.Get("Authorization") != "" {
		t.Errorf("by a header of its own: %v, %v, %v", claims, err, h)
	}
	for path, who := range map[string]*browser{"/bills/x": r.browser(), "/open": b} {
		who.fetch("GET", path, "", "X-Voucher", "evil", "X-Gatehouse-Assertion", "evil")
		if h := r.seen.last(t).Header; h["X-Voucher"] != nil || h["X-Gatehouse-Assertion"] != nil {
			t.Errorf("%s: nobody is vouched for by %v", path, h)
		}
	}
}

// TestAssertion_keys_roll takes three instances through the steps of a key's roll-out, one
// instance at a time. After each move what any of them signs is good by the keys that any
// of them publishes.
func TestAssertion_keys_roll(t *testing.T) {
	before, after := secret.NewKey(), secret.NewKey()
	keys := func(keys ...string) settings {
		return section("session", map[string]any{"store": "cookie:", "keys": keys})
	}
	r := newRig(t, keys(before), assertingRoutes)
	instances := []instance{r.instance(keys(before), assertingRoutes), r.instance(keys(before), assertingRoutes), r.instance(keys(before), assertingRoutes)}
	b := r.balanced(instances)
	b.signIn("alice@example.com", "/api/x")
	signed := map[string]bool{} // by which heads
	for _, step := range [][]string{{before}, {before, after}, {after, before}} {
		for _, in := range instances {
			r.reload(in.Server, keys(step...), assertingRoutes)
			for range instances { // each of them answers one of these
				if res, body := b.fetch("GET", "/api/x", ""); res.StatusCode != http.StatusOK {
					t.Fatalf("%d: %s", res.StatusCode, body)
				}
				token := r.seen.last(t).Header.Get("X-Gatehouse-Assertion")
				for i := range instances {
					if _, err := r.vouchedBy(r.balanced(instances[i:i+1]).http.Transport, ordersAPI, token); err != nil {
						t.Errorf("%d keys, by those of instance %d: %v", len(step), i, err)
					}
				}
				head, _, _ := strings.Cut(token, ".")
				signed[head] = true
			}
		}
	}
	if len(signed) != 2 {
		t.Errorf("%d keys have signed", len(signed))
	}
}

// TestAssertion_keys_are_for_everybody: whatever the Host and whatever the cookie, as they
// say the same; and no other endpoint is reached by another name.
func TestAssertion_keys_are_for_everybody(t *testing.T) {
	r := newRig(t)
	ask := func(method, host, path string) (*http.Response, string) {
		req := r.browser().request(method, r.url+path, nil)
		req.Host = host
		res, err := (&http.Client{Transport: r.transport()}).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = res.Body.Close() }()
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res, string(body)
	}
	res, body := ask("GET", "gatehouse.inner:8080", "/auth/jwks.json")
	if res.StatusCode != http.StatusOK || res.Header.Get("Cache-Control") != "public, max-age=300" || strings.Contains(body, `"d"`) || !strings.Contains(body, `"kty":"EC"`) {
		t.Errorf("%d %v %s", res.StatusCode, res.Header, body)
	}
	if res, _ := ask("HEAD", "gatehouse.inner:8080", "/auth/jwks.json"); res.StatusCode != http.StatusOK {
		t.Errorf("HEAD: %d", res.StatusCode)
	}
	for _, path := range []string{"/auth/jwks.json/", "/auth/jwks%2Ejson", "/auth/session", "/open"} {
		if res, _ := ask("GET", "gatehouse.inner:8080", path); res.StatusCode != http.StatusMisdirectedRequest {
			t.Errorf("%s: %d", path, res.StatusCode)
		}
	}
}

// TestAssertion_is_told_to_fronts_only: where a browser can ask in the place of a front,
// the answer has the header empty, as it has that of the token.
func TestAssertion_is_told_to_fronts_only(t *testing.T) {
	for _, pass := range []bool{true, false} {
		listen := freeport.Addr(t)
		r := newRig(t, frontsTrusted, func(doc map[string]any) {
			doc["routes"].([]any)[0].(map[string]any)["assertion"] = map[string]any{"audience": ordersAPI}
		}, section("verify", map[string]any{"listen": listen, "secret": verifySecret, "pass_token": pass}))
		listening(t, listen)
		b, f := r.signedIn("alice@example.com"), r.frontAlone()
		for name, c := range map[string]struct {
			address string
			lines   []string
			told    bool
		}{
			"at the listener":           {"http://" + listen, ownCall, true},
			"in public":                 {r.url, ownCall, false},
			"in public with the secret": {r.url, append(ownCall[:len(ownCall):len(ownCall)], "X-Gatehouse-Verify: "+verifySecret), true},
		} {
			res := f.ask(t, c.address, b, question{uri: "/api/x", lines: c.lines})
			got := res.Header["X-Gatehouse-Assertion"]
			if res.StatusCode != http.StatusOK || len(got) != 1 {
				t.Errorf("pass_token %v, %s: %d, %q", pass, name, res.StatusCode, got)
				continue
			}
			if told := c.told && pass; !told && got[0] != "" {
				t.Errorf("pass_token %v, %s: a browser is told %.20q", pass, name, got)
			} else if _, err := r.vouched(ordersAPI, got[0]); told && err != nil {
				t.Errorf("pass_token %v, %s: %v", pass, name, err)
			}
		}
	}
}
