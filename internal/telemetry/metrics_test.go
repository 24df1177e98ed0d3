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

var (
	spins = telemetry.NewCounter("test_spins_total", "Spins.", "way")
	waits = telemetry.NewHistogram("test_wait_seconds", "Waits.", []float64{.25, .5}, "for", "outcome")
	gaps  = telemetry.NewHistogram("test_gap_seconds", "Gaps.", []float64{.25})
	since = telemetry.NewGauge("test_timestamp_seconds", "When.")
	level = telemetry.NewReading("test_level", "Level.")
	drops = telemetry.NewReading("test_drops_total", "Drops.")
	_     = telemetry.NewReading("test_absent", "Not known.")
)

func TestMetrics(t *testing.T) {
	m := telemetry.NewMetrics("1.2.3", "c0ffee")
	m.Count(spins, "left")
	m.Count(spins, "left")
	m.Observe(waits, 300*time.Millisecond, "a turn", "done")
	m.Observe(gaps, 250*time.Millisecond)
	m.SetTime(since, time.UnixMilli(1_700_000_000_500))
	m.OnScrape(func(show telemetry.Show) {
		show(level, 0.125)
		show(drops, 7)
	})
	text := scrape(t, m)

	for _, want := range []string{
		`gatehouse_test_spins_total{way="left"} 2`,
		`gatehouse_test_wait_seconds_bucket{for="a turn",outcome="done",le="0.25"} 0`,
		`gatehouse_test_wait_seconds_bucket{for="a turn",outcome="done",le="0.5"} 1`,
		`gatehouse_test_gap_seconds_bucket{le="0.25"} 1`,
		"gatehouse_test_timestamp_seconds 1.7000000005e+09",
		"# TYPE gatehouse_test_level gauge\ngatehouse_test_level 0.125",
		"# TYPE gatehouse_test_drops_total counter\ngatehouse_test_drops_total 7",
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
	t.Run("a_reading_that_is_not_shown_is_absent", func(t *testing.T) {
		if strings.Contains(text, "gatehouse_test_absent") {
			t.Error("it is there")
		}
	})
	t.Run("two_registries_do_not_meet", func(t *testing.T) {
		if strings.Contains(scrape(t, telemetry.NewMetrics("x", "c0ffee")), `{way="left"}`) {
			t.Error("metrics are global")
		}
	})
	t.Run("none_count_nothing", func(*testing.T) {
		var none *telemetry.Metrics
		none.Count(spins, "left")
		none.Observe(gaps, time.Second)
		none.SetTime(since, time.Now())
	})
}
