package sessionstore_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/redistest"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/sessionstore"
	"github.com/gatehouse-auth/gatehouse/internal/sessionstore/storetest"
)

// TestRedisTakesNoSession: where a login would fail, Ping says so, and Reason says
// why in words of ours.
func TestRedisTakesNoSession(t *testing.T) {
	server := redistest.Start(t, redistest.Options{User: "gateway", Password: "canary", Rules: leastRules})
	other := redistest.Start(t, redistest.Options{})
	st := openRedis(t, server, 30*time.Minute)
	admin := server.Client()
	do := func(t *testing.T, command string) {
		t.Helper()
		var args []any
		for word := range strings.FieldsSeq(command) {
			args = append(args, word)
		}
		if err := admin.Do(t.Context(), args...).Err(); err != nil {
			t.Fatalf("%s: %v", command, err)
		}
	}
	_, port, _ := strings.Cut(other.Addr, ":")
	for name, c := range map[string]struct{ begin, end, reason string }{
		"full":             {"CONFIG SET maxmemory 1", "CONFIG SET maxmemory 0", "(OOM)"},
		"without_replicas": {"CONFIG SET min-replicas-to-write 1", "CONFIG SET min-replicas-to-write 0", "(NOREPLICAS)"},
		"a_replica":        {"REPLICAOF 127.0.0.1 " + port, "REPLICAOF NO ONE", "(READONLY)"},
		"without_a_right":  {"ACL SETUSER gateway -zadd", "ACL SETUSER gateway +zadd", "(NOPERM)"},
		"without_another":  {"ACL SETUSER gateway -set", "ACL SETUSER gateway +set", "(NOPERM)"},
		"without_its_keys": {"ACL SETUSER gateway resetkeys", "ACL SETUSER gateway ~gatehouse:*", "(NOPERM)"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := st.Ping(t.Context()); err != nil {
				t.Fatalf("before: %v", err)
			}
			do(t, c.begin)
			err := st.Ping(t.Context())
			_, login := st.Create(t.Context(), storetest.Sample("sub-1"))
			if !errors.Is(err, session.ErrUnavailable) || !errors.Is(login, session.ErrUnavailable) {
				t.Errorf("Ping says %v, a login %v", err, login)
			}
			if reason := sessionstore.Reason(err); !strings.Contains(reason, c.reason) || strings.Contains(reason, "canary") {
				t.Errorf("reason %q, want %s", reason, c.reason)
			}
			do(t, c.end)
			for err := session.ErrUnavailable; err != nil; err = st.Ping(t.Context()) { // a replica that is none any more drops its clients
				if t.Context().Err() != nil {
					t.Fatal(err)
				}
			}
		})
	}
	t.Run("a_probe_leaves_nothing", func(t *testing.T) {
		keys := admin.DBSize(t.Context()).Val()
		if err := st.Ping(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := admin.DBSize(t.Context()).Val(); n != keys {
			t.Errorf("%d keys, %d before", n, keys)
		}
	})
}

// TestClusterTakesNoSession: one primary that takes no writes is enough, for some
// logins would fail.
func TestClusterTakesNoSession(t *testing.T) {
	cluster := redistest.StartCluster(t, redistest.Options{User: "gateway", Password: "p@ss#word", Rules: leastClusterRules}, false)
	st := openURL(t, cluster.URL, time.Minute)
	for shard := range 3 {
		if err := st.Ping(t.Context()); err != nil {
			t.Fatalf("before shard %d: %v", shard, err)
		}
		admin := cluster.Primary(shard).Client()
		if err := admin.ConfigSet(t.Context(), "maxmemory", "1").Err(); err != nil {
			t.Fatal(err)
		}
		err := st.Ping(t.Context())
		if reason := sessionstore.Reason(err); !errors.Is(err, session.ErrUnavailable) || !strings.Contains(reason, "(OOM)") {
			t.Errorf("shard %d full: %v, reason %q", shard, err, reason)
		}
		if err := admin.ConfigSet(t.Context(), "maxmemory", "0").Err(); err != nil {
			t.Fatal(err)
		}
	}
}

// answered is an error as Redis answers it.
type answered string

func (a answered) Error() string { return string(a) }
func (answered) RedisError()     {}

func TestReason(t *testing.T) {
	for text, want := range map[string]string{
		"MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.":                 "(MISCONF)",
		"ERR Error running script (call to f_1): @user_script:1: -OOM command not allowed when used memory > 'maxmemory'.": "(OOM)",
		"OOM command not allowed when used memory > 'maxmemory'. script: 1, on @user_script:1.":                            "(OOM)",
		"WRONGPASS invalid username-password pair or user is disabled.":                                                    "(WRONGPASS)",
		"LOADING Redis is loading the dataset in memory":                                                                   "(LOADING)",
		"CLUSTERDOWN Hash slot not served":                                                                                 "(CLUSTERDOWN)",
		"MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.":                                 "(MASTERDOWN)",
		"NOAUTH Authentication required.":                                                                                  "(NOAUTH)",
		"ERR unknown command canary":                                                                                       "an error, which the log has",
	} {
		err := fmt.Errorf("ping in redis: %w: %w", session.ErrUnavailable, answered(text))
		if got := sessionstore.Reason(err); !strings.Contains(got, want) || strings.Contains(got, "canary") {
			t.Errorf("%s: %q, want %s", text, got, want)
		}
	}
	for _, err := range []error{io.EOF, context.DeadlineExceeded, fmt.Errorf("dial canary: %w", io.ErrUnexpectedEOF)} {
		if got := sessionstore.Reason(err); got != "it does not answer" {
			t.Errorf("%v: %q", err, got)
		}
	}
}
