package sessionstore_test

import (
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/redistest"
	"github.com/gatehouse-auth/gatehouse/internal/sessionstore"
)

// TestRedisRate counts at two instances that share a Redis of each kind. Nothing of a rate
// of some an hour is given back while the test runs.
func TestRedisRate(t *testing.T) {
	for name, start := range map[string]func(t *testing.T) *redistest.Server{
		"one_server_and_no_more_rights_than_before": func(t *testing.T) *redistest.Server {
			return redistest.Start(t, redistest.Options{User: "gateway", Password: "p@ss#word", Rules: leastRules})
		},
		"sentinel": func(t *testing.T) *redistest.Server {
			return &redistest.Server{URL: redistest.StartSentinel(t, redistest.Options{User: "gateway", Password: "pw", Rules: leastRules}).URL}
		},
		"cluster": func(t *testing.T) *redistest.Server {
			return &redistest.Server{URL: redistest.StartCluster(t, redistest.Options{User: "gateway", Password: "pw", Rules: leastClusterRules}, false).URL}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := start(t)
			a, b := openRedis(t, server, time.Minute), openRedis(t, server, time.Minute)
			const interval, depth = 6 * time.Hour, 24 * time.Hour
			for i, want := range []bool{true, true, true, true, false, false} {
				st := []*sessionstore.Redis{a, b}[i%2]
				ahead, counted, err := st.TakeRate(t.Context(), "route\x00203.0.113.7", interval, depth)
				if err != nil || counted != want {
					t.Fatalf("request %d counts: %v, %v; want %v", i, counted, err, want)
				}
				if most := interval * time.Duration(min(i+1, 4)); ahead > most || ahead < most-time.Hour {
					t.Errorf("request %d is %v ahead, want %v or little less", i, ahead, most)
				}
			}
			for _, other := range []string{"route\x00203.0.113.8", "other\x00203.0.113.7"} {
				if _, counted, err := a.TakeRate(t.Context(), other, interval, depth); err != nil || !counted {
					t.Errorf("%q has a count of its own: %v, %v", other, counted, err)
				}
			}
		})
	}
}

// A rate is kept to the microsecond, though a key's life is in milliseconds: a thousand
// steps of 300.007 s make no more of a difference than their sum.
func TestRedisRate_adds_up(t *testing.T) {
	server := redistest.Start(t, redistest.Options{})
	st, admin := openRedis(t, server, time.Minute), server.Client()
	const interval = 300*time.Second + 7*time.Microsecond
	var ahead time.Duration
	for range 1000 {
		var err error
		if ahead, _, err = st.TakeRate(t.Context(), "k", interval, 365*24*time.Hour); err != nil {
			t.Fatal(err)
		}
	}
	if part := ahead % time.Millisecond; part != 7*time.Microsecond*1000%time.Millisecond {
		t.Errorf("%v ahead after 1000 of %v", ahead, interval)
	}
	keys, err := admin.Keys(t.Context(), "*").Result()
	if err != nil || len(keys) != 1 || !strings.HasPrefix(keys[0], "gatehouse:r:{") {
		t.Fatalf("keys %q, %v", keys, err)
	}
	life, err := admin.PTTL(t.Context(), keys[0]).Result()
	if err != nil || life > ahead || life < ahead-time.Hour {
		t.Errorf("the count lives %v, %v; want %v: when it is given back it is to be gone", life, err, ahead)
	}
}
