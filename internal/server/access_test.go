package server_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/cognitoemu"
)

// bearerRoutes adds a route of each kind that takes a bearer.
func bearerRoutes(api string) settings {
	return func(doc map[string]any) {
		doc["bearer_clients"] = []string{cognitoemu.DefaultMachineClientID, cognitoemu.DefaultClientID}
		doc["routes"] = append(doc["routes"].([]any),
			map[string]any{"path": "/machines/", "upstream": api, "auth": "bearer"},
			map[string]any{"path": "/blind/", "upstream": api, "auth": "bearer", "token": "none"},
			map[string]any{"path": "/both/", "upstream": api, "auth": "either"})
	}
}

// newBearerRig is a rig with those routes.
func newBearerRig(t *testing.T, change ...settings) *rig {
	t.Helper()
	return newRig(t, append([]settings{func(doc map[string]any) {
		api := doc["routes"].([]any)[0].(map[string]any)["upstream"].(string)
		bearerRoutes(api)(doc)
	}}, change...)...)
}

// machineToken is a program's own token, from the pool.
func (r *rig) machineToken() string {
	r.t.Helper()
	req, _ := http.NewRequest("POST", r.pool.URL+"/oauth2/token", strings.NewReader("grant_type=client_credentials"))
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth(cognitoemu.DefaultMachineClientID, cognitoemu.DefaultClientSecret)
	return r.askPool(req)["access_token"].(string)
}

// userTokens are those that an app of its own gets for a user, as a phone would.
func (r *rig) userTokens(user string) map[string]any {
	r.t.Helper()
	body, _ := json.Marshal(map[string]any{"AuthFlow": "USER_PASSWORD_AUTH", "ClientId": cognitoemu.DefaultClientID,
		"AuthParameters": map[string]string{"USERNAME": user, "PASSWORD": cognitoemu.DefaultPassword}})
	req, _ := http.NewRequest("POST", r.idp, strings.NewReader(string(body)))
	req.Header.Set("Content-Type", "application/x-amz-json-1.1")
	req.Header.Set("X-Amz-Target", "AWSCognitoIdentityProviderService.InitiateAuth")
	return r.askPool(req)["AuthenticationResult"].(map[string]any)
}

func (r *rig) askPool(req *http.Request) map[string]any {
	r.t.Helper()
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	var answer map[string]any
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil || res.StatusCode != 200 {
		r.t.Fatalf("the pool answers %d %v, %v", res.StatusCode, answer, err)
	}
	return answer
}

// program is a client without cookies and without fetch metadata.
func (r *rig) program() *browser {
	b := r.browser()
	b.old = true
	b.http.Jar = nil
	return b
}

// call is a request by a program, with Authorization unless that is empty.
func (b *browser) bearing(authorization, method, path string) (*http.Response, string) {
	b.t.Helper()
	req := b.request(method, b.rig.url+path, nil)
	if authorization != "" {
		req.Header.Set("Authorization", authorization)
	}
	return b.do(req)
}

func TestBearer(t *testing.T) {
	r := newBearerRig(t)
	machine, user := r.machineToken(), r.userTokens("bob@example.com")
	p := r.program()
	for name, c := range map[string]struct {
		authorization, path string
		status              int
		code, challenge     string
	}{
		"a_machine":                   {"Bearer " + machine, "/machines/x", 200, "", ""},
		"a_machine_where_both_may":    {"Bearer " + machine, "/both/x", 200, "", ""},
		"a_users_own_app":             {"Bearer " + user["AccessToken"].(string), "/machines/x", 200, "", ""},
		"nobody":                      {"", "/machines/x", 401, "unauthenticated", `Bearer realm="gatehouse"`},
		"nobody_where_both_may":       {"", "/both/x", 401, "unauthenticated", `Bearer realm="gatehouse"`},
		"an_ID_token":                 {"Bearer " + user["IdToken"].(string), "/machines/x", 401, "invalid_token", `Bearer error="invalid_token"`},
		"a_refresh_token":             {"Bearer " + user["RefreshToken"].(string), "/machines/x", 401, "invalid_token", `Bearer error="invalid_token"`},
		"a_token_cut":                 {"Bearer " + machine[:len(machine)-2], "/machines/x", 401, "invalid_token", `Bearer error="invalid_token"`},
		"a_scheme_that_is_not_taken":  {"Basic YTpi", "/machines/x", 401, "unauthenticated", `Bearer realm="gatehouse"`},
		"a_header_that_is_malformed":  {"Bearer", "/both/x", 401, "invalid_token", `Bearer error="invalid_token"`},
		"a_bearer_where_none_counts":  {"Bearer " + machine, "/api/x", 401, "unauthenticated", ""},
		"a_bearer_at_our_own_address": {"Bearer " + machine, "/auth/user", 401, "unauthenticated", ""},
	} {
		t.Run(name, func(t *testing.T) {
			before := r.seen.count()
			res, body := p.bearing(c.authorization, "GET", c.path)
			if res.StatusCode != c.status || !strings.HasPrefix(res.Header.Get("WWW-Authenticate"), c.challenge) ||
				(c.challenge == "") != (res.Header.Get("WWW-Authenticate") == "") {
				t.Errorf("%d %q: %s", res.StatusCode, res.Header.Get("WWW-Authenticate"), body)
			}
			if passed := r.seen.count() > before; passed != (c.status == 200) {
				t.Errorf("reached the API: %v", passed)
			}
			if c.status != 200 {
				if code := problemCode(t, res, body); code != c.code {
					t.Errorf("code %s, want %s", code, c.code)
				}
				return
			}
			if got := r.seen.last(t).Header.Values("Authorization"); len(got) != 1 || got[0] != c.authorization {
				t.Errorf("the API saw Authorization %.30q", got)
			}
			if cache := res.Header.Get("Cache-Control"); cache != "private, no-store" {
				t.Errorf("Cache-Control %q", cache)
			}
		})
	}
	t.Run("that_is_kept_from_the_API", func(t *testing.T) {
		if res, body := p.bearing("Bearer "+machine, "GET", "/blind/x"); res.StatusCode != 200 || r.seen.last(t).Header.Get("Authorization") != "" {
			t.Errorf("%d %s", res.StatusCode, body)
		}
	})
	until(t, "the log line that says who called", func() bool { return r.logs.line("/machines/x", cognitoemu.DefaultMachineClientID) != "" })
}

// TestBearer_beside_the_cookie: who sends Authorization is judged by that alone.
func TestBearer_beside_the_cookie(t *testing.T) {
	r := newBearerRig(t)
	machine := r.machineToken()
	b := r.browser()
	b.signIn("alice@example.com", "/both/x")
	alice := r.seen.last(t).Header.Get("Authorization")
	if !strings.HasPrefix(alice, "Bearer ey") {
		t.Fatalf("the API saw %.30q", alice)
	}
	for name, c := range map[string]struct {
		path, site string
		headers    []string
		status     int
		sent       string
	}{
		"the_cookie_alone":             {"/both/x", "same-origin", nil, 200, alice},
		"the_cookie_from_elsewhere":    {"/both/x", "cross-site", nil, 403, ""},
		"a_bearer_besides":             {"/both/x", "same-origin", []string{"Authorization", "Bearer " + machine}, 200, "Bearer " + machine},
		"a_bearer_from_elsewhere":      {"/both/x", "cross-site", []string{"Authorization", "Bearer " + machine}, 200, "Bearer " + machine},
		"a_bad_bearer_besides":         {"/both/x", "same-origin", []string{"Authorization", "Bearer x"}, 401, ""},
		"Basic_besides":                {"/both/x", "same-origin", []string{"Authorization", "Basic YTpi"}, 401, ""},
		"the_cookie_where_none_counts": {"/machines/x", "same-origin", nil, 401, ""},
	} {
		t.Run(name, func(t *testing.T) {
			before := r.seen.count()
			res, body := b.fetchFrom(c.site, "POST", c.path, "{}", c.headers...)
			if res.StatusCode != c.status || (r.seen.count() > before) != (c.status == 200) {
				t.Fatalf("%d %s", res.StatusCode, body)
			}
			if c.status == 200 && r.seen.last(t).Header.Get("Authorization") != c.sent {
				t.Errorf("the API saw %.30q", r.seen.last(t).Header.Get("Authorization"))
			}
			if cookies := res.Header["Set-Cookie"]; len(cookies) > 0 {
				t.Errorf("cookies %q", cookies)
			}
		})
	}
}

// TestBearer_by_a_page: a login would not cure what a bearer route lacks.
func TestBearer_by_a_page(t *testing.T) {
	r := newBearerRig(t)
	p := r.browser().open(r.url + "/machines/x")
	if p.status != 401 || len(p.hops) != 1 || !strings.Contains(p.header.Get("Content-Type"), "text/html") {
		t.Errorf("%d through %q", p.status, p.hops)
	}
	if strings.Contains(p.body, "/auth/login") {
		t.Errorf("the page leads to the login: %s", p.body)
	}
	if p := r.browser().open(r.url + "/both/x"); !strings.Contains(p.body, `name="password"`) {
		t.Errorf("a page of a route for both ends at %q", p.hops)
	}
}

// TestBearer_for_files: files may be for machines too.
func TestBearer_for_files(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "report.txt"), []byte("figures"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := newBearerRig(t, func(doc map[string]any) {
		doc["routes"] = append(doc["routes"].([]any), map[string]any{"path": "/files/", "static": dir, "auth": "bearer", "strip_prefix": true})
	})
	p := r.program()
	if res, body := p.bearing("", "GET", "/files/report.txt"); res.StatusCode != 401 {
		t.Errorf("%d %s", res.StatusCode, body)
	}
	res, body := p.bearing("Bearer "+r.machineToken(), "GET", "/files/report.txt")
	if res.StatusCode != 200 || body != "figures" || res.Header.Get("Cache-Control") != "private, no-store" {
		t.Errorf("%d %s, %v", res.StatusCode, body, res.Header)
	}
}

// TestBearer_without_the_keys: nobody passes, and nobody is refused.
func TestBearer_without_the_keys(t *testing.T) {
	for name, status := range map[string]int{"that_are_away": 503, "that_are_nowhere": 404} {
		t.Run(name, func(t *testing.T) {
			keys := &keysAnswer{}
			keys.status.Store(int32(status))
			r := newRigBehind(t, func(r *rig) { r.around = keys.around }, func(doc map[string]any) {
				bearerRoutes(doc["routes"].([]any)[0].(map[string]any)["upstream"].(string))(doc)
			})
			machine, p := r.machineToken(), r.program()
			for _, path := range []string{"/machines/x", "/both/x"} {
				res, body := p.bearing("Bearer "+machine, "GET", path)
				if res.StatusCode != 503 || res.Header.Get("Retry-After") == "" || problemCode(t, res, body) != "idp_unavailable" {
					t.Errorf("%s: %d %v %s", path, res.StatusCode, res.Header, body)
				}
			}
			if r.seen.count() != 0 {
				t.Error("something reached the API")
			}
			keys.status.Store(0)
			until(t, "the token is taken", func() bool {
				res, _ := p.bearing("Bearer "+machine, "GET", "/machines/x")
				return res.StatusCode == 200
			})
		})
	}
}

// TestBearer_ends_what_is_open with the token.
func TestBearer_ends_what_is_open(t *testing.T) {
	api := newEndlessAPI(t)
	r := newRigBehind(t, func(r *rig) {
		r.emulate = func(o *cognitoemu.Options) { o.TokenTTL = 3 * time.Second }
	}, func(doc map[string]any) {
		doc["bearer_clients"] = []string{cognitoemu.DefaultMachineClientID}
		doc["routes"] = []any{map[string]any{"path": "/api/", "upstream": api.url, "auth": "bearer"}}
	})
	p := r.program()
	machine, opened := "", false
	until(t, "a WebSocket that opens before its token is over", func() bool {
		machine = "Bearer " + r.machineToken()
		err := p.socketUntil("the access token has expired", func() { opened = true }, "Authorization", machine)
		if opened && err != nil {
			t.Error(err)
		}
		return opened
	})
	if res, body := p.bearing(machine, "GET", "/api/stream"); res.StatusCode != 401 || problemCode(t, res, body) != "invalid_token" {
		t.Errorf("afterwards: %d %s", res.StatusCode, body)
	}
}
