package problem_test

import (
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/problem"
	"github.com/gatehouse-auth/gatehouse/internal/returnto"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/telemetry"
)

const (
	ownOrigin   = "https://app.example.com"
	otherOrigin = "https://docs.example.com" // of ours, too
)

// verdict is the answer to a front that asked about r.
func verdict(kind, address string, err error, redirect bool) *httptest.ResponseRecorder {
	p := problem.NewRenderer(problem.Options{LoginPath: "/auth/login",
		ReturnTo: returnto.Policy{Own: ownOrigin, Origins: []string{otherOrigin}, Refused: []string{"/auth/login"}}})
	w := httptest.NewRecorder()
	p.RenderVerdict(w, asked(kind, address), &telemetry.Event{RequestID: "request-1"}, err, redirect)
	return w
}

// Fronts take 401 and 403 for what they are, and nothing else of what a request may be to
// blame for.
func TestVerdict_is_a_status_that_fronts_know(t *testing.T) {
	for name, row := range rows {
		for _, kind := range append(append(calls, pages...), loginNavigations...) {
			w := verdict(kind, ownOrigin+"/api/x", row.err, false)
			want := row.status
			if want >= 400 && want < 500 && want != 401 {
				want = 403
			}
			if w.Code != want || w.Header().Get("Retry-After") != row.retryAfter {
				t.Errorf("%s of a %s: %d, Retry-After %q, want %d", name, kind, w.Code, w.Header().Get("Retry-After"), want)
			}
			if body := w.Body.String(); !strings.Contains(body, row.code) || strings.Contains(body, canary) {
				t.Errorf("%s of a %s answers %s", name, kind, body)
			}
			if login := w.Header().Get("X-Auth-Login-Url"); (login != "") != (want == 401) {
				t.Errorf("%s of a %s names the login %q", name, kind, login)
			}
			if w.Header().Get("X-Gatehouse") != "1" || w.Header().Get("Cache-Control") != "no-store" {
				t.Errorf("%s of a %s is not marked as the gateway's own", name, kind)
			}
		}
	}
}

func TestVerdict_sends_login_navigations_to_log_in_if_asked_to(t *testing.T) {
	for name, row := range rows {
		for _, kind := range append(append(calls, pages...), loginNavigations...) {
			w := verdict(kind, ownOrigin+"/api/x?y=1", row.err, true)
			isLogin := kind == "click" || kind == "old browser"
			if redirected := w.Code == 302; redirected != (row.login && isLogin) {
				t.Errorf("%s of a %s: %d", name, kind, w.Code)
			}
			if w.Code == 302 && w.Header().Get("Location") != w.Header().Get("X-Auth-Login-Url") {
				t.Errorf("%s of a %s leads to %s, and names %s", name, kind, w.Header().Get("Location"), w.Header().Get("X-Auth-Login-Url"))
			}
		}
	}
}

func TestVerdict_names_the_way_back(t *testing.T) {
	for name, c := range map[string]struct {
		kind, address string
		back          string // "": none
	}{
		"to_a_path_of_the_own_host":     {"click", ownOrigin + "/a/b?c=/d%26", "/a/b?c=/d%26"},
		"to_another_host_of_ours":       {"call", otherOrigin + "/a?b", otherOrigin + "/a?b"},
		"to_no_host_that_is_not_ours":   {"click", "https://evil.test/a", ""},
		"to_no_scheme_that_is_not_ours": {"click", "http://app.example.com/a", ""},
		"to_no_form_that_was_posted":    {"form", ownOrigin + "/a", ""},
		"to_no_login":                   {"click", ownOrigin + "/auth/login", ""},
		"to_the_path_of_a_long_address": {"click", ownOrigin + "/a?" + strings.Repeat("b", returnto.MaxLength), "/a"},
	} {
		t.Run(name, func(t *testing.T) {
			w := verdict(c.kind, c.address, session.ErrNotFound, false)
			want := ownOrigin + "/auth/login"
			if c.back != "" {
				want += "?return_to=" + url.QueryEscape(c.back)
			}
			if got := w.Header().Get("X-Auth-Login-Url"); got != want {
				t.Errorf("login at %s, want %s", got, want)
			}
			if page := w.Body.String(); c.kind != "call" && !strings.Contains(page, `href="`+strings.ReplaceAll(want, "&", "&amp;")+`"`) {
				t.Errorf("the page does not lead to %s: %s", want, page)
			}
		})
	}
}
