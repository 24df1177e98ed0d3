package server_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/config"
	"github.com/gatehouse-auth/gatehouse/internal/redistest"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/server"
)

// instance is one more gateway behind the rig's public address.
type instance struct {
	*server.Server
	address string
}

func (r *rig) instance(change ...settings) instance {
	r.t.Helper()
	lend := httptest.NewTLSServer(nil)
	lend.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		r.t.Fatal(err)
	}
	s, err := server.New(r.config(change), server.Options{
		Stores: ownStores, Logs: r.logs, Listener: l, Certificate: &lend.TLS.Certificates[0],
	})
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	r.t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			r.t.Errorf("instance stopped with %v", err)
		}
	})
	return instance{s, l.Addr().String()}
}

// balanced returns a browser whose every request goes to the next instance, as
// through a load balancer that knows no sessions.
func (r *rig) balanced(instances []instance) *browser {
	r.t.Helper()
	b := r.browser()
	public, err := url.Parse(r.url)
	if err != nil {
		r.t.Fatal(err)
	}
	tr := r.transport()
	dial, turn := tr.DialTLSContext, new(atomic.Uint64)
	tr.DisableKeepAlives = true
	tr.DialTLSContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		if address == public.Host {
			address = instances[turn.Add(1)%uint64(len(instances))].address
		}
		return dial(ctx, network, address)
	}
	b.http.Transport = tr
	return b
}

func (r *rig) reload(s *server.Server, change ...settings) {
	r.t.Helper()
	if err := s.Reload(func() (*config.Config, error) { return r.config(change), nil }); err != nil {
		r.t.Fatal(err)
	}
}

// TestKeysRollOver takes three instances through the steps of a key's roll-out,
// one instance at a time. After each move every session made so far is good at
// every instance, and so is a login that begins before the move and comes back
// behind it.
func TestKeysRollOver(t *testing.T) {
	t.Run("redis", func(t *testing.T) { rollOver(t, redistest.Start(t, redistest.Options{}).URL) })
	t.Run("own", func(t *testing.T) { rollOver(t, ownStore()) })
	t.Run("cookie", func(t *testing.T) { rollOver(t, "cookie:") })
}

func rollOver(t *testing.T, store string) {
	before, after := secret.NewKey(), secret.NewKey()
	keys := func(keys ...string) settings {
		return section("session", map[string]any{"store": store, "keys": keys})
	}
	r := newRig(t, keys(before))
	instances := []instance{r.instance(keys(before)), r.instance(keys(before)), r.instance(keys(before))}
	browsers := []*browser{r.balanced(instances)}
	browsers[0].signIn("alice@example.com", "/api/x")
	for _, step := range [][]string{
		{before, after}, // the new key last everywhere: it opens
		{after, before}, // then first everywhere: it seals
	} {
		for _, in := range instances {
			newcomer := r.balanced(instances)
			login := newcomer.open(r.url + "/auth/login?return_to=/api/x")
			r.reload(in.Server, keys(step...))
			if p := newcomer.password(login, "alice@example.com"); p.status != http.StatusOK || p.url.Path != "/api/x" {
				t.Errorf("a login over the reload ended with %d at %s, through %q", p.status, p.url, p.hops)
			}
			browsers = append(browsers, newcomer)
			for i, b := range browsers {
				for range instances {
					if res, body := b.fetch("GET", "/api/x", ""); res.StatusCode != http.StatusOK {
						t.Fatalf("session %d: %d %s", i, res.StatusCode, body)
					}
				}
			}
		}
	}
	// The last step comes after absolute_timeout: what the old key sealed is over
	// by then. Here it is not, which shows that the key has gone.
	for _, in := range instances {
		r.reload(in.Server, keys(after))
	}
	for range instances {
		if browsers[0].session().Authenticated {
			t.Error("a cookie opens under a key that was taken out")
		}
		if !browsers[len(browsers)-1].session().Authenticated {
			t.Error("the latest session did not outlive the old key")
		}
	}
	browsers[len(browsers)-1].sessionID() // fails where the registry does not know it
}

// TestRoutesReload changes the routes under a request that is still running.
func TestRoutesReload(t *testing.T) {
	key := section("session", map[string]any{"keys": []string{secret.NewKey()}})
	r := newRig(t)
	in := r.instance(key)
	b := r.balanced([]instance{in})
	b.signIn("alice@example.com", "/api/x")
	arrived, release := make(chan struct{}), make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(arrived)
		<-release
		_, _ = w.Write([]byte("the end"))
	}))
	t.Cleanup(slow.Close)
	to := func(path, upstream string) settings {
		return func(doc map[string]any) {
			doc["routes"] = []any{map[string]any{"path": path, "upstream": upstream}}
		}
	}
	r.reload(in.Server, key, to("/slow/", slow.URL))
	type answer struct {
		status int
		body   string
	}
	answers := make(chan answer, 1)
	go func() {
		res, body := b.fetch("GET", "/slow/x", "")
		answers <- answer{res.StatusCode, body}
	}()
	select {
	case <-arrived:
	case got := <-answers:
		t.Fatalf("the slow call ended at once with %+v", got)
	}
	r.reload(in.Server, key, to("/new/", r.api.URL))
	close(release)
	if got := <-answers; got != (answer{200, "the end"}) {
		t.Errorf("the request under way ended with %+v", got)
	}
	for path, want := range map[string]int{"/new/x": 200, "/slow/x": 404, "/api/x": 404, "/auth/session": 200} {
		if res, body := b.fetch("GET", path, ""); res.StatusCode != want {
			t.Errorf("%s: %d %s, want %d", path, res.StatusCode, body, want)
		}
	}
	for name, fault := range map[string]func() (*config.Config, error){
		"a file that does not load": func() (*config.Config, error) { return nil, errors.New("routes[0]: want a path") },
		"a route that cannot be": func() (*config.Config, error) {
			cfg := r.config([]settings{key, to("/other/", r.api.URL)})
			cfg.Routes[0].Path = "/auth/inside"
			return cfg, nil
		},
		"a directory that is not there": func() (*config.Config, error) {
			cfg := r.config([]settings{key, to("/other/", r.api.URL)})
			cfg.Routes[0].Upstreams, cfg.Routes[0].Static = nil, filepath.Join(t.TempDir(), "dist")
			return cfg, nil
		},
	} {
		if err := in.Reload(fault); err == nil {
			t.Errorf("%s was taken", name)
		}
		if res, _ := b.fetch("GET", "/new/x", ""); res.StatusCode != http.StatusOK {
			t.Errorf("%s took the routes before it away: %d", name, res.StatusCode)
		}
	}
	until(t, "the log", func() bool {
		return strings.Contains(r.logs.String(), "configuration not reloaded") && strings.Contains(r.logs.String(), "routes[0]: want a path")
	})
}

// TestRoutesAreLogged as they are understood, at the start and at each reload.
func TestRoutesAreLogged(t *testing.T) {
	r := newRig(t)
	in := r.instance()
	line := func(path, auth, methods, rules, to string) string {
		return fmt.Sprintf(`"msg":"route","host":"any","path":%q,"auth":%q,"methods":%q,"rules":%q,"to":%q`, path, auth, methods, rules, to)
	}
	logged := func(line string) func() bool {
		return func() bool { return strings.Contains(r.logs.String(), line) }
	}
	until(t, "a route in the log", logged(line("/api/", "session", "all", "-", r.api.URL)))
	until(t, "the gateway's own in the log", logged(line("/auth/", "own", "its own", "-", "the gateway's endpoints")))
	r.reload(in.Server, func(doc map[string]any) {
		doc["require"] = map[string]any{"groups": []string{"staff", "admins"}} // of all routes
		doc["routes"] = []any{
			map[string]any{"path": "/api", "upstream": r.api.URL, "strip_prefix": true, "methods": []string{"GET", "POST"},
				"require":    map[string]any{"scopes": []string{"a", "b"}, "claims": map[string]any{"plan": []string{"gold", "platinum"}}, "max_auth_age": "15m"},
				"rate_limit": map[string]any{"requests": 100, "by": "user"}, "concurrency": 20, "identity_headers": true,
				"assertion": map[string]any{"audience": "https://api.example.com"}},
			map[string]any{"path": "/API/open", "upstream": r.api.URL, "auth": "none"},
		}
	})
	until(t, "a new route in the log", logged(line("/api/", "session", "GET,POST", "groups staff|admins, scopes a+b, plan gold|platinum, signed in within 15m, 100 in 1m by user, "+
		"20 at once, identity headers, assertion for https://api.example.com", r.api.URL+", without /api")))
	until(t, "a warning", logged("/API/open/ (auth none) and /api/ (auth session) overlap but for their spelling"))
}

// TestReloadTellsWhatItDoesNotTake: other keys need a restart, and are named.
func TestReloadTellsWhatItDoesNotTake(t *testing.T) {
	r := newRig(t)
	const told = "they take a restart"
	// The rig's own configuration has random keys in it; the rest is the same.
	in := r.instance()
	r.reload(in.Server)
	until(t, "the reload", func() bool { return strings.Contains(r.logs.String(), "configuration reloaded") })
	if strings.Contains(r.logs.String(), told) {
		t.Error("a change of keys alone was said to take a restart")
	}
	r.reload(in.Server, section("session", map[string]any{"idle_timeout": "45m", "store_password": "hunter2"}), section("log", map[string]any{"level": "warn"}))
	const want = `"msg":"these keys have changed, too: they take a restart","keys":["session.store_password","session.idle_timeout","log.level"]`
	until(t, "the warning", func() bool { return strings.Contains(r.logs.String(), told) })
	if !strings.Contains(r.logs.String(), want) || strings.Contains(r.logs.String(), "hunter2") {
		t.Errorf("the log has not %s:\n%s", want, r.logs)
	}
}
