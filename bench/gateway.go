package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// What the emulator is seeded with. The password opens nothing but that.
const (
	benchPool     = "eu-west-1_Benchmark"
	benchClient   = "bench"
	benchUser     = "bench@example.com"
	benchPassword = "Passw0rd!"
)

// apiPath is what is asked for in every variant.
const apiPath = "/api/orders"

// buildGateway compiles the gateway with the emulator, for the measurement.
func buildGateway(ctx context.Context, dir string) (string, error) {
	return build(ctx, filepath.Join(dir, "gateway"))
}

// build compiles as the Makefile and the Dockerfile do.
func build(ctx context.Context, file string, args ...string) (string, error) {
	if runtime.GOOS == "windows" {
		file += ".exe"
	}
	args = append([]string{"build", "-trimpath", "-ldflags=-s -w", "-o", file}, args...)
	cmd := exec.CommandContext(ctx, "go", append(args, "./cmd/gateway")...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the gateway (run this at the module's root): %w: %s", err, out)
	}
	return file, nil
}

// site is one gateway to be: where it listens and how it is configured.
type site struct {
	name    string
	binary  string
	config  string // file
	public  string // http://localhost:PORT
	figures string // its metrics
}

// newSite writes the configuration of a gateway whose user pool is the emulator at
// the given address.
func newSite(c candidate, dir, name, upstream, pool string) (site, error) {
	public, err := freeAddress()
	if err != nil {
		return site{}, err
	}
	admin, err := freeAddress()
	if err != nil {
		return site{}, err
	}
	key := make([]byte, 32)
	if _, err := rand.Read(key); err != nil {
		return site{}, err
	}
	_, port, _ := net.SplitHostPort(public)
	_, poolPort, _ := net.SplitHostPort(pool)
	s := site{
		name: c.name, binary: c.binary, config: filepath.Join(dir, name+".yaml"),
		public: "http://localhost:" + port, figures: "http://" + admin + "/metrics",
	}
	text := fmt.Sprintf(`listen: %q
admin_listen: %q
public_url: %q
cognito:
  region: eu-west-1
  user_pool_id: %s
  client_id: %s
  domain: "http://127.0.0.1:%s"
  issuer: "http://localhost:%s/%s"
  api_endpoint: "http://localhost:%s"
session:
  store: %q
  keys: [%q]
routes:
  - path: /api/
    upstream: %q
`, public, admin, s.public, benchPool, benchClient, poolPort, poolPort, benchPool, poolPort,
		c.store, base64.StdEncoding.EncodeToString(key), upstream)
	return s, os.WriteFile(s.config, []byte(text), 0o600)
}

func (s site) start(ctx context.Context) (*process, error) {
	p, err := start(ctx, filepath.Dir(s.config), nil, nil, s.binary, "serve", "--config", s.config)
	if err != nil {
		return nil, err
	}
	if err := p.waitUntilAnswered(ctx, s.public+"/auth/session"); err != nil {
		p.stop()
		return nil, fmt.Errorf("start the gateway: %w", err)
	}
	return p, nil
}

// startEmulator runs the user pool for the sites, which must be known by then:
// their addresses are registered as those of an app client.
func startEmulator(ctx context.Context, binary, dir, address string, sites []site) (*process, error) {
	var callbacks, logouts []string
	for _, s := range sites {
		callbacks = append(callbacks, s.public+"/auth/callback")
		logouts = append(logouts, s.public+"/auth/signed-out")
	}
	seed := fmt.Sprintf(`pool_id: %s
clients:
  - id: %s
    callback_urls: [%s]
    logout_urls: [%s]
users:
  - email: %s
    name: Bench
    password: %q
    groups: [staff]
`, benchPool, benchClient, strings.Join(callbacks, ", "), strings.Join(logouts, ", "), benchUser, benchPassword)
	file := filepath.Join(dir, "seed.yaml")
	if err := os.WriteFile(file, []byte(seed), 0o600); err != nil {
		return nil, err
	}
	p, err := start(ctx, dir, nil, nil, binary, "cognito", "--listen", address, "--seed", file)
	if err != nil {
		return nil, err
	}
	_, port, _ := net.SplitHostPort(address)
	keys := "http://localhost:" + port + "/" + benchPool + "/.well-known/jwks.json"
	if err := p.waitUntilAnswered(ctx, keys); err != nil {
		p.stop()
		return nil, fmt.Errorf("start the emulator: %w", err)
	}
	return p, nil
}

// sessionCookies signs in and returns the Cookie header's value that a browser
// would send to the API then.
func (s site) sessionCookies(ctx context.Context) (string, error) {
	browser, err := newBrowser()
	if err != nil {
		return "", err
	}
	if err := browser.signIn(ctx, s.public+"/auth/login?return_to="+url.QueryEscape(apiPath)); err != nil {
		return "", fmt.Errorf("sign in: %w", err)
	}
	target, err := url.Parse(s.public + apiPath)
	if err != nil {
		return "", err
	}
	var pairs []string
	for _, c := range browser.Jar.Cookies(target) {
		pairs = append(pairs, (&http.Cookie{Name: c.Name, Value: c.Value}).String())
	}
	return strings.Join(pairs, "; "), nil
}
