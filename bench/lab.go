package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// lab is what one part has running. Each part has a lab of its own, so that none
// begins with the memory that another has left in a process.
type lab struct {
	*bench
	secure   bool
	dir      string
	duration time.Duration // of a measurement

	upstream string   // http://host:port
	pool     string   // host:port of the emulator
	store    string   // of the gateway's sessions
	fronts   []string // addresses that the emulator takes for those of an app client, not yet used
	http     *http.Client

	processes []*process
	missing   []string // parties that are not measured, and why
}

// maxFronts is how many parties of one lab may have users sign in.
const maxFronts = 8

func newLab(ctx context.Context, b *bench, p part) (*lab, error) {
	dir, err := os.MkdirTemp(b.dir, p.name+"-")
	if err != nil {
		return nil, err
	}
	l := &lab{bench: b, secure: p.secure, dir: dir, duration: b.duration, http: b.cert.client()}
	if err := l.furnish(ctx); err != nil {
		l.close()
		return nil, err
	}
	return l, nil
}

// furnish starts what every party needs.
func (l *lab) furnish(ctx context.Context) error {
	p, upstream, err := startRole(ctx, l.dir, roleUpstream, "http")
	if err := l.keep(p, err); err != nil {
		return err
	}
	l.upstream = upstream
	for range maxFronts {
		address, err := freeAddress()
		if err != nil {
			return err
		}
		l.fronts = append(l.fronts, address)
	}
	if err := l.startStore(ctx); err != nil {
		return err
	}
	if l.pool, err = freeAddress(); err != nil {
		return err
	}
	return l.keep(startEmulator(ctx, l))
}

// startStore starts a redis-server for the sessions, unless there is one to use.
func (l *lab) startStore(ctx context.Context) error {
	l.store = l.bench.store
	if l.store != "" {
		return nil
	}
	redis, ok := program("redis-server")
	if !ok {
		l.store = "memory:"
		l.missing = append(l.missing, "sessions in Redis (apt-get install redis-server)")
		return nil
	}
	address, err := freeAddress()
	if err != nil {
		return err
	}
	host, port, _ := net.SplitHostPort(address)
	p, err := start(ctx, command{dir: l.dir, name: redis, args: []string{
		"--bind", host, "--port", port, "--save", "", "--appendonly", "no", "--dir", l.dir,
	}})
	if err := l.keep(p, err); err != nil {
		return err
	}
	l.store = "redis://" + address + "/0"
	return p.waitUntilListening(ctx, address)
}

// keep remembers a process, to be stopped at the end.
func (l *lab) keep(p *process, err error) error {
	if p != nil {
		l.processes = append(l.processes, p)
	}
	return err
}

func (l *lab) close() {
	for _, p := range l.processes {
		p.stop()
	}
	_ = os.RemoveAll(l.dir) // logs of a part may be large
}

// front is an address for a party in front of the upstream, as browsers see it too.
func (l *lab) front() (address, public string, err error) {
	if len(l.fronts) == 0 {
		return "", "", errors.New("more parties than addresses")
	}
	address, l.fronts = l.fronts[0], l.fronts[1:]
	return address, l.public(address), nil
}

// public is the address as a URL, with the name that the certificate and cookies on
// loopback are for.
func (l *lab) public(address string) string {
	_, port, _ := net.SplitHostPort(address)
	if l.secure {
		return "https://localhost:" + port
	}
	return "http://localhost:" + port
}

// file writes a configuration file.
func (l *lab) file(name, text string) (string, error) {
	path := filepath.Join(l.dir, name)
	return path, os.WriteFile(path, []byte(text), 0o600)
}

// party is one way from the client to the upstream, as it runs.
type party struct {
	name    string
	base    string // scheme://host:port
	cookies string
	bearer  string   // an access token of the caller's own; empty: none is sent
	process *process // whose processor time and memory count; nil: none
	figures string   // where the process says how much it has allocated; empty: nowhere
	login   string   // path that begins a sign-in and ends at the API; empty: there is none
	ours    bool
}

// entrant is a party before it is started.
type entrant struct {
	name    string
	program string // what must be installed; empty: nothing
	install string // how that is done
	start   func(context.Context, *lab, *party) error
	ours    bool
}

// enter starts the parties that can be started and has each show that it passes on
// the upstream's answer.
func (l *lab) enter(ctx context.Context, entrants ...entrant) ([]*party, error) {
	var parties []*party
	for _, e := range entrants {
		if e.program != "" && !installed(e.program) {
			l.missing = append(l.missing, e.name+" ("+e.install+")")
			continue
		}
		p := &party{name: e.name, cookies: plainCookies, ours: e.ours}
		if err := e.start(ctx, l, p); err != nil {
			return nil, fmt.Errorf("start %s: %w", e.name, err)
		}
		if err := l.prove(ctx, p); err != nil {
			return nil, fmt.Errorf("ask through %s: %w", e.name, err)
		}
		parties = append(parties, p)
	}
	return parties, nil
}

// prove fails if a party does not answer as the upstream does: wrk and h2load look at
// the status alone.
func (l *lab) prove(ctx context.Context, p *party) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.base+apiPath, nil)
	if err != nil {
		return err
	}
	for _, line := range append(browserHeaders(), p.proof()...) {
		req.Header.Set(line[0], line[1])
	}
	req.Header.Set("Cookie", p.cookies)
	resp, err := l.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK || string(body) != answerBody {
		return fmt.Errorf("it answered %s and %d bytes, not the upstream's answer", resp.Status, len(body))
	}
	return nil
}

// Free ports are looked for below those that a system gives to connections by itself
// (Linux: from 32768), of which a benchmark uses many.
const lowestPort, highestPort = 10_000, 30_000

// freeAddress is a loopback address that nobody listens on at the moment.
func freeAddress() (string, error) {
	for range 1000 {
		port := lowestPort + rand.IntN(highestPort-lowestPort) //nolint:gosec // spreads ports, guards nothing
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
		if listener, err := net.Listen("tcp", address); err == nil {
			return address, listener.Close()
		}
	}
	return "", errors.New("find a free port: none of a thousand is")
}

// rest lets a process that has just started come to rest, before its memory or its
// processor time counts.
func rest(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(time.Second):
		return nil
	}
}
