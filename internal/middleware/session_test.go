package middleware_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/middleware"
	"github.com/gatehouse-auth/gatehouse/internal/oauth"
	"github.com/gatehouse-auth/gatehouse/internal/routing"
	"github.com/gatehouse-auth/gatehouse/internal/session"
)

func TestThreeOutcomes(t *testing.T) {
	type want struct {
		session bool
		err     error // nil: it reaches the route
	}
	for name, c := range map[string]struct {
		auth   routing.Auth
		handle func(*house) session.Handle
		away   bool
		want   want
	}{
		"a_session_is_taken":                                 {routing.AuthSession, live, false, want{true, nil}},
		"a_session_is_taken_where_it_is_optional":            {routing.AuthOptional, live, false, want{true, nil}},
		"none_is_refused":                                    {routing.AuthSession, none, false, want{false, session.ErrNotFound}},
		"none_goes_on_as_anonymous_where_it_is_optional":     {routing.AuthOptional, none, false, want{false, nil}},
		"none_is_fine_where_none_is_asked":                   {routing.AuthNone, none, false, want{false, nil}},
		"a_dead_one_is_refused":                              {routing.AuthSession, dead, false, want{false, session.ErrNotFound}},
		"a_dead_one_is_anonymous_where_it_is_optional":       {routing.AuthOptional, dead, false, want{false, nil}},
		"an_outage_is_never_a_sign_out":                      {routing.AuthSession, live, true, want{false, session.ErrUnavailable}},
		"an_outage_is_never_anonymous_where_it_is_optional":  {routing.AuthOptional, live, true, want{false, session.ErrUnavailable}},
		"an_outage_is_no_matter_to_a_request_without_cookie": {routing.AuthOptional, none, true, want{false, nil}},
	} {
		inTime(t, name, func(t *testing.T, h *house) {
			h.store.set(c.away)
			x, w, reached, err := h.ask(route(c.auth), c.handle(h))
			if reached != (c.want.err == nil) || !errors.Is(err, c.want.err) {
				t.Errorf("reached %v, error %v", reached, err)
			}
			if (x.Caller.Session != nil) != c.want.session || x.Decision.Bearer.Empty() == c.want.session || x.Decision.Private != c.want.session {
				t.Errorf("session %v, bearer %v, private %v", x.Caller.Session != nil, !x.Decision.Bearer.Empty(), x.Decision.Private)
			}
			if len(w.Header()) != 0 {
				t.Errorf("a cookie was touched: %v", w.Header())
			}
		})
	}
}

func live(h *house) session.Handle { return h.handle }
func none(*house) session.Handle   { return session.Handle{} }
func dead(*house) session.Handle   { return unknown }

func TestRefusedNavigations(t *testing.T) {
	closed := route(routing.AuthSession)
	closed.Access.Navigations = false
	open := route(routing.AuthNone)
	open.Access.Navigations = false
	for name, c := range map[string]struct {
		route  *routing.Route
		handle func(*house) session.Handle
		lines  []string
		want   bool // refused as a navigation
	}{
		"a_click_with_a_session_is_refused":    {closed, live, []string{"Sec-Fetch-Mode: navigate"}, true},
		"a_frame_is_refused":                   {closed, live, []string{"Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: iframe"}, true},
		"an_old_browsers_click_is_refused":     {closed, live, []string{"Accept: text/html"}, true},
		"a_click_is_not_sent_to_log_in_for_it": {closed, none, []string{"Sec-Fetch-Mode: navigate"}, true},
		"a_click_on_an_open_route_is_refused":  {open, none, []string{"Sec-Fetch-Mode: navigate"}, true},
		"a_call_passes":                        {closed, live, []string{"Sec-Fetch-Mode: cors"}, false},
		"a_route_that_says_nothing_takes_none": {&routing.Route{Path: "/api/"}, live, []string{"Sec-Fetch-Mode: navigate"}, true},
		"a_click_on_another_route_passes":      {route(routing.AuthSession), live, []string{"Sec-Fetch-Mode: navigate"}, false},
	} {
		inTime(t, name, func(t *testing.T, h *house) {
			x := on(c.route)
			x.Handle = c.handle(h)
			_, reached, err := walk(request("GET", "/api/x", c.lines...), x, h.sessions.LoadSession, middleware.Authorize, h.sessions.TouchSession)
			if refused := isProblem(err, 403, "navigation_refused"); refused != c.want || reached == c.want {
				t.Errorf("reached %v, error %v", reached, err)
			}
		})
	}
}

func TestTouch(t *testing.T) {
	inTime(t, "a_use_is_recorded_once_in_a_tenth_of_the_idle_timeout", func(t *testing.T, h *house) {
		began := h.lastSeen(t)
		time.Sleep(idleTimeout/10 - time.Second)
		if _, _, _, err := h.ask(route(routing.AuthSession), h.handle); err != nil || !h.lastSeen(t).Equal(began) {
			t.Errorf("error %v, recorded already", err)
		}
		time.Sleep(time.Second)
		x, _, _, err := h.ask(route(routing.AuthSession), h.handle)
		if err != nil || h.lastSeen(t).Sub(began) != idleTimeout/10 || !x.Caller.Session.LastSeen.Equal(h.lastSeen(t)) {
			t.Errorf("error %v, recorded %v later", err, h.lastSeen(t).Sub(began))
		}
	})
	inTime(t, "a_poller_does_not_slide_the_limit", func(t *testing.T, h *house) {
		quiet := route(routing.AuthSession)
		quiet.Access.Touch = false
		began := h.lastSeen(t)
		time.Sleep(idleTimeout / 2)
		if _, _, reached, err := h.ask(quiet, h.handle); !reached || err != nil || !h.lastSeen(t).Equal(began) {
			t.Errorf("reached %v, error %v, recorded %v later", reached, err, h.lastSeen(t).Sub(began))
		}
	})
	inTime(t, "a_refused_navigation_is_no_use", func(t *testing.T, h *house) {
		closed := route(routing.AuthSession)
		closed.Access.Navigations = false
		began := h.lastSeen(t)
		time.Sleep(idleTimeout / 2)
		x := on(closed)
		x.Handle = h.handle
		_, _, err := walk(request("GET", "/", "Sec-Fetch-Mode: navigate"), x, h.sessions.LoadSession, middleware.Authorize, h.sessions.TouchSession)
		if err == nil || !h.lastSeen(t).Equal(began) {
			t.Errorf("error %v, recorded %v later", err, h.lastSeen(t).Sub(began))
		}
	})
	inTime(t, "an_outage_between_load_and_touch_refuses_nobody", func(t *testing.T, h *house) {
		time.Sleep(idleTimeout / 2)
		x := on(route(routing.AuthSession))
		x.Handle = h.handle
		x.Event.AddNote("what was noted before")
		fails := func(next middleware.Handler) middleware.Handler {
			return func(w http.ResponseWriter, r *http.Request, x *middleware.Exchange) error {
				h.store.set(true)
				return next(w, r, x)
			}
		}
		_, reached, err := walk(request("GET", "/"), x, h.sessions.LoadSession, fails, middleware.Authorize, h.sessions.TouchSession)
		if !reached || err != nil || x.Event.Note != "what was noted before; use of the session not recorded" || x.Caller.Session == nil {
			t.Errorf("reached %v, error %v, note %q", reached, err, x.Event.Note)
		}
	})
}

func TestFreshToken(t *testing.T) {
	inTime(t, "the_route_says_which_token_goes", func(t *testing.T, h *house) {
		for token, want := range map[routing.Token]string{routing.TokenAccess: "Bearer access-1", routing.TokenID: "Bearer id-1", routing.TokenNone: ""} {
			r := route(routing.AuthSession)
			r.Token = token
			x, _, reached, err := h.ask(r, h.handle)
			if got := x.Decision.Bearer.Reveal(); !reached || err != nil || got != want || !x.Decision.Private {
				t.Errorf("token %v: sends %q, want %q; reached %v, error %v", token, got, want, reached, err)
			}
		}
	})
	inTime(t, "files_get_none_and_are_private_all_the_same", func(t *testing.T, h *house) {
		h.pool.fail(oauth.ErrUnavailable)
		time.Sleep(tokenLife + time.Second) // a refresh would fail
		x, _, reached, err := h.ask(&routing.Route{Path: "/", Access: routing.Access{Auth: routing.AuthSession}, Static: "dist"}, h.handle)
		if !reached || err != nil || !x.Decision.Bearer.Empty() || !x.Decision.Private {
			t.Errorf("reached %v, error %v, private %v", reached, err, x.Decision.Private)
		}
	})
	inTime(t, "an_expired_one_is_refreshed_first", func(t *testing.T, h *house) {
		time.Sleep(tokenLife + time.Second)
		x, w, reached, err := h.ask(route(routing.AuthSession), h.handle)
		if !reached || err != nil || x.Decision.Bearer.Reveal() != "Bearer access-2" || x.Event.Refresh != "done" || x.Caller.Session.Generation != 1 {
			t.Errorf("reached %v, error %v, sends %q, refresh %q", reached, err, x.Decision.Bearer.Reveal(), x.Event.Refresh)
		}
		if len(w.Header()) != 0 {
			t.Errorf("the handle is the same, and yet %v", w.Header())
		}
	})
	inTime(t, "a_new_handle_goes_to_the_browser", func(t *testing.T, h *house) {
		h.store.moving = session.NewHandle()
		time.Sleep(tokenLife + time.Second)
		x, w, reached, err := h.ask(route(routing.AuthSession), h.handle)
		if !reached || err != nil {
			t.Fatalf("reached %v, error %v", reached, err)
		}
		r := request("GET", "/")
		for _, c := range w.Result().Cookies() {
			r.AddCookie(c)
		}
		if got := h.sessions.Cookies.Session(r); !got.Equal(h.store.moving) || !x.Caller.Session.Handle.Equal(h.store.moving) {
			t.Errorf("the browser gets %v", w.Header())
		}
	})

	type want struct {
		reached   bool
		err       error
		anonymous bool
		bearer    string
	}
	for name, c := range map[string]struct {
		auth  routing.Auth
		fault error
		age   time.Duration
		want  want
	}{
		"an_outage_serves_the_token_in_hand":           {routing.AuthSession, oauth.ErrUnavailable, tokenLife - time.Second, want{true, nil, false, "Bearer access-1"}},
		"an_outage_past_expiry_is_told":                {routing.AuthSession, oauth.ErrUnavailable, tokenLife + time.Second, want{false, oauth.ErrUnavailable, false, ""}},
		"an_outage_is_never_anonymous":                 {routing.AuthOptional, oauth.ErrUnavailable, tokenLife + time.Second, want{false, oauth.ErrUnavailable, false, ""}},
		"a_misconfiguration_is_told":                   {routing.AuthSession, oauth.ErrMisconfigured, tokenLife + time.Second, want{false, oauth.ErrMisconfigured, false, ""}},
		"a_misconfiguration_is_never_anonymous":        {routing.AuthOptional, oauth.ErrMisconfigured, tokenLife + time.Second, want{false, oauth.ErrMisconfigured, false, ""}},
		"a_revoked_grant_is_the_end":                   {routing.AuthSession, oauth.ErrGrantRevoked, tokenLife + time.Second, want{false, session.ErrNotFound, false, ""}},
		"a_revoked_grant_is_anonymous_where_it_may_be": {routing.AuthOptional, oauth.ErrGrantRevoked, tokenLife + time.Second, want{true, nil, true, ""}},
	} {
		inTime(t, name, func(t *testing.T, h *house) {
			h.pool.fail(fmt.Errorf("redeem: %w", c.fault))
			time.Sleep(c.age)
			x, w, reached, err := h.ask(route(c.auth), h.handle)
			if reached != c.want.reached || !errors.Is(err, c.want.err) || x.Decision.Bearer.Reveal() != c.want.bearer {
				t.Errorf("reached %v, error %v, sends %q", reached, err, x.Decision.Bearer.Reveal())
			}
			if reached && (x.Caller.Session == nil) != c.want.anonymous {
				t.Errorf("session %v", x.Caller.Session)
			}
			if len(w.Header()) != 0 {
				t.Errorf("a cookie was touched: %v", w.Header())
			}
		})
	}
	inTime(t, "a_client_that_leaves_waits_no_longer_and_costs_no_token", func(t *testing.T, h *house) {
		time.Sleep(tokenLife + time.Second)
		x := on(route(routing.AuthSession))
		x.Handle = h.handle
		r := request("GET", "/")
		_, reached, err := walk(r.WithContext(canceled(r.Context())), x, h.sessions.LoadSession, h.sessions.FreshToken)
		if reached && x.Decision.Bearer.Reveal() != "Bearer access-2" || !reached && !errors.Is(err, context.Canceled) {
			t.Errorf("reached %v, error %v", reached, err)
		}
		synctest.Wait() // the refresh runs on
		if x, _, reached, err := h.ask(route(routing.AuthSession), h.handle); !reached || err != nil || x.Decision.Bearer.Reveal() != "Bearer access-2" {
			t.Errorf("after it: reached %v, error %v, sends %q", reached, err, x.Decision.Bearer.Reveal())
		}
	})
	inTime(t, "an_ending_between_load_and_refresh_is_the_end", func(t *testing.T, h *house) {
		time.Sleep(tokenLife + time.Second)
		x := on(route(routing.AuthSession))
		x.Handle = h.handle
		ends := func(next middleware.Handler) middleware.Handler {
			return func(w http.ResponseWriter, r *http.Request, x *middleware.Exchange) error {
				h.end(t)
				return next(w, r, x)
			}
		}
		_, reached, err := walk(request("GET", "/"), x, h.sessions.LoadSession, ends, middleware.Authorize, h.sessions.TouchSession, h.sessions.FreshToken)
		if reached || !errors.Is(err, session.ErrNotFound) {
			t.Errorf("reached %v, error %v", reached, err)
		}
	})
}

// TestAnswers puts the errors of this file through the outermost handler once,
// as a caller sees them.
func TestAnswers(t *testing.T) {
	for name, c := range map[string]struct {
		away   bool
		handle func(*house) session.Handle
		status int
		code   string
		retry  bool
	}{
		"none":   {false, none, 401, "unauthenticated", false},
		"outage": {true, live, 503, "store_unavailable", true},
	} {
		inTime(t, name, func(t *testing.T, h *house) {
			h.store.set(c.away)
			rec, l := newRecord()
			place := func(next middleware.Handler) middleware.Handler {
				return func(w http.ResponseWriter, r *http.Request, x *middleware.Exchange) error {
					x.Decision.Route, x.Handle = route(routing.AuthSession), c.handle(h)
					return next(w, r, x)
				}
			}
			w := httptest.NewRecorder()
			rec.Handler(middleware.Chain(answered, place, h.sessions.LoadSession, middleware.Authorize, h.sessions.TouchSession)).
				ServeHTTP(w, request("GET", "/", "Sec-Fetch-Mode: cors"))
			if w.Code != c.status || (w.Header().Get("Retry-After") != "") != c.retry || w.Header()["Set-Cookie"] != nil {
				t.Errorf("%d %v", w.Code, w.Header())
			}
			if line := l.one(t); line["code"] != c.code {
				t.Errorf("log: %v", line)
			}
		})
	}
}
