package telemetry_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/telemetry"
)

func TestRouteMetrics(t *testing.T) {
	m := telemetry.NewMetrics("1.2.3", "c0ffee")
	synctest.Test(t, func(t *testing.T) {
		api, began := m.Route("/api/"), time.Now()
		time.Sleep(30 * time.Millisecond)
		for _, status := range []int{200, 204, 302, 404, 499, 503, 103, 0, -1, 600, 99999} {
			api.Observe(&telemetry.Event{Start: began, Status: status}, time.Now())
		}
		time.Sleep(time.Hour)
		api.Observe(&telemetry.Event{Start: began, Status: 101, Stream: true}, time.Now())
	})
	m.Route("/quiet/")
	text := scrape(t, m)
	for _, want := range []string{
		`gatehouse_requests_total{route="/api/",status="1xx"} 2`,
		`gatehouse_requests_total{route="/api/",status="2xx"} 2`,
		`gatehouse_requests_total{route="/api/",status="3xx"} 1`,
		`gatehouse_requests_total{route="/api/",status="4xx"} 2`,
		`gatehouse_requests_total{route="/api/",status="5xx"} 1`,
		`gatehouse_requests_total{route="/api/",status="none"} 4`,
		`gatehouse_request_duration_seconds_count{route="/api/"} 11`, // without the stream
		`gatehouse_request_duration_seconds_bucket{route="/api/",le="0.025"} 0`,
		`gatehouse_request_duration_seconds_bucket{route="/api/",le="0.05"} 11`,
		`gatehouse_requests_total{route="/quiet/",status="5xx"} 0`, // or an alert on its rate would have no start
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in\n%s", want, text)
		}
	}
}
