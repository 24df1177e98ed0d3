package server_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/cognitoemu"
)

// TestCORS_of_the_upstreams_own: where a route says so the upstream answers preflights, and
// says who may read its answers; everywhere else the gateway does, of allowed_origins.
func TestCORS_of_the_upstreams_own(t *testing.T) {
	const page, friend = "https://pages.example", "https://friend.example"
	seen := &apiRequests{}
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen.add(r)
		w.Header().Set("Access-Control-Allow-Origin", "*")
		w.Header().Set("Access-Control-Allow-Methods", "GET, PUT")
		w.Header().Set("Access-Control-Expose-Headers", "X-Total")
		w.Header().Add("Vary", "Origin")
	}))
	t.Cleanup(api.Close)
	r := newRig(t, func(doc map[string]any) {
		doc["bearer_clients"] = []string{cognitoemu.DefaultMachineClientID}
		doc["allowed_origins"] = []string{friend}
		doc["routes"] = []any{
			map[string]any{"path": "/open/", "upstream": api.URL, "auth": "none", "cors": "upstream", "methods": []string{"GET", "PUT"}},
			map[string]any{"path": "/machines/", "upstream": api.URL, "auth": "bearer", "cors": "upstream", "require": map[string]any{"scopes": []string{"api/read"}}},
			map[string]any{"path": "/closed/", "upstream": api.URL, "auth": "bearer"},
			map[string]any{"path": "/", "upstream": api.URL, "auth": "none"},
		}
	})
	machine := "Bearer " + r.machineToken()
	p := r.program()
	ask := func(method, path, origin, about, body string, headers ...string) (*http.Response, string) {
		req := p.request(method, r.url+path, strings.NewReader(body))
		req.Header.Set("Origin", origin)
		if about != "" {
			req.Header.Set("Access-Control-Request-Method", about)
		}
		for i := 0; i+1 < len(headers); i += 2 {
			req.Header.Set(headers[i], headers[i+1])
		}
		return p.do(req)
	}
	upstreams := []string{"*"}
	for name, c := range map[string]struct {
		method, path, origin, about, body string
		headers                           []string
		status                            int
		allows                            []string // Access-Control-Allow-Origin
		reaches                           bool
	}{
		"a_preflight":                          {"OPTIONS", "/open/x", page, "PUT", "", nil, 200, upstreams, true},
		"a_preflight_of_an_allowed_origin":     {"OPTIONS", "/open/x", friend, "PUT", "", nil, 200, upstreams, true},
		"a_preflight_about_a_bearer":           {"OPTIONS", "/machines/x", page, "GET", "", nil, 200, upstreams, true},
		"a_preflight_with_a_bad_bearer":        {"OPTIONS", "/machines/x", page, "GET", "", []string{"Authorization", "Bearer bad"}, 200, upstreams, true},
		"a_preflight_about_another_method":     {"OPTIONS", "/open/x", page, "DELETE", "", nil, 403, nil, false},
		"a_preflight_with_a_body":              {"OPTIONS", "/machines/x", page, "GET", "body", nil, 403, nil, false},
		"a_preflight_of_a_path_of_two":         {"OPTIONS", "/open/../machines/x", page, "GET", "", nil, 403, nil, false},
		"no_preflight":                         {"OPTIONS", "/machines/x", page, "", "", nil, 401, nil, false},
		"no_preflight_of_a_listed_method":      {"OPTIONS", "/open/x", page, "", "", nil, 405, nil, false},
		"an_answer":                            {"PUT", "/open/x", page, "", "", nil, 200, upstreams, true},
		"an_answer_to_an_allowed_origin":       {"PUT", "/open/x", friend, "", "", nil, 200, upstreams, true},
		"an_answer_to_a_bearer":                {"GET", "/machines/x", page, "", "", []string{"Authorization", machine}, 200, upstreams, true},
		"a_refusal":                            {"GET", "/machines/x", page, "", "", nil, 401, nil, false},
		"a_refusal_of_an_allowed_origin":       {"GET", "/machines/x", friend, "", "", nil, 401, []string{friend}, false},
		"elsewhere_a_preflight":                {"OPTIONS", "/closed/x", page, "GET", "", nil, 403, nil, false},
		"elsewhere_one_of_an_allowed_origin":   {"OPTIONS", "/closed/x", friend, "GET", "", nil, 204, []string{friend}, false},
		"elsewhere_an_answer":                  {"GET", "/x", page, "", "", nil, 200, nil, true},
		"elsewhere_one_to_an_allowed_origin":   {"GET", "/x", friend, "", "", nil, 200, []string{friend}, true},
		"elsewhere_one_to_an_allowed_bearer":   {"GET", "/closed/x", friend, "", "", []string{"Authorization", machine}, 200, []string{friend}, true},
		"a_preflight_of_our_own_is_the_usual":  {"OPTIONS", "/auth/session", page, "GET", "", nil, 403, nil, false},
		"a_preflight_by_trace_reaches_nothing": {"OPTIONS", "/machines/x", page, "TRACE", "", nil, 403, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			before := seen.count()
			res, body := ask(c.method, c.path, c.origin, c.about, c.body, c.headers...)
			if reached := seen.count() > before; res.StatusCode != c.status || reached != c.reaches {
				t.Errorf("%d %s, reached %v", res.StatusCode, body, reached)
			}
			if got := res.Header["Access-Control-Allow-Origin"]; !slices.Equal(got, c.allows) {
				t.Errorf("Access-Control-Allow-Origin %q, want %q", got, c.allows)
			}
			if own := slices.Equal(c.allows, []string{friend}); (res.Header.Get("Access-Control-Allow-Credentials") != "") != own {
				t.Errorf("Access-Control-Allow-Credentials %q", res.Header.Get("Access-Control-Allow-Credentials"))
			}
			if !c.reaches {
				return
			}
			got := seen.last(t).Header
			if sent := got.Get("Authorization"); (sent == machine) != slices.Contains(c.headers, machine) || c.method == "OPTIONS" && sent != "" {
				t.Errorf("the API saw Authorization %.30q", sent)
			}
			if got.Get("Origin") != c.origin || got.Get("Access-Control-Request-Method") != c.about {
				t.Errorf("the API saw %v", got)
			}
		})
	}
}
