package sessionstore_test

import (
	"bytes"
	"context"
	"crypto/rand"
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

// counts has st count, and wants so many sessions, or none known for -1.
func counts(t *testing.T, st *sessionstore.Redis, want int) sessionstore.Count {
	t.Helper()
	sessionstore.Recount(t.Context(), st)
	c, ok := st.Count()
	switch {
	case !ok && want != -1, ok && c.Sessions != want:
		t.Errorf("counted %d, known %v; want %d", c.Sessions, ok, want)
	case ok && (time.Since(c.At) < 0 || time.Since(c.At) > time.Hour):
		t.Errorf("counted at %v", c.At)
	}
	return c
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
	t.Run("few_sessions_are_counted_in_one_step_and_leave_no_key", func(t *testing.T) {
		server := redistest.Start(t, redistest.Options{})
		st, admin := openRedis(t, server, time.Minute), server.Client()
		if _, ok := st.Count(); ok {
			t.Error("known before it was counted")
		}
		counts(t, st, 0)
		for i := range 5 {
			createIn(t, st, storetest.Sample(fmt.Sprint("sub-", i)))
		}
		counts(t, st, 5)
		if n := admin.DBSize(t.Context()).Val(); n != 10 {
			t.Errorf("%d keys, want 5 records and their index", n)
		}
	})

	t.Run("many_are_counted_by_one_instance_for_all", func(t *testing.T) {
		server := redistest.Start(t, redistest.Options{})
		first, second, admin := openRedis(t, server, time.Minute), openRedis(t, server, time.Minute), server.Client()
		fill(t, admin, 2000)
		own := counts(t, first, 2000)
		made := steps(t, admin)
		fill(t, admin, 100)
		if c := counts(t, second, 2000); !c.At.Equal(own.At.Truncate(time.Millisecond)) {
			t.Errorf("counted at %v, and first at %v", c.At, own.At)
		}
		if n := steps(t, admin); n != made || made < 6000/200 {
			t.Errorf("%d steps, then %d", made, n)
		}
		if ttl := admin.TTL(t.Context(), "gatehouse:count").Val(); ttl < 2*time.Minute || ttl > 4*time.Minute {
			t.Errorf("the result is kept for %v", ttl)
		}
		// Two minutes later: nobody counts, as the first instance died at it.
		old := fmt.Sprintf("2000 %d", time.Now().Add(-2*time.Minute).UnixMilli())
		if err := admin.Set(t.Context(), "gatehouse:count", old, time.Minute).Err(); err != nil {
			t.Fatal(err)
		}
		counts(t, second, 2000)
		if err := admin.Del(t.Context(), "gatehouse:l:{count}").Err(); err != nil { // as it does after a minute
			t.Fatal(err)
		}
		counts(t, second, 2100)
		if ttl := admin.TTL(t.Context(), "gatehouse:l:{count}").Val(); ttl < 50*time.Second || ttl > time.Minute {
			t.Errorf("the lease is kept for %v", ttl)
		}
	})

	t.Run("a_result_of_nobodys_is_none", func(t *testing.T) {
		server := redistest.Start(t, redistest.Options{})
		st, admin := openRedis(t, server, time.Minute), server.Client()
		createIn(t, st, storetest.Sample("sub-1"))
		for _, text := range []string{"", "7", "seven 1", "7 soon", "7 1 1"} {
			if err := admin.Set(t.Context(), "gatehouse:count", text, 0).Err(); err != nil {
				t.Fatal(err)
			}
			counts(t, st, 1)
		}
	})

	t.Run("a_user_who_may_not_scan_has_none_and_is_told_once", func(t *testing.T) {
		server := redistest.Start(t, redistest.Options{User: "gateway", Password: "password", Rules: leastRules})
		var log bytes.Buffer
		st, err := sessionstore.NewRedis(sessionstore.RedisOptions{
			Address: at(t, server.URL), Ring: newRing(t, 1), Audience: "pool client", IdleTimeout: time.Minute, Logger: slog.New(slog.NewTextHandler(&log, nil)),
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = st.Close() })
		createIn(t, st, storetest.Sample("sub-1"))
		for range 3 {
			counts(t, st, -1)
		}
		if n := strings.Count(log.String(), "\n"); n != 1 || !strings.Contains(log.String(), "sessions are not counted") {
			t.Errorf("%d lines:\n%s", n, &log)
		}
		admin := server.Client()
		if err := admin.Do(t.Context(), "ACL", "SETUSER", "gateway", "+scan").Err(); err != nil {
			t.Fatal(err)
		}
		counts(t, st, 1)
		server.Stop()
		counts(t, st, -1)
		if n := strings.Count(log.String(), "\n"); n != 2 {
			t.Errorf("%d lines:\n%s", n, &log)
		}
	})

	t.Run("stops_in_the_middle_with_its_instance", func(t *testing.T) {
		server := redistest.Start(t, redistest.Options{})
		st := openRedis(t, server, time.Minute)
		fill(t, server.Client(), 20_000)
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		sessionstore.Recount(ctx, st)
		if c, ok := st.Count(); ok {
			t.Errorf("counted %v of 20,000 in a tenth of a second", c)
		}
	})

	t.Run("a_cluster_is_counted_on_every_primary", func(t *testing.T) {
		cluster := redistest.StartCluster(t, redistest.Options{User: "gateway", Password: "p", Rules: leastClusterRules + " +scan"}, false)
		st := openURL(t, cluster.URL, time.Minute)
		fill(t, cluster.Client(), 3000)
		counts(t, st, 3000)
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
			if c, ok := st.Count(); !ok || c.Sessions != n || !c.At.Equal(time.Now()) {
				t.Errorf("Count = %v, %v; want %d", c, ok, n)
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
