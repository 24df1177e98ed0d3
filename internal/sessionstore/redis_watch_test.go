package sessionstore_test

import (
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/redistest"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/sessionstore/storetest"
)

func TestRedisWatch(t *testing.T) {
	server := redistest.Start(t, redistest.Options{})
	for name, outage := range map[string]struct{ begin, end func() }{
		"stopped": {server.Stop, server.Restart},
		"paused":  {server.Pause, server.Continue},
		"cut_off": {func() {
			if err := server.Client().Do(t.Context(), "CLIENT", "KILL", "TYPE", "pubsub").Err(); err != nil {
				t.Error(err)
			}
		}, func() {}},
	} {
		t.Run(name+"_is_told_and_recovers", func(t *testing.T) {
			st := openBrief(t, server)
			w := loseAndRegain(t, st, outage.begin, outage.end)
			another := openRedis(t, server, 30*time.Minute)
			storetest.Hears(t, func() []session.Change {
				s := createIn(t, another, storetest.Sample("sub-1"))
				if err := another.DeleteID(t.Context(), s.ID, session.ReasonAdmin); err != nil {
					t.Fatal(err)
				}
				return []session.Change{{ID: s.ID, Reason: session.ReasonAdmin}}
			}, w)
		})
	}
	t.Run("other_messages_on_the_channel_are_ignored", func(t *testing.T) {
		st := openRedis(t, server, 30*time.Minute)
		w := storetest.Watch(t, st)
		storetest.Hears(t, func() []session.Change {
			for _, m := range []string{"", "garbage", string(make([]byte, 8+43)), string(make([]byte, 10_000))} {
				if err := server.Client().Publish(t.Context(), "gatehouse:changes", m).Err(); err != nil {
					t.Fatal(err)
				}
			}
			s := createIn(t, st, storetest.Sample("sub-1"))
			if err := st.DeleteID(t.Context(), s.ID, session.ReasonAdmin); err != nil {
				t.Fatal(err)
			}
			return []session.Change{{ID: s.ID, Reason: session.ReasonAdmin}}
		}, w)
	})
	t.Run("a_user_who_may_not_publish_changes_nothing", func(t *testing.T) {
		rules := "~gatehouse:* &other +@all"
		mute := redistest.Start(t, redistest.Options{User: "gateway", Password: "password", Rules: rules})
		st := openRedis(t, mute, 30*time.Minute)
		s := createIn(t, st, storetest.Sample("sub-1"))
		if _, err := st.Delete(t.Context(), s.Handle, session.ReasonLogout); err == nil {
			t.Error("deleted, and nobody was told")
		}
		if _, err := st.Load(t.Context(), s.Handle); err != nil {
			t.Errorf("Load: %v", err)
		}
	})
}

// loseAndRegain watches a store through an outage.
func loseAndRegain(t *testing.T, st session.Store, begin, end func()) *storetest.Watcher {
	t.Helper()
	w := storetest.Watch(t, st)
	begin()
	w.WaitUp(false)
	end()
	w.WaitUp(true)
	return w
}

// TestRedisWatchDemoted: a primary that became a replica keeps its subscribers,
// and answers their PINGs.
func TestRedisWatchDemoted(t *testing.T) {
	topology := redistest.StartSentinel(t, redistest.Options{})
	primary := topology.Primary()
	become := func(args ...any) {
		if err := primary.Client().Do(t.Context(), append([]any{"REPLICAOF"}, args...)...).Err(); err != nil {
			t.Error(err)
		}
	}
	st := openBrief(t, &redistest.Server{URL: topology.URL})
	loseAndRegain(t, st, func() {
		for _, s := range topology.Sentinels { // they would mend it
			s.Pause()
		}
		become("127.0.0.1", "1")
	}, func() {
		become("NO", "ONE")
		for _, s := range topology.Sentinels {
			s.Continue()
		}
	})
}
