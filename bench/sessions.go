package main

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/cookie"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/sessionstore"
	"github.com/gatehouse-auth/gatehouse/internal/storeurl"
)

// measureSessions has many users ask in turn. Each costs the gateway a place in its
// cache of opened sessions, or a question to the store.
func measureSessions(ctx context.Context, l *lab) (section, error) {
	if l.store == "memory:" {
		return l.report(ctx, "nothing is measured", nil, nil), nil
	}
	names, sites := []string{"gateway"}, []site{{binary: l.gateway}}
	if l.against != "" {
		names, sites = append(names, "the other gateway"), append(sites, site{binary: l.against})
	}
	t := &table{head: []string{"gateway", "sessions", "requests/s", "of the rate with one", "p50", "p99", "CPU a request", "memory (RSS)"}}
	plot := &plot{title: "Requests a second, by sessions", subtitle: "so many users ask in turn; even bars are better", notes: "× one"}
	for i, name := range names {
		rows, err := l.crowd(ctx, name, sites[i])
		if err != nil {
			return section{}, err
		}
		for _, r := range rows {
			t.add(name, strconv.Itoa(r.sessions), medianCount(r.results, rateOf), times(r.results, rows[0].results),
				medianTime(r.results, p50Of), medianTime(r.results, p99Of), medianTime(r.results, cpuOf), megabytes(r.memory))
			rate := median(each(r.results, rateOf))
			plot.bars = append(plot.bars, bar{
				label: name + ", " + grouped(float64(r.sessions)), ours: i == 0,
				value: rate, text: grouped(rate), note: times(r.results, rows[0].results),
			})
		}
	}
	how := fmt.Sprintf("%d connections, %s, %s; before each, every session asks once; memory as it is after the first round; "+
		"the sessions are copies of one that was signed in, each of a user of its own, written by the gateway's own code", l.connections, l.client(), l.medians(l.few()))
	return l.report(ctx, how, []string{"redis-server", "wrk"}, plot, t), nil
}

// crowdRow is what was measured with so many sessions.
type crowdRow struct {
	sessions int
	results  []result
	memory   int64
}

// crowd measures one gateway with each number of sessions, from the least to the most.
func (l *lab) crowd(ctx context.Context, name string, s site) ([]crowdRow, error) {
	p := &party{name: name}
	if err := s.open(ctx, l, p); err != nil {
		return nil, err
	}
	most := l.sessions[len(l.sessions)-1]
	l.say("writing %d sessions", most)
	cookies, err := s.copySession(ctx, p.cookies, l.issuer(), most)
	if err != nil {
		return nil, fmt.Errorf("write sessions: %w", err)
	}
	rows := make([]crowdRow, len(l.sessions))
	for round := range l.few() {
		for i, n := range l.sessions {
			r, err := l.loadInTurn(ctx, p, cookies[:n])
			if err != nil {
				return nil, fmt.Errorf("%d sessions: %w", n, err)
			}
			l.say("round %d of %d: %-34s %v", round+1, l.few(), fmt.Sprintf("%s, %d sessions", name, n), r)
			rows[i].sessions = n
			rows[i].results = append(rows[i].results, r)
			if round == 0 {
				rows[i].memory = p.process.memory()
			}
		}
	}
	return rows, nil
}

// loadInTurn has each session ask once, and then all of them in turn, from the first
// on: where the cache does not hold all, that is no longer in it.
func (l *lab) loadInTurn(ctx context.Context, p *party, cookies []string) (result, error) {
	c, err := p.get(apiPath)
	if err != nil {
		return result{}, err
	}
	if _, err := load(ctx, c, l.connections, l.duration/4); err != nil { // a warm-up, as elsewhere
		return result{}, err
	}
	c.cookies = cookies
	if err := once(ctx, c, l.connections); err != nil {
		return result{}, err
	}
	return l.loadWarm(ctx, p, c, l.connections)
}

// once sends the request with each of its cookies once.
func once(ctx context.Context, c call, connections int) error {
	_, err := everywhere(ctx, connections, func(ctx context.Context, i int) ([]time.Duration, error) {
		line, err := dial(ctx, c, time.Now().Add(10*patience))
		if err != nil {
			return nil, err
		}
		defer line.close()
		for turn := i; turn < len(c.cookies) && ctx.Err() == nil; turn += connections {
			if err := line.ask(turn); err != nil {
				return nil, err
			}
		}
		return nil, nil
	})
	return err
}

// Limits of sessions, as the configuration has them by default.
const (
	idleTimeout     = 30 * time.Minute
	absoluteTimeout = 12 * time.Hour
)

// copySession makes n sessions of the one that the cookies are of, as if as many users
// had signed in: each has its user, handle, record and cookie. A sign-in by the
// emulator for each would take minutes.
func (s *site) copySession(ctx context.Context, cookies, issuer string, n int) ([]string, error) {
	jar, store, err := s.parts(issuer)
	if err != nil {
		return nil, err
	}
	defer func() { _ = store.Close() }()
	original, err := store.Load(ctx, jar.Session(&http.Request{Header: http.Header{"Cookie": {cookies}}}))
	if err != nil {
		return nil, err
	}
	all := make([]string, n)
	const writers = 16
	_, err = everywhere(ctx, writers, func(ctx context.Context, first int) ([]time.Duration, error) {
		for i := first; i < n; i += writers {
			user := *original
			user.Subject = "user-" + strconv.Itoa(i)
			var err error
			if all[i], err = keepSession(ctx, jar, store, &user); err != nil {
				return nil, err
			}
		}
		return nil, nil
	})
	return all, err
}

// parts are what the gateway itself makes of its configuration.
func (s *site) parts(issuer string) (*cookie.Jar, session.Store, error) {
	key, err := base64.StdEncoding.DecodeString(s.key)
	if err != nil {
		return nil, nil, err
	}
	ring, err := secret.NewRing(key)
	if err != nil {
		return nil, nil, err
	}
	jar, err := cookie.New(cookie.Options{Ring: ring, MaxAge: absoluteTimeout})
	if err != nil {
		return nil, nil, err
	}
	address, err := storeurl.Parse(s.store)
	if err != nil {
		return nil, nil, err
	}
	store, err := sessionstore.Open(sessionstore.Options{
		Address: address, Ring: ring, IdleTimeout: idleTimeout,
		Audience: session.Audience{Issuer: issuer, ClientID: benchClient},
	})
	return jar, store, err
}

// keepSession stores a session and returns its cookie.
func keepSession(ctx context.Context, jar *cookie.Jar, store session.Store, s *session.Session) (string, error) {
	created, err := store.Create(ctx, s)
	if err != nil {
		return "", err
	}
	answer := httptest.NewRecorder()
	if err := jar.SetSession(answer, created.Handle); err != nil {
		return "", err
	}
	c := answer.Result().Cookies()[0]
	return c.Name + "=" + c.Value, nil
}
