package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"
)

// browsers is how many sign in and out at the same time.
const browsers = 8

// measureAuth measures what is no call of the API: asking who is signed in, signing in
// and signing out.
func measureAuth(ctx context.Context, l *lab) (section, error) {
	parties, err := l.enter(ctx, append(l.gateways(ctx), oauth2Proxy)...)
	if err != nil {
		return section{}, err
	}
	rounds := l.few()
	asked, err := inTurn(ctx, l, rounds, parties, func(ctx context.Context, p *party) (result, error) {
		c, err := p.call(http.MethodGet, p.dialect().user, nil, anySize)
		if err != nil {
			return result{}, err
		}
		return l.load(ctx, p, c, l.connections)
	})
	if err != nil {
		return section{}, err
	}
	visits, err := inTurn(ctx, l, rounds, parties, l.signInAndOut)
	if err != nil {
		return section{}, err
	}
	how := fmt.Sprintf("`GET /auth/session`, of oauth2-proxy `/oauth2/userinfo`: %d connections, %s; signing in and out: %d browsers that the "+
		"user pool, an emulator on the same cores, knows already, from the login address over all redirects to the API's answer, and back; %s",
		l.connections, l.client(), browsers, l.medians(rounds))
	return l.report(ctx, how, []string{"oauth2-proxy", "redis-server", "wrk"}, nil, askedTable(parties, asked), visitTable(parties, visits)), nil
}

func askedTable(parties []*party, asked series[result]) *table {
	t := &table{head: []string{"who is signed in", "requests/s", "× oauth2-proxy", "p50", "p99", "CPU a request", "allocations"}}
	for _, p := range parties {
		r := asked[p.name]
		t.add(p.name, medianCount(r, rateOf), times(r, asked[namePeer]), medianTime(r, p50Of), medianTime(r, p99Of), medianTime(r, cpuOf), medianCount(r, allocsOf))
	}
	return t
}

func visitTable(parties []*party, visits series[visit]) *table {
	t := &table{head: []string{"signing out and in", "pairs/s", "× oauth2-proxy", "sign-in p50", "p99", "sign-out p50", "p99", "CPU a pair"}}
	peers := each(visits[namePeer], visitIn)
	for _, p := range parties {
		in, out := each(visits[p.name], visitIn), each(visits[p.name], visitOut)
		t.add(p.name, medianCount(in, rateOf), times(in, peers), medianTime(in, p50Of), medianTime(in, p99Of),
			medianTime(out, p50Of), medianTime(out, p99Of), medianTime(in, cpuOf))
	}
	return t
}

// dialect is how a party calls what it does beside passing on.
type dialect struct {
	user   string // path that tells who is signed in
	method string // of signing out
	leave  string // path of that
	status int    // its answer's
}

func (p *party) dialect() dialect {
	if p.name == namePeer {
		return dialect{"/oauth2/userinfo", http.MethodGet, "/oauth2/sign_out", http.StatusFound}
	}
	return dialect{"/auth/session", http.MethodPost, "/auth/logout", http.StatusOK}
}

// visit is what signing in and out took; the first has the party's processor time, too.
type visit struct{ in, out result }

func visitIn(v visit) result  { return v.in }
func visitOut(v visit) result { return v.out }

// String is for those who wait.
func (v visit) String() string { return "signing in " + v.in.String() }

// signInAndOut has browsers sign out and in again, for as long as a measurement takes.
func (l *lab) signInAndOut(ctx context.Context, p *party) (visit, error) {
	visitors := make([]*browser, browsers)
	for i := range visitors {
		var err error
		if visitors[i], err = l.newBrowser(); err != nil {
			return visit{}, err
		}
		if err := visitors[i].signIn(ctx, p.base+p.login); err != nil {
			return visit{}, err
		}
	}
	outs := make([][]time.Duration, browsers)
	begin := time.Now()
	var v visit
	var err error
	v.in, err = l.spending(ctx, p, func() (result, error) {
		ins, err := everywhere(ctx, browsers, func(ctx context.Context, i int) ([]time.Duration, error) {
			in, out, err := visitors[i].comeAndGo(ctx, p, begin.Add(l.duration))
			outs[i] = out
			return in, err
		})
		if err != nil {
			return result{}, err
		}
		return resultOf(ins, time.Since(begin))
	})
	if err != nil {
		return visit{}, err
	}
	v.out, err = resultOf(slices.Concat(outs...), time.Since(begin))
	return v, err
}

// comeAndGo signs out and in until the time is over, once at least.
func (b *browser) comeAndGo(ctx context.Context, p *party, until time.Time) (in, out []time.Duration, err error) {
	for len(in) == 0 || time.Now().Before(until) {
		begin := time.Now()
		if err := b.signOut(ctx, p); err != nil {
			return nil, nil, fmt.Errorf("sign out: %w", err)
		}
		out = append(out, time.Since(begin))
		begin = time.Now()
		if err := b.signIn(ctx, p.base+p.login); err != nil {
			return nil, nil, fmt.Errorf("sign in: %w", err)
		}
		in = append(in, time.Since(begin))
	}
	return in, out, nil
}

// signOut ends the session at the party and leaves the user pool's alone, as a page
// does that does not follow where it is sent then.
func (b *browser) signOut(ctx context.Context, p *party) error {
	d := p.dialect()
	req, err := http.NewRequestWithContext(ctx, d.method, p.base+d.leave, nil)
	if err != nil {
		return err
	}
	for _, h := range browserHeaders() {
		req.Header.Set(h[0], h[1])
	}
	req.Header.Set("Origin", p.base)
	resp, err := b.stay().Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return err
	}
	if resp.StatusCode != d.status {
		return fmt.Errorf("the answer was %s", resp.Status)
	}
	return nil
}

// stay is the browser's client, following no redirect.
func (b *browser) stay() *http.Client {
	client := b.Client
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &client
}
