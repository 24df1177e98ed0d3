package server_test

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/cognitoemu"
	"github.com/gatehouse-auth/gatehouse/internal/config"
	"github.com/gatehouse-auth/gatehouse/internal/freeport"
	"github.com/gatehouse-auth/gatehouse/internal/redistest"
)

// metric returns a metric's value, which must be there or not.
func (a admin) metric(name string) (value float64, ok bool) {
	a.t.Helper()
	_, body := a.call("GET", "/metrics")
	for line := range strings.SplitSeq(body, "\n") {
		if text, found := strings.CutPrefix(line, name+" "); found {
			v, err := strconv.ParseFloat(text, 64)
			if err != nil {
				a.t.Fatal(err)
			}
			return v, true
		}
	}
	return 0, false
}

func (a admin) wantMetric(name string, want float64) {
	a.t.Helper()
	if got, ok := a.metric(name); !ok || got != want {
		a.t.Errorf("%s is %v (there: %v), want %v", name, got, ok, want)
	}
}

// TestMetricsOfTheUserPool: every call is counted under what it was for and what
// came of it.
func TestMetricsOfTheUserPool(t *testing.T) {
	r, a := withAdmin(t, func(doc map[string]any) { doc["revocation_check"] = "1ms" })
	calls := func(call, outcome string, want float64) {
		t.Helper()
		a.wantMetric(`gatehouse_user_pool_duration_seconds_count{call="`+call+`",outcome="`+outcome+`"}`, want)
	}
	b := r.signedIn("alice@example.com")
	b.fetch("GET", "/api/x", "")
	b.fetch("POST", "/auth/refresh", "")
	b.fetch("POST", "/auth/logout", `{"global":true}`, "Content-Type", "application/json")
	until(t, "the revocation", func() bool {
		_, ok := a.metric(`gatehouse_user_pool_duration_seconds_count{call="revoke",outcome="done"}`)
		return ok
	})
	calls("jwks", "done", 1)
	calls("code", "done", 1)
	calls("refresh", "done", 1)
	calls("global_sign_out", "done", 1)
	if n, _ := a.metric(`gatehouse_user_pool_duration_seconds_count{call="get_user",outcome="done"}`); n < 1 {
		t.Errorf("%v questions for the user", n)
	}
	if n, _ := a.metric(`gatehouse_revocation_checks_total{outcome="done"}`); n < 1 {
		t.Errorf("%v checks for revocation", n)
	}

	stranger := r.browser()
	query := stranger.pending("/")
	stranger.open(r.callback(map[string][]string{"code": {"guessed"}, "state": {query.Get("state")}}))
	calls("code", "refused", 1)
	r.emu.Levers().Fail("/oauth2/token", cognitoemu.Fault{Kind: cognitoemu.RateExceeded})
	query = stranger.pending("/")
	stranger.open(r.callback(map[string][]string{"code": {"guessed"}, "state": {query.Get("state")}}))
	calls("code", "busy", 1)
}

// TestMetricsOfRequests: each endpoint of the gateway's own is counted by its
// pattern, and what a caller makes up is no label.
func TestMetricsOfRequests(t *testing.T) {
	r, a := withAdmin(t)
	requests := func(route, status string, want float64) {
		t.Helper()
		a.wantMetric(`gatehouse_requests_total{route="`+route+`",status="`+status+`"}`, want)
	}
	requests("/auth/session", "2xx", 0) // or an alert on its rate would have no start
	b := r.signedIn("alice@example.com")
	b.fetch("GET", "/auth/session", "")
	b.fetch("DELETE", "/auth/session", "")
	b.fetch("DELETE", "/auth/sessions/one", "")
	b.fetch("DELETE", "/auth/sessions/another", "")
	b.fetch("GET", "/auth/made-up", "")
	b.fetch("GET", "/api/x", "")
	requests("/auth/login", "3xx", 1)
	requests("/auth/callback", "3xx", 1)
	requests("/auth/session", "2xx", 1)
	requests("/auth/sessions/{id}", "4xx", 2)
	requests("/auth", "4xx", 2)
	requests("/api/", "2xx", 2) // the login ended there, too

	stream := b.events(t, "")
	stream.close()
	until(t, "the end of the stream", func() bool {
		n, _ := a.metric(`gatehouse_requests_total{route="/auth/events",status="2xx"}`)
		return n == 1
	})
	a.wantMetric(`gatehouse_request_duration_seconds_count{route="/auth/events"}`, 0)
	a.wantMetric(`gatehouse_request_duration_seconds_count{route="/auth/session"}`, 1)
}

func TestMetricsOfReloads(t *testing.T) {
	address := freeport.Addr(t)
	r := newRig(t)
	listen := func(doc map[string]any) { doc["admin_listen"] = address }
	in, a := r.instance(listen), admin{t: t, base: "http://" + address}
	until(t, "the admin listener", func() bool {
		res, err := http.Get(a.base + "/healthz")
		if err == nil {
			_ = res.Body.Close()
		}
		return err == nil
	})
	started, _ := a.metric("gatehouse_config_loaded_timestamp_seconds")
	if age := time.Since(time.Unix(int64(started), 0)); age < 0 || age > time.Minute {
		t.Errorf("loaded %v ago", age)
	}
	if err := in.Reload(func() (*config.Config, error) { return nil, errors.New("faulty") }); err == nil {
		t.Error("a faulty configuration was taken")
	}
	a.wantMetric(`gatehouse_config_reloads_total{outcome="failed"}`, 1)
	a.wantMetric("gatehouse_config_loaded_timestamp_seconds", started)
	r.reload(in.Server, listen)
	a.wantMetric(`gatehouse_config_reloads_total{outcome="done"}`, 1)
	if at, _ := a.metric("gatehouse_config_loaded_timestamp_seconds"); at <= started {
		t.Errorf("loaded at %v, and at first at %v", at, started)
	}
}

func TestMetricsOfSessions(t *testing.T) {
	t.Run("in_memory_their_number_is_exact", func(t *testing.T) {
		r, a := withAdmin(t)
		a.wantMetric("gatehouse_sessions", 0)
		r.signedIn("alice@example.com")
		b := r.signedIn("bob@example.com")
		a.wantMetric("gatehouse_sessions", 2)
		b.fetch("POST", "/auth/logout", "")
		a.wantMetric("gatehouse_sessions", 1)
		got := decode[struct {
			Sessions struct{ Count, CountedAt int64 }
		}](t, second(a.call("GET", "/admin/stats")))
		if got.Sessions.Count != 1 || time.Since(time.Unix(got.Sessions.CountedAt, 0)) > time.Minute {
			t.Errorf("stats say %+v", got)
		}
		if _, ok := a.metric("gatehouse_session_cache_misses_total"); !ok {
			t.Error("no misses of the cache")
		}
	})
	t.Run("in_redis_they_are_counted_when_somebody_asks", func(t *testing.T) {
		redis := redistest.Start(t, redistest.Options{})
		r, a := withAdmin(t, func(doc map[string]any) { doc["session"].(map[string]any)["store"] = redis.URL })
		r.signedIn("alice@example.com")
		until(t, "a count", func() bool { n, _ := a.metric("gatehouse_sessions"); return n == 1 })
	})
	t.Run("where_nobody_may_count_it_is_absent", func(t *testing.T) {
		redis := redistest.Start(t, redistest.Options{User: "gateway", Password: "password", Rules: "~* &* +@all -scan"})
		r, a := withAdmin(t, func(doc map[string]any) { doc["session"].(map[string]any)["store"] = redis.URL })
		b := r.signedIn("alice@example.com")
		if n, ok := a.metric("gatehouse_sessions"); ok {
			t.Errorf("it is %v", n)
		}
		if body := second(a.call("GET", "/admin/stats")); strings.Contains(body, "sessions") {
			t.Errorf("stats say %s", body)
		}
		until(t, "a line of it", func() bool { return strings.Contains(r.logs.String(), "sessions are not counted") })
		until(t, "a second sign of life", func() bool {
			n, _ := a.metric("gatehouse_session_changes_gap_seconds_count")
			return n > 0
		})
		b.fetch("GET", "/api/x", "")
		b.fetch("GET", "/api/x", "")
		for _, name := range []string{"gatehouse_session_cache_hits_total", "gatehouse_session_cache_misses_total"} {
			if n, _ := a.metric(name); n == 0 {
				t.Errorf("%s is 0", name)
			}
		}
		const failed = `gatehouse_store_duration_seconds_count{operation="load",outcome="failed"}`
		a.call("DELETE", "/admin/sessions/"+b.sessionID())
		until(t, "the session to be gone", func() bool { return !b.session().Authenticated })
		if _, ok := a.metric(failed); ok {
			t.Error("that a session is not there counts as a failure")
		}
		redis.Stop()
		until(t, "a failure of the store", func() bool {
			b.fetch("GET", "/auth/session", "")
			_, ok := a.metric(failed)
			return ok
		})
	})
}

func second[A, B any](_ A, b B) B { return b }
