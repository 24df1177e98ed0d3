package problem_test

import (
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/problem"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/telemetry"
	"github.com/gatehouse-auth/gatehouse/web"
)

var link = regexp.MustCompile(`<a class="button primary" href="([^"]*)"( target="_top")?>([^<]*)</a>`)

func TestWayOn(t *testing.T) {
	const sign, again, start = "Sign in", "Try again", "Go to the start page"
	unavailable := session.ErrUnavailable
	for name, c := range map[string]struct {
		kind, target string
		err          error
		href, label  string
		top          bool
	}{
		"a_frame_is_led_to_log_in_in_the_top_window": {"frame", "/app/x?y=1", session.ErrNotFound, "/auth/login?return_to=%2Fapp%2Fx%3Fy%3D1", sign, true},
		"a_prefetch_is_led_to_log_in":                {"prefetch", "/app", session.ErrNotFound, "/auth/login?return_to=%2Fapp", sign, true},
		"a_form_does_not_come_back_to_a_post":        {"form", "/app/save", session.ErrNotFound, "/auth/login", sign, true},
		"an_own_endpoints_401_leads_to_log_in":       {"click", "/auth/user", problem.Unauthenticated(), "/auth/login?return_to=%2Fauth%2Fuser", sign, true},
		"an_encoded_slash_survives_the_login":        {"frame", "/a%2Fb", session.ErrNotFound, "/auth/login?return_to=%2Fa%252Fb", sign, true},
		"an_address_unfit_to_return_to_is_left_out":  {"frame", "/%2Fb", session.ErrNotFound, "/auth/login", sign, true},
		"a_long_address_is_cut_to_its_path":          {"frame", "/a?" + strings.Repeat("x", 3000), session.ErrNotFound, "/auth/login?return_to=%2Fa", sign, true},
		"an_outage_repeats_no_address_that_was_cut":  {"click", "/a?" + strings.Repeat("x", 3000), unavailable, "/", start, false},
		"the_login_is_never_returned_to":             {"frame", "/auth/login?x", session.ErrNotFound, "/auth/login", sign, true},
		"an_outage_offers_to_try_again":              {"click", "/app/x?y=%26", unavailable, "/app/x?y=%26", again, false},
		"an_outage_never_repeats_a_post":             {"form", "/app/save", unavailable, "/", start, false},
		"an_outage_at_an_unfit_address_leads_home":   {"click", "/%2Fb", unavailable, "/", start, false},
		"an_errors_own_way_on_comes_first":           {"click", "/x", &problem.Error{Status: 503, Code: "c", WayOn: &web.Action{Label: "Elsewhere", Href: "/y"}}, "/y", "Elsewhere", false},
		"a_wrong_request_leads_home":                 {"click", "/x", &problem.Error{Status: 404, Code: "not_found"}, "/", start, false},
	} {
		t.Run(name, func(t *testing.T) {
			w, _ := render(asked(c.kind, c.target), c.err)
			m := link.FindStringSubmatch(w.Body.String())
			if m == nil {
				t.Fatalf("no link on the page:\n%s", w.Body)
			}
			if href := unescape(m[1]); href != c.href || m[3] != c.label || (m[2] != "") != c.top {
				t.Errorf("%s leads to %s (top window %v), want %s to %s", m[3], href, m[2] != "", c.label, c.href)
			}
		})
	}
}

var secondLink = regexp.MustCompile(`<a class="button" href="([^"]*)">([^<]*)</a>`)

func TestPages_that_do_not_lead_to_the_app_have_a_second_link_that_does(t *testing.T) {
	p := problem.NewRenderer(problem.Options{
		LoginPath: "/auth/login", ReturnTo: loginPolicy, StartURL: "/home?tab=1", PublicURL: "https://app.example.com",
	})
	again := &problem.Error{Status: 400, Code: "c", WayOn: &web.Action{Label: "Start again", Href: "/auth/login"}}
	for name, c := range map[string]struct {
		kind, target  string
		err           error
		first, second string // addresses
	}{
		"a_login_that_failed":             {"click", "/auth/callback", again, "/auth/login", "/home?tab=1"},
		"an_outage":                       {"click", "/app/x", session.ErrUnavailable, "/app/x", "/home?tab=1"},
		"an_outage_of_the_app_itself":     {"click", "/home?tab=1", session.ErrUnavailable, "/home?tab=1", ""},
		"a_wrong_request":                 {"click", "/x", &problem.Error{Status: 404, Code: "not_found"}, "/home?tab=1", ""},
		"a_host_that_is_not_the_gateways": {"click", "/", &problem.Error{Status: 421, Code: "misdirected"}, "https://app.example.com", ""},
		"a_frame_that_is_not_signed_in":   {"frame", "/app", session.ErrNotFound, "/auth/login?return_to=%2Fapp", ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := httptest.NewRecorder()
			p.Render(w, asked(c.kind, c.target), &telemetry.Event{}, c.err)
			var got [2]string
			if m := link.FindStringSubmatch(w.Body.String()); m != nil {
				got[0] = unescape(m[1])
			}
			if m := secondLink.FindStringSubmatch(w.Body.String()); m != nil {
				got[1] = unescape(m[1])
			}
			if got != [2]string{c.first, c.second} {
				t.Errorf("leads to %q, want %q", got, [2]string{c.first, c.second})
			}
		})
	}
}

// unescape reads an attribute as a browser does.
func unescape(s string) string {
	return strings.NewReplacer("&amp;", "&", "&#34;", `"`, "&#39;", "'", "&lt;", "<", "&gt;", ">", "&#43;", "+").Replace(s)
}

func TestEscaping(t *testing.T) {
	const hostile = `"><script>alert(1)</script><img src=x onerror='1'>&`
	markup := regexp.MustCompile(`(?i)<script|<img|onerror=['1]`)
	t.Run("text_is_text", func(t *testing.T) {
		e := &problem.Error{Status: 400, Code: hostile, Public: hostile, Heading: hostile, Hint: hostile, WayOn: &web.Action{Label: hostile, Href: "/"}}
		page, _ := render(asked("click", "/"), e)
		if found := markup.FindString(page.Body.String()); found != "" {
			t.Errorf("%s on the page", found)
		}
		document, _ := render(asked("call", "/"), e)
		if strings.ContainsAny(document.Body.String(), "<>&") {
			t.Errorf("markup in the document: %s", document.Body)
		}
	})
	t.Run("the_requests_own_target_breaks_out_of_nothing", func(t *testing.T) {
		for _, target := range []string{
			"/" + url.PathEscape(hostile), "/?q=" + url.QueryEscape(hostile), `/?q="><script>`, "/?q='><script>", "/?q=%22%3E%3Cscript%3E", "/javascript:alert(1)",
			"/?q=\u2028<script>", "//evil.example/", `/\evil.example`, "/%5cevil.example", "/%2f/evil.example",
		} {
			for _, kind := range []string{"frame", "click"} {
				for _, err := range []error{session.ErrNotFound, session.ErrUnavailable} {
					r := asked(kind, "/")
					path, query, _ := strings.Cut(target, "?")
					r.URL.Path, r.URL.RawQuery = path, query
					if p, err := url.PathUnescape(path); err == nil {
						r.URL.Path, r.URL.RawPath = p, path
					}
					w, _ := render(r, err)
					if found := markup.FindString(w.Body.String()); found != "" {
						t.Errorf("%s for %s: %s on the page", target, kind, found)
					}
					checkLeadsNowhereElse(t, w, target)
				}
			}
		}
	})
}

// checkLeadsNowhereElse checks each address of an answer: a local path, with
// nothing in it that browsers would make another host of.
func checkLeadsNowhereElse(t *testing.T, w *httptest.ResponseRecorder, target string) {
	t.Helper()
	var hrefs []string
	for _, m := range link.FindAllStringSubmatch(w.Body.String(), -1) {
		hrefs = append(hrefs, unescape(m[1]))
	}
	if l := w.Header().Get("Location"); l != "" {
		hrefs = append(hrefs, l)
	}
	if len(hrefs) == 0 {
		t.Errorf("%s: an answer without a way on", target)
	}
	for _, h := range hrefs {
		u, err := url.Parse(h)
		if err != nil || u.Host != "" || u.Scheme != "" || !strings.HasPrefix(h, "/") || strings.HasPrefix(h, "//") || strings.ContainsAny(h, "\\\t\r\n \"<>") {
			t.Errorf("%s: the answer leads to %q", target, h)
		}
		back := u.Query().Get("return_to")
		if back == "" {
			continue
		}
		if _, err := loginPolicy.Parse(back); err != nil {
			t.Errorf("%s: the login would refuse to return to %q", target, back)
		}
	}
}

func TestWritePage(t *testing.T) {
	t.Run("names_where_a_form_may_lead", func(t *testing.T) {
		w := httptest.NewRecorder()
		page := web.Page{Heading: "Sign out?", Action: &web.Action{Label: "Sign out", Href: "/auth/logout", Post: true}}
		if err := problem.WritePage(w, 200, page, "https://login.example"); err != nil {
			t.Fatal(err)
		}
		checkOwn(t, w)
		if csp := w.Header().Get("Content-Security-Policy"); !strings.Contains(csp, "form-action 'self' https://login.example;") {
			t.Errorf("Content-Security-Policy: %s", csp)
		}
	})
	t.Run("writes_nothing_of_a_page_that_would_lead_astray", func(t *testing.T) {
		w := httptest.NewRecorder()
		err := problem.WritePage(w, 200, web.Page{Heading: "x", Refresh: "//evil.example/"})
		if err == nil || w.Body.Len() != 0 || len(w.Header()) != 0 {
			t.Errorf("error %v, wrote %v %s", err, w.Header(), w.Body)
		}
	})
}
