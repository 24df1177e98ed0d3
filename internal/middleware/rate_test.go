package middleware_test

import (
	"errors"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/middleware"
	"github.com/gatehouse-auth/gatehouse/internal/problem"
	"github.com/gatehouse-auth/gatehouse/internal/ratelimit"
	"github.com/gatehouse-auth/gatehouse/internal/routing"
)

// oneADay lets one request pass, of each whose requests count together.
func oneADay(by routing.RateBy) *middleware.Rate {
	rate := routing.Rate{Limit: ratelimit.Limit{Requests: 1, Per: 24 * time.Hour}, By: by}
	return middleware.NewRate("app.example/api/", rate, nil, nil)
}

func TestRate_counts_together(t *testing.T) {
	type caller struct{ address, user string }
	for name, c := range map[string]struct {
		by    routing.RateBy
		first caller
		same  []caller
		other []caller
	}{
		"address": {routing.ByAddress, caller{"192.0.2.1", "ann"}, []caller{{"192.0.2.1", ""}, {"192.0.2.1", "bob"}}, []caller{{"192.0.2.2", "ann"}, {"", ""}}},
		"network": {routing.ByAddress, caller{"2001:db8::1", ""}, []caller{{"2001:db8::ffff:1", ""}}, []caller{{"2001:db8:0:1::1", ""}}},
		"user":    {routing.ByUser, caller{"192.0.2.1", "ann"}, []caller{{"192.0.2.2", "ann"}}, []caller{{"192.0.2.1", "bob"}, {"192.0.2.1", ""}}},
		"nobody":  {routing.ByUser, caller{"192.0.2.1", ""}, []caller{{"192.0.2.1", ""}}, []caller{{"192.0.2.2", ""}, {"192.0.2.1", "ann"}, {"", "192.0.2.1"}}},
		"all":     {routing.ByRoute, caller{"192.0.2.1", "ann"}, []caller{{"192.0.2.2", "bob"}, {"", ""}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			limit := oneADay(c.by)
			take := func(who caller) error {
				x := on(&routing.Route{})
				x.Decision.Client, x.Caller.Subject = who.address, who.user
				return limit.Take(t.Context(), x)
			}
			if err := take(c.first); err != nil {
				t.Fatal(err)
			}
			for _, who := range c.same {
				if err := take(who); !isProblem(err, http.StatusTooManyRequests, "rate_limited") {
					t.Errorf("%+v: %v", who, err)
				}
			}
			for _, who := range c.other {
				if err := take(who); err != nil {
					t.Errorf("%+v counts as %+v: %v", who, c.first, err)
				}
			}
		})
	}
}

func TestRate_says_when_to_come_back(t *testing.T) {
	rate := routing.Rate{Limit: ratelimit.Limit{Requests: 48, Per: 24 * time.Hour, Burst: 1}, By: routing.ByAddress}
	limit := middleware.NewRate("login", rate, nil, nil)
	x := on(&routing.Route{})
	_ = limit.Take(t.Context(), x)
	var e *problem.Error
	if err := limit.Take(t.Context(), x); !errors.As(err, &e) {
		t.Fatal(err)
	}
	h := http.Header{}
	e.SetHeaders(h)
	// Half an hour, less what the test took.
	seconds := h.Get("Retry-After")
	if e.RetryAfter > 30*time.Minute || len(seconds) != 4 {
		t.Errorf("Retry-After %q", seconds)
	}
	if got, want := h["Ratelimit"], []string{`"address";r=0;t=` + seconds}; !slices.Equal(got, want) {
		t.Errorf("RateLimit %q, want %q", got, want)
	}
	if got, want := h["Ratelimit-Policy"], []string{`"address";q=48;w=86400`}; !slices.Equal(got, want) {
		t.Errorf("RateLimit-Policy %q, want %q", got, want)
	}
}

// What is counted by user is judged where the user is known, all else before.
func TestRates_stand_where_they_can_judge(t *testing.T) {
	free, byAddress, byUser, byRoute := &routing.Route{}, &routing.Route{}, &routing.Route{}, &routing.Route{}
	limits := middleware.Rates{
		byAddress: oneADay(routing.ByAddress), byUser: oneADay(routing.ByUser), byRoute: oneADay(routing.ByRoute),
	}
	for name, c := range map[string]struct {
		route          *routing.Route
		before, behind bool // refuses a second request
	}{
		"no_limit": {route: free},
		"address":  {route: byAddress, before: true},
		"route":    {route: byRoute, before: true},
		"user":     {route: byUser, behind: true},
	} {
		t.Run(name, func(t *testing.T) {
			for place, at := range map[string]struct {
				limit   middleware.Middleware
				refuses bool
			}{"before": {limits.BeforeSession, c.before}, "behind": {limits.OfUser, c.behind}} {
				_, _, _ = walk(request("GET", "/"), on(c.route), at.limit)
				_, reached, err := walk(request("GET", "/"), on(c.route), at.limit)
				if refused := isProblem(err, http.StatusTooManyRequests, "rate_limited"); refused != at.refuses || reached == refused {
					t.Errorf("%s the session: reached %v, %v", place, reached, err)
				}
			}
		})
	}
}

func TestOccupied(t *testing.T) {
	route, free := &routing.Route{Path: "/api/", Concurrency: 2}, &routing.Route{}
	places := &middleware.Places{}
	occupied := &middleware.Occupied{Routes: map[*routing.Route]*middleware.Places{route: places}}
	enter := func(r *routing.Route, inside middleware.Handler) error {
		return middleware.Chain(inside, occupied.Hold)(nil, request("GET", "/"), on(r))
	}
	nothing := func(http.ResponseWriter, *http.Request, *middleware.Exchange) error { return nil }
	busy := func(err error) bool { return isProblem(err, http.StatusServiceUnavailable, "route_busy") }

	err := enter(route, func(http.ResponseWriter, *http.Request, *middleware.Exchange) error {
		return enter(route, func(http.ResponseWriter, *http.Request, *middleware.Exchange) error {
			if err := enter(free, nothing); err != nil {
				t.Errorf("another route: %v", err)
			}
			for range 3 { // a refusal takes no place, and gives none back
				if err := enter(route, nothing); !busy(err) {
					t.Errorf("the third: %v", err)
				}
			}
			return errors.New("of the innermost")
		})
	})
	if err == nil || err.Error() != "of the innermost" {
		t.Errorf("two: %v", err)
	}
	func() {
		defer func() { _ = recover() }()
		_ = enter(route, func(http.ResponseWriter, *http.Request, *middleware.Exchange) error { panic(http.ErrAbortHandler) })
	}()
	if n := places.Taken(); n != 0 {
		t.Errorf("%d places are taken after all have left", n)
	}
}
