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
		b.variants = append(b.variants, &variant{name: proxy.name, base: address, cookies: plainCookies, process: p})
	}
	return upstream, nil
}

// startGateways starts the emulator and a gateway for each store, and signs in.
func (b *bench) startGateways(ctx context.Context, upstream string) ([]site, error) {
	pool, err := freeAddress()
	if err != nil {
		return nil, err
	}
	stores := []struct{ name, address string }{{"memory", "memory:"}}
	if b.store != "" {
		stores = append(stores, struct{ name, address string }{"store", b.store})
	}
	var sites []site
	for _, s := range stores {
		made, err := newSite(b.gateway, b.dir, s.name, s.address, upstream, pool)
		if err != nil {
			return nil, err
		}
		sites = append(sites, made)
	}
	if _, err := b.keep(startEmulator(ctx, b.gateway, b.dir, pool, sites)); err != nil {
		return nil, err
	}
	for i, s := range sites {
		p, err := b.keep(s.start(ctx))
		if err != nil {
			return nil, err
		}
		time.Sleep(time.Second) // let it come to rest: its memory is measured next
		cookies, err := s.sessionCookies(ctx)
		if err != nil {
			return nil, err
		}
		b.variants = append(b.variants, &variant{name: "gateway, session in " + scheme(stores[i].address), base: s.public, cookies: cookies, process: p})
	}
	return sites, nil
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
	var before time.Duration
	if v.process != nil {
		before = v.process.cpu()
	}
	r, err := b.load(ctx, target, message, v.cookies)
	if err != nil {
		return result{}, err
	}
	if v.process != nil {
		requests := r.perSecond * b.duration.Seconds()
		r.cpu = time.Duration(float64(v.process.cpu()-before) / requests)
	}
	return r, nil
}

func (b *bench) load(ctx context.Context, target *url.URL, message []byte, cookies string) (result, error) {
	if b.wrk {
		return loadByWrk(ctx, target, cookies, b.connections, b.duration)
	}
	return load(ctx, target, message, b.connections, b.duration)
}
