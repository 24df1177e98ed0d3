package fleet

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/cognitoemu"
	"github.com/gatehouse-auth/gatehouse/internal/freeport"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// PublicURL is the one address under which browsers know all instances. Nobody
// listens there: each browser's client dials the instance it is meant for.
const PublicURL = "http://localhost:8000"

// Provider is where a fleet's users sign in.
type Provider interface {
	Domain() string
	API() string
	Issuer() string
}

// Options of a fleet.
type Options struct {
	// Instances: three unless it says otherwise.
	Instances int
	Pool      Provider
	// Store is the session store of each instance, which may reach it over a
	// link of its own.
	Store func(instance int) string
	// Settings are changed in the configuration, section by section.
	Settings map[string]map[string]any
	// Top are keys of the configuration that are in no section.
	Top map[string]any
}

// Fleet is several gateways with one configuration but for the way to the store.
type Fleet struct {
	Gateways []*Gateway
	// API is behind all of them. It counts what reached it.
	API *API

	t testing.TB
	// ways are to each instance; browsers share them, as behind a load balancer.
	ways []*http.Transport
}

// Start starts a fleet and waits until each instance is ready; it ends with the test.
func Start(t testing.TB, o Options) *Fleet {
	t.Helper()
	if o.Instances == 0 {
		o.Instances = 3
	}
	f := &Fleet{t: t, API: startAPI(t)}
	key := secret.NewKey()
	for i := range o.Instances {
		g := newGateway(t, i, f.configuration(o, o.Store(i), key))
		g.process.start()
		f.Gateways = append(f.Gateways, g)
		f.ways = append(f.ways, wayTo(t, g.Addr))
	}
	t.Cleanup(f.stop)
	for _, g := range f.Gateways {
		g.WaitReady()
	}
	return f
}

// stop ends all instances at a time: each takes a moment to drain.
func (f *Fleet) stop() {
	var all sync.WaitGroup
	for _, g := range f.Gateways {
		all.Go(func() { g.Continue(); g.Stop() })
	}
	all.Wait()
}

func (f *Fleet) configuration(o Options, store, key string) map[string]any {
	cfg := map[string]any{
		"public_url": PublicURL,
		"cognito": map[string]any{
			"region": "eu-west-1", "user_pool_id": cognitoemu.DefaultPoolID, "client_id": cognitoemu.DefaultClientID,
			"domain": o.Pool.Domain(), "issuer": o.Pool.Issuer(), "api_endpoint": o.Pool.API(),
		},
		"session": map[string]any{"store": store, "keys": []string{key}, "max_per_user": 0}, // all browsers are one user
		"routes":  []any{map[string]any{"path": "/api/", "upstream": f.API.server.URL}},
		"log":     map[string]any{"level": "info"},
	}
	for section, keys := range o.Settings {
		if cfg[section] == nil {
			cfg[section] = map[string]any{}
		}
		maps.Copy(cfg[section].(map[string]any), keys)
	}
	maps.Copy(cfg, o.Top)
	return cfg
}

// Gateway is one instance.
type Gateway struct {
	// Addr and Admin are where it listens, also after a restart.
	Addr, Admin string

	t       testing.TB
	config  string
	cfg     map[string]any
	process *process
}

func newGateway(t testing.TB, i int, cfg map[string]any) *Gateway {
	t.Helper()
	g := &Gateway{t: t, Addr: freeport.Addr(t), Admin: freeport.Addr(t), cfg: cfg, config: filepath.Join(t.TempDir(), "gatehouse.yaml")}
	cfg["listen"], cfg["admin_listen"] = g.Addr, g.Admin
	g.writeConfig()
	g.process = newProcess(t, fmt.Sprintf("gateway %d", i), "serve", "--config", g.config)
	return g
}

func (g *Gateway) writeConfig() {
	g.t.Helper()
	text, err := json.Marshal(g.cfg) // which is YAML too
	if err != nil {
		g.t.Fatal(err)
	}
	if err := os.WriteFile(g.config, text, 0o600); err != nil {
		g.t.Fatal(err)
	}
}

// UseKeys gives the instance other session keys by SIGHUP, and returns when it
// says that it has taken them.
func (g *Gateway) UseKeys(keys ...string) {
	g.t.Helper()
	g.cfg["session"].(map[string]any)["keys"] = keys
	g.writeConfig()
	before := g.process.logs.written()
	g.process.signal(syscall.SIGHUP)
	waitFor(g.t, "an instance that takes its keys", func() bool {
		return strings.Contains(g.process.logs.since(before), `"configuration reloaded"`)
	})
}

// Kill ends the instance as a crash does.
func (g *Gateway) Kill() { g.process.kill() }

// Stop ends it in order.
func (g *Gateway) Stop() { g.process.stop() }

// Pause stops its process (SIGSTOP), and Continue lets it go on.
func (g *Gateway) Pause() { g.process.pause() }

// Continue lets a paused instance go on.
func (g *Gateway) Continue() { g.process.signal(syscall.SIGCONT) }

// Restart starts an instance that was killed or stopped, and waits until it listens.
func (g *Gateway) Restart() {
	g.t.Helper()
	g.process.start()
	waitFor(g.t, "an instance that listens", func() bool {
		res, err := ask("http://" + g.Admin + "/healthz")
		return err == nil && res.Body.Close() == nil
	})
}

// WaitReady waits until the instance can serve.
func (g *Gateway) WaitReady() {
	g.t.Helper()
	waitFor(g.t, "an instance that is ready", func() bool {
		res, err := ask("http://" + g.Admin + "/readyz")
		if err != nil {
			return false
		}
		defer func() { _ = res.Body.Close() }()
		return res.StatusCode == http.StatusOK
	})
}

// ask is for servers that may hang.
func ask(url string) (*http.Response, error) {
	return (&http.Client{Timeout: 30 * time.Second}).Get(url)
}

// Metric returns the sum of a metric's samples whose line begins with prefix.
func (g *Gateway) Metric(prefix string) float64 {
	g.t.Helper()
	res, err := ask("http://" + g.Admin + "/metrics")
	if err != nil {
		g.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		g.t.Fatal(err)
	}
	var sum float64
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, prefix) {
			var v float64
			_, _ = fmt.Sscan(line[strings.LastIndexByte(line, ' ')+1:], &v)
			sum += v
		}
	}
	return sum
}

// API is what the gateways protect. It answers with claims of the token it got.
type API struct {
	server *httptest.Server
	calls  atomic.Int64
	mu     sync.Mutex
	stale  int
}

// Calls is how many requests reached the API.
func (a *API) Calls() int { return int(a.calls.Load()) }

// Expired is how many of them came with a token past its end.
func (a *API) Expired() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.stale
}

// startAPI answers GET /api/… with {"sub","jti","iat"}, but for what lasts ([stream]).
func startAPI(t testing.TB) *API {
	a := &API{}
	a.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.calls.Add(1)
		c, ok := claimsOf(r.Header.Get("Authorization"))
		if !ok {
			w.WriteHeader(http.StatusTeapot) // a gateway let someone through without a token
			return
		}
		if time.Now().Unix() > c.Expires {
			a.mu.Lock()
			a.stale++
			a.mu.Unlock()
		}
		if !stream(w, r) {
			_ = json.NewEncoder(w).Encode(c)
		}
	}))
	t.Cleanup(a.server.Close)
	return a
}

// lastResort is how long a test waits for what comes soon, unless the machine is
// busy: only what never comes takes it.
const lastResort = 3 * time.Minute

func waitFor(t testing.TB, what string, done func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), lastResort)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("waited %v in vain for %s", lastResort, what)
		}
	}
}
