package middleware_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/middleware"
	"github.com/gatehouse-auth/gatehouse/internal/oauth"
	"github.com/gatehouse-auth/gatehouse/internal/problem"
	"github.com/gatehouse-auth/gatehouse/internal/routing"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/streams"
	"github.com/gatehouse-auth/gatehouse/internal/tunnel"
)

// bearers know the tokens good, which is good for ten minutes, and old; away is one about
// which the user pool says nothing.
func bearers() *middleware.Bearers {
	return &middleware.Bearers{Verify: func(_ context.Context, token string) (*oauth.AccessToken, error) {
		switch token {
		case "good":
			return &oauth.AccessToken{Subject: "machine", ClientID: "machine", ExpiresAt: time.Now().Add(tokenLife),
				Identity: &oauth.Identity{Subject: "machine", Access: oauth.Members{"scope": "api/read"}}}, nil
		case "old":
			return nil, fmt.Errorf("%w: %w", oauth.ErrInvalidToken, oauth.ErrExpired)
		case "away":
			return nil, fmt.Errorf("fetch keys: %w", oauth.ErrUnavailable)
		case "nowhere":
			return nil, fmt.Errorf("fetch keys: %w", oauth.ErrMisconfigured)
		}
		return nil, fmt.Errorf("%w: signature of %s", oauth.ErrInvalidToken, token)
	}}
}

// TestBearers sends requests with the cookie of a live session, from this origin and from
// another, and with every kind of Authorization header, to every kind of route.
func TestBearers(t *testing.T) {
	const (
		bySession = "session"
		byBearer  = "bearer"
		byNobody  = "nobody"
	)
	none, old := `Bearer realm="gatehouse"`, `Bearer error="invalid_token", error_description="The access token has expired."`
	bad := `Bearer error="invalid_token", error_description="The access token is not valid here."`
	malformed := `Bearer error="invalid_token", error_description="The Authorization header must come once, as Bearer and a token."`
	type verdict struct {
		by        string // who is served, or
		status    int    // how it is refused
		code      string
		challenge string
	}
	refusals := map[string]verdict{
		"old":       {"", 401, "invalid_token", old},
		"forged":    {"", 401, "invalid_token", bad},
		"away":      {"", 503, "idp_unavailable", ""},
		"nowhere":   {"", 503, "idp_unavailable", ""},
		"Basic":     {"", 401, "unauthenticated", none},
		"two":       {"", 401, "invalid_token", malformed},
		"malformed": {"", 401, "invalid_token", malformed},
	}
	sent := map[string][]string{
		"none": nil, "good": {"Bearer good"}, "in lower case": {"bearer  good"}, "old": {"Bearer old"}, "forged": {"Bearer forged"}, "away": {"Bearer away"},
		"nowhere": {"Bearer nowhere"}, "Basic": {"Basic YTpi"}, "two": {"Bearer good", "Bearer good"}, "malformed": {"Bearer good bad"},
	}
	want := func(auth routing.Auth, kind string, foreign bool) verdict {
		takesCookie := verdict{by: bySession}
		if foreign {
			takesCookie = verdict{"", 403, "cross_origin", ""}
		}
		judged, refused := refusals[kind]
		switch {
		case auth == routing.AuthNone:
			return verdict{by: byNobody}
		case auth == routing.AuthOptional && foreign:
			return verdict{by: byNobody}
		case auth == routing.AuthSession, auth == routing.AuthOptional, auth == routing.AuthEither && kind == "none":
			return takesCookie
		case kind == "none":
			return refusals["Basic"]
		case refused:
			return judged
		}
		return verdict{by: byBearer}
	}
	auths := map[string]routing.Auth{"session": routing.AuthSession, "bearer": routing.AuthBearer,
		"either": routing.AuthEither, "optional": routing.AuthOptional, "none": routing.AuthNone}
	for name, auth := range auths {
		for kind, lines := range sent {
			for _, site := range []string{"same-origin", "cross-site"} {
				inTime(t, name+", "+kind+", "+site, func(t *testing.T, h *house) {
					origins := &middleware.Origins{Cookies: h.sessions.Cookies, Scheme: "https"}
					time.Sleep(idleTimeout / 2)
					before := h.lastSeen(t)
					r := request("POST", "/api/x", "Sec-Fetch-Mode: cors", "Sec-Fetch-Site: "+site,
						"Cookie: "+sessionCookie(t, h.sessions.Cookies, h.handle))
					if lines != nil {
						r.Header["Authorization"] = lines
					}
					x := on(route(auth))
					w, reached, err := walk(r, x, origins.SameOrigin, bearers().LoadBearer, h.sessions.LoadSession,
						middleware.Authorize, h.sessions.TouchSession, h.sessions.FreshToken)
					v := want(auth, kind, site == "cross-site")
					if reached != (v.by != "") || (err == nil) != reached {
						t.Fatalf("reached %v, %v; want %+v", reached, err, v)
					}
					if err != nil {
						e := problem.Of(err)
						if e.Status != v.status || string(e.Code) != v.code || e.Header.Get("WWW-Authenticate") != v.challenge {
							t.Errorf("%d %s %q, want %+v", e.Status, e.Code, e.Header, v)
						}
						if e.Status == 503 && e.RetryAfter <= 0 {
							t.Error("503 without Retry-After")
						}
						if text := e.Public + fmt.Sprint(e.Header); strings.Contains(text, "forged") {
							t.Errorf("the answer repeats the token: %s", text)
						}
					}
					by := byNobody
					switch {
					case x.Caller.Session != nil && x.Caller.Token == nil:
						by = bySession
					case x.Caller.Session == nil && x.Caller.Token != nil:
						by = byBearer
					}
					if reached && by != v.by {
						t.Errorf("served to %s, want %s", by, v.by)
					}
					if used := !h.lastSeen(t).Equal(before); used != (v.by == bySession) {
						t.Errorf("a use of the session: %v", used)
					}
					if taken := !x.Handle.Empty(); taken != (v.by == bySession) && v.code != "cross_origin" || len(w.Header()["Set-Cookie"]) > 0 {
						t.Errorf("the cookie was taken: %v, or given: %v", taken, w.Header())
					}
					if x.Decision.Private != (v.by == bySession || v.by == byBearer) {
						t.Errorf("private is %v", x.Decision.Private)
					}
					if got := x.Decision.Bearer.Reveal(); (v.by == byBearer) != (got == "Bearer good") {
						t.Errorf("%q goes upstream", got)
					}
				})
			}
		}
	}
}

// TestBearers_send_on_what_the_route_says, whoever is known by a bearer.
func TestBearers_send_on_what_the_route_says(t *testing.T) {
	for token, want := range map[routing.Token]string{routing.TokenAccess: "Bearer good", routing.TokenID: "", routing.TokenNone: ""} {
		inTime(t, fmt.Sprint(token), func(t *testing.T, h *house) {
			x := on(route(routing.AuthBearer))
			x.Decision.Route.Token = token
			_, reached, err := walk(request("GET", "/api/x", "Authorization: Bearer good"), x,
				bearers().LoadBearer, h.sessions.LoadSession, middleware.Authorize, h.sessions.TouchSession, h.sessions.FreshToken)
			if got := x.Decision.Bearer.Reveal(); !reached || err != nil || got != want {
				t.Errorf("reached %v, %v, %q goes upstream", reached, err, got)
			}
		})
	}
}

// TestBearers_without_their_step: a walk that leaves it out serves nobody.
func TestBearers_without_their_step(t *testing.T) {
	inTime(t, "", func(t *testing.T, h *house) {
		origins := &middleware.Origins{Cookies: h.sessions.Cookies, Scheme: "https"}
		r := request("GET", "/api/x", "Sec-Fetch-Site: same-origin", "Authorization: Bearer good",
			"Cookie: "+sessionCookie(t, h.sessions.Cookies, h.handle))
		_, reached, err := walk(r, on(route(routing.AuthBearer)), origins.SameOrigin, h.sessions.LoadSession, middleware.Authorize)
		if reached || !isProblem(problem.Of(err), 401, "unauthenticated") {
			t.Errorf("reached %v, %v", reached, err)
		}
	})
}

func TestCallerWithToken(t *testing.T) {
	token := &oauth.AccessToken{Subject: "m", Identity: &oauth.Identity{Subject: "m"}}
	c := middleware.CallerWith(token, secret.NewText("Bearer t"))
	if c.Anonymous() || c.Subject != "m" || c.Session != nil || c.Identity() != token.Identity {
		t.Errorf("%+v", c)
	}
}

// TestHold_by_token: what is open on the strength of an access token ends with it.
func TestHold_by_token(t *testing.T) {
	ask := func(within func(r *http.Request, w http.ResponseWriter) error) (*deadlines, *middleware.Exchange, *http.Response) {
		record, _ := newRecord()
		w := &deadlines{ResponseRecorder: httptest.NewRecorder()}
		hold := &middleware.Streams{Open: &streams.Registry{}}
		var made *middleware.Exchange
		record.Handler(func(inner http.ResponseWriter, r *http.Request, x *middleware.Exchange) error {
			made = x
			x.Decision.Route = route(routing.AuthBearer)
			return middleware.Chain(func(w http.ResponseWriter, r *http.Request, _ *middleware.Exchange) error {
				return within(r, w)
			}, bearers().LoadBearer, middleware.Authorize, hold.Hold)(inner, r, x)
		}).ServeHTTP(w, request("GET", "/api/x", "Authorization: Bearer good"))
		return w, made, w.Result()
	}
	untilEnded := func(r *http.Request, _ http.ResponseWriter) error {
		<-r.Context().Done()
		return context.Cause(r.Context())
	}
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var cause error
		w, x, res := ask(func(r *http.Request, inner http.ResponseWriter) error {
			cause = untilEnded(r, inner)
			return cause
		})
		if took := time.Since(start); took != tokenLife {
			t.Errorf("ended after %v", took)
		}
		if why, ok := errors.AsType[tunnel.Closing](cause); !ok || why.Code != 1008 || !strings.Contains(why.Reason, "expired") {
			t.Errorf("the context ends with %v", cause)
		}
		if res.StatusCode != 401 || !strings.Contains(res.Header.Get("WWW-Authenticate"), "invalid_token") || res.Header.Get("Connection") != "close" {
			t.Errorf("%d %v", res.StatusCode, res.Header)
		}
		if !w.holds() || x.Event.Note != "ended with its access token" {
			t.Errorf("limits %v and %v, note %q", w.read, w.write, x.Event.Note)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		w, x, res := ask(func(_ *http.Request, inner http.ResponseWriter) error {
			time.Sleep(tokenLife - 1)
			inner.WriteHeader(http.StatusNoContent)
			return nil
		})
		time.Sleep(time.Hour)
		if res.StatusCode != 204 || w.holds() || !w.read.IsZero() || x.Event.Note != "" {
			t.Errorf("%d, limits %v, note %q", res.StatusCode, w.read, x.Event.Note)
		}
	})
}
