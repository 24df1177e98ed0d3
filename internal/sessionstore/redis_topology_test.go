package sessionstore_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/gatehouse-auth/gatehouse/internal/redistest"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/sessionstore"
	"github.com/gatehouse-auth/gatehouse/internal/sessionstore/storetest"
	"github.com/gatehouse-auth/gatehouse/internal/storeurl"
)

// openURL returns a store that knows a URL and nothing else.
func openURL(t testing.TB, url string, idle time.Duration) *sessionstore.Redis {
	t.Helper()
	return open(t, &redistest.Server{URL: url}, sessionstore.RedisOptions{IdleTimeout: idle})
}

// suite runs the conformance suite at a URL; flush empties what lies there.
func suite(t *testing.T, url string, flush func(context.Context) error) {
	storetest.Run(t, func(t *testing.T, idle time.Duration) session.Store {
		if err := flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		return open(t, &redistest.Server{URL: url}, sessionstore.RedisOptions{IdleTimeout: idle})
	})
}

// leastClusterRules are what the ACL user of a cluster needs besides.
const leastClusterRules = leastRules + " +cluster|slots"

func TestRedisMutualTLS(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Options{TLS: true, ClientCertificates: true, Password: "password"})
	admin := server.Client()
	suite(t, server.URL, func(ctx context.Context) error { return admin.FlushAll(ctx).Err() })
	t.Run("a_client_without_certificate_is_an_outage", func(t *testing.T) {
		without := parameters(server.URL, "tls_ca_file="+server.Certificate.CertFile)
		if err := openURL(t, without, time.Minute).Ping(t.Context()); !errors.Is(err, session.ErrUnavailable) {
			t.Errorf("Ping: err = %v, want ErrUnavailable", err)
		}
	})
	t.Run("a_server_that_no_root_signed_is_an_outage", func(t *testing.T) {
		if err := openURL(t, parameters(server.URL), time.Minute).Ping(t.Context()); !errors.Is(err, session.ErrUnavailable) {
			t.Errorf("Ping: err = %v, want ErrUnavailable", err)
		}
	})
	t.Run("a_server_of_another_name_is_an_outage", func(t *testing.T) {
		other := server.URL + "&tls_server_name=other.example"
		if err := openURL(t, other, time.Minute).Ping(t.Context()); !errors.Is(err, session.ErrUnavailable) {
			t.Errorf("Ping: err = %v, want ErrUnavailable", err)
		}
	})
}

// parameters is a URL with another query.
func parameters(url string, query ...string) string {
	base, _, _ := strings.Cut(url, "?")
	return base + "?" + strings.Join(query, "&")
}

func TestRedisSentinel(t *testing.T) {
	t.Parallel()
	topology := redistest.StartSentinel(t, redistest.Options{User: "gateway", Password: "p@ss#word", Rules: leastRules + countRules})
	admin := topology.Primary().Client()
	t.Run("suite", func(t *testing.T) {
		suite(t, topology.URL, func(ctx context.Context) error { return admin.FlushAll(ctx).Err() })
	})
	st := openBrief(t, &redistest.Server{URL: topology.URL})
	s := createIn(t, st, storetest.Sample("sub-1"))
	told := watch(t, st)
	t.Run("sessions_outlive_a_failover_in_order", func(t *testing.T) {
		topology.WaitReplica()
		topology.Failover()
		recovers(t, st, s)
		tells(t, told, openURL(t, topology.URL, 30*time.Minute))
	})
	t.Run("sessions_outlive_a_primary_that_is_killed", func(t *testing.T) {
		topology.WaitReplica()
		old := topology.KillPrimary()
		if _, err := st.Load(t.Context(), s.Handle); !errors.Is(err, session.ErrUnavailable) {
			t.Errorf("Load without a primary: err = %v, want ErrUnavailable", err)
		}
		topology.WaitPrimary(old)
		recovers(t, st, s)
		tells(t, told, openURL(t, topology.URL, 30*time.Minute))
		old.Restart()
		topology.WaitReplica()
		recovers(t, st, s)
	})
	t.Run("a_store_opened_with_one_sentinel_that_answers_finds_the_primary", func(t *testing.T) {
		topology.Sentinels[0].Stop()
		topology.Sentinels[1].Pause()
		defer topology.Sentinels[0].Restart()
		defer topology.Sentinels[1].Continue()
		recovers(t, openBrief(t, &redistest.Server{URL: topology.URL}), s)
	})
	t.Run("sentinels_that_hang_do_not_keep_a_store_from_new_connections", func(t *testing.T) {
		primary := topology.Primary()
		for _, sentinel := range topology.Sentinels {
			sentinel.Pause()
			hangUp(t, primary)
			recovers(t, st, s)
			sentinel.Continue()
		}
	})
}

// watch starts a Watch that ends with the test, and returns what it is told.
func watch(t *testing.T, st *sessionstore.Redis) <-chan session.Change {
	t.Helper()
	told := make(chan session.Change, 1000)
	up := make(chan struct{}, 1)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var running sync.WaitGroup
	running.Go(func() {
		_ = st.Watch(ctx, func(c session.Change) { told <- c }, func(is bool) {
			if is {
				select {
				case up <- struct{}{}:
				default:
				}
			}
		})
	})
	t.Cleanup(func() { cancel(); running.Wait() })
	<-up
	return told
}

// tells wants one store to hear again of what ends at another. A primary that
// hands over in order keeps its subscribers until it is told that it is none any
// more; what ends in between they do not hear of.
func tells(t *testing.T, told <-chan session.Change, another *sessionstore.Redis) {
	t.Helper()
	began := time.Now()
	ended := map[string]bool{}
	for time.Since(began) < patience {
		s := createIn(t, another, storetest.Sample("sub-2"))
		if err := another.DeleteID(t.Context(), s.ID, session.ReasonAdmin); err != nil {
			t.Fatal(err)
		}
		ended[s.ID] = true
		select {
		case c := <-told:
			if !ended[c.ID] {
				t.Errorf("told of %+v, which did not end", c)
			}
			t.Logf("told after %v", time.Since(began))
			return
		case <-time.After(100 * time.Millisecond):
		}
	}
	t.Error("told of no end")
}

// hangUp ends every client's connection to a server.
func hangUp(t *testing.T, server *redistest.Server) {
	t.Helper()
	if err := server.Client().Do(t.Context(), "CLIENT", "KILL", "TYPE", "normal").Err(); err != nil {
		t.Fatal(err)
	}
}

// recovers wants a session to be there again, and never to be called gone, ended,
// or older than it is.
func recovers(t *testing.T, st *sessionstore.Redis, s *session.Session) {
	t.Helper()
	began := time.Now()
	for {
		got, err := st.Load(t.Context(), s.Handle)
		switch took := time.Since(began); {
		case err == nil && got.ID == s.ID && got.Generation == s.Generation:
			t.Logf("there after %v", took)
			return
		case err == nil || !errors.Is(err, session.ErrUnavailable) || errors.Is(err, session.ErrNotFound):
			t.Fatalf("Load = %v, %v; want the session or ErrUnavailable", got, err)
		case took > patience:
			t.Fatalf("not there after %v: %v", took, err)
		}
	}
}

func TestRedisCluster(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t, redistest.Options{User: "gateway", Password: "p@ss#word", Rules: leastClusterRules + countRules}, true)
	admin := cluster.Client()
	flush := func(ctx context.Context) error {
		return admin.ForEachMaster(ctx, func(ctx context.Context, c *redis.Client) error { return c.FlushAll(ctx).Err() })
	}
	t.Run("suite", func(t *testing.T) { suite(t, cluster.URL, flush) })

	st := openBrief(t, &redistest.Server{URL: cluster.URL})
	sessions := onEveryShard(t, st, cluster)
	t.Run("one_user_has_sessions_on_every_shard", func(t *testing.T) {
		list, err := listOf(t, st, "sub-1")
		if err != nil || len(list) < len(sessions) {
			t.Errorf("List = %d sessions, %v; want %d at least", len(list), err, len(sessions))
		}
	})
	t.Run("a_load_costs_one_command", func(t *testing.T) { loadsCheaply(t, cluster, sessions) })
	told := watch(t, st)
	subscribed := cluster.Owner("gatehouse:changes") // the node that the subscription is at
	t.Run("the_loss_of_a_node_ends_no_session", func(t *testing.T) {
		for shard, s := range sessions {
			waitReplicated(t, cluster.Primary(shard), s)
		}
		old := cluster.KillNode(subscribed)
		if _, err := st.Load(t.Context(), sessions[subscribed].Handle); !errors.Is(err, session.ErrUnavailable) {
			t.Errorf("Load from the shard that lost its node: err = %v, want ErrUnavailable", err)
		}
		cluster.WaitComplete()
		for _, s := range sessions {
			recovers(t, st, s)
		}
		tells(t, told, openURL(t, cluster.URL, 30*time.Minute))
		old.Restart()
		cluster.WaitComplete()
		for _, s := range sessions {
			recovers(t, st, s)
		}
	})
	t.Run("a_node_that_hangs_ends_no_session", func(t *testing.T) {
		for shard, s := range sessions {
			waitReplicated(t, cluster.Primary(shard), s)
		}
		old := cluster.Primary((subscribed + 1) % 3)
		old.Pause()
		cluster.WaitComplete()
		for _, s := range sessions {
			recovers(t, st, s)
		}
		old.Continue()
	})
	t.Run("a_store_finds_the_cluster_by_any_node", func(t *testing.T) {
		recovers(t, openURL(t, cluster.URL, 30*time.Minute), sessions[0])
	})
}

// TestRedisClusterPing: readiness must see the loss of one shard of three, at
// every question, however the node was lost.
func TestRedisClusterPing(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t, redistest.Options{User: "gateway", Password: "password", Rules: leastClusterRules}, false)
	st := openBrief(t, &redistest.Server{URL: cluster.URL})
	if err := st.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	node := cluster.Nodes[1]
	for name, loss := range map[string]struct{ begin, end func() }{
		"stopped": {node.Stop, node.Restart},
		"paused":  {node.Pause, node.Continue},
	} {
		t.Run("a_shard_that_is_"+name, func(t *testing.T) {
			loss.begin()
			for range 5 {
				if err := st.Ping(t.Context()); !errors.Is(err, session.ErrUnavailable) {
					t.Errorf("Ping: err = %v, want ErrUnavailable", err)
				}
			}
			loss.end()
			cluster.WaitComplete()
			began := time.Now()
			for err := session.ErrUnavailable; err != nil; err = st.Ping(t.Context()) {
				if took := time.Since(began); took > patience {
					t.Fatalf("not back after %v: %v", took, err)
				}
			}
		})
	}
}

// onEveryShard creates a session of sub-1 on each shard.
func onEveryShard(t *testing.T, st *sessionstore.Redis, cluster *redistest.Cluster) map[int]*session.Session {
	t.Helper()
	sessions := map[int]*session.Session{}
	for range 100 {
		s := createIn(t, st, storetest.Sample("sub-1"))
		sessions[cluster.Owner("gatehouse:s:{"+s.ID+"}")] = s
		if len(sessions) == 3 {
			return sessions
		}
	}
	t.Fatal("a hundred sessions lie on fewer than three shards")
	return nil
}

// loadsCheaply wants no commands but the loads' own: the driver of a cluster
// likes to ask what a command is before it sends the first.
func loadsCheaply(t *testing.T, cluster *redistest.Cluster, sessions map[int]*session.Session) {
	t.Helper()
	for _, node := range cluster.Nodes {
		if err := node.Client().ConfigResetStat(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
	}
	st := openURL(t, cluster.URL, 30*time.Minute)
	for _, s := range sessions {
		for range 10 {
			if _, err := st.Load(t.Context(), s.Handle); err != nil {
				t.Fatal(err)
			}
		}
	}
	loads := 0
	for _, node := range cluster.Nodes {
		stats := node.Client().Info(t.Context(), "commandstats").Val()
		loads += strings.Count(stats, "cmdstat_get:calls=10,")
		if strings.Contains(stats, "cmdstat_command") {
			t.Errorf("loads cost\n%s", stats)
		}
	}
	if loads != len(sessions) {
		t.Errorf("%d nodes saw 10 loads, want %d", loads, len(sessions))
	}
}

// waitReplicated waits until a shard's replica has what its primary wrote.
func waitReplicated(t *testing.T, primary *redistest.Server, s *session.Session) {
	t.Helper()
	c := primary.Client()
	deadline := time.Now().Add(patience)
	for c.Wait(t.Context(), 1, time.Second).Val() == 0 {
		if time.Now().After(deadline) {
			t.Fatalf("no replica has session %s", s.ID)
		}
	}
}

// TestRedisTopologyTLS: every connection of the topology is TLS, those to the
// sentinels too.
func TestRedisTopologyTLS(t *testing.T) {
	t.Parallel()
	o := redistest.Options{User: "gateway", Password: "password", Rules: leastClusterRules, TLS: true, ClientCertificates: true}
	for name, url := range map[string]string{
		"sentinel": redistest.StartSentinel(t, o).URL,
		"cluster":  redistest.StartCluster(t, o, false).URL,
	} {
		t.Run(name, func(t *testing.T) {
			st := openURL(t, url, 30*time.Minute)
			s := createIn(t, st, storetest.Sample("sub-1"))
			if got, err := st.Load(t.Context(), s.Handle); err != nil || got.ID != s.ID {
				t.Errorf("Load = %v, %v", got, err)
			}
			plain := openURL(t, strings.Replace(parameters(url, "tls=false"), "rediss:", "redis:", 1), time.Minute)
			if err := plain.Ping(t.Context()); !errors.Is(err, session.ErrUnavailable) {
				t.Errorf("Ping without TLS: err = %v, want ErrUnavailable", err)
			}
		})
	}
}

// TestRedisSentinelPassword is read from a file as every other secret: less a
// byte-order mark.
func TestRedisSentinelPassword(t *testing.T) {
	dir := t.TempDir()
	open := func(name, content string) error {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		password, err := sessionstore.SentinelPassword("redis-sentinel://h1/main?sentinel_password_file=" + file)
		if err == nil && password != "s3cr3t" {
			t.Errorf("%s: the password is %q", name, password)
		}
		return err
	}
	if err := open("marked", "\ufeffs3cr3t\r\n"); err != nil {
		t.Error(err)
	}
	if err := open("utf16", "\xff\xfes\x003\x00"); err == nil || !strings.Contains(err.Error(), "UTF-16") {
		t.Errorf("a file in UTF-16: %v", err)
	}
}

func TestNewRedis_topologies(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	open := func(url string) error {
		address, err := storeurl.Parse(url)
		if err != nil {
			return err
		}
		st, err := sessionstore.NewRedis(sessionstore.RedisOptions{Address: address, Ring: newRing(t, 1), Audience: storetest.Audience, IdleTimeout: 1})
		if st != nil {
			_ = st.Close()
		}
		return err
	}
	for _, url := range []string{
		"redis://localhost",
		"redis://u:p%2Fw@[::1]:6380/3",
		"rediss://h?tls_server_name=redis.internal",
		"redis-sentinel://h1,h2:26380,[2001:db8::1]:26379/main",
		"redis-sentinel://u:p@h1/main?db=3&sentinel_user=s&tls=true",
		"redis-cluster://u:p@h1,h2:6379/",
		"redis-cluster://h1?tls=true",
	} {
		t.Run("accepts_"+strings.ReplaceAll(url, "/", "_"), func(t *testing.T) {
			if err := open(url); err != nil {
				t.Error(err)
			}
		})
	}
	for name, url := range map[string]string{
		"several_hosts_of_one_server":      "redis://u:canary@h1,h2/0",
		"a_sentinel_without_a_name":        "redis-sentinel://u:canary@h1",
		"a_name_with_a_slash":              "redis-sentinel://u:canary@h1/main/0",
		"a_cluster_with_a_database":        "redis-cluster://u:canary@h1/1",
		"a_cluster_with_a_database_param":  "redis-cluster://u:canary@h1?db=1",
		"a_password_that_wants_escaping":   "redis-sentinel://u:1/canary@h1",
		"a_host_that_is_missing":           "redis-cluster://u:canary@h1,,h2",
		"a_second_host_with_a_bad_port":    "redis-cluster://u:canary@h1,h2:x",
		"a_negative_database":              "redis-sentinel://u:canary@h1/main?db=-1",
		"an_unknown_parameter":             "redis-cluster://u:canary@h1?tls_skip_verify=true",
		"a_parameter_given_twice":          "redis-cluster://u:canary@h1?tls=true&tls=false",
		"an_empty_parameter":               "rediss://u:canary@h1?tls_ca_file=",
		"tls_that_is_neither":              "redis-cluster://u:canary@h1?tls=yes",
		"tls_beside_the_scheme":            "redis://u:canary@h1?tls=true",
		"a_certificate_without_its_key":    "rediss://u:canary@h1?tls_cert_file=" + empty,
		"a_certificate_without_tls":        "redis-cluster://u:canary@h1?tls_cert_file=" + empty + "&tls_key_file=" + empty,
		"roots_without_tls":                "redis://u:canary@h1?tls_ca_file=" + empty,
		"roots_that_are_none":              "rediss://u:canary@h1?tls_ca_file=" + empty,
		"roots_that_are_missing":           "rediss://u:canary@h1?tls_ca_file=" + empty + ".missing",
		"a_certificate_that_is_none":       "rediss://u:canary@h1?tls_cert_file=" + empty + "&tls_key_file=" + empty,
		"a_sentinel_password_file_missing": "redis-sentinel://u:canary@h1/main?sentinel_password_file=" + empty + ".missing",
		"a_sentinel_user_at_a_server":      "redis://u:canary@h1?sentinel_user=s",
		"a_fragment":                       "redis-cluster://u:canary@h1#canary",
	} {
		t.Run("refuses_"+name+"_and_shows_nothing_of_it", func(t *testing.T) {
			if err := open(url); err == nil || strings.Contains(err.Error(), "canary") {
				t.Errorf("NewRedis: err = %v", err)
			}
		})
	}
}
