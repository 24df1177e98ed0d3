package sessionstore

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// probeTTL is how long what a probe writes lives, should it not come to remove it.
	probeTTL = time.Second
	// probeTags is how many keys are looked at for one of each primary: with a
	// hundred primaries the chance to miss one is below one in 250.
	probeTags = 1024
)

// Ping implements [session.Store]: it does what a login does, with keys of its
// own, because a server that answers PING may yet take no session. It can be a
// replica, full, out of replicas, or refuse a command to this user; [Reason] says
// which. In a cluster every primary must take it: each has sessions that the
// others have not.
func (r *Redis) Ping(ctx context.Context) error {
	return r.call(ctx, "ping", func(ctx context.Context) error {
		tags, err := r.tagOfEachPrimary(ctx)
		if err != nil {
			return err
		}
		var probing sync.WaitGroup
		errs := make([]error, len(tags))
		for i, tag := range tags {
			probing.Go(func() { errs[i] = r.probe(ctx, tag) })
		}
		probing.Wait()
		return errors.Join(errs...)
	})
}

// probe writes and reads what a login does, at the server that has the tag.
func (r *Redis) probe(ctx context.Context, tag string) error {
	record, index := "gatehouse:probe:s:"+tag, "gatehouse:probe:u:"+tag
	now := time.Now()
	err := indexScript.Run(ctx, r.client, []string{index}, "probe", now.Add(probeTTL).UnixMilli(), now.UnixMilli()).Err()
	if err != nil {
		return err
	}
	_, err = r.client.Pipelined(ctx, func(p redis.Pipeliner) error {
		p.Set(ctx, record, "probe", probeTTL)
		p.Get(ctx, record)
		p.Del(ctx, record, index)
		return nil
	})
	return absentIsWell(err)
}

// absentIsWell: another instance probes with the same keys, and may have removed
// what was to be read.
func absentIsWell(err error) error {
	if errors.Is(err, redis.Nil) {
		return nil
	}
	return err
}

// tagOfEachPrimary returns a hash tag for every server that takes writes.
func (r *Redis) tagOfEachPrimary(ctx context.Context) ([]string, error) {
	cluster, ok := r.client.(*redis.ClusterClient)
	if !ok {
		return []string{"{0}"}, nil
	}
	nodes, err := r.primaries(ctx)
	if err != nil {
		return nil, err
	}
	var tags []string
	found := make(map[*redis.Client]bool, len(nodes))
	for i := 0; i < probeTags && len(found) < len(nodes); i++ {
		tag := "{" + strconv.Itoa(i) + "}"
		node, err := cluster.MasterForKey(ctx, tag)
		if err != nil {
			return nil, err
		}
		if !found[node] {
			found[node], tags = true, append(tags, tag)
		}
	}
	return tags, nil
}

// reasons are what Redis answers where it takes no session, by its own words.
var reasons = []struct{ code, reason string }{
	{"READONLY", "it is a replica and takes no writes (READONLY)"},
	{"OOM", "its memory is full: maxmemory is reached, and its policy evicts nothing (OOM)"},
	{"MISCONF", "it cannot write to its disk, and takes no writes until it can (MISCONF)"},
	{"NOREPLICAS", "it has fewer replicas than its min-replicas-to-write (NOREPLICAS)"},
	{"NOPERM", "its user lacks a right that sessions need, the log says which (NOPERM)"},
	{"NOAUTH", "it asks for a password (NOAUTH)"},
	{"WRONGPASS", "it refuses user or password (WRONGPASS)"},
	{"LOADING", "it is still loading its data (LOADING)"},
	{"MASTERDOWN", "it is a replica that has lost its primary (MASTERDOWN)"},
	{"CLUSTERDOWN", "its cluster is not complete (CLUSTERDOWN)"},
}

// Reason words an error of a store's Ping for whoever operates it. Nothing of
// the error's own text is in it.
func Reason(err error) string {
	var answer redis.Error
	if !errors.As(err, &answer) {
		return "it does not answer"
	}
	// Before Redis 7 a script's error has the code in its middle, and until 7.2 that
	// of a right that lacks has none.
	text := strings.Replace(answer.Error(), "ERR The user executing the script ", "NOPERM ", 1)
	for _, r := range reasons {
		if strings.HasPrefix(text, r.code+" ") || strings.Contains(text, "-"+r.code+" ") {
			return r.reason
		}
	}
	return "it answers with an error, which the log has"
}
