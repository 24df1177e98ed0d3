package telemetry_test

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/telemetry"
)

// scrape returns what Prometheus would read.
func scrape(t *testing.T, m *telemetry.Metrics) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if w.Code != 200 {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	return w.Body.String()
}

func TestMetrics(t *testing.T) {
	m := telemetry.NewMetrics("1.2.3", "c0ffee")
	api := m.Route("/api/")
	for _, status := range []int{200, 204, 302, 404, 499, 503, 101, 0, -1, 600, 99999} {
		api.Observe(status, 30*time.Millisecond)
	}
	m.Problem("cross_origin")
	m.Login("done")
	m.Refresh("done", 300*time.Millisecond)
	m.Revoke("failed")
	m.Misconfigured("/auth/callback")
	m.UserPool("get_user", "refused", 300*time.Millisecond)
	m.Store("load", "done", 300*time.Microsecond)
	m.LeaseWait("adopted", 300*time.Millisecond)
	m.RevocationCheck("done")
	m.ChangesHeard(250 * time.Millisecond)
	m.Reload("failed")
	m.Loaded()
	figures := telemetry.SessionFigures{
		Sessions: 12, SessionsAt: time.UnixMilli(1_700_000_000_500),
		CacheEntries: 3, CacheBytes: 30720, CacheHits: 41, CacheMisses: 5, CacheBypasses: 6, CacheStaleness: 125 * time.Millisecond,
		ChangesHeard: true, BreakerRefusals: 7, EventStreams: 2,
	}
	m.Sessions(func() telemetry.SessionFigures { return figures })
	text := scrape(t, m)

	for _, want := range []string{
		`gatehouse_requests_total{route="/api/",status="1xx"} 1`,
		`gatehouse_requests_total{route="/api/",status="2xx"} 2`,
		`gatehouse_requests_total{route="/api/",status="3xx"} 1`,
		`gatehouse_requests_total{route="/api/",status="4xx"} 2`,
		`gatehouse_requests_total{route="/api/",status="5xx"} 1`,
		`gatehouse_requests_total{route="/api/",status="none"} 4`,
		`gatehouse_request_duration_seconds_count{route="/api/"} 11`,
		`gatehouse_request_duration_seconds_bucket{route="/api/",le="0.025"} 0`,
		`gatehouse_request_duration_seconds_bucket{route="/api/",le="0.05"} 11`,
		`gatehouse_problems_total{code="cross_origin"} 1`,
		`gatehouse_logins_total{outcome="done"} 1`,
		`gatehouse_refresh_duration_seconds_bucket{outcome="done",le="0.25"} 0`,
		`gatehouse_refresh_duration_seconds_bucket{outcome="done",le="0.5"} 1`,
		`gatehouse_revocations_total{outcome="failed"} 1`,
		`gatehouse_misconfigured_total{where="/auth/callback"} 1`,
		`gatehouse_user_pool_duration_seconds_bucket{call="get_user",outcome="refused",le="0.5"} 1`,
		`gatehouse_store_duration_seconds_bucket{operation="load",outcome="done",le="0.0005"} 1`,
		`gatehouse_lease_wait_seconds_bucket{outcome="adopted",le="0.5"} 1`,
		`gatehouse_revocation_checks_total{outcome="done"} 1`,
		`gatehouse_session_changes_gap_seconds_bucket{le="0.25"} 1`,
		`gatehouse_config_reloads_total{outcome="failed"} 1`,
		"gatehouse_config_loaded_timestamp_seconds 1.",
		"gatehouse_sessions 12",
		"gatehouse_sessions_counted_timestamp_seconds 1.7000000005e+09",
		"gatehouse_session_cache_misses_total 5",
		"gatehouse_session_cache_bypasses_total 6",
		"gatehouse_session_cache_staleness_seconds 0.125",
		"gatehouse_token_calls_refused_total 7",
		"gatehouse_session_cache_entries 3",
		"gatehouse_session_cache_bytes 30720",
		"gatehouse_session_cache_hits_total 41",
		"gatehouse_session_changes_heard 1",
		"gatehouse_token_breaker_open 0",
		"gatehouse_event_streams 2",
		`gatehouse_build_info{commit="c0ffee",goversion="go`,
		`version="1.2.3"} 1`,
		"go_goroutines ",
	} {
		t.Run("shows_"+want, func(t *testing.T) {
			if !strings.Contains(text, want) {
				t.Errorf("no %s in\n%s", want, text)
			}
		})
	}
	t.Run("every_name_of_ours_begins_with_the_product_and_has_a_help", func(t *testing.T) {
		for line := range strings.SplitSeq(text, "\n") {
			name, _, _ := strings.Cut(strings.TrimPrefix(line, "# HELP "), " ")
			if strings.HasPrefix(line, "# HELP ") && !strings.HasPrefix(name, "gatehouse_") &&
				!strings.HasPrefix(name, "go_") && !strings.HasPrefix(name, "process_") {
				t.Errorf("%s", line)
			}
		}
	})
	t.Run("a_route_shows_before_its_first_request", func(t *testing.T) {
		m.Route("/quiet/")
		if !strings.Contains(scrape(t, m), `gatehouse_requests_total{route="/quiet/",status="5xx"} 0`) {
			t.Error("an alert on its rate would have no start")
		}
	})
	t.Run("a_number_of_sessions_that_nobody_knows_is_absent", func(t *testing.T) {
		figures.SessionsAt = time.Time{}
		if strings.Contains(scrape(t, m), "gatehouse_sessions") {
			t.Error("it is there")
		}
	})
	t.Run("two_registries_do_not_meet", func(t *testing.T) {
		if strings.Contains(scrape(t, telemetry.NewMetrics("x", "c0ffee")), "/api/") {
			t.Error("metrics are global")
		}
	})
}
