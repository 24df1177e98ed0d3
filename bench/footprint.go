package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// measureFootprint tells what the gateway takes besides time per request.
func measureFootprint(ctx context.Context, l *lab) (section, error) {
	t := &table{head: []string{"what", "measured"}}
	s := site{binary: l.gateway, store: "memory:"}
	p := &party{name: "gateway"}
	if err := s.open(ctx, l, p); err != nil {
		return section{}, err
	}
	t.add("memory at rest (RSS)", megabytes(p.process.memory()))
	c, err := p.get(apiPath)
	if err != nil {
		return section{}, err
	}
	if _, err := l.load(ctx, p, c, l.connections); err != nil {
		return section{}, err
	}
	t.add("memory after the load (RSS)", megabytes(p.process.memory()))
	p.process.stop() // its addresses are needed again

	l.say("compiling the production binary")
	s.binary, err = build(ctx, filepath.Join(l.dir, "gateway-production"), "-tags", "production")
	if err != nil {
		return section{}, err
	}
	info, err := os.Stat(s.binary)
	if err != nil {
		return section{}, err
	}
	t.add("production binary, stripped", megabytes(info.Size()))
	starts, err := l.timeStarts(ctx, s)
	if err != nil {
		return section{}, err
	}
	t.add(fmt.Sprintf("start of `serve` to the first answered request, median of %d", len(starts)), written(median(starts)))
	t.add("the slowest of them", written(slices.Max(starts)))
	return l.report(ctx, fmt.Sprintf("The load is %v of %d connections; sessions in memory", l.duration, l.connections), nil, nil, t), nil
}

// timeStarts measures from the start of the process to its first answer.
func (l *lab) timeStarts(ctx context.Context, s site) ([]time.Duration, error) {
	var all []time.Duration
	for range l.starts {
		begin := time.Now()
		p, err := s.start(ctx, l)
		if err != nil {
			if p != nil {
				p.stop()
			}
			return nil, err
		}
		all = append(all, time.Since(begin))
		p.stop()
	}
	return all, nil
}
