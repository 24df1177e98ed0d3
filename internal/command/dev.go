//go:build !production

package command

import (
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/gatehouse-auth/gatehouse/internal/cognitoemu"
	"github.com/gatehouse-auth/gatehouse/internal/config"
	"github.com/gatehouse-auth/gatehouse/internal/server"
	"github.com/gatehouse-auth/gatehouse/web"
)

type devCmd struct {
	devAddresses
	API    string `name:"api" help:"Your API instead of the sample; gets /api/ with its path as it is." placeholder:"URL"`
	SPA    string `name:"spa" help:"Your front end instead of the demo page: a dev server (Vite's hot reload works), or a directory." placeholder:"URL|DIR"`
	Config string `help:"Your own routes and session settings; see above." placeholder:"FILE"`
	TLS    bool   `name:"tls" help:"Serve https with a certificate made on the spot."`
	Redis  string `help:"Keep sessions in this Redis instead of memory." placeholder:"URL"`
	emulatorFlags
}

// Help implements kong.HelpProvider.
func (devCmd) Help() string {
	return `Nothing to set up and nothing kept: open the printed address, sign in as one of the printed users, and see ` +
		`an API answer without a token ever reaching the browser.

  gateway dev --api http://localhost:3000 --spa http://localhost:5173
  gateway dev --token-ttl 2m --rotate
  gateway dev --config gatehouse.yaml

With --config the routes, session settings and all else of a configuration are served in front of the emulator; ` +
		`GATEHOUSE_* variables count too. Dev mode keeps these to itself, whatever the file says: ` + devOwn + `. ` +
		`Without a store in the file sessions are in memory, without routes there are the sample and the demo page, ` +
		`and --api and --spa take the place of the upstream of /api/ and /.`
}

// Run starts everything and serves until the process is told to stop.
func (c *devCmd) Run(ctx context.Context, p process) error {
	if err := c.check(); err != nil {
		return err
	}
	if err := c.checkTargets(); err != nil {
		return err
	}
	_, _ = fmt.Fprintln(p.stdout, "Gatehouse, for development on this computer only")
	on, err := c.open(p.stdout, c.targetPorts())
	if err != nil {
		return err
	}
	defer on.close()
	d := &dev{cmd: c, p: p, on: on}
	return d.run(ctx)
}

// dev is one run of dev mode.
type dev struct {
	cmd *devCmd
	p   process
	on  *devListeners
}

func (d *dev) run(ctx context.Context) error {
	cfg, err := d.config()
	if err != nil {
		return err
	}
	warn(d.p, slices.Concat(cfg.Warnings, d.demoWarnings(cfg)))
	if err := d.checkLoop(cfg.Routes); err != nil {
		return err
	}
	emu, err := d.emulator(cfg)
	if err != nil {
		return err
	}
	gateway, err := d.gateway(cfg, emu)
	if err != nil {
		return err
	}
	var demo fs.FS
	if d.cmd.SPA == "" {
		demo = web.Demo
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return serveUntil(ctx, d.on.pool, emu) })
	group.Go(func() error { return serveUntil(ctx, d.on.sample, newSample(demo)) })
	group.Go(func() error { return gateway.Run(ctx) })
	return group.Wait()
}

// demoWarnings say what of the file the demo page does not know.
func (d *dev) demoWarnings(cfg *config.Config) (warnings []string) {
	demo := slices.ContainsFunc(cfg.Routes, func(r config.Route) bool {
		return r.Path == "/" && len(r.Upstreams) > 0 && r.Upstreams[0].URL.Host == d.on.sample.Addr().String()
	})
	if demo && cfg.Mount != "/auth" {
		warnings = append(warnings, "the demo page calls /auth, and mount is "+cfg.Mount+": bring a page of your own by --spa or routes")
	}
	if demo && cfg.CSRFHeader != "" && !strings.EqualFold(cfg.CSRFHeader, "X-CSRF") {
		warnings = append(warnings, "the demo page sends X-CSRF, and csrf_header is "+cfg.CSRFHeader+": bring a page of your own by --spa or routes")
	}
	return warnings
}

// emulator is a user pool that knows the gateway's addresses.
func (d *dev) emulator(cfg *config.Config) (*cognitoemu.Emulator, error) {
	own := d.publicURL() + cfg.Mount
	return newEmulator(d.on.pool, cognitoemu.DefaultSeed([]string{own + "/callback"}, []string{own + "/signed-out"}),
		d.cmd.emulatorFlags, slog.New(slog.NewTextHandler(d.p.stderr, nil)))
}

func (d *dev) gateway(cfg *config.Config, emu *cognitoemu.Emulator) (*server.Server, error) {
	opts := server.Options{
		Version: build().version, Commit: build().commit, Stores: d.p.stores, Logs: d.p.stderr,
		Listener: d.on.front, AdminListener: d.on.admin, RedirectLoopback: true,
		Ready: func(net.Addr) { d.banner(cfg, emu) },
	}
	if d.cmd.TLS {
		certificate, err := selfSigned()
		if err != nil {
			return nil, err
		}
		opts.Certificate = certificate
	}
	return server.New(cfg, opts)
}

// banner says where everything is.
func (d *dev) banner(cfg *config.Config, emu *cognitoemu.Emulator) {
	port := listenPort(d.on.pool)
	say := func(name, format string, args ...any) {
		_, _ = fmt.Fprintf(d.p.stdout, "  %-14s %s\n", name, fmt.Sprintf(format, args...))
	}
	_, _ = fmt.Fprintln(d.p.stdout)
	warns := ""
	if d.cmd.TLS {
		warns = "   (the browser warns of the certificate, which is made at each start: go on all the same)"
	}
	say("open", "%s%s", d.publicURL(), warns)
	say("hosted pages", "http://127.0.0.1:%s   (Cognito emulator, not Amazon Cognito)", port)
	say("API, issuer", "http://localhost:%s   %s", port, emu.Issuer())
	say("admin", "http://%s   (health, metrics, admin API)", d.on.admin.Addr())
	for _, r := range cfg.Routes {
		say(r.Path+" goes to", "%s", r.Target())
	}
	if len(cfg.Overruled) > 0 {
		say("not used", "%s of %s: dev has its own", strings.Join(cfg.Overruled, ", "), d.cmd.Config)
	}
	_, _ = fmt.Fprintln(d.p.stdout)
	printUsers(d.p, emu)
	_, _ = fmt.Fprintln(d.p.stdout, "  Ctrl-C stops it, and forgets everything.")
}
