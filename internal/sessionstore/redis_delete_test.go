package sessionstore_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/redistest"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/sessionstore"
	"github.com/gatehouse-auth/gatehouse/internal/sessionstore/storetest"
)

// openWaiting returns a store that waits for replicas.
func openWaiting(t *testing.T, url string, replicas int) *sessionstore.Redis {
	t.Helper()
	return open(t, &redistest.Server{URL: url}, sessionstore.RedisOptions{IdleTimeout: 30 * time.Minute, WaitReplicas: replicas})
}

// endBoth ends two sessions, one each way, with the error wanted, and returns how
// long it took. They have ended whatever the error.
func endBoth(t *testing.T, st *sessionstore.Redis, want error) time.Duration {
	t.Helper()
	a, b := createIn(t, st, storetest.Sample("sub-1")), createIn(t, st, storetest.Sample("sub-1"))
	began := time.Now()
	if s, err := st.Delete(t.Context(), a.Handle, session.ReasonLogout); !errors.Is(err, want) || s == nil || s.ID != a.ID {
		t.Errorf("Delete = %v, %v; want the session and %v", s, err, want)
	}
	if err := st.DeleteID(t.Context(), b.ID, session.ReasonAdmin); !errors.Is(err, want) {
		t.Errorf("DeleteID: %v, want %v", err, want)
	}
	took := time.Since(began)
	if list, err := listOf(t, st, "sub-1"); err != nil || len(list) > 0 {
		t.Errorf("List = %v, %v; want none", list, err)
	}
	return took
}

// confirmed ends a session until a replica confirms it, which may take it too long
// on a busy machine.
func confirmed(t *testing.T, end func() error) {
	t.Helper()
	for began := time.Now(); ; <-time.After(100 * time.Millisecond) {
		switch err := end(); {
		case err == nil:
			return
		case !errors.Is(err, session.ErrUnconfirmed) || time.Since(began) > patience:
			t.Fatalf("not confirmed: %v", err)
		}
	}
}

// waits is how often the primary was asked to wait for replicas.
func waits(t *testing.T, topology *redistest.Sentinel) (n int) {
	t.Helper()
	_, after, _ := strings.Cut(topology.Primary().Client().Info(t.Context(), "commandstats").Val(), "cmdstat_wait:calls=")
	_, _ = fmt.Sscanf(after, "%d", &n)
	return n
}

func TestRedisWaitReplicas(t *testing.T) {
	t.Parallel()
	topology := redistest.StartSentinel(t, redistest.Options{User: "gateway", Password: "p@ss#word", Rules: leastRules})
	topology.WaitReplica()
	t.Run("an_end_that_the_replica_has_is_confirmed", func(t *testing.T) {
		st := openWaiting(t, topology.URL, 1)
		confirmed(t, func() error {
			s := createIn(t, st, storetest.Sample("sub-1"))
			_, err := st.Delete(t.Context(), s.Handle, session.ReasonLogout)
			return err
		})
		confirmed(t, func() error {
			return st.DeleteID(t.Context(), createIn(t, st, storetest.Sample("sub-1")).ID, session.ReasonAdmin)
		})
	})
	t.Run("an_end_that_too_few_replicas_have_is_not", func(t *testing.T) {
		st := openWaiting(t, topology.URL, 2)
		if took := endBoth(t, st, session.ErrUnconfirmed); took < 499*time.Millisecond { // Redis counts milliseconds
			t.Errorf("both ends took %v: nobody waited", took)
		}
	})
	t.Run("ends_after_a_wait_in_vain_hold_no_connection", func(t *testing.T) {
		st := openWaiting(t, topology.URL, 2)
		endBoth(t, st, session.ErrUnconfirmed)
		s := createIn(t, st, storetest.Sample("sub-1"))
		before, began := waits(t, topology), time.Now()
		if err := st.DeleteID(t.Context(), s.ID, session.ReasonAdmin); !errors.Is(err, session.ErrUnconfirmed) {
			t.Errorf("DeleteID: %v", err)
		}
		// A second later it may wait again.
		if n := waits(t, topology) - before; n != 0 && time.Since(began) < time.Second/2 {
			t.Errorf("it waited once more")
		}
	})
	t.Run("an_end_is_not_confirmed_to_a_user_who_may_not_wait", func(t *testing.T) {
		server := redistest.Start(t, redistest.Options{User: "gateway", Password: "password", Rules: leastRules + " -wait"})
		endBoth(t, openWaiting(t, server.URL, 1), session.ErrUnconfirmed)
	})
	t.Run("an_end_is_confirmed_by_its_repetition_and_not_before_the_replica_has_it", func(t *testing.T) {
		st := openWaiting(t, topology.URL, 1)
		s := createIn(t, st, storetest.Sample("sub-1"))
		topology.WaitReplica()
		replica := topology.Replica()
		replica.Pause()
		for range 2 { // the second finds nothing to delete, and yet must not believe the replica
			if err := st.DeleteID(t.Context(), s.ID, session.ReasonAdmin); !errors.Is(err, session.ErrUnconfirmed) {
				t.Errorf("with the replica stopped: %v", err)
			}
		}
		replica.Continue()
		topology.WaitReplica()
		confirmed(t, func() error { return st.DeleteID(t.Context(), s.ID, session.ReasonAdmin) })
	})
	t.Run("an_end_survives_a_failover", func(t *testing.T) {
		st := openWaiting(t, topology.URL, 1)
		for range 20 {
			createIn(t, st, storetest.Sample("sub-1"))
		}
		s := createIn(t, st, storetest.Sample("sub-1"))
		confirmed(t, func() error { return st.DeleteID(t.Context(), s.ID, session.ReasonAdmin) })
		old := topology.KillPrimary()
		now := topology.WaitPrimary(old)
		if n, err := now.Client().Exists(t.Context(), "gatehouse:s:{"+s.ID+"}").Result(); err != nil || n != 0 {
			t.Errorf("the new primary has %d records of the ended session, %v", n, err)
		}
	})
}

func TestNewRedis_refuses_to_wait_in_a_cluster(t *testing.T) {
	_, err := sessionstore.NewRedis(sessionstore.RedisOptions{
		Address: at(t, "redis-cluster://127.0.0.1:1"), Ring: newRing(t, 1), Audience: storetest.Audience, IdleTimeout: time.Minute, WaitReplicas: 1,
	})
	if err == nil {
		t.Error("no error")
	}
}
