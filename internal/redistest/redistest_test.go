package redistest_test

import (
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/redistest"
)

func TestSentinel(t *testing.T) {
	s := redistest.StartSentinel(t, redistest.Options{})
	first := s.Primary()
	if err := first.Client().Set(t.Context(), "key", "value", 0).Err(); err != nil {
		t.Fatal(err)
	}
	t.Run("hands_over_with_all_data", func(t *testing.T) {
		s.WaitReplica()
		s.Failover()
		if now := s.Primary(); now == first || now.Client().Get(t.Context(), "key").Val() != "value" {
			t.Errorf("primary %v after %v", now.Addr, first.Addr)
		}
	})
	t.Run("replaces_a_primary_that_is_killed_and_takes_it_back", func(t *testing.T) {
		s.WaitReplica()
		old := s.KillPrimary()
		if now := s.WaitPrimary(old); now.Client().Get(t.Context(), "key").Val() != "value" {
			t.Error("the data is gone")
		}
		old.Restart()
		s.WaitReplica()
	})
}

func TestCluster(t *testing.T) {
	c := redistest.StartCluster(t, redistest.Options{}, true)
	client := c.Client()
	keys := map[int]string{}
	for i := 0; len(keys) < 3; i++ {
		key := string(rune('a' + i))
		keys[c.Owner(key)] = key
	}
	t.Run("keeps_each_key_with_its_owner", func(t *testing.T) {
		for shard, key := range keys {
			if err := client.Set(t.Context(), key, "value", 0).Err(); err != nil {
				t.Fatal(err)
			}
			if n := c.Primary(shard).Client().DBSize(t.Context()).Val(); n != 1 {
				t.Errorf("shard %d holds %d keys, want 1", shard, n)
			}
		}
	})
	t.Run("replaces_a_node_that_is_killed", func(t *testing.T) {
		old := c.KillNode(1)
		c.WaitComplete()
		if now := c.Primary(1); now == nil || now == old {
			t.Errorf("primary of shard 1: %v", now)
		}
	})
}
