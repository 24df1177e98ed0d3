package sessionstore_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/gatehouse-auth/gatehouse/internal/redistest"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/sessionstore"
	"github.com/gatehouse-auth/gatehouse/internal/sessionstore/storetest"
)

// fill writes n records, and twice as many keys of other kinds.
func fill(t *testing.T, admin redis.UniversalClient, n int) {
	t.Helper()
	_, err := admin.Pipelined(t.Context(), func(p redis.Pipeliner) error {
		for range n {
			for _, kind := range []string{"gatehouse:s:", "gatehouse:u:", "other:"} {
				p.Set(t.Context(), kind+"{"+rand.Text()+"}", "x", time.Hour)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// counts has st count, and wants so many sessions, a tenth more or fewer where
// there are too many to look at all keys: seven standard deviations and more.
func counts(t *testing.T, st *sessionstore.Redis, want int) {
	t.Helper()
	c, err := sessionstore.Recount(t.Context(), st)
	off := max(c.Sessions-want, want-c.Sessions)
	if err != nil || off > 0 && (want < 1000 || off > want/10) {
		t.Errorf("counted %d, %v; want %d", c.Sessions, err, want)
	}
}

// steps is how often SCAN was called.
func steps(t *testing.T, admin redis.UniversalClient) int {
	t.Helper()
	_, after, _ := strings.Cut(admin.Info(t.Context(), "commandstats").Val(), "cmdstat_scan:calls=")
	n := 0
	_, _ = fmt.Sscanf(after, "%d", &n)
	return n
}

func TestRedisCount(t *testing.T) {
	t.Parallel()
	t.Run("few_sessions_are_counted_exactly", func(t *testing.T) {
		server := redistest.Start(t, redistest.Options{})
		st, admin := openRedis(t, server, time.Minute), server.Client()
		counts(t, st, 0)
		for i := range 5 {
			createIn(t, st, storetest.Sample(fmt.Sprint("sub-", i)))
		}
		fill(t, admin, 100)
		counts(t, st, 105)
		if n := admin.DBSize(t.Context()).Val(); n != 310 {
			t.Errorf("%d keys, want 5 records and their index, and 300", n)
		}
	})

	t.Run("many_are_estimated_at_the_same_cost", func(t *testing.T) {
		server := redistest.Start(t, redistest.Options{})
		st, admin := openRedis(t, server, time.Minute), server.Client()
		for i := range 3 {
			fill(t, admin, 5000)
			before := steps(t, admin)
			counts(t, st, 5000*(i+1))
			if n := steps(t, admin) - before; n > 6 {
				t.Errorf("%d steps for %d keys", n, 15_000*(i+1))
			}
		}
	})

	t.Run("a_count_is_told_to_all_who_ask_soon_after", func(t *testing.T) {
		server := redistest.Start(t, redistest.Options{})
		st := openRedis(t, server, time.Minute)
		counts(t, st, 0)
		first, _ := st.Count(t.Context())
		createIn(t, st, storetest.Sample("sub-1"))
		for range 10 {
			if c, err := st.Count(t.Context()); time.Since(first.At) < 9*time.Second && c != first || err != nil {
				t.Errorf("Count = %v, %v; want %v", c, err, first)
			}
		}
	})

	t.Run("a_user_who_may_not_count_is_told_once", func(t *testing.T) {
		server := redistest.Start(t, redistest.Options{User: "gateway", Password: "password", Rules: leastRules})
		var log bytes.Buffer
		st := open(t, server, sessionstore.RedisOptions{IdleTimeout: time.Minute, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		createIn(t, st, storetest.Sample("sub-1"))
		admin := server.Client()
		for _, rule := range []string{"-scan", "+dbsize"} {
			if err := admin.Do(t.Context(), "ACL", "SETUSER", "gateway", rule).Err(); err != nil {
				t.Fatal(err)
			}
			if c, err := st.Count(t.Context()); !errors.Is(err, session.ErrUnavailable) {
				t.Errorf("after %s: %v, %v", rule, c, err)
			}
		}
		if n := strings.Count(log.String(), "\n"); n != 1 || !strings.Contains(log.String(), "sessions are not counted") {
			t.Errorf("%d lines:\n%s", n, &log)
		}
		if err := admin.Do(t.Context(), "ACL", "SETUSER", "gateway", "+scan").Err(); err != nil {
			t.Fatal(err)
		}
		counts(t, st, 1)
	})

	t.Run("a_store_that_is_away_has_none_and_no_line", func(t *testing.T) {
		var log bytes.Buffer
		server := redistest.Start(t, redistest.Options{})
		st := open(t, server, sessionstore.RedisOptions{IdleTimeout: time.Minute, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		server.Stop()
		if c, err := st.Count(t.Context()); !errors.Is(err, session.ErrUnavailable) || log.Len() > 0 {
			t.Errorf("Count = %v, %v, and a log:\n%s", c, err, &log)
		}
		gone, leave := context.WithCancel(t.Context())
		leave()
		if _, err := st.Count(gone); !errors.Is(err, context.Canceled) {
			t.Errorf("a caller that left is told %v", err)
		}
	})

	t.Run("a_cluster_is_counted_on_every_primary", func(t *testing.T) {
		cluster := redistest.StartCluster(t, redistest.Options{User: "gateway", Password: "p", Rules: leastClusterRules + countRules}, false)
		st := openURL(t, cluster.URL, time.Minute)
		fill(t, cluster.Client(), 300)
		counts(t, st, 300)
		fill(t, cluster.Client(), 14_700)
		counts(t, st, 15_000)
	})

	t.Run("a_sentinels_primary_is_counted", func(t *testing.T) {
		st := openURL(t, redistest.StartSentinel(t, redistest.Options{}).URL, time.Minute)
		createIn(t, st, storetest.Sample("sub-1"))
		counts(t, st, 1)
	})
}

func TestMemoryCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := sessionstore.NewMemory(sessionstore.MemoryOptions{IdleTimeout: time.Minute})
		want := func(n int) {
			t.Helper()
			if c, err := st.Count(t.Context()); err != nil || c.Sessions != n || !c.At.Equal(time.Now()) {
				t.Errorf("Count = %v, %v; want %d", c, err, n)
			}
		}
		want(0)
		s := createIn(t, st, storetest.Sample("sub-1"))
		createIn(t, st, storetest.Sample("sub-2"))
		brief := storetest.Sample("sub-3")
		brief.ExpiresAt = time.Now().Add(time.Second)
		createIn(t, st, brief)
		want(3)
		time.Sleep(time.Second)
		want(2)
		if _, err := st.Delete(t.Context(), s.Handle, session.ReasonLogout); err != nil {
			t.Fatal(err)
		}
		want(1)
		time.Sleep(2 * time.Minute)
		want(0)
	})
}
