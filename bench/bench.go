package main

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"time"
)

// bench holds what one run has started.
type bench struct {
	settings
	dir string
	out io.Writer // the tables
	log io.Writer // progress

	processes []*process
	variants  []*variant
}

// variant is one way from the client to the upstream.
type variant struct {
	name    string
	base    string // scheme://host:port
	cookies string
	process *process // whose processor time counts; nil: none
	figures string   // where the process says how much it has allocated; empty: nowhere
	results []result
}

// The yardstick and the one that people quote.
const (
	nameTuned = "ReverseProxy, tuned"
	nameBare  = "ReverseProxy, as it comes"
)

// plainCookies stands in for the session where there is no gateway, so that every
// variant gets a request of about the same size.
const plainCookies = "gatehouse=" + "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" +
	"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

func (b *bench) run(ctx context.Context) error {
	upstream, err := b.startProxies(ctx)
	if err != nil {
		return err
	}
	sites, err := b.startGateways(ctx, upstream)
	if err != nil {
		return err
	}
	rest := b.variants[len(b.variants)-len(sites)].process
	atRest := rest.memory()
	if err := b.measure(ctx); err != nil {
		return err
	}
	if err := printVariants(b.out, b.settings, b.variants); err != nil {
		return err
	}
	afterLoad := rest.memory()
	f, err := b.footprint(ctx, sites[0])
	if err != nil {
		return err
	}
	f.atRest, f.afterLoad = atRest, afterLoad
	return f.print(b.out)
}

// keep remembers a process, to be stopped at the end.
func (b *bench) keep(p *process, err error) (*process, error) {
	if err == nil {
		b.processes = append(b.processes, p)
	}
	return p, err
}

func (b *bench) stop() {
	for _, p := range b.processes {
		p.stop()
	}
}

// startProxies starts the upstream and the proxies to compare with.
func (b *bench) startProxies(ctx context.Context) (upstream string, err error) {
	p, upstream, err := startRole(ctx, b.dir, roleUpstream, "")
	if _, err := b.keep(p, err); err != nil {
		return "", err
	}
	b.variants = append(b.variants, &variant{name: "upstream itself", base: upstream, cookies: plainCookies})
	for _, proxy := range []struct{ name, role string }{{nameBare, roleBare}, {nameTuned, roleTuned}} {
		p, address, err := startRole(ctx, b.dir, proxy.role, upstream)
		if _, err := b.keep(p, err); err != nil {
			return "", err
		}
		b.variants = append(b.variants, &variant{name: proxy.name, base: address, cookies: plainCookies, process: p, figures: address + figuresPath})
	}
	return upstream, nil
}

// startGateways starts the emulator and a gateway for each store, and signs in.
func (b *bench) startGateways(ctx context.Context, upstream string) ([]site, error) {
	pool, err := freeAddress()
	if err != nil {
		return nil, err
	}
	var sites []site
	for i, c := range b.candidates() {
		made, err := newSite(c, b.dir, fmt.Sprintf("site-%d", i), upstream, pool)
		if err != nil {
			return nil, err
		}
		sites = append(sites, made)
	}
	if _, err := b.keep(startEmulator(ctx, b.gateway, b.dir, pool, sites)); err != nil {
		return nil, err
	}
	for _, s := range sites {
		p, err := b.keep(s.start(ctx))
		if err != nil {
			return nil, err
		}
		time.Sleep(time.Second) // let it come to rest: its memory is measured next
		cookies, err := s.sessionCookies(ctx)
		if err != nil {
			return nil, err
		}
		b.variants = append(b.variants, &variant{name: s.name, base: s.public, cookies: cookies, process: p, figures: s.figures})
	}
	return sites, nil
}

// candidate is a gateway to measure.
type candidate struct{ name, binary, store string }

// candidates lists the gateways. The other binary gets the one store that the
// comparison is about.
func (b *bench) candidates() []candidate {
	all := []candidate{{"gateway, session in memory", b.gateway, "memory:"}}
	compared := "memory:"
	if b.store != "" {
		compared = b.store
		all = append(all, candidate{"gateway, session in " + scheme(b.store), b.gateway, b.store})
	}
	if b.against != "" {
		all = append(all, candidate{"the other gateway, session in " + scheme(compared), b.against, compared})
	}
	return all
}

// scheme names a store without the password its address may hold.
func scheme(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "store"
	}
	return u.Scheme
}

// measure loads each variant once a round. The order turns by one each round, so
// that none is always the one that follows another.
func (b *bench) measure(ctx context.Context) error {
	for round := range b.rounds {
		for i := range b.variants {
			v := b.variants[(i+round)%len(b.variants)]
			r, err := b.one(ctx, v)
			if err != nil {
				return fmt.Errorf("load %s: %w", v.name, err)
			}
			v.results = append(v.results, r)
			_, _ = fmt.Fprintf(b.log, "round %d of %d: %-28s %8.0f requests/s\n", round+1, b.rounds, v.name, r.perSecond)
		}
	}
	return nil
}

// one is a second of warm-up at most, then the measurement.
func (b *bench) one(ctx context.Context, v *variant) (result, error) {
	target, err := url.Parse(v.base + apiPath)
	if err != nil {
		return result{}, err
	}
	message := request(target, v.cookies)
	if _, err := load(ctx, target, message, b.connections, min(b.duration, time.Second)/2); err != nil {
		return result{}, err
	}
	before, err := v.spent(ctx)
	if err != nil {
		return result{}, err
	}
	r, err := b.load(ctx, target, message, v.cookies)
	if err != nil {
		return result{}, err
	}
	after, err := v.spent(ctx)
	requests := r.perSecond * b.duration.Seconds()
	r.cpu = time.Duration(float64(after.cpu-before.cpu) / requests)
	r.allocations = (after.allocations - before.allocations) / requests
	return r, err
}

// spent is what a process has used up so far.
type spent struct {
	cpu         time.Duration
	allocations float64
}

func (v *variant) spent(ctx context.Context) (spent, error) {
	if v.process == nil {
		return spent{}, nil
	}
	allocations, err := allocated(ctx, v.figures)
	return spent{cpu: v.process.cpu(), allocations: allocations}, err
}

func (b *bench) load(ctx context.Context, target *url.URL, message []byte, cookies string) (result, error) {
	if b.wrk {
		return loadByWrk(ctx, target, cookies, b.connections, b.duration)
	}
	return load(ctx, target, message, b.connections, b.duration)
}
