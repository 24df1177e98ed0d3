package sessionstore_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/redistest"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/sessionstore/storetest"
)

// TestRedisRoundTrips counts what one call costs Redis.
func TestRedisRoundTrips(t *testing.T) {
	server := redistest.Start(t, redistest.Options{})
	st := openRedis(t, server, 30*time.Minute)
	admin := server.Client()
	s := createIn(t, st, storetest.Sample("sub-1"))
	if err := admin.ConfigResetStat(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	for range 100 {
		if _, err := st.Load(t.Context(), s.Handle); err != nil {
			t.Fatal(err)
		}
		for _, h := range []session.Handle{{}, secret.NewText("garbage")} {
			if _, err := st.Load(t.Context(), h); !errors.Is(err, session.ErrNotFound) {
				t.Fatal(err)
			}
		}
	}
	stats := admin.Info(t.Context(), "commandstats").Val()
	if !strings.Contains(stats, "cmdstat_get:calls=100,") || strings.Count(stats, "cmdstat_") > 3 {
		t.Errorf("100 loads and 200 handles never made cost\n%s", stats)
	}
}
