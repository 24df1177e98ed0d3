package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
)

// measureRates finds how much each party can do, and then how long its answers take
// when it has half of that to do, and half of what the tuned proxy can.
func measureRates(ctx context.Context, l *lab) (section, error) {
	entrants := append([]entrant{bare, tuned}, l.gateways(ctx)...)
	parties, err := l.enter(ctx, append(entrants, nginx, haproxy, caddy, oauth2Proxy)...)
	if err != nil {
		return section{}, err
	}
	rounds := l.few()
	full, err := inTurn(ctx, l, 1, parties, func(ctx context.Context, p *party) (result, error) {
		c, err := p.get(apiPath)
		if err != nil {
			return result{}, err
		}
		return l.load(ctx, p, c, l.connections)
	})
	if err != nil {
		return section{}, err
	}
	common := full[nameTuned][0].perSecond / 2
	same, err := inTurn(ctx, l, rounds, parties, func(ctx context.Context, p *party) (result, error) {
		if full[p.name][0].perSecond < common {
			return result{}, nil
		}
		return l.loadAt(ctx, p, common)
	})
	if err != nil {
		return section{}, err
	}
	own, err := inTurn(ctx, l, rounds, parties, func(ctx context.Context, p *party) (result, error) {
		return l.loadAt(ctx, p, full[p.name][0].perSecond/2)
	})
	if err != nil {
		return section{}, err
	}
	how := fmt.Sprintf("%d connections; the rates are halves of what was answered at full load in this run (%s); "+
		"requests at a fixed rate by a client of the benchmark's own, which counts from the moment at which each was due; %s",
		l.connections, l.client(), l.medians(rounds))
	rate := strconv.FormatFloat(common, 'f', 0, 64)
	plot := &plot{
		title: "p99 at " + grouped(common) + " requests a second", subtitle: "half of what the tuned ReverseProxy can; shorter is better",
		bars: latencyBars(parties, same),
	}
	return l.report(ctx, how, append(measured, "wrk"), plot, sameRateTable(rate, parties, full, same), ownRateTable(parties, own)), nil
}

// loadAt measures at a fixed rate. A party that is slower than that has no result.
func (l *lab) loadAt(ctx context.Context, p *party, rate float64) (result, error) {
	c, err := p.get(apiPath)
	if err != nil {
		return result{}, err
	}
	if _, err := load(ctx, c, l.connections, l.duration/4); err != nil {
		return result{}, err
	}
	r, err := l.spending(ctx, p, func() (result, error) { return loadAt(ctx, c, l.connections, rate, l.duration) })
	if errors.Is(err, errBehind) {
		return result{}, nil
	}
	return r, err
}

func sameRateTable(rate string, parties []*party, full, same series[result]) *table {
	t := &table{head: []string{"at " + rate + " requests/s", "p50", "p99", "p99.9", "CPU a request", "at full load, requests/s"}}
	for _, p := range parties {
		r := same[p.name]
		t.add(p.name, medianTime(r, p50Of), medianTime(r, p99Of), medianTime(r, p999Of), medianTime(r, cpuOf), medianCount(full[p.name], rateOf))
	}
	return t
}

func ownRateTable(parties []*party, own series[result]) *table {
	t := &table{head: []string{"at half of its own full load", "requests/s", "p50", "p99", "p99.9", "CPU a request"}}
	for _, p := range parties {
		r := own[p.name]
		t.add(p.name, medianCount(r, rateOf), medianTime(r, p50Of), medianTime(r, p99Of), medianTime(r, p999Of), medianTime(r, cpuOf))
	}
	return t
}

// latencyBars leave out who could not keep up.
func latencyBars(parties []*party, same series[result]) []bar {
	var bars []bar
	for _, p := range parties {
		if p99 := median(each(same[p.name], p99Of)); p99 > 0 {
			bars = append(bars, bar{label: p.name, value: float64(p99), text: written(p99), ours: p.ours})
		}
	}
	return bars
}
