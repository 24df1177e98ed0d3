package middleware_test

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-auth/gatehouse/internal/identity"
	"github.com/gatehouse-auth/gatehouse/internal/middleware"
	"github.com/gatehouse-auth/gatehouse/internal/oauth"
	"github.com/gatehouse-auth/gatehouse/internal/routing"
)

// identified is a route that says who is calling, and sends no token.
func identified(auth routing.Auth) *routing.Route {
	r := route(auth)
	r.Token, r.Identity = routing.TokenNone, identity.New(true, nil)
	return r
}

// askIdentity asks a route as [house.ask] does, and returns the headers that say who is
// calling.
func (h *house) askIdentity(r *routing.Route) (http.Header, *middleware.Exchange, error) {
	x := on(r)
	x.Handle = h.handle
	_, _, err := walk(request("GET", "/"), x, h.sessions.LoadSession, middleware.Authorize, h.sessions.FreshToken, middleware.Identify)
	sent := http.Header{}
	x.Decision.Identify(sent)
	return sent, x, err
}

func TestIdentify(t *testing.T) {
	ada := http.Header{"X-Auth-Subject": {"sub-1"}, "X-Auth-Username": {"sub-1"}}
	inTime(t, "says_who_is_calling", func(t *testing.T, h *house) {
		got, x, err := h.askIdentity(identified(routing.AuthSession))
		if diff := cmp.Diff(ada, got); diff != "" || err != nil || !x.Decision.Bearer.Empty() || !x.Decision.Private {
			t.Errorf("%s, error %v, private %v", diff, err, x.Decision.Private)
		}
	})
	inTime(t, "says_nothing_where_nobody_asked", func(t *testing.T, h *house) {
		if got, _, err := h.askIdentity(route(routing.AuthSession)); len(got) != 0 || err != nil {
			t.Errorf("%v, error %v", got, err)
		}
	})
	inTime(t, "says_nothing_of_nobody", func(t *testing.T, h *house) {
		h.handle = unknown
		if got, _, err := h.askIdentity(identified(routing.AuthOptional)); len(got) != 0 || err != nil {
			t.Errorf("%v, error %v", got, err)
		}
	})
	inTime(t, "is_as_fresh_as_a_token_would_be", func(t *testing.T, h *house) {
		time.Sleep(tokenLife + time.Second)
		if got, x, err := h.askIdentity(identified(routing.AuthSession)); len(got) == 0 || err != nil || x.Event.Refresh != "done" {
			t.Errorf("%v, error %v, refresh %q", got, err, x.Event.Refresh)
		}
	})
	inTime(t, "is_not_older_than_a_token_may_be", func(t *testing.T, h *house) {
		h.pool.fail(oauth.ErrUnavailable)
		time.Sleep(tokenLife + time.Second)
		if _, _, err := h.askIdentity(identified(routing.AuthSession)); !errors.Is(err, oauth.ErrUnavailable) {
			t.Errorf("error %v", err)
		}
	})
	inTime(t, "says_nothing_of_who_has_lost_the_grant", func(t *testing.T, h *house) {
		h.pool.fail(oauth.ErrGrantRevoked)
		time.Sleep(tokenLife + time.Second)
		if got, _, err := h.askIdentity(identified(routing.AuthOptional)); len(got) != 0 || err != nil {
			t.Errorf("%v, error %v", got, err)
		}
	})
}
