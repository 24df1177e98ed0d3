package redistest

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/gatehouse-auth/gatehouse/internal/freeport"
)

const (
	shards = 3
	slots  = 16384
)

// Cluster is three primaries, with a replica each where asked for. A node that is
// away is replaced by its replica once a test waits for that.
type Cluster struct {
	// URL names the primaries at the start, and the user and password of the options.
	URL string
	// Nodes are the three primaries at the start, then their replicas in the same
	// order.
	Nodes []*Server

	t   testing.TB
	ids []string
	bus []string // each node's port of the cluster's bus
}

// StartCluster starts a cluster that ends with the test.
func StartCluster(t testing.TB, o Options, replicas bool) *Cluster {
	t.Helper()
	c := &Cluster{t: t}
	u := newSetup(t, o)
	n := shards
	if replicas {
		n *= 2
	}
	for range n {
		_, bus, _ := net.SplitHostPort(freeport.Addr(t))
		node := newServer(t, u)
		node.setup.lines = []string{
			"cluster-enabled yes", "cluster-config-file nodes.conf", "cluster-port " + bus,
			"cluster-node-timeout " + calm, "cluster-replica-validity-factor 0",
		}
		if o.TLS {
			node.setup.lines = append(node.setup.lines, "tls-cluster yes")
		}
		c.Nodes, c.bus, c.ids = append(c.Nodes, node), append(c.bus, bus), append(c.ids, newID())
	}
	var hosts []string
	for _, node := range c.Nodes[:shards] {
		hosts = append(hosts, node.Addr)
	}
	c.URL = u.url("redis-cluster", strings.Join(hosts, ","), "")
	for i, node := range c.Nodes {
		node.writeConfig()
		c.writeNodes(i)
		node.Restart()
	}
	waitFor(t, "the cluster to be complete", c.complete)
	return c
}

// writeNodes gives a node the whole cluster as it would have written it down
// itself: meeting one another and dealing out slots would take seconds.
func (c *Cluster) writeNodes(me int) {
	var out strings.Builder
	for i, node := range c.Nodes {
		flags, follows, epoch, dealt := "master", "-", i+1, ""
		shard := i % shards
		if i < shards {
			dealt = fmt.Sprintf(" %d-%d", shard*slots/shards, (shard+1)*slots/shards-1)
		} else {
			flags, follows, epoch = "slave", c.ids[shard], shard+1
		}
		if i == me {
			flags = "myself," + flags
		}
		fmt.Fprintf(&out, "%s %s@%s %s %s 0 0 %d connected%s\n", c.ids[i], node.Addr, c.bus[i], flags, follows, epoch, dealt)
	}
	fmt.Fprintf(&out, "vars currentEpoch %d lastVoteEpoch 0\n", shards)
	if err := os.WriteFile(filepath.Join(c.Nodes[me].dir, "nodes.conf"), []byte(out.String()), 0o600); err != nil {
		c.t.Fatalf("write the cluster's nodes: %v", err)
	}
}

func (c *Cluster) complete(ctx context.Context) bool {
	for i, node := range c.Nodes {
		if !node.clusterOK(ctx) || i >= shards && !node.follows(ctx) {
			return false
		}
	}
	return true
}

func (s *Server) clusterOK(ctx context.Context) bool {
	info, err := s.Client().ClusterInfo(ctx).Result()
	return err == nil && strings.Contains(info, "cluster_state:ok")
}

func (s *Server) follows(ctx context.Context) bool {
	info, err := s.Client().Info(ctx, "replication").Result()
	return err == nil && strings.Contains(info, "master_link_status:up")
}

// Owner returns the shard, 0 to 2, that a key belongs to.
func (c *Cluster) Owner(key string) int {
	c.t.Helper()
	slot, err := c.Nodes[0].Client().ClusterKeySlot(c.t.Context(), key).Result()
	if err != nil {
		c.t.Fatalf("ask for a key's slot: %v", err)
	}
	return (int(slot)*shards + shards - 1) / slots
}

// Primary returns the running primary of a shard, or nil.
func (c *Cluster) Primary(shard int) *Server {
	ctx := context.WithoutCancel(c.t.Context())
	for i := shard; i < len(c.Nodes); i += shards {
		if node := c.Nodes[i]; node.answers() && node.isPrimary(ctx) {
			return node
		}
	}
	return nil
}

// KillNode kills the primary of a shard and returns it. The others take note of it
// in [Cluster.WaitComplete].
func (c *Cluster) KillNode(shard int) *Server {
	c.t.Helper()
	node := c.Primary(shard)
	if node == nil {
		c.t.Fatalf("shard %d has no primary", shard)
	}
	node.Kill()
	return node
}

// nodeTimeout tells the nodes that answer how long they watch another be away.
func (c *Cluster) nodeTimeout(ms string) {
	c.t.Helper()
	for _, node := range c.Nodes {
		if !node.answers() {
			continue
		}
		if err := node.Client().ConfigSet(context.WithoutCancel(c.t.Context()), "cluster-node-timeout", ms).Err(); err != nil {
			c.t.Fatalf("set the cluster's timeout: %v", err)
		}
	}
}

// WaitComplete waits until every shard has a primary and every running node
// takes commands again.
func (c *Cluster) WaitComplete() {
	c.t.Helper()
	c.nodeTimeout(keen)
	defer c.nodeTimeout(calm)
	waitFor(c.t, "the cluster to be complete again", func(ctx context.Context) bool {
		for shard := range shards {
			if c.Primary(shard) == nil {
				return false
			}
		}
		for _, node := range c.Nodes {
			if node.answers() && !node.clusterOK(ctx) {
				return false
			}
		}
		return true
	})
}

// Client returns a client of the cluster that may do everything, closed with the
// test.
func (c *Cluster) Client() *redis.ClusterClient {
	first := c.Nodes[0].Client().Options()
	o := &redis.ClusterOptions{Username: first.Username, Password: first.Password, TLSConfig: first.TLSConfig,
		DisableIdentity: true, MaintNotificationsConfig: first.MaintNotificationsConfig}
	for _, node := range c.Nodes {
		o.Addrs = append(o.Addrs, node.Addr)
	}
	client := redis.NewClusterClient(o)
	c.t.Cleanup(func() { _ = client.Close() })
	return client
}
