package main

import (
	"context"
	"fmt"
	"slices"
)

// measured are the programs that tables of all parties name the versions of.
var measured = []string{"nginx", "haproxy", "caddy", "oauth2-proxy", "redis-server"}

// measureRequests asks for the small answer as fast as each party gives it.
func measureRequests(ctx context.Context, l *lab) (section, error) {
	entrants := append([]entrant{direct, bare, tuned, tunedGOGC}, l.gateways(ctx)...)
	if l.store != "memory:" {
		memory := site{binary: l.gateway, store: "memory:"}.entrant("gateway, session in memory")
		memory.ours = false
		entrants = append(entrants, memory)
	}
	bearer := site{binary: l.gateway, bearer: true}.entrant("gateway, by a bearer")
	bearer.ours = false
	entrants = append(entrants, bearer)
	parties, err := l.enter(ctx, append(entrants, nginx, haproxy, caddy, oauth2Proxy)...)
	if err != nil {
		return section{}, err
	}
	all, err := inTurn(ctx, l, l.rounds, parties, func(ctx context.Context, p *party) (result, error) {
		c, err := p.get(apiPath)
		if err != nil {
			return result{}, err
		}
		return l.load(ctx, p, c, l.connections)
	})
	if err != nil {
		return section{}, err
	}
	how := fmt.Sprintf("%d connections, %s, %s", l.connections, l.client(), l.medians(l.rounds))
	plot := ratePlot("Requests a second", "HTTP/1.1, a small answer; longer is better", parties[1:], all)
	return l.report(ctx, how, append(measured, "wrk"), plot, rateTable(parties, all, nameTuned, nameNginx, namePeer)), nil
}

// rateTable is a row for each party, with the ratios to some of them.
func rateTable(parties []*party, all series[result], yardsticks ...string) *table {
	t := &table{head: slices.Concat([]string{"variant", "requests/s"}, each(yardsticks, timesName), []string{"p50", "p99", "CPU a request", "allocations"})}
	for _, p := range parties {
		r := all[p.name]
		row := []string{p.name, medianCount(r, rateOf)}
		for _, yardstick := range yardsticks {
			row = append(row, times(r, all[yardstick]))
		}
		t.add(append(row, medianTime(r, p50Of), medianTime(r, p99Of), medianTime(r, cpuOf), medianCount(r, allocsOf))...)
	}
	return t
}

// timesName is the head of a column of ratios.
func timesName(yardstick string) string {
	if yardstick == nameTuned {
		return "× tuned"
	}
	return "× " + yardstick
}

// ratePlot shows the parties' rates, and what that is of the tuned proxy's.
func ratePlot(title, subtitle string, parties []*party, all series[result]) *plot {
	drawn := &plot{title: title, subtitle: subtitle, notes: timesName(nameTuned)}
	for _, p := range parties {
		rate := median(each(all[p.name], rateOf))
		drawn.bars = append(drawn.bars, bar{label: p.name, value: rate, text: grouped(rate), note: times(all[p.name], all[nameTuned]), ours: p.ours})
	}
	return drawn
}

// measureH2 asks by HTTP/2 over TLS.
func measureH2(ctx context.Context, l *lab) (section, error) {
	if !installed("h2load") {
		l.missing = append(l.missing, "HTTP/2 (apt-get install nghttp2-client)")
		return l.report(ctx, "nothing is measured", nil, nil), nil
	}
	entrants := append([]entrant{tuned}, l.gateways(ctx)...)
	parties, err := l.enter(ctx, append(entrants, nginx, haproxy, caddy)...) // oauth2-proxy has HTTP/1.1 only, with TLS too
	if err != nil {
		return section{}, err
	}
	rounds := l.few()
	all, err := inTurn(ctx, l, rounds, parties, l.loadH2)
	if err != nil {
		return section{}, err
	}
	how := fmt.Sprintf("%d connections with %d requests at a time on each, h2load, %s or so", h2Connections, h2Streams, l.medians(rounds))
	plot := ratePlot("Requests a second, HTTP/2 over TLS", "a small answer; longer is better", parties, all)
	return l.report(ctx, how, []string{"nginx", "haproxy", "caddy", "redis-server", "h2load"}, plot, rateTable(parties, all, nameTuned, nameNginx)), nil
}

func (l *lab) loadH2(ctx context.Context, p *party) (result, error) {
	c, err := p.get(apiPath)
	if err != nil {
		return result{}, err
	}
	const warmUp = 1000 // requests
	warm, err := loadByH2load(ctx, l.dir, c, warmUp)
	if err != nil {
		return result{}, err
	}
	count := max(warmUp, int(warm.perSecond*l.duration.Seconds()))
	return l.spending(ctx, p, func() (result, error) { return loadByH2load(ctx, l.dir, c, count) })
}
