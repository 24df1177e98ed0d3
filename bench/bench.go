package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"time"
)

// bench is one run.
type bench struct {
	settings
	dir   string
	log   io.Writer // progress
	cert  certificate
	begun time.Time
	load  string // average of the machine before the run; empty: unknown
}

// part is one subject that is measured, and a section of the report.
type part struct {
	name  string // of the flag, and of the page's markers
	title string
	// secure has the parties serve https.
	secure  bool
	measure func(context.Context, *lab) (section, error)
}

// parts are in the order in which a reader asks.
var parts = []part{
	{name: "requests", title: "Requests", measure: measureRequests},
	{name: "rate", title: "Latency at a fixed rate", measure: measureRates},
	{name: "h2", title: "HTTP/2 and TLS", secure: true, measure: measureH2},
	{name: "sessions", title: "Many sessions", measure: measureSessions},
	{name: "auth", title: "Session, login, logout", measure: measureAuth},
	{name: "bodies", title: "Bodies", measure: measureBodies},
	{name: "websocket", title: "WebSocket messages", measure: measureWebSocket},
	{name: "streams", title: "Idle streams", measure: measureStreams},
	{name: "footprint", title: "Start, memory, size", measure: measureFootprint},
}

func newBench(ctx context.Context, s settings, dir string, log io.Writer) (*bench, error) {
	b := &bench{settings: s, dir: dir, log: log, begun: time.Now(), load: loadAverage()}
	var err error
	if b.cert, err = newCertificate(dir); err != nil {
		return nil, err
	}
	if b.gateway == "" {
		b.say("compiling the gateway")
		if b.gateway, err = build(ctx, filepath.Join(dir, "gateway")); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// say tells who waits how far it is.
func (b *bench) say(format string, args ...any) {
	_, _ = fmt.Fprintf(b.log, "%4.0f s  %s\n", time.Since(b.begun).Seconds(), fmt.Sprintf(format, args...))
}

// section measures one part in a lab of its own and words it.
func (b *bench) section(ctx context.Context, p part) (section, error) {
	b.say("%s", p.title)
	l, err := newLab(ctx, b, p)
	if err != nil {
		return section{}, err
	}
	defer l.close()
	return p.measure(ctx, l)
}

// inTurn measures every party once a round. The order turns by one each round, so
// that none is always the one that follows another.
func inTurn[T any](ctx context.Context, l *lab, rounds int, parties []*party, one func(context.Context, *party) (T, error)) (series[T], error) {
	all := series[T]{}
	for round := range rounds {
		for i := range parties {
			p := parties[(i+round)%len(parties)]
			v, err := one(ctx, p)
			if err != nil {
				return nil, fmt.Errorf("measure %s: %w", p.name, err)
			}
			l.say("round %d of %d: %-34s %v", round+1, rounds, p.name, v)
			all[p.name] = append(all[p.name], v)
		}
	}
	return all, nil
}

// series is what each party showed, a value each round.
type series[T any] map[string][]T
