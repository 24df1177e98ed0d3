package problem_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-auth/gatehouse/internal/oauth"
	"github.com/gatehouse-auth/gatehouse/internal/problem"
	"github.com/gatehouse-auth/gatehouse/internal/returnto"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/telemetry"
)

// canary stands in every cause, and must be in no answer.
const canary = "CANARY dial tcp 10.0.0.7:6379"

var loginPolicy = returnto.Policy{Refused: []string{"/auth/login", "/auth/callback"}}

func renderer(m *telemetry.Metrics) *problem.Renderer {
	return problem.NewRenderer(problem.Options{LoginPath: "/auth/login", ReturnTo: loginPolicy, Metrics: m})
}

// asked is a request, by kind; see contract §2 for the words.
func asked(kind, target string) *http.Request {
	method, lines := "GET", []string{}
	switch kind {
	case "call":
		lines = []string{"Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty"}
	case "script": // no browser
		lines = []string{"Accept", "*/*"}
	case "click":
		lines = []string{"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"}
	case "old browser":
		lines = []string{"Accept", "text/html"}
	case "form":
		method, lines = "POST", []string{"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"}
	case "frame":
		lines = []string{"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe"}
	case "prefetch":
		lines = []string{"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document", "Sec-Purpose", "prefetch"}
	case "head":
		method, lines = "HEAD", []string{"Accept", "text/html"}
	}
	r := httptest.NewRequest(method, target, nil)
	for i := 0; i < len(lines); i += 2 {
		r.Header.Set(lines[i], lines[i+1])
	}
	return r
}

var (
	calls            = []string{"call", "script"}
	pages            = []string{"form", "frame", "prefetch", "head"}
	loginNavigations = []string{"click", "old browser"}
)

// render answers, and returns the event as well.
func render(r *http.Request, err error) (*httptest.ResponseRecorder, telemetry.Event) {
	w := httptest.NewRecorder()
	ev := telemetry.Event{RequestID: "request-1", Route: "/api/"}
	renderer(nil).Render(w, r, &ev, err)
	return w, ev
}

// row is one kind of error and its answer.
type row struct {
	err        error
	status     int
	code       string
	retryAfter string
	level      slog.Level
	login      bool // login navigations are sent to log in
}

func wrapped(err error) error { return fmt.Errorf("%s: %w", canary, err) }

var rows = map[string]row{
	"no_session":      {wrapped(session.ErrNotFound), 401, "unauthenticated", "", slog.LevelInfo, true},
	"store_away":      {wrapped(session.ErrUnavailable), 503, "store_unavailable", "2", slog.LevelError, false},
	"changed_midway":  {wrapped(session.ErrConflict), 503, "session_busy", "1", slog.LevelWarn, false},
	"grant_revoked":   {wrapped(oauth.ErrGrantRevoked), 401, "unauthenticated", "", slog.LevelInfo, true},
	"user_pool_away":  {wrapped(oauth.ErrUnavailable), 503, "idp_unavailable", "5", slog.LevelWarn, false},
	"misconfigured":   {wrapped(oauth.ErrMisconfigured), 502, "misconfigured", "", slog.LevelError, false},
	"token_invalid":   {wrapped(oauth.ErrInvalidToken), 502, "invalid_token", "", slog.LevelError, false},
	"request_wrong":   {wrapped(&problem.Error{Status: 400, Code: "ambiguous_path", Public: "The path.", Err: errors.New(canary)}), 400, "ambiguous_path", "", slog.LevelInfo, false},
	"too_many":        {&problem.Error{Status: 429, Code: "too_many", Public: "Slow down.", RetryAfter: 1500 * time.Millisecond}, 429, "too_many", "2", slog.LevelInfo, false},
	"upstream_down":   {&problem.Error{Status: 502, Code: "upstream_unavailable", Public: "It is down.", Err: errors.New(canary)}, 502, "upstream_unavailable", "", slog.LevelWarn, false},
	"too_large":       {wrapped(session.ErrTooLarge), 502, "session_too_large", "", slog.LevelError, false},
	"grown_too_large": {fmt.Errorf("%w: %w", session.ErrNotFound, session.ErrTooLarge), 401, "unauthenticated", "", slog.LevelInfo, true},
	"no_registry":     {wrapped(session.ErrNoRegistry), 501, "no_registry", "", slog.LevelInfo, false},
	"own_endpoint":    {problem.Unauthenticated(), 401, "unauthenticated", "", slog.LevelInfo, false},
	"a_bug":           {errors.New(canary), 500, "internal", "", slog.LevelError, false},
	"work_cut_short":  {wrapped(context.Canceled), 500, "internal", "", slog.LevelError, false}, // by us: the client is there
	"work_took_long":  {wrapped(context.DeadlineExceeded), 500, "internal", "", slog.LevelError, false},
	"provider_no":     {wrapped(&oauth.AuthorizationError{Code: "access_denied", Description: canary}), 500, "internal", "", slog.LevelError, false}, // the callback's to word
	"away_and_absent": {fmt.Errorf("%w: %w", session.ErrNotFound, session.ErrUnavailable), 503, "store_unavailable", "2", slog.LevelError, false},
}

// TestRetryAfterIsTheProviders: whoever is told to come later comes no sooner
// than the provider said.
func TestRetryAfterIsTheProviders(t *testing.T) {
	for name, c := range map[string]struct {
		in, since time.Duration
		want      string
	}{
		"at_once":                   {20 * time.Second, 0, "20"},
		"later_on":                  {20 * time.Second, 17500 * time.Millisecond, "3"},
		"no_more_once_it_is_over":   {20 * time.Second, 20 * time.Second, "5"},
		"our_own_where_it_has_none": {0, 0, "5"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				busy := &oauth.BusyError{Status: 429}
				if c.in > 0 {
					busy.Until = time.Now().Add(c.in)
				}
				time.Sleep(c.since)
				w, _ := render(asked("call", "/api/x"), fmt.Errorf("%w: %w", oauth.ErrUnavailable, busy))
				if got := w.Header().Get("Retry-After"); w.Code != 503 || got != c.want {
					t.Errorf("%d, Retry-After %q, want %q", w.Code, got, c.want)
				}
			})
		})
	}
}

func TestRender(t *testing.T) {
	for name, c := range rows {
		for _, kind := range append(append(append([]string{}, calls...), pages...), loginNavigations...) {
			t.Run(name+"/"+kind, func(t *testing.T) {
				w, ev := render(asked(kind, "/api/x?y=1"), c.err)
				checkEvent(t, ev, c)
				checkOwn(t, w)
				switch {
				case c.login && isOneOf(kind, loginNavigations):
					checkRedirect(t, w, "/auth/login?return_to=%2Fapi%2Fx%3Fy%3D1")
					return
				case isOneOf(kind, calls):
					checkDocument(t, w, c)
				default:
					checkPage(t, w, c)
				}
				if got := w.Header().Get("Retry-After"); got != c.retryAfter {
					t.Errorf("Retry-After %q, want %q", got, c.retryAfter)
				}
			})
		}
	}
}

func isOneOf(kind string, kinds []string) bool {
	for _, k := range kinds {
		if k == kind {
			return true
		}
	}
	return false
}

func checkEvent(t *testing.T, ev telemetry.Event, c row) {
	t.Helper()
	if ev.Code != c.code || ev.Level != c.level {
		t.Errorf("event: code %q at %v, want %q at %v", ev.Code, ev.Level, c.code, c.level)
	}
	if strings.Contains(c.err.Error(), canary) && (ev.Err == nil || !strings.Contains(ev.Err.Error(), canary)) {
		t.Errorf("event: cause %v: the log does not say what happened", ev.Err)
	}
}

// checkOwn checks what every answer of the gateway's own has, and has not.
func checkOwn(t *testing.T, w *httptest.ResponseRecorder) {
	t.Helper()
	referrer := "no-referrer"
	if w.Header().Get("Content-Security-Policy") != "" {
		referrer = "same-origin" // under no-referrer a page's form would post with "Origin: null"
	}
	for name, want := range map[string]string{
		"X-Gatehouse": "1", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": referrer,
	} {
		if got := w.Header().Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	for _, name := range []string{"Set-Cookie", "Clear-Site-Data"} {
		if v := w.Header()[name]; v != nil {
			t.Errorf("%s: %q: an error took a cookie away", name, v)
		}
	}
	if all := fmt.Sprint(w.Header()) + w.Body.String(); strings.Contains(all, "CANARY") || strings.Contains(all, "10.0.0.7") {
		t.Errorf("an internal error's text is in the answer: %s", all)
	}
}

func checkRedirect(t *testing.T, w *httptest.ResponseRecorder, want string) {
	t.Helper()
	if got := w.Header().Get("Location"); w.Code != 302 || got != want {
		t.Errorf("%d to %q, want 302 to %q", w.Code, got, want)
	}
}

func checkDocument(t *testing.T, w *httptest.ResponseRecorder, c row) {
	t.Helper()
	if got := w.Header().Get("Content-Type"); w.Code != c.status || got != "application/problem+json" {
		t.Errorf("%d %s, want %d", w.Code, got, c.status)
	}
	var doc map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &doc); err != nil {
		t.Fatalf("%v in %s", err, w.Body)
	}
	if detail, _ := doc["detail"].(string); detail == "" {
		t.Error("no detail")
	}
	delete(doc, "detail")
	want := map[string]any{
		"type": "about:blank", "title": http.StatusText(c.status), "status": float64(c.status),
		"code": c.code, "requestId": "request-1",
	}
	if c.status == 401 {
		want["loginUrl"] = "/auth/login"
	}
	if diff := cmp.Diff(want, doc); diff != "" {
		t.Errorf("document (-want +got):\n%s", diff)
	}
}

func checkPage(t *testing.T, w *httptest.ResponseRecorder, c row) {
	t.Helper()
	if got := w.Header().Get("Content-Type"); w.Code != c.status || got != "text/html; charset=utf-8" {
		t.Errorf("%d %s, want %d", w.Code, got, c.status)
	}
	csp, ancestors := w.Header().Get("Content-Security-Policy"), "frame-ancestors 'none'"
	if c.status == 401 {
		ancestors = "frame-ancestors 'self'" // it answers a frame, which must be able to show it
	}
	if !strings.HasPrefix(csp, "default-src 'none';") || !strings.Contains(csp, ancestors) {
		t.Errorf("Content-Security-Policy: %q", csp)
	}
	for _, want := range []string{"<h1>", c.code, "request-1", "<a "} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("no %s on the page", want)
		}
	}
}

func TestClientGone(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	gone := asked("call", "/").WithContext(ctx)
	for name, err := range map[string]error{
		"its_context_alone":       context.Canceled,
		"beside_the_stores_error": fmt.Errorf("%w: %w", session.ErrUnavailable, context.Canceled),
		"inside_a_problem":        &problem.Error{Status: 502, Code: "upstream_unavailable", Err: context.Canceled},
	} {
		t.Run(name+"_is_noted_and_not_answered", func(t *testing.T) {
			w, ev := render(gone, err)
			if w.Body.Len() != 0 || len(w.Header()) != 0 || w.Flushed {
				t.Errorf("answered %v %s", w.Header(), w.Body)
			}
			if ev.Status != 499 || ev.Code != "client_gone" || ev.Level != slog.LevelInfo {
				t.Errorf("event: %d %q at %v", ev.Status, ev.Code, ev.Level)
			}
		})
	}
	t.Run("does_not_hide_another_error", func(t *testing.T) {
		if _, ev := render(gone, session.ErrUnavailable); ev.Status == 499 || ev.Code != "store_unavailable" {
			t.Errorf("event: %d %q", ev.Status, ev.Code)
		}
	})
}

func TestAnswerHeaders(t *testing.T) {
	t.Run("an_errors_own_headers_are_answered", func(t *testing.T) {
		e := &problem.Error{Status: 405, Code: "method_not_allowed", Public: "No.", Header: http.Header{"Allow": {"GET", "HEAD"}}}
		for _, kind := range []string{"call", "click"} {
			w, _ := render(asked(kind, "/"), e)
			if diff := cmp.Diff([]string{"GET", "HEAD"}, w.Header()["Allow"]); diff != "" {
				t.Errorf("%s: Allow (-want +got):\n%s", kind, diff)
			}
		}
	})
	t.Run("headers_for_the_page_that_calls_stay", func(t *testing.T) {
		w := httptest.NewRecorder()
		w.Header().Set("Access-Control-Allow-Origin", "https://spa.example")
		renderer(nil).Render(w, asked("call", "/"), &telemetry.Event{}, session.ErrNotFound)
		if w.Header().Get("Access-Control-Allow-Origin") == "" {
			t.Error("the page cannot read its 401")
		}
	})
	t.Run("what_described_another_body_is_gone", func(t *testing.T) {
		for _, kind := range []string{"call", "form"} {
			w := httptest.NewRecorder()
			w.Header().Set("Content-Length", "3")
			w.Header().Set("Content-Encoding", "gzip")
			renderer(nil).Render(w, asked(kind, "/"), &telemetry.Event{}, errors.New("a bug"))
			for _, name := range []string{"Content-Length", "Content-Encoding"} {
				if v := w.Header().Get(name); v != "" {
					t.Errorf("%s: %s is %q, and belongs to another body", kind, name, v)
				}
			}
		}
	})
	for wait, want := range map[time.Duration]string{
		0: "", -time.Second: "", time.Millisecond: "1", time.Second: "1", time.Second + 1: "2", 90 * time.Second: "90",
	} {
		t.Run(fmt.Sprintf("a_wait_of_%v_is_never_told_too_short", wait), func(t *testing.T) {
			w, _ := render(asked("call", "/"), wrapped(&problem.Error{Status: 429, RetryAfter: wait}))
			if got := w.Header().Get("Retry-After"); got != want {
				t.Errorf("Retry-After %q, want %q", got, want)
			}
		})
	}
}

func TestCounts(t *testing.T) {
	m := telemetry.NewMetrics("test", "c0ffee")
	p := renderer(m)
	for _, err := range []error{wrapped(oauth.ErrMisconfigured), session.ErrNotFound, session.ErrNotFound} {
		p.Render(httptest.NewRecorder(), asked("call", "/"), &telemetry.Event{Route: "/api/"}, err)
	}
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, asked("call", "/metrics"))
	for _, want := range []string{
		`gatehouse_problems_total{code="misconfigured"} 1`, `gatehouse_problems_total{code="unauthenticated"} 2`,
		`gatehouse_misconfigured_total{where="/api/"} 1`,
	} {
		t.Run("shows_"+want, func(t *testing.T) {
			if !bytes.Contains(w.Body.Bytes(), []byte(want)) {
				t.Errorf("no %s", want)
			}
		})
	}
}

func TestOf(t *testing.T) {
	for name, c := range rows {
		t.Run(name+"_is_told_as_it_would_be_answered", func(t *testing.T) {
			e := problem.Of(c.err)
			if e.Status != c.status || string(e.Code) != c.code || e.Public == "" || strings.Contains(e.Public, "CANARY") {
				t.Errorf("got %d %q %q", e.Status, e.Code, e.Public)
			}
		})
	}
	t.Run("a_handlers_own_words_change_only_its_copy", func(t *testing.T) {
		shared := &problem.Error{Status: 400, Code: "a_code", Public: "as it was"}
		problem.Of(wrapped(shared)).Public = "changed"
		if shared.Public != "as it was" {
			t.Errorf("%q", shared.Public)
		}
	})
}

func TestError(t *testing.T) {
	cause := errors.New("cause")
	e := &problem.Error{Code: "a_code", Public: "public text", Err: cause}
	if got := e.Error(); got != "a_code: cause" || !errors.Is(e, cause) {
		t.Errorf("text %q, unwraps %v", got, errors.Is(e, cause))
	}
	if got := (&problem.Error{Code: "a_code"}).Error(); got != "a_code" {
		t.Errorf("text %q", got)
	}
}

// TestRender_ABodyOfItsOwn: an endpoint that speaks another protocol answers in its
// form, whoever asks, and the problem is recorded as ever.
func TestRender_ABodyOfItsOwn(t *testing.T) {
	for _, kind := range []string{"call", "click", "script"} {
		w, ev := httptest.NewRecorder(), &telemetry.Event{RequestID: "id"}
		renderer(nil).Render(w, asked(kind, "/auth/x"), ev, &problem.Error{
			Status: 400, Code: "cross_origin", Public: "words", ContentType: "application/x-amz-json-1.1", Body: []byte(`{"__type":"X"}`),
		})
		if w.Code != 400 || w.Body.String() != `{"__type":"X"}` || w.Header().Get("Content-Type") != "application/x-amz-json-1.1" ||
			w.Header().Get("X-Gatehouse") != "1" || ev.Code != "cross_origin" {
			t.Errorf("%s: %d %s %v, event %+v", kind, w.Code, w.Body, w.Header(), ev)
		}
	}
}
