package server_test

import (
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-auth/gatehouse/internal/cognitoemu"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// zoe is a user whose names take some spelling.
var zoe = cognitoemu.User{
	Email: "zoe@example.com", Name: "Zoë Ünal", Password: cognitoemu.DefaultPassword,
	Groups: []string{"staff", "R&D, Berlin", "50%"}, Attributes: map[string]string{"custom:tenant": "Müller & Co., 100%"},
}

// newIdentityRig is a gateway whose routes say who is calling, but for that of /, and a
// pool that knows zoe too.
func newIdentityRig(t *testing.T, change ...settings) *rig {
	t.Helper()
	return newRigBehind(t, func(r *rig) {
		r.emulate = func(o *cognitoemu.Options) { o.Seed.Users = append(o.Seed.Users, zoe) }
	}, append([]settings{identityRoutes(map[string]any{"X-Forwarded-User": "sub", "X-Tenant": "custom:tenant", "X-Scope": "scope"})}, change...)...)
}

// identityRoutes are /api/ with identity headers, these and those of the standard, and
// /claims/ with these only.
func identityRoutes(headers map[string]any) settings {
	return func(doc map[string]any) {
		routes := doc["routes"].([]any)
		api := routes[0].(map[string]any)
		api["identity_headers"], api["headers"] = true, headers
		doc["routes"] = append(routes,
			map[string]any{"path": "/claims/", "upstream": api["upstream"], "headers": headers, "token": "none"})
	}
}

// told are the headers of a request to the API that say who is calling.
func told(r *http.Request, more ...string) http.Header {
	out := http.Header{}
	for _, name := range append(more, "X-Auth-Subject", "X-Auth-Username", "X-Auth-Email", "X-Auth-Groups", "X-Forwarded-User", "X-Tenant", "X-Scope") {
		if values, there := r.Header[http.CanonicalHeaderKey(name)]; there {
			out[name] = values
		}
	}
	return out
}

func TestIdentityHeaders(t *testing.T) {
	r := newIdentityRig(t)
	for user, want := range map[string]http.Header{
		"alice@example.com": {
			"X-Auth-Email": {"alice@example.com"}, "X-Auth-Groups": {"admins,staff"}, "X-Tenant": {"acme"},
		},
		"dave@example.com": {}, // whose address is not verified, and who is in no group
		"zoe@example.com": {
			"X-Auth-Email": {"zoe@example.com"}, "X-Auth-Groups": {"staff,R&D%2C%20Berlin,50%25"}, "X-Tenant": {"M%C3%BCller%20&%20Co.,%20100%25"},
		},
	} {
		b := r.browser()
		b.signIn(user, "/api/x")
		s := b.session()
		want["X-Forwarded-User"] = []string{s.UserSub}
		want["X-Scope"] = []string{strings.ReplaceAll(s.Tokens.AccessToken.Payload["scope"].(string), " ", "%20")}
		claims := want.Clone()
		want["X-Auth-Subject"], want["X-Auth-Username"] = []string{s.UserSub}, []string{s.Username}
		if diff := cmp.Diff(want, told(r.seen.last(t))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", user, diff)
		}
		delete(claims, "X-Auth-Email")
		delete(claims, "X-Auth-Groups")
		if res, body := b.fetch("GET", "/claims/x", ""); res.StatusCode != http.StatusOK {
			t.Fatalf("%d: %s", res.StatusCode, body)
		}
		if diff := cmp.Diff(claims, told(r.seen.last(t))); diff != "" || r.seen.last(t).Header.Get("Authorization") != "" {
			t.Errorf("%s, claims only (-want +got):\n%s", user, diff)
		}
		for _, path := range []string{"/maybe/x", "/open"} {
			b.fetch("GET", path, "")
			if got := told(r.seen.last(t)); len(got) != 0 {
				t.Errorf("%s, at %s: %v", user, path, got)
			}
		}
	}
}

// TestIdentityHeaders_are_never_a_clients: over HTTP/1.1 and HTTP/2 neither a signed-in
// page nor anybody else gets a header through by which another route says who is calling.
func TestIdentityHeaders_are_never_a_clients(t *testing.T) {
	r := newIdentityRig(t)
	b := r.browser()
	b.signIn("alice@example.com", "/api/x")
	want := told(r.seen.last(t))
	for _, proto := range []string{"HTTP/1.1", "HTTP/2.0"} {
		if proto == "HTTP/2.0" {
			b.http.Transport = r.http2()
		}
		for path, want := range map[string]http.Header{"/api/x": want, "/maybe/x": {}, "/open": {}} {
			for _, name := range []string{"X-Auth-Subject", "X-Auth-Email", "X-Forwarded-User", "X-Tenant", "X-Scope"} {
				under := strings.ReplaceAll(name, "-", "_")
				for _, spelled := range []string{name, strings.ToLower(name), strings.ToUpper(name), under, strings.ToLower(under)} {
					req := b.request("GET", r.url+path, nil)
					b.metadata(req, "same-origin", "cors", "empty")
					req.Header[spelled] = []string{"evil", "evil"}
					if res, body := b.do(req); res.StatusCode != http.StatusOK || res.Proto != proto {
						t.Fatalf("%s: %d: %s", res.Proto, res.StatusCode, body)
					}
					got := r.seen.last(t)
					for sent, values := range got.Header {
						if strings.Contains(strings.Join(values, ""), "evil") {
							t.Errorf("%s, %s: the API sees %s: %q", proto, path, sent, values)
						}
					}
					if diff := cmp.Diff(want, told(got)); diff != "" {
						t.Errorf("%s, %s as %s (-want +got):\n%s", proto, path, spelled, diff)
					}
				}
			}
		}
	}
}

// http2 is a transport over HTTP/2 that finds the gateway at loopback.
func (r *rig) http2() *http.Transport {
	tr := r.transport()
	tr.DialTLSContext = nil
	tr.TLSClientConfig = &tls.Config{RootCAs: r.roots}
	tr.ForceAttemptHTTP2 = true
	return tr
}

// TestIdentityHeaders_of_a_reload: a name that a reload brings is dropped from clients
// on every route with the first request behind it, and set where it is to be.
func TestIdentityHeaders_of_a_reload(t *testing.T) {
	keys := section("session", map[string]any{"keys": []string{secret.NewKey()}})
	r := newIdentityRig(t, keys)
	b := r.browser()
	b.signIn("alice@example.com", "/api/x")
	ask := func(path string) http.Header {
		if res, body := b.fetch("GET", path, "", "X-Department", "evil", "X-Tenant", "evil"); res.StatusCode != http.StatusOK {
			t.Fatalf("%d: %s", res.StatusCode, body)
		}
		return told(r.seen.last(t), "X-Department")
	}
	if got := ask("/open"); got.Get("X-Department") != "evil" || got.Get("X-Tenant") != "" {
		t.Fatalf("before: %v", got)
	}
	r.reload(r.server, keys, identityRoutes(map[string]any{"X-Department": "custom:tenant"}))
	if diff := cmp.Diff(http.Header{"X-Tenant": {"evil"}}, ask("/open")); diff != "" { // whose name is nobody's any more
		t.Errorf("behind (-want +got):\n%s", diff)
	}
	if got := ask("/claims/x"); got.Get("X-Department") != "acme" || len(got["X-Department"]) != 1 || got.Get("X-Tenant") == "acme" {
		t.Errorf("behind: %v", got)
	}
}

// TestIdentityHeaders_follow_a_refresh: what a refreshed ID token says of the user is
// what the API is told from then on.
func TestIdentityHeaders_follow_a_refresh(t *testing.T) {
	r := newIdentityRig(t)
	b := r.browser()
	b.signIn("alice@example.com", "/api/x")
	token := strings.TrimPrefix(r.seen.last(t).Header.Get("Authorization"), "Bearer ")
	const body = `{"AccessToken":"%","UserAttributes":[{"Name":"custom:tenant","Value":"newer"}]}`
	req, err := http.NewRequestWithContext(context.Background(), "POST", r.idp, strings.NewReader(strings.Replace(body, "%", token, 1)))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-amz-json-1.1")
	req.Header.Set("X-Amz-Target", "AWSCognitoIdentityProviderService.UpdateUserAttributes")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	answer, _ := io.ReadAll(res.Body)
	_ = res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Fatalf("%d: %s", res.StatusCode, answer)
	}
	for _, want := range []string{"acme", "newer"} {
		b.fetch("GET", "/api/x", "")
		if got := r.seen.last(t).Header.Get("X-Tenant"); got != want {
			t.Errorf("the API is told %q, want %q", got, want)
		}
		if res, body := b.fetch("POST", "/auth/refresh", ""); res.StatusCode != http.StatusOK {
			t.Fatalf("%d: %s", res.StatusCode, body)
		}
	}
}

// TestIdentityHeaders_cost: a call on a route that says who is calling allocates no more
// than one on a route that does not.
func TestIdentityHeaders_cost(t *testing.T) {
	fewest := func(change ...settings) float64 {
		handler, cookie := signedInHandler(t, cannedAPI(t), change...)
		front := httptest.NewServer(handler)
		defer front.Close()
		ask := caller(t, front.Listener.Addr().String(), "Cookie: theme=dark; "+cookie+"; lang=en")
		for range 10 {
			ask()
		}
		return fewestAllocations(ask)
	}
	without := fewest()
	with := fewest(func(doc map[string]any) {
		api := doc["routes"].([]any)[0].(map[string]any)
		api["identity_headers"], api["headers"] = true, map[string]any{"X-Tenant": "custom:tenant"}
		api["assertion"] = map[string]any{"audience": "orders"}
	})
	if with > without+lostToPools {
		t.Errorf("%.0f allocations a call, and %.0f without the headers", with, without)
	}
}

// TestIdentityHeaders_of_a_bearer: of a caller with an access token alone there is what
// that says, and where a machine calls, which is no user, its subject.
func TestIdentityHeaders_of_a_bearer(t *testing.T) {
	r := newBearerRig(t, func(doc map[string]any) {
		for _, route := range doc["routes"].([]any) {
			if route := route.(map[string]any); route["path"] == "/blind/" || route["path"] == "/both/" {
				route["identity_headers"] = true
				route["headers"] = map[string]any{"X-Tenant": "custom:tenant", "X-Client": "client_id"}
				route["assertion"] = map[string]any{"audience": ordersAPI}
			}
		}
	})
	user, machine := "Bearer "+r.userTokens("alice@example.com")["AccessToken"].(string), "Bearer "+r.machineToken()
	subject := decode[struct{ Sub string }](t, claimsOf(t, user)).Sub
	for _, path := range []string{"/blind/x", "/both/x"} {
		for authorization, want := range map[string]http.Header{
			user: {
				"X-Auth-Subject": {subject}, "X-Auth-Username": {subject}, "X-Auth-Groups": {"admins,staff"}, "X-Client": {cognitoemu.DefaultClientID},
			},
			machine: {
				"X-Auth-Subject": {cognitoemu.DefaultMachineClientID}, "X-Auth-Username": {cognitoemu.DefaultMachineClientID},
				"X-Client": {cognitoemu.DefaultMachineClientID},
			},
		} {
			if res, body := r.program().bearing(authorization, "GET", path); res.StatusCode != http.StatusOK {
				t.Fatalf("%s: %d: %s", path, res.StatusCode, body)
			}
			got := r.seen.last(t)
			if diff := cmp.Diff(want, told(got, "X-Client")); diff != "" {
				t.Errorf("%s (-want +got):\n%s", path, diff)
			}
			claims, err := r.vouched(ordersAPI, got.Header.Get("X-Gatehouse-Assertion"))
			if err != nil || claims["sub"] != want.Get("X-Auth-Subject") || claims["sid"] != nil {
				t.Errorf("%s: vouched for by %v, %v", path, claims, err)
			}
		}
	}
}
