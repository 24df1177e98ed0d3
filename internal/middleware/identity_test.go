package middleware_test

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-auth/gatehouse/internal/assertion"
	"github.com/gatehouse-auth/gatehouse/internal/identity"
	"github.com/gatehouse-auth/gatehouse/internal/middleware"
	"github.com/gatehouse-auth/gatehouse/internal/oauth"
	"github.com/gatehouse-auth/gatehouse/internal/routing"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// identified is a route that says who is calling, and sends no token.
func identified(auth routing.Auth) *routing.Route {
	r := route(auth)
	r.Token, r.Identity = routing.TokenNone, identity.New(true, nil)
	return r
}

// vouches is [identified], by an assertion.
func vouches(auth routing.Auth) *routing.Route {
	r := route(auth)
	r.Token, r.Assertion = routing.TokenNone, assertion.NewRule("orders", "X-Gatehouse-Assertion")
	return r
}

// askIdentity asks a route as [house.ask] does, and returns the headers that say who is
// calling.
func (h *house) askIdentity(r *routing.Route) (http.Header, *middleware.Exchange, error) {
	ring, err := secret.NewRing(make([]byte, secret.KeySize))
	if err != nil {
		return nil, nil, err
	}
	signer := assertion.NewSigner(own, ring)
	x := on(r)
	x.Handle = h.handle
	_, _, err = walk(request("GET", "/"), x, h.sessions.LoadSession, middleware.Authorize, h.sessions.FreshToken, middleware.Identify(signer))
	sent := http.Header{}
	x.Decision.Identify(sent)
	x.Decision.Vouch(sent)
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
	for how, told := range map[string]func(routing.Auth) *routing.Route{"headers": identified, "an assertion": vouches} {
		inTime(t, how+"_say_nothing_of_nobody", func(t *testing.T, h *house) {
			h.handle = unknown
			if got, _, err := h.askIdentity(told(routing.AuthOptional)); len(got) != 0 || err != nil {
				t.Errorf("%v, error %v", got, err)
			}
		})
		inTime(t, how+"_are_as_fresh_as_a_token_would_be", func(t *testing.T, h *house) {
			time.Sleep(tokenLife + time.Second)
			if got, x, err := h.askIdentity(told(routing.AuthSession)); len(got) == 0 || err != nil || x.Event.Refresh != "done" {
				t.Errorf("%v, error %v, refresh %q", got, err, x.Event.Refresh)
			}
		})
		inTime(t, how+"_are_not_older_than_a_token_may_be", func(t *testing.T, h *house) {
			h.pool.fail(oauth.ErrUnavailable)
			time.Sleep(tokenLife + time.Second)
			if _, _, err := h.askIdentity(told(routing.AuthSession)); !errors.Is(err, oauth.ErrUnavailable) {
				t.Errorf("error %v", err)
			}
		})
		inTime(t, how+"_say_nothing_of_who_has_lost_the_grant", func(t *testing.T, h *house) {
			h.pool.fail(oauth.ErrGrantRevoked)
			time.Sleep(tokenLife + time.Second)
			if got, _, err := h.askIdentity(told(routing.AuthOptional)); len(got) != 0 || err != nil {
				t.Errorf("%v, error %v", got, err)
			}
		})
	}
}
