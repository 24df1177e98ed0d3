package sessionstore_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/redistest"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/sessionstore"
	"github.com/gatehouse-auth/gatehouse/internal/sessionstore/storetest"
)

// openWaiting returns a store that waits for replicas, and its log.
func openWaiting(t *testing.T, url string, replicas int) (*sessionstore.Redis, *bytes.Buffer) {
	t.Helper()
	log := &bytes.Buffer{}
	st, err := sessionstore.NewRedis(sessionstore.RedisOptions{
		URL: url, Ring: newRing(t, 1), IdleTimeout: 30 * time.Minute,
		WaitReplicas: replicas, Logger: slog.New(slog.NewTextHandler(log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	return st, log
}

// endBoth ends two sessions, one each way, and returns how long it took.
func endBoth(t *testing.T, st *sessionstore.Redis) time.Duration {
	t.Helper()
	a, b := createIn(t, st, storetest.Sample("sub-1")), createIn(t, st, storetest.Sample("sub-1"))
	began := time.Now()
	if s, err := st.Delete(t.Context(), a.Handle, session.ReasonLogout); err != nil || s == nil || s.ID != a.ID {
		t.Errorf("Delete = %v, %v", s, err)
	}
	if err := st.DeleteID(t.Context(), b.ID, session.ReasonAdmin); err != nil {
		t.Errorf("DeleteID: %v", err)
	}
	took := time.Since(began)
	if list, err := st.List(t.Context(), "sub-1"); err != nil || len(list) > 0 {
		t.Errorf("List = %v, %v; want none", list, err)
	}
	return took
}

func TestRedisWaitReplicas(t *testing.T) {
	topology := redistest.StartSentinel(t, redistest.Options{User: "gateway", Password: "p@ss#word", Rules: leastRules})
	topology.WaitReplica()
	t.Run("an_end_that_the_replica_has_is_silent", func(t *testing.T) {
		st, log := openWaiting(t, topology.URL, 1)
		endBoth(t, st)
		if log.Len() > 0 {
			t.Errorf("logged %s", log)
		}
	})
	t.Run("an_end_that_too_few_replicas_have_stands_and_is_told", func(t *testing.T) {
		st, log := openWaiting(t, topology.URL, 2)
		if took := endBoth(t, st); took < 2*500*time.Millisecond {
			t.Errorf("both ends took %v: nobody waited", took)
		}
		if n := strings.Count(log.String(), "too few replicas"); n != 2 {
			t.Errorf("%d warnings, want 2: %s", n, log)
		}
	})
	t.Run("a_user_who_may_not_wait_ends_sessions_all_the_same", func(t *testing.T) {
		server := redistest.Start(t, redistest.Options{User: "gateway", Password: "password", Rules: leastRules + " -wait"})
		st, log := openWaiting(t, server.URL, 1)
		endBoth(t, st)
		if n := strings.Count(log.String(), "not known whether"); n != 2 {
			t.Errorf("%d warnings, want 2: %s", n, log)
		}
	})
	t.Run("an_end_survives_a_failover", func(t *testing.T) {
		st, _ := openWaiting(t, topology.URL, 1)
		for range 20 {
			endBoth(t, st)
		}
		s := createIn(t, st, storetest.Sample("sub-1"))
		if _, err := st.Delete(t.Context(), s.Handle, session.ReasonLogout); err != nil {
			t.Fatal(err)
		}
		old := topology.KillPrimary()
		now := topology.WaitPrimary(old)
		if n, err := now.Client().Exists(t.Context(), "gatehouse:s:{"+s.ID+"}").Result(); err != nil || n != 0 {
			t.Errorf("the new primary has %d records of the ended session, %v", n, err)
		}
	})
}

func TestNewRedis_refuses_to_wait_in_a_cluster(t *testing.T) {
	_, err := sessionstore.NewRedis(sessionstore.RedisOptions{
		URL: "redis-cluster://127.0.0.1:1", Ring: newRing(t, 1), IdleTimeout: time.Minute, WaitReplicas: 1,
	})
	if err == nil {
		t.Error("no error")
	}
}
