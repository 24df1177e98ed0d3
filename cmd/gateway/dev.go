//go:build !production

package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
	"golang.org/x/sync/errgroup"

	"github.com/gatehouse-auth/gatehouse/internal/cognitoemu"
	"github.com/gatehouse-auth/gatehouse/internal/config"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/server"
	"github.com/gatehouse-auth/gatehouse/web"
)

type devCmd struct {
	Listen        string `help:"Loopback address of the gateway." default:"127.0.0.1:8080"`
	CognitoListen string `help:"Loopback address of the Cognito emulator." default:"127.0.0.1:9229"`
	API           string `name:"api" help:"Your API instead of the sample; gets /api/ with its path as it is." placeholder:"URL"`
	SPA           string `name:"spa" help:"Your front end instead of the demo page: a dev server (Vite's hot reload works), or a directory." placeholder:"URL|DIR"`
	TLS           bool   `name:"tls" help:"Serve https with a certificate made on the spot."`
	Redis         string `help:"Keep sessions in this Redis instead of memory." placeholder:"URL"`
	emulatorFlags
}

// Help implements kong.HelpProvider.
func (devCmd) Help() string {
	return `Nothing to set up and nothing kept: open the printed address, sign in as one of the printed users, and see ` +
		`an API answer without a token ever reaching the browser.

  gateway dev --api http://localhost:3000 --spa http://localhost:5173
  gateway dev --token-ttl 2m --rotate`
}

// Run starts everything and serves until the process is told to stop.
func (c *devCmd) Run(ctx context.Context, p process) error {
	for flag, address := range map[string]string{"--listen": c.Listen, "--cognito-listen": c.CognitoListen} {
		if !loopbackListen(address) {
			return usagef("%s %s is not on loopback: dev mode lets everyone in. Use 127.0.0.1:PORT", flag, address)
		}
	}
	front, err := listen(c.Listen, "--listen")
	if err != nil {
		return err
	}
	pool, err := listen(c.CognitoListen, "--cognito-listen")
	if err != nil {
		return errors.Join(err, front.Close())
	}
	sample, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return errors.Join(err, front.Close(), pool.Close())
	}
	d := &dev{cmd: c, p: p, front: front, pool: pool, sample: sample}
	return d.run(ctx)
}

// dev is one run of dev mode.
type dev struct {
	cmd                 *devCmd
	p                   process
	front, pool, sample net.Listener
}

func (d *dev) run(ctx context.Context) error {
	base := d.publicURL()
	emu, err := newEmulator(d.pool,
		cognitoemu.DefaultSeed([]string{base + "/auth/callback"}, []string{base + "/auth/signed-out"}),
		d.cmd.emulatorFlags, slog.New(slog.NewTextHandler(d.p.stderr, nil)))
	if err != nil {
		return err
	}
	gateway, err := d.gateway(emu)
	if err != nil {
		return err
	}
	var demo fs.FS
	if d.cmd.SPA == "" {
		demo = web.Demo
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return serveUntil(ctx, d.pool, emu) })
	group.Go(func() error { return serveUntil(ctx, d.sample, newSample(demo)) })
	group.Go(func() error { return gateway.Run(ctx) })
	return group.Wait()
}

func (d *dev) gateway(emu *cognitoemu.Emulator) (*server.Server, error) {
	cfg, err := d.config(emu)
	if err != nil {
		return nil, err
	}
	opts := server.Options{
		Version: build().version, Logs: d.p.stderr, Listener: d.front, RedirectLoopback: true,
		Ready: func(net.Addr) { d.banner(emu) },
	}
	if d.cmd.TLS {
		if opts.Certificate, err = selfSigned(); err != nil {
			return nil, err
		}
	}
	return server.New(cfg, opts)
}

// config is dev mode's configuration, loaded like any other so that the same
// checks apply to the flags.
func (d *dev) config(emu *cognitoemu.Emulator) (*config.Config, error) {
	store := "memory:"
	if d.cmd.Redis != "" {
		store = literal(d.cmd.Redis)
	}
	port := listenPort(d.pool)
	doc := map[string]any{
		"listen": d.front.Addr().String(), "admin_listen": "127.0.0.1:0", "public_url": d.publicURL(),
		"cognito": map[string]any{
			"region": "eu-west-1", "user_pool_id": cognitoemu.DefaultPoolID, "client_id": cognitoemu.DefaultClientID,
			"domain": "http://127.0.0.1:" + port, "issuer": emu.Issuer(), "api_endpoint": "http://localhost:" + port,
			"providers": []string{"Google", "CorpSAML"},
		},
		"session": map[string]any{
			"store": store, "keys": []string{secret.NewKey()},
			// Cookies know no ports: two gateways on one host would sign each other out.
			"cookie": map[string]any{"name": "gatehouse-" + listenPort(d.front)},
		},
		"routes": []any{d.apiRoute(), d.spaRoute()},
		"log":    map[string]any{"format": "text"},
	}
	data, err := yaml.Marshal(doc)
	if err != nil {
		return nil, fmt.Errorf("encode configuration: %w", err)
	}
	return config.Load(config.Source{Path: "gateway dev", Data: data})
}

func (d *dev) apiRoute() map[string]any {
	upstream := d.cmd.API
	if upstream == "" {
		upstream = "http://" + d.sample.Addr().String()
	}
	return map[string]any{"path": "/api/", "upstream": literal(upstream), "auth": "session"}
}

func (d *dev) spaRoute() map[string]any {
	route := map[string]any{"path": "/", "auth": "none"}
	switch {
	case d.cmd.SPA == "":
		route["upstream"] = "http://" + d.sample.Addr().String()
	case isURL(d.cmd.SPA):
		route["upstream"] = literal(d.cmd.SPA)
	default:
		dir, err := filepath.Abs(d.cmd.SPA)
		if err != nil {
			dir = d.cmd.SPA
		}
		route["static"] = literal(dir)
		if _, err := os.Stat(filepath.Join(dir, "index.html")); err == nil {
			route["spa_fallback"] = "index.html"
		}
	}
	return route
}

// literal keeps a value from being expanded as a configuration's would be.
func literal(value string) string { return strings.ReplaceAll(value, "$", "$$") }

func (d *dev) publicURL() string {
	scheme := "http"
	if d.cmd.TLS {
		scheme = "https"
	}
	return scheme + "://localhost:" + listenPort(d.front)
}

func (d *dev) banner(emu *cognitoemu.Emulator) {
	port := listenPort(d.pool)
	_, _ = fmt.Fprintf(d.p.stdout, "\nGatehouse, for development on this computer only\n\n"+
		"  open           %s\n  hosted pages   http://127.0.0.1:%s   (Cognito emulator, not Amazon Cognito)\n"+
		"  API, issuer    http://localhost:%s   %s\n  /api/ goes to  %s\n\n",
		d.publicURL(), port, port, emu.Issuer(), d.apiRoute()["upstream"])
	printUsers(d.p, emu)
	_, _ = fmt.Fprintln(d.p.stdout, "  Ctrl-C stops it, and forgets everything.")
}

// selfSigned makes a certificate for the loopback names. Browsers ask once
// whether to go on.
func selfSigned() (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make certificate key: %w", err)
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()),
		Subject:      pkix.Name{CommonName: "gateway dev"},
		NotBefore:    now.Add(-time.Hour), NotAfter: now.Add(30 * 24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
		BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, fmt.Errorf("make certificate: %w", err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}
