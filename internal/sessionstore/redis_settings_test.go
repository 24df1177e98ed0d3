package sessionstore_test

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/redistest"
	"github.com/gatehouse-auth/gatehouse/internal/sessionstore"
	"github.com/gatehouse-auth/gatehouse/internal/sessionstore/storetest"
)

// lockedBuffer is a log that is read while it is written.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// logged returns a store at a URL, and what it logs.
func logged(t *testing.T, url string) (*sessionstore.Redis, *lockedBuffer) {
	t.Helper()
	log := &lockedBuffer{}
	return open(t, &redistest.Server{URL: url}, sessionstore.RedisOptions{
		IdleTimeout: time.Minute,
		Logger:      slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}), log
}

func TestRedisWarnsOfLoss(t *testing.T) {
	const evicts, forgets, unknown = "set maxmemory-policy noeviction", "set appendonly yes", "not known whether redis keeps its data"
	evicting := []string{"maxmemory 100mb", "maxmemory-policy volatile-lru"}
	for name, tc := range map[string]struct {
		config []string
		rules  string // of its user; none: there are no users
		want   []string
	}{
		"a_server_that_keeps_all":                  {nil, "", nil},
		"no_limit_of_memory":                       {[]string{"maxmemory-policy allkeys-lru"}, "", nil},
		"a_limit_and_no_eviction":                  {[]string{"maxmemory 100mb"}, "", nil},
		"eviction":                                 {evicting, "", []string{evicts, "maxmemory-policy=volatile-lru"}},
		"snapshots_alone":                          {[]string{"appendonly no", "save 60 1"}, "", nil},
		"no_persistence":                           {[]string{"appendonly no"}, "", []string{forgets, "appendonly=no"}},
		"eviction_and_no_persistence":              {append(evicting, "appendonly no"), "", []string{evicts, forgets}},
		"CONFIG_renamed":                           {append(evicting, "appendonly no", `rename-command CONFIG ""`), "", []string{evicts}},
		"a_user_who_may_CONFIG_GET":                {append(evicting, "appendonly no"), leastRules + " +config|get", []string{evicts, forgets}},
		"a_user_who_may_INFO":                      {append(evicting, "appendonly no"), leastRules + " +info", []string{evicts}},
		"a_user_who_may_neither":                   {append(evicting, "appendonly no"), leastRules, []string{unknown}},
		"CONFIG_renamed_and_a_user_without_INFO":   {append(evicting, `rename-command CONFIG ""`), leastRules, []string{unknown}},
		"a_user_who_may_INFO_and_does_not_need_it": {nil, leastRules + " +info", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := redistest.Options{Config: tc.config}
			if tc.rules != "" {
				o.User, o.Password, o.Rules = "gateway", "password", tc.rules
			}
			st, log := logged(t, redistest.Start(t, o).URL)
			known := sessionstore.WarnOfLoss(t.Context(), st)
			said := log.String()
			if known == strings.Contains(said, unknown) {
				t.Errorf("the settings are known: %v", known)
			}
			if sessionstore.WarnOfLoss(t.Context(), st); known && log.String() != said {
				t.Errorf("and when it is told already:\n%s", log)
			}
			for _, want := range tc.want {
				if strings.Count(said, want) != 1 {
					t.Errorf("want %q", want)
				}
			}
			warnings := 0
			for _, line := range []string{evicts, forgets} {
				warnings += strings.Count(strings.Join(tc.want, "\n"), line)
			}
			if n := strings.Count(said, "level=WARN"); n != warnings {
				t.Errorf("%d warnings, want %d", n, warnings)
			}
			if t.Failed() {
				t.Logf("it said:\n%s", said)
			}
		})
	}

	t.Run("once_behind_the_first_subscription", func(t *testing.T) {
		t.Parallel()
		st, log := logged(t, redistest.Start(t, redistest.Options{Config: evicting}).URL)
		storetest.Watch(t, st)
		for began := time.Now(); !strings.Contains(log.String(), evicts); time.Sleep(time.Millisecond) {
			if time.Since(began) > patience {
				t.Fatalf("never a warning:\n%s", log)
			}
		}
	})

	t.Run("a_server_that_is_away_is_asked_again", func(t *testing.T) {
		t.Parallel()
		server := redistest.Start(t, redistest.Options{Config: evicting})
		st, log := logged(t, server.URL)
		server.Stop()
		if sessionstore.WarnOfLoss(t.Context(), st) || strings.Contains(log.String(), "WARN") {
			t.Errorf("it said:\n%s", log)
		}
		server.Restart()
		if !sessionstore.WarnOfLoss(t.Context(), st) || !strings.Contains(log.String(), evicts) {
			t.Errorf("it said:\n%s", log)
		}
	})

	t.Run("every_primary_of_a_cluster_is_asked", func(t *testing.T) {
		t.Parallel()
		cluster := redistest.StartCluster(t, redistest.Options{}, false)
		last := cluster.Nodes[len(cluster.Nodes)-1].Client()
		for name, value := range map[string]string{"maxmemory": "100mb", "maxmemory-policy": "allkeys-lfu"} {
			if err := last.ConfigSet(t.Context(), name, value).Err(); err != nil {
				t.Fatal(err)
			}
		}
		st, log := logged(t, cluster.URL)
		if !sessionstore.WarnOfLoss(t.Context(), st) || strings.Count(log.String(), evicts) != 1 {
			t.Errorf("it said:\n%s", log)
		}
	})

	t.Run("the_primary_of_a_sentinel_is_asked", func(t *testing.T) {
		t.Parallel()
		st, log := logged(t, redistest.StartSentinel(t, redistest.Options{Config: evicting}).URL)
		if !sessionstore.WarnOfLoss(t.Context(), st) || strings.Count(log.String(), evicts) != 1 {
			t.Errorf("it said:\n%s", log)
		}
	})
}
