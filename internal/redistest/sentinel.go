package redistest

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// PrimaryName is what the sentinels call the primary that they watch.
	PrimaryName = "main"

	sentinelUser = "sentinel-reader"
	// sentinelRules are all that a client's user needs at a sentinel.
	sentinelRules = "&* +@connection +subscribe +sentinel|get-master-addr-by-name +sentinel|sentinels"

	// patience is how long a change of the topology may take on a busy machine.
	patience = 3 * time.Minute
)

// How long a server may be away before it is taken for dead, in milliseconds. A
// machine that is busy keeps a healthy one from answering for a second, and more:
// so nobody takes note, but while a test waits for a server to be replaced.
const (
	calm = "60000"
	keen = "1000"
)

// hurry takes the seconds out of sentinels. Three things make a failover take long
// on a busy machine. A sentinel that was not scheduled for the trigger's time does
// nothing for the whole period of TILT, half a minute by default. A failover whose
// replica is slow to take over is given up after the failover-timeout, and nobody
// tries again for twice that time. And a sentinel that does not hear of a failover
// for four periods of publishing takes it back: then nobody is the primary.
var hurry = []any{
	"INFO-PERIOD", "100", "PING-PERIOD", "100", "ASK-PERIOD", "100", "PUBLISH-PERIOD", publishPeriod,
	"MIN-LINK-RECONNECT-PERIOD", "200", "ELECTION-TIMEOUT", "1000", "TILT-TRIGGER", "30000", "TILT-PERIOD", "1000",
}

const failoverTimeout, publishPeriod = "1000", "500"

// Sentinel is a primary, a replica and three sentinels that watch them. A
// primary that is away is replaced by the replica once a test waits for that.
type Sentinel struct {
	// URL names the sentinels, and the user and password of the options.
	URL string
	// Sentinels are the three, in the order of the URL.
	Sentinels []*Server

	t     testing.TB
	nodes []*Server
}

// StartSentinel starts the topology, which ends with the test. With a password,
// the sentinels ask for one as well: that of a user who may do no more than a
// client must.
func StartSentinel(t testing.TB, o Options) *Sentinel {
	t.Helper()
	data := newSetup(t, o)
	s := &Sentinel{t: t}
	for range 2 {
		s.nodes = append(s.nodes, newServer(t, data))
	}
	s.nodes[1].setup.lines = []string{"replicaof 127.0.0.1 " + s.nodes[0].port}
	s.newSentinels(data)
	s.URL = s.url(data)
	for _, server := range append(s.nodes, s.Sentinels...) {
		server.writeConfig()
		server.Restart()
	}
	for _, server := range s.Sentinels {
		s.must(server.Client().Do(t.Context(), append([]any{"SENTINEL", "DEBUG"}, hurry...)...).Err())
	}
	s.wait("the sentinels to know the replica", s.complete)
	return s
}

// newSentinels makes sentinels that know one another from the start, which they
// would learn within seconds by themselves.
func (s *Sentinel) newSentinels(data setup) {
	ids := make([]string, 3)
	for i := range ids {
		u := data
		u.Options = Options{TLS: data.TLS, ClientCertificates: data.ClientCertificates}
		if data.Password != "" {
			u.User, u.Password, u.Rules = sentinelUser, data.Password, sentinelRules
		}
		u.mode, u.ready = []string{"--sentinel"}, "+monitor"
		s.Sentinels = append(s.Sentinels, newServer(s.t, u))
		ids[i] = newID()
	}
	for i, server := range s.Sentinels {
		lines := []string{
			"sentinel myid " + ids[i],
			"sentinel monitor " + PrimaryName + " 127.0.0.1 " + s.nodes[0].port + " 2",
			"sentinel down-after-milliseconds " + PrimaryName + " " + calm,
			"sentinel failover-timeout " + PrimaryName + " " + failoverTimeout,
			"sentinel auth-user " + PrimaryName + " " + adminUser,
			"sentinel auth-pass " + PrimaryName + " " + data.admin,
			"sentinel sentinel-user " + adminUser, "sentinel sentinel-pass " + data.admin,
			"sentinel known-replica " + PrimaryName + " 127.0.0.1 " + s.nodes[1].port,
		}
		for j, peer := range s.Sentinels {
			if j != i {
				lines = append(lines, "sentinel known-sentinel "+PrimaryName+" 127.0.0.1 "+peer.port+" "+ids[j])
			}
		}
		server.setup.lines = lines
	}
}

func newID() string {
	b := make([]byte, 20)
	_, _ = rand.Read(b)
	return hex.EncodeToString(b)
}

func (s *Sentinel) url(data setup) string {
	var hosts []string
	for _, server := range s.Sentinels {
		hosts = append(hosts, server.Addr)
	}
	out := data.url("redis-sentinel", strings.Join(hosts, ","), "/"+PrimaryName)
	if data.Password == "" {
		return out
	}
	file := filepath.Join(s.t.TempDir(), "sentinel-password")
	if err := os.WriteFile(file, []byte(data.Password+"\n"), 0o600); err != nil {
		s.t.Fatalf("write the sentinels' password: %v", err)
	}
	q := url.Values{"sentinel_user": {sentinelUser}, "sentinel_password_file": {file}}.Encode()
	if strings.Contains(out, "?") {
		return out + "&" + q
	}
	return out + "?" + q
}

// complete reports whether each sentinel sees a replica that follows, and both
// of its peers.
func (s *Sentinel) complete(ctx context.Context) bool {
	for _, server := range s.Sentinels {
		c := redis.NewSentinelClient(server.Client().Options())
		replicas, err := c.Replicas(ctx, PrimaryName).Result()
		_, quorum := c.CkQuorum(ctx, PrimaryName).Result()
		_ = c.Close()
		if err != nil || quorum != nil || len(replicas) != 1 ||
			replicas[0]["flags"] != "slave" || replicas[0]["master-link-status"] != "ok" {
			return false
		}
	}
	return true
}

// Primary returns the server that the sentinels name, or nil where they differ.
func (s *Sentinel) Primary() *Server {
	s.t.Helper()
	ctx := context.WithoutCancel(s.t.Context())
	named := map[string]int{}
	for _, server := range s.Sentinels {
		if !server.answers() {
			continue
		}
		c := redis.NewSentinelClient(server.Client().Options())
		addr, err := c.GetMasterAddrByName(ctx, PrimaryName).Result()
		_ = c.Close()
		if err == nil {
			named[net.JoinHostPort(addr[0], addr[1])]++
		}
	}
	for _, node := range s.nodes {
		if len(named) == 1 && named[node.Addr] > 0 {
			return node
		}
	}
	return nil
}

// Replica returns the server that is not the primary.
func (s *Sentinel) Replica() *Server {
	s.t.Helper()
	primary := s.Primary()
	if primary == nil {
		s.t.Fatal("the sentinels name no primary")
	}
	return s.nodes[1-slices.Index(s.nodes, primary)]
}

// Failover lets the replica take over in order, and returns when it has. A
// sentinel that was asked may give it up (the replica was just out of touch), so
// it is asked again.
func (s *Sentinel) Failover() {
	s.t.Helper()
	c := redis.NewSentinelClient(s.Sentinels[0].Client().Options())
	defer func() { _ = c.Close() }()
	var old *Server
	s.wait("the sentinels to agree", func(context.Context) bool { old = s.Primary(); return old != nil })
	var asked time.Time
	s.change("another primary", func(ctx context.Context) bool {
		now := s.Primary()
		if now == old && time.Since(asked) > 3*time.Second && c.Failover(ctx, PrimaryName).Err() == nil {
			asked = time.Now()
		}
		return now != nil && now != old && now.isPrimary(ctx)
	})
}

// KillPrimary kills the primary and returns it. The sentinels take note of it in
// [Sentinel.WaitPrimary].
func (s *Sentinel) KillPrimary() *Server {
	s.t.Helper()
	old := s.Primary()
	if old == nil {
		s.t.Fatal("the sentinels name no primary")
	}
	old.Kill()
	return old
}

// downAfter tells the first n sentinels that answer how long they watch a server
// be away.
func (s *Sentinel) downAfter(ms string, n int) {
	s.t.Helper()
	for _, server := range s.Sentinels {
		if server.answers() && n > 0 {
			s.must(server.Client().Do(context.WithoutCancel(s.t.Context()), "SENTINEL", "SET", PrimaryName, "down-after-milliseconds", ms).Err())
			n--
		}
	}
}

// WaitPrimary waits until the sentinels name another primary than old, which is
// away, that takes writes, and returns it.
func (s *Sentinel) WaitPrimary(old *Server) *Server {
	s.t.Helper()
	var now *Server
	s.change("another primary", func(ctx context.Context) bool {
		now = s.Primary()
		return now != nil && now != old && now.isPrimary(ctx)
	})
	return now
}

// WaitReplica waits until the primary has a replica that has all it wrote.
func (s *Sentinel) WaitReplica() {
	s.t.Helper()
	s.change("a replica", func(ctx context.Context) bool {
		p := s.Primary()
		if p == nil {
			return false
		}
		n, err := p.Client().Wait(ctx, 1, 100*time.Millisecond).Result()
		return err == nil && n == 1 && s.complete(ctx)
	})
}

func (s *Server) isPrimary(ctx context.Context) bool {
	role, err := s.Client().Do(ctx, "ROLE").Slice()
	return err == nil && len(role) > 0 && role[0] == "master"
}

func (s *Sentinel) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatalf("set the sentinels up: %v", err)
	}
}

func (s *Sentinel) wait(what string, done func(context.Context) bool) {
	s.t.Helper()
	waitFor(s.t, what, done)
}

// change is wait for what the sentinels have to bring about.
func (s *Sentinel) change(what string, done func(context.Context) bool) {
	s.t.Helper()
	// Two suffice to take a server for dead. Each may vote for itself then: the third,
	// which notices nothing, decides between them, where else nobody had a majority.
	s.downAfter(keen, 2)
	defer s.downAfter(calm, len(s.Sentinels))
	s.wait(what, done)
}

// waitFor asks until done: a topology has nothing else to wait on.
func waitFor(t testing.TB, what string, done func(context.Context) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !done(ctx) {
		select {
		case <-tick.C:
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				t.Fatalf("waited %v in vain for %s", patience, what)
			}
		}
	}
}
