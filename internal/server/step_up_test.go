package server_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/cognitoemu"
)

// newPayRig is a rig with a route that wants a sign-in of the last three minutes. Whoever
// signs in before the pool's clock is put right has signed in five minutes ago.
func newPayRig(t *testing.T, managedLogin int, change ...settings) *rig {
	t.Helper()
	r := newRigBehind(t, func(r *rig) {
		r.emulate = func(o *cognitoemu.Options) { o.Seed.ManagedLoginVersion = managedLogin }
	}, append([]settings{func(doc map[string]any) {
		routes := doc["routes"].([]any)
		doc["routes"] = append(routes, map[string]any{"path": "/pay/", "upstream": routes[0].(map[string]any)["upstream"],
			"require": map[string]any{"max_auth_age": "3m"}})
	}}, change...)...)
	r.emu.Levers().Advance(-5 * time.Minute)
	return r
}

type refusal struct {
	Code, Detail, LoginURL string
}

func TestStepUp(t *testing.T) {
	r := newPayRig(t, 2)
	b := r.browser()
	b.signIn("alice@example.com", "/api/x")
	before := b.sessionID()
	res, body := b.fetch("POST", "/pay/x", "{}")
	if got := decode[refusal](t, body); res.StatusCode != 403 || got.Code != "step_up_required" || got.LoginURL != "/auth/login?max_age=180&prompt=login" {
		t.Errorf("a call: %d %s", res.StatusCode, body)
	}
	if n := r.seen.count(); n != 1 { // the page that the login ended at
		t.Errorf("%d requests reached the API", n)
	}
	if res, body := b.fetch("GET", "/api/x", ""); res.StatusCode != 200 {
		t.Errorf("a route without the rule: %d %s", res.StatusCode, body)
	}

	r.emu.Levers().Advance(5 * time.Minute)
	p := b.open(r.url + "/pay/x?y=1")
	if !strings.Contains(p.body, `name="password"`) {
		t.Fatalf("nobody was asked to sign in again: %q", p.hops)
	}
	for _, want := range []string{"/auth/login?max_age=180&prompt=login&return_to=%2Fpay%2Fx%3Fy%3D1", "/oauth2/authorize?"} {
		if !strings.Contains(strings.Join(p.hops, "\n"), want) {
			t.Errorf("no %s among %q", want, p.hops)
		}
	}
	for _, hop := range p.hops {
		if u, _ := url.Parse(hop); u.Path == "/oauth2/authorize" && (u.Query().Get("max_age") != "180" || u.Query().Get("prompt") != "login") {
			t.Errorf("the pool is asked by %s", hop)
		}
	}
	if p = b.password(p, "alice@example.com"); p.status != 200 || p.url.RequestURI() != "/pay/x?y=1" {
		t.Errorf("it ends with %d at %s, through %q", p.status, p.url, p.hops)
	}
	if res, body := b.fetch("POST", "/pay/x", "{}"); res.StatusCode != 200 {
		t.Errorf("afterwards: %d %s", res.StatusCode, body)
	}
	if _, body := b.fetch("GET", "/auth/sessions", ""); strings.Count(body, `"current":`) != 1 || strings.Contains(body, before) {
		t.Errorf("the session before was not replaced: %s", body)
	}
}

// TestStepUp_that_nobody_asks_for: the classic hosted UI signs in again whoever is signed
// in there. That ends on a page, at once, however the login was begun.
func TestStepUp_that_nobody_asks_for(t *testing.T) {
	r := newPayRig(t, 1)
	b := r.browser()
	b.signIn("alice@example.com", "/api/x")
	reached := r.seen.count()
	for name, address := range map[string]string{
		"a_page":                    "/pay/x",
		"a_page_of_a_long_address":  "/pay/x?" + strings.Repeat("y", 1900),
		"a_page_of_long_parameters": "/auth/login?max_age=180&prompt=login&login_hint=" + strings.Repeat("h", 250) + "&return_to=%2Fpay%2F" + strings.Repeat("z", 300),
		"a_call":                    "/auth/login?max_age=180&prompt=login&return_to=%2F",
		"max_age_alone":             "/auth/login?max_age=180",
	} {
		t.Run(name, func(t *testing.T) {
			p := b.open(r.url + address)
			if p.status != 403 || p.url.Path != "/auth/callback" || len(p.hops) > 4 {
				t.Fatalf("%d at %s, through %q", p.status, p.url, p.hops)
			}
			for _, want := range []string{"step_up_required", "did not ask you to sign in again", `href="/auth/logout"`} {
				if !strings.Contains(p.body, want) {
					t.Errorf("no %q on the page:\n%s", want, p.body)
				}
			}
			if again := b.open(p.url.String()); again.status != 403 {
				t.Errorf("loaded once more: %d at %s", again.status, again.url)
			}
			if s := b.session(); !s.Authenticated {
				t.Error("signed out by it")
			}
		})
	}
	if n := r.seen.count(); n != reached {
		t.Errorf("%d requests reached the API", n-reached)
	}
	// The way that the page shows.
	res, body := b.fetch("POST", "/auth/logout", "{}")
	if res.StatusCode != 200 {
		t.Fatalf("logout: %d %s", res.StatusCode, body)
	}
	b.open(decode[map[string]string](t, body)["logoutUrl"])
	r.emu.Levers().Advance(5 * time.Minute)
	if p := b.signIn("alice@example.com", "/pay/x"); p.status != 200 || p.url.Path != "/pay/x" {
		t.Errorf("%d at %s, through %q", p.status, p.url, p.hops)
	}
}

func TestStepUp_that_nobody_asks_for_at_a_page_of_the_site(t *testing.T) {
	r := newPayRig(t, 1, section("login", map[string]any{"error_url": "/sorry"}))
	b := r.browser()
	b.signIn("alice@example.com", "/api/x")
	if p := b.open(r.url + "/pay/x"); p.url.Path != "/sorry" || p.url.Query().Get("code") != "step_up_required" {
		t.Errorf("it ends at %s, through %q", p.url, p.hops)
	}
}

// TestRequire_after_the_refresh: who is out of a group is out with the very request that
// finds out, however it gets its new tokens.
func TestRequire_after_the_refresh(t *testing.T) {
	r := newRigBehind(t, func(r *rig) {
		r.emulate = func(o *cognitoemu.Options) { o.TokenTTL = time.Second }
	}, func(doc map[string]any) {
		routes := doc["routes"].([]any)
		doc["routes"] = append(routes, map[string]any{"path": "/admins/", "upstream": routes[0].(map[string]any)["upstream"],
			"require": map[string]any{"groups": []string{"admins"}}})
	})
	b := r.browser()
	b.signIn("alice@example.com", "/admins/x")
	if n := r.seen.count(); n != 1 {
		t.Fatalf("%d requests reached the API", n)
	}
	if err := r.emu.Levers().SetGroups("alice@example.com", "staff"); err != nil {
		t.Fatal(err)
	}
	time.Sleep(2100 * time.Millisecond) // all tokens of before are over
	if res, body := b.fetch("GET", "/admins/x", ""); res.StatusCode != 403 || r.seen.count() != 1 {
		t.Errorf("%d %s, %d requests reached the API", res.StatusCode, body, r.seen.count())
	}
	if err := r.emu.Levers().SetGroups("alice@example.com", "admins"); err != nil {
		t.Fatal(err)
	}
	time.Sleep(2100 * time.Millisecond)
	if res, body := b.fetch("GET", "/admins/x", ""); res.StatusCode != 200 {
		t.Errorf("%d %s", res.StatusCode, body)
	}
}

// TestRequire_by_the_pools_claims, by a session and by a bearer.
func TestRequire_by_the_pools_claims(t *testing.T) {
	r := newBearerRig(t, func(doc map[string]any) {
		routes := doc["routes"].([]any)
		for path, rules := range map[string]map[string]any{
			"/staff/":  {"groups": []string{"staff"}},
			"/admins/": {"groups": []string{"admins", "owners"}, "detail": false},
			"/openid/": {"scopes": []string{"openid", "email"}},
			"/reads/":  {"scopes": []string{"api/read"}},
			"/acme/":   {"claims": map[string]any{"custom:tenant": []string{"acme"}, "email_verified": true}},
		} {
			routes = append(routes, map[string]any{"path": path, "upstream": routes[0].(map[string]any)["upstream"], "auth": "either", "require": rules})
		}
		doc["routes"] = routes
	})
	alice, bob := r.browser(), r.browser()
	alice.signIn("alice@example.com", "/api/x")
	bob.signIn("bob@example.com", "/api/x")
	machine, phone := "Bearer "+r.machineToken(), "Bearer "+r.userTokens("alice@example.com")["AccessToken"].(string)
	program := r.program()
	ask := map[string]func(path string) (int, string){
		"alice": func(path string) (int, string) {
			res, body := alice.fetch("GET", path, "")
			return res.StatusCode, body
		},
		"bob": func(path string) (int, string) { res, body := bob.fetch("GET", path, ""); return res.StatusCode, body },
		"the machine": func(path string) (int, string) {
			res, body := program.bearing(machine, "GET", path)
			return res.StatusCode, body
		},
		"alice's phone": func(path string) (int, string) {
			res, body := program.bearing(phone, "GET", path)
			return res.StatusCode, body
		},
	}
	for path, may := range map[string]map[string]bool{
		"/staff/x":  {"alice": true, "bob": true, "the machine": false, "alice's phone": true},
		"/admins/x": {"alice": true, "bob": false, "the machine": false, "alice's phone": true},
		"/openid/x": {"alice": true, "bob": true, "the machine": false, "alice's phone": false},
		"/reads/x":  {"alice": false, "bob": false, "the machine": true, "alice's phone": false},
		"/acme/x":   {"alice": true, "bob": false, "the machine": false, "alice's phone": false},
	} {
		for who, passes := range may {
			before := r.seen.count()
			status, body := ask[who](path)
			if passes != (status == 200) || passes != (r.seen.count() > before) {
				t.Errorf("%s at %s: %d %s", who, path, status, body)
			}
			if passes {
				continue
			}
			got := decode[refusal](t, body)
			if status != 403 || got.Code != "forbidden" || got.LoginURL != "" {
				t.Errorf("%s at %s: %d %s", who, path, status, body)
			}
			if names := strings.Contains(got.Detail, "owners") || strings.Contains(got.Detail, "admins"); path == "/admins/x" && names {
				t.Errorf("%s at %s is told: %s", who, path, got.Detail)
			}
			if path == "/staff/x" && !strings.Contains(got.Detail, "staff") {
				t.Errorf("%s at %s is not told: %s", who, path, got.Detail)
			}
		}
	}
	// A page says the same.
	if p := bob.open(r.url + "/admins/x"); p.status != 403 || len(p.hops) != 1 || !strings.Contains(p.body, "forbidden") {
		t.Errorf("a page: %d through %q", p.status, p.hops)
	}
	if p := r.browser().open(r.url + "/admins/x"); !strings.Contains(p.body, `name="password"`) {
		t.Errorf("nobody: %d through %q", p.status, p.hops)
	}
}
