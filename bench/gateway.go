package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
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

// What the emulator is seeded with. Neither the password nor the secret opens
// anything but that.
const (
	benchPool     = "eu-west-1_Benchmark"
	benchClient   = "bench"
	peerClient    = "bench-peer" // of a proxy that must have a secret
	peerSecret    = "not-a-secret-of-anybody"
	machineClient = "bench-machine" // of a caller with a token of its own, by the same secret
	benchUser     = "bench@example.com"
	benchPassword = "Passw0rd!"
)

// build compiles the gateway as the Makefile and the Dockerfile do.
func build(ctx context.Context, file string, args ...string) (string, error) {
	if runtime.GOOS == "windows" {
		file += ".exe"
	}
	args = append([]string{"build", "-trimpath", "-ldflags=-s -w", "-o", file}, args...)
	cmd := exec.CommandContext(ctx, "go", append(args, "github.com/gatehouse-auth/gatehouse/cmd/gateway")...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the gateway (run this inside the module): %w: %s", err, out)
	}
	return file, nil
}

// gateways are those that every part measures: ours, by each of its ways to an
// upstream, and the one it is compared with.
func (b *bench) gateways(ctx context.Context) []entrant {
	var all []entrant
	for _, transport := range transports(ctx, b.gateway) {
		all = append(all, site{binary: b.gateway, transport: transport}.entrant("gateway"+behindComma(transport)))
	}
	if b.against != "" {
		other := site{binary: b.against}.entrant("the other gateway")
		other.ours = false // in plots, too, one stands out
		all = append(all, other)
	}
	return all
}

func behindComma(transport string) string {
	if transport == "" {
		return ""
	}
	return ", transport " + transport
}

// transports are the values of a route's key by that name; one that is empty if the
// gateway does not have the key.
func transports(ctx context.Context, gateway string) []string {
	schema, err := exec.CommandContext(ctx, gateway, "config", "schema").Output()
	if err != nil || !bytes.Contains(schema, []byte(`"transport"`)) {
		return []string{""}
	}
	return []string{"auto", "standard"}
}

// site is a gateway to be.
type site struct {
	binary    string
	store     string // empty: the lab's
	transport string // of the route; empty: what the gateway has without
	bearer    bool   // the route takes access tokens, and no session
	key       string // seals cookies; made by start

	config  string // file
	public  string
	figures string // its metrics
}

func (s site) entrant(name string) entrant {
	return entrant{name: name, ours: true, start: func(ctx context.Context, l *lab, p *party) error {
		return s.open(ctx, l, p)
	}}
}

// open starts the gateway as a party and signs in.
func (s *site) open(ctx context.Context, l *lab, p *party) error {
	if err := s.configure(l); err != nil {
		return err
	}
	var err error
	p.process, err = s.start(ctx, l)
	if err := l.keep(p.process, err); err != nil {
		return err
	}
	p.base, p.figures, p.login = s.public, s.figures, "/auth/login?return_to="+url.QueryEscape(apiPath)
	if s.bearer {
		p.cookies = plainCookies
		p.bearer, err = l.machineToken(ctx)
		return err
	}
	p.cookies, err = l.signIn(ctx, p)
	return err
}

// configure writes the gateway's file.
func (s *site) configure(l *lab) error {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	s.key = base64.StdEncoding.EncodeToString(key)
	listen, public, err := l.front()
	if err != nil {
		return err
	}
	admin, err := freeAddress()
	if err != nil {
		return err
	}
	s.public, s.figures = public, "http://"+admin+"/metrics"
	if s.store == "" {
		s.store = l.store
	}
	_, poolPort, _ := net.SplitHostPort(l.pool)
	text := fmt.Sprintf(`listen: %q
admin_listen: %q
public_url: %q
%scognito:
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
`, listen, admin, s.public, l.tlsKeys(), benchPool, benchClient, poolPort, poolPort, benchPool, poolPort, s.store, s.key, l.upstream)
	if s.transport != "" {
		text += "    transport: " + s.transport + "\n"
	}
	if s.bearer {
		text += "    auth: bearer\nbearer_clients: [" + machineClient + "]\n"
	}
	s.config, err = l.file("gateway-"+filepath.Base(admin)+".yaml", text)
	return err
}

func (l *lab) tlsKeys() string {
	if !l.secure {
		return ""
	}
	return fmt.Sprintf("tls: {cert_file: %q, key_file: %q}\n", l.cert.certFile, l.cert.keyFile)
}

// start runs the gateway until it answers.
func (s *site) start(ctx context.Context, l *lab) (*process, error) {
	p, err := start(ctx, command{dir: l.dir, name: s.binary, args: []string{"serve", "--config", s.config}})
	if err != nil {
		return nil, err
	}
	return p, p.waitUntilAnswered(ctx, l.http, s.public+"/auth/session")
}

// startEmulator runs the user pool. The addresses of all parties that may sign in are
// registered there.
func startEmulator(ctx context.Context, l *lab) (*process, error) {
	var callbacks, logouts []string
	for _, address := range l.fronts {
		public := l.public(address)
		callbacks = append(callbacks, public+"/auth/callback", public+peerCallback)
		logouts = append(logouts, public+"/auth/signed-out")
	}
	client := fmt.Sprintf("callback_urls: [%s]\n    logout_urls: [%s]", strings.Join(callbacks, ", "), strings.Join(logouts, ", "))
	seed, err := l.file("seed.yaml", fmt.Sprintf(`pool_id: %s
clients:
  - id: %s
    %s
  - id: %s
    secret: %s
    %s
  - id: %s
    secret: %s
    client_credentials: true
    scopes: [api/read]
users:
  - email: %s
    name: Bench
    password: %q
    groups: [staff]
`, benchPool, benchClient, client, peerClient, peerSecret, client, machineClient, peerSecret, benchUser, benchPassword))
	if err != nil {
		return nil, err
	}
	p, err := start(ctx, command{dir: l.dir, name: l.gateway, args: []string{"cognito", "--listen", l.pool, "--seed", seed}})
	if err != nil {
		return nil, err
	}
	return p, p.waitUntilAnswered(ctx, l.http, l.issuer()+"/.well-known/jwks.json")
}

// issuer is the user pool's, and where its documents are.
func (l *lab) issuer() string {
	_, port, _ := net.SplitHostPort(l.pool)
	return "http://localhost:" + port + "/" + benchPool
}

// signIn signs in to a party and returns the Cookie header's value that a browser
// would send to the API then.
func (l *lab) signIn(ctx context.Context, p *party) (string, error) {
	browser, err := l.newBrowser()
	if err != nil {
		return "", err
	}
	if err := browser.signIn(ctx, p.base+p.login); err != nil {
		return "", fmt.Errorf("sign in: %w", err)
	}
	return browser.cookies(p.base + apiPath)
}

// machineToken is an access token by client credentials.
func (l *lab) machineToken(ctx context.Context) (string, error) {
	_, port, _ := net.SplitHostPort(l.pool)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://127.0.0.1:"+port+"/oauth2/token", strings.NewReader("grant_type=client_credentials"))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth(machineClient, peerSecret)
	res, err := l.http.Do(req)
	if err != nil {
		return "", err
	}
	defer func() { _ = res.Body.Close() }()
	var answer struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil || answer.AccessToken == "" {
		return "", fmt.Errorf("get an access token: %s, %w", res.Status, err)
	}
	return answer.AccessToken, nil
}
