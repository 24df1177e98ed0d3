package server_test

import (
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/cognitoemu"
)

// TestVerify_asks_what_the_proxy_asks_of_callers: tokens of their own, and rules.
func TestVerify_asks_what_the_proxy_asks_of_callers(t *testing.T) {
	r := newRigBehind(t, func(*rig) {}, func(doc map[string]any) {
		frontsTrusted(doc)
		routes := doc["routes"].([]any)
		api := routes[0].(map[string]any)["upstream"]
		doc["bearer_clients"] = []string{cognitoemu.DefaultMachineClientID}
		doc["routes"] = append(routes,
			map[string]any{"path": "/machines/", "upstream": api, "auth": "bearer", "identity_headers": true, "cors": "upstream"},
			map[string]any{"path": "/both/", "upstream": api, "auth": "either", "identity_headers": true},
			map[string]any{"path": "/admins/", "upstream": api, "auth": "either", "require": map[string]any{"groups": []string{"admins"}}},
			map[string]any{"path": "/pay/", "upstream": api, "require": map[string]any{"max_auth_age": "3m"}})
	})
	r.emu.Levers().Advance(-5 * time.Minute)
	alice, bob, nobody := r.signedIn("alice@example.com"), r.signedIn("bob@example.com"), r.browser()
	r.emu.Levers().Advance(5 * time.Minute)
	machine := "Authorization: Bearer " + r.machineToken()
	bearing := func(lines ...string) []string { return append([]string{machine}, lines...) }
	before := r.seen.count()
	for name, c := range map[string]struct {
		b       *browser
		q       question
		query   string
		status  int
		code    string
		subject string // X-Auth-Subject, where it is the machine's
	}{
		"a_machine":                        {nobody, question{uri: "/machines/x", lines: bearing()}, "", 200, "", cognitoemu.DefaultMachineClientID},
		"a_machine_from_another_site":      {alice, question{uri: "/both/x", method: "POST", lines: bearing(foreignCall...)}, "", 200, "", cognitoemu.DefaultMachineClientID},
		"a_bad_token_beside_a_cookie":      {alice, question{uri: "/both/x", lines: append([]string{"Authorization: Bearer x"}, ownCall...)}, "", 401, "invalid_token", ""},
		"two_tokens":                       {alice, question{uri: "/both/x", lines: append(bearing(machine), ownCall...)}, "", 401, "invalid_token", ""},
		"no_token":                         {alice, question{uri: "/machines/x", lines: ownCall}, "", 401, "unauthenticated", ""},
		"no_token_by_a_page":               {nobody, question{uri: "/machines/x", lines: click}, "?mode=redirect", 401, "unauthenticated", ""},
		"the_cookie_where_both_count":      {alice, question{uri: "/both/x", lines: ownCall}, "", 200, "", ""},
		"a_preflight_of_the_upstreams_own": {nobody, question{uri: "/machines/x", method: "OPTIONS", lines: []string{"Origin: https://evil.test", "Access-Control-Request-Method: GET"}}, "", 200, "", ""},
		"a_group":                          {alice, question{uri: "/admins/x", lines: ownCall}, "", 200, "", ""},
		"another_group":                    {bob, question{uri: "/admins/x", lines: ownCall}, "", 403, "forbidden", ""},
		"a_machine_without_a_group":        {nobody, question{uri: "/admins/x", lines: bearing()}, "", 403, "forbidden", ""},
		"a_sign_in_that_is_too_old":        {alice, question{uri: "/pay/x", lines: ownCall}, "", 403, "step_up_required", ""},
		"a_mode_in_the_pages_own_query":    {alice, question{uri: "/both/x?mode=answer", lines: click}, "/both/x?mode=answer", 200, "", ""},
		"one_of_a_page":                    {alice, question{uri: "/pay/x", lines: click}, "?mode=redirect", 302, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			req := c.b.request("GET", r.url+"/auth/verify"+c.query, nil)
			req.Header = c.q.headers(r)
			res, body := c.b.do(req)
			if res.StatusCode != c.status || !strings.Contains(body, c.code) {
				t.Errorf("%d %s", res.StatusCode, body)
			}
			if got := res.Header.Get("X-Auth-Subject"); c.subject != "" && got != c.subject {
				t.Errorf("X-Auth-Subject %q", got)
			}
			const login = "/auth/login?max_age=180&prompt=login"
			if c.code == "step_up_required" && !strings.Contains(res.Header.Get("X-Auth-Login-Url"), login) {
				t.Errorf("X-Auth-Login-Url %q", res.Header.Get("X-Auth-Login-Url"))
			}
			if location := res.Header.Get("Location"); c.status == 302 && location != r.url+login+"&return_to=%2Fpay%2Fx" {
				t.Errorf("Location %q", location)
			}
		})
	}
	if r.seen.count() != before {
		t.Error("a question reached the API")
	}
}
