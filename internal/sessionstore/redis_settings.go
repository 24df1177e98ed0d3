package sessionstore

import (
	"context"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"
)

// A Redis that evicts keys, or keeps none over a restart, signs people out. Its
// settings tell before it happens. They are looked at when a subscription stands,
// until they are known: behind, so that no start waits for it or fails by it.

// settings are a server's, by their names in its configuration. One that could not
// be asked for is missing, and nothing follows from it.
type settings map[string]string

var asked = []string{"maxmemory", "maxmemory-policy", "appendonly", "save"}

// evicts reports whether the server removes keys that have not expired.
func (s settings) evicts() bool {
	policy, known := s["maxmemory-policy"]
	return known && policy != "noeviction" && s["maxmemory"] != "0"
}

// forgets reports whether the server writes nothing to its disk.
func (s settings) forgets() bool {
	save, known := s["save"]
	return known && save == "" && s["appendonly"] == "no"
}

// warnOfLoss logs what in the settings of any primary will sign people out.
func (r *Redis) warnOfLoss(ctx context.Context) {
	if r.settingsKnown.Load() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	all, err := r.settings(ctx)
	if err != nil {
		r.log.Debug("not known whether redis keeps its data", "error", err)
		return
	}
	r.settingsKnown.Store(true)
	if i := slices.IndexFunc(all, settings.evicts); i >= 0 {
		r.log.Warn("redis evicts keys when its memory is full, and every session it evicts signs somebody out: set maxmemory-policy noeviction",
			"maxmemory-policy", all[i]["maxmemory-policy"])
	}
	if i := slices.IndexFunc(all, settings.forgets); i >= 0 {
		r.log.Warn("redis writes nothing to its disk, and its restart signs everybody out: set appendonly yes while it runs, by CONFIG SET, and then in its file",
			"appendonly", all[i]["appendonly"], "save", all[i]["save"])
	}
}

// settings returns those of every primary. Error: one of them did not answer, or
// neither CONFIG GET nor INFO is allowed.
func (r *Redis) settings(ctx context.Context) ([]settings, error) {
	nodes, err := r.primaries(ctx)
	if err != nil {
		return nil, err
	}
	all := make([]settings, len(nodes))
	for i, node := range nodes {
		if all[i], err = configured(ctx, node); err != nil {
			all[i], err = informed(ctx, node)
		}
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

// configured asks by CONFIG GET, one name at a time as before Redis 7.
func configured(ctx context.Context, node redis.Cmdable) (settings, error) {
	answers := make([]*redis.MapStringStringCmd, len(asked))
	_, err := node.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, name := range asked {
			answers[i] = p.ConfigGet(ctx, name)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	s := make(settings)
	for i, name := range asked {
		if value, ok := answers[i].Val()[name]; ok {
			s[name] = value
		}
	}
	return s, nil
}

// informed asks by INFO, which managed servers leave where they take CONFIG away.
// It does not tell when snapshots are made.
func informed(ctx context.Context, node redis.Cmdable) (settings, error) {
	text, err := node.Info(ctx, "memory").Result()
	if err != nil {
		return nil, err
	}
	s := make(settings)
	for line := range strings.Lines(text) {
		switch name, value, _ := strings.Cut(strings.TrimSpace(line), ":"); name {
		case "maxmemory":
			s["maxmemory"] = value
		case "maxmemory_policy":
			s["maxmemory-policy"] = value
		}
	}
	return s, nil
}
