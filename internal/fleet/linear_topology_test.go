package fleet

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/redistest"
)

// topology is a store and what can become of it.
type topology struct {
	store    func(instance int) string
	settings map[string]any // of the section session
	// kept: an end that no gateway warned of survives a failover.
	kept   bool
	faults func(n *nemesis) []fault
	// lapses of one session.
	lapses func(session string) []lapse
}

func standalone(t testing.TB) topology {
	server := redistest.Start(t, redistest.Options{})
	var links []*Link
	for range 3 {
		links = append(links, NewLink(t, server.Addr))
	}
	return topology{
		store: func(i int) string { return "redis://" + links[i].Addr },
		faults: func(n *nemesis) []fault {
			toStore := func() string {
				i := n.r.IntN(len(links))
				return fmt.Sprintf(" of %d%s", i, n.breakLink(links[i]))
			}
			return []fault{
				{"the way to the store", hampers, toStore},
				{"the way to the store", hampers, toStore},
				{"kill -9 of Redis", hampers, func() string {
					server.Kill() // what it answered is in the log: the kernel has it
					n.wait(n.between(0, 2*time.Second))
					server.Restart()
					return ""
				}},
				{"SIGSTOP of Redis", hampers, func() string {
					server.Pause()
					n.wait(n.between(200*time.Millisecond, 3*time.Second))
					server.Continue()
					return ""
				}},
			}
		},
	}
}

// lapses notes the lapses that a fault makes.
type lapses []lapse

func (f *lapses) during(n *nemesis, cause func()) {
	l := lapse{From: n.load.now()}
	cause()
	l.To = n.load.now()
	*f = append(*f, l)
}

func sentinel(t testing.TB) topology {
	s := redistest.StartSentinel(t, redistest.Options{})
	var past lapses
	during := func(n *nemesis, cause func()) func() string {
		return func() string {
			past.during(n, func() { cause(); s.WaitReplica() })
			return ""
		}
	}
	s.WaitReplica()
	return topology{
		store:    func(int) string { return s.URL },
		settings: map[string]any{"wait_replicas": 1},
		kept:     true,
		lapses:   func(string) []lapse { return past },
		faults: func(n *nemesis) []fault {
			return []fault{
				{"failover in order", forgets, during(n, s.Failover)},
				{"kill -9 of the primary", forgets, during(n, func() {
					old := s.KillPrimary()
					s.WaitPrimary(old)
					old.Restart()
				})},
				{"SIGSTOP of the primary", forgets, during(n, func() {
					old := s.Primary()
					old.Pause()
					s.WaitPrimary(old)
					n.wait(n.between(0, 2*time.Second))
					old.Continue()
				})},
			}
		},
	}
}

func cluster(t testing.TB) topology {
	c := redistest.StartCluster(t, redistest.Options{}, true)
	past := make([]lapses, 3)
	fail := func(n *nemesis, cause func(shard int)) func() string {
		return func() string {
			shard := n.r.IntN(len(past))
			past[shard].during(n, func() { cause(shard) })
			return fmt.Sprintf(" %d", shard)
		}
	}
	back := func(node *redistest.Server) {
		c.WaitComplete()
		waitFor(t, "a replica", func() bool {
			info, err := node.Client().Info(context.Background(), "replication").Result()
			return err == nil && strings.Contains(info, "master_link_status:up")
		})
	}
	return topology{
		store:  func(int) string { return c.URL },
		lapses: func(session string) []lapse { return past[c.Owner("gatehouse:s:{"+session+"}")] },
		faults: func(n *nemesis) []fault {
			return []fault{
				{"kill -9 of the primary of shard", forgets, fail(n, func(shard int) {
					node := c.KillNode(shard)
					c.WaitComplete()
					node.Restart()
					back(node)
				})},
				{"SIGSTOP of the primary of shard", forgets, fail(n, func(shard int) {
					node := c.Primary(shard)
					node.Pause()
					c.WaitComplete()
					n.wait(n.between(0, 2*time.Second))
					node.Continue()
					back(node)
				})},
			}
		},
	}
}
