package main

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// bodySize is one of the sizes of bodies, and over how many connections they go.
type bodySize struct {
	name        string
	bytes       int
	connections int // 0: as many as otherwise
}

var bodySizes = []bodySize{{"1 kB", 1e3, 0}, {"64 kB", 64e3, 0}, {"10 MB", 10e6, 8}}

// measureBodies sends bodies down and up.
func measureBodies(ctx context.Context, l *lab) (section, error) {
	l.duration = l.half() // there are many of them
	entrants := append([]entrant{tuned}, l.gateways(ctx)...)
	parties, err := l.enter(ctx, append(entrants, nginx, haproxy, caddy, oauth2Proxy)...)
	if err != nil {
		return section{}, err
	}
	down, err := l.bodyTable(ctx, parties, "answer", func(p *party, size int) (call, error) {
		return p.call(http.MethodGet, bytesPath+strconv.Itoa(size), nil, size)
	})
	if err != nil {
		return section{}, err
	}
	up, err := l.bodyTable(ctx, parties, "request", func(p *party, size int) (call, error) {
		return p.call(http.MethodPost, takePath, make([]byte, size), answerSize)
	})
	if err != nil {
		return section{}, err
	}
	how := fmt.Sprintf("%d connections, %d with 10 MB; answers by %s, requests by a client of the benchmark's own; %s", l.connections, min(8, l.connections), l.client(), l.medians(l.few()))
	return l.report(ctx, how, append(measured, "wrk"), nil, down, up), nil
}

// half is half of a measurement's duration, or what comes near it: wrk takes seconds.
func (l *lab) half() time.Duration {
	if l.wrk {
		return max(time.Second, (l.duration / 2).Truncate(time.Second))
	}
	return l.duration / 2
}

// bodyTable measures every size in one direction.
func (l *lab) bodyTable(ctx context.Context, parties []*party, direction string, ask func(p *party, size int) (call, error)) (*table, error) {
	t := &table{head: []string{direction}}
	rows := make([][]string, len(parties))
	for _, size := range bodySizes {
		connections := l.connections
		if size.connections > 0 {
			connections = min(size.connections, connections)
		}
		t.head = append(t.head, size.name+", requests/s", "MB/s", "× tuned")
		l.say("%s of %s", direction, size.name)
		all, err := inTurn(ctx, l, l.few(), parties, func(ctx context.Context, p *party) (result, error) {
			c, err := ask(p, size.bytes)
			if err != nil {
				return result{}, err
			}
			return l.load(ctx, p, c, connections)
		})
		if err != nil {
			return nil, err
		}
		for i, p := range parties {
			r := all[p.name]
			rate := median(each(r, rateOf))
			rows[i] = append(rows[i], strconv.FormatFloat(rate, 'f', 0, 64), strconv.FormatFloat(rate*float64(size.bytes)/1e6, 'f', 0, 64), times(r, all[nameTuned]))
		}
	}
	for i, p := range parties {
		t.add(append([]string{p.name}, rows[i]...)...)
	}
	return t, nil
}
