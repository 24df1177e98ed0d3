//go:build !production

package command

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/cognitoemu"
	"github.com/gatehouse-auth/gatehouse/internal/server"
)

// emulatorFlags are what the emulator takes, in dev mode and alone.
type emulatorFlags struct {
	TokenTTL time.Duration `name:"token-ttl" help:"Life of access and ID tokens." default:"1h"`
	Rotate   bool          `help:"Rotate refresh tokens."`

	AllowOrigin []string `help:"Origin whose pages may call the emulator by script. Those on loopback may in any case." placeholder:"ORIGIN"`
}

type cognitoCmd struct {
	Listen   string   `help:"Address to listen on." default:"127.0.0.1:9229"`
	Seed     string   `help:"YAML file with pool, clients and users." placeholder:"FILE"`
	Gateway  []string `help:"Public URL of a gateway whose callback and sign-out addresses the ready-made clients allow." default:"http://localhost:8080,https://localhost:8080" placeholder:"URL"`
	Insecure bool     `name:"insecure-off-loopback" help:"Listen on other addresses than loopback. Everyone who reaches them can sign in as anyone."`
	emulatorFlags
}

// Help implements kong.HelpProvider.
func (cognitoCmd) Help() string {
	return `An emulator of Amazon Cognito user pools for development and tests: hosted pages, OAuth endpoints, ` +
		`discovery, and what a gateway needs of the JSON API. Everything is in memory and gone at the end.

The pages are served under http://127.0.0.1:PORT, the API and issuer under http://localhost:PORT: two sites, as in real life.`
}

// Run serves the emulator until the process is told to stop.
func (c *cognitoCmd) Run(ctx context.Context, p process) error {
	seed, err := c.seed()
	if err != nil {
		return err
	}
	l, err := c.listen()
	if err != nil {
		return err
	}
	defer func() { _ = l.Close() }()
	emu, err := newEmulator(l, seed, c.emulatorFlags, slog.New(slog.NewTextHandler(p.stderr, nil)))
	if err != nil {
		return err
	}
	printEmulator(p, l, emu)
	if c.Insecure {
		_, _ = fmt.Fprintln(p.stderr, "gateway: warning: --insecure-off-loopback: whoever reaches this address can sign in as anyone")
	}
	return serveUntil(ctx, l, emu)
}

func (c *cognitoCmd) listen() (net.Listener, error) {
	check := wantListen("--listen", c.Listen)
	if !c.Insecure {
		check = wantLoopback("--listen", c.Listen, "an emulator lets everyone in; inside a container --insecure-off-loopback allows it")
	}
	if check != nil {
		return nil, check
	}
	return server.Listen(c.Listen, "flag --listen")
}

func (c *cognitoCmd) seed() (cognitoemu.Seed, error) {
	if c.Seed == "" {
		var callbacks, logouts []string
		for _, g := range c.Gateway {
			if err := wantURL("--gateway", g); err != nil {
				return cognitoemu.Seed{}, err
			}
			base := strings.TrimSuffix(g, "/")
			callbacks, logouts = append(callbacks, base+"/auth/callback"), append(logouts, base+"/auth/signed-out")
		}
		return cognitoemu.DefaultSeed(callbacks, logouts), nil
	}
	data, err := os.ReadFile(c.Seed)
	if err != nil {
		return cognitoemu.Seed{}, usagef("--seed: %w", err)
	}
	seed, err := cognitoemu.ParseSeed(data)
	if err != nil {
		return cognitoemu.Seed{}, usagef("--seed %s: %w", c.Seed, err)
	}
	return seed, nil
}

// newEmulator builds an emulator for a listener, with the two loopback names of
// its port as its two hosts.
func newEmulator(l net.Listener, seed cognitoemu.Seed, f emulatorFlags, log *slog.Logger) (*cognitoemu.Emulator, error) {
	port := listenPort(l)
	emu, err := cognitoemu.New(cognitoemu.Options{
		PagesURL: "http://127.0.0.1:" + port, APIURL: "http://localhost:" + port, AllowedOrigins: f.AllowOrigin,
		Seed: seed, TokenTTL: f.TokenTTL, Rotate: f.Rotate, RotationGrace: rotationGrace(f), Logger: log,
	})
	if err != nil {
		return nil, usagef("%w", err)
	}
	return emu, nil
}

// rotationGrace is what AWS recommends for clients with several instances.
func rotationGrace(f emulatorFlags) time.Duration {
	if f.Rotate {
		return 30 * time.Second
	}
	return 0
}

func printEmulator(p process, l net.Listener, emu *cognitoemu.Emulator) {
	port := listenPort(l)
	_, _ = fmt.Fprintf(p.stdout, "Cognito emulator (not Amazon Cognito; everything is in memory)\n\n"+
		"  hosted pages   http://127.0.0.1:%s\n  API            http://localhost:%s\n  issuer         %s\n\n",
		port, port, emu.Issuer())
	printUsers(p, emu)
}

func printUsers(p process, emu *cognitoemu.Emulator) {
	_, _ = fmt.Fprintf(p.stdout, "  users\n")
	for _, u := range emu.Users() {
		notes := u.Groups
		if u.Disabled {
			notes = append(notes, "disabled")
		}
		if u.Unverified {
			notes = append(notes, "unverified")
		}
		line := fmt.Sprintf("    %-20s %-12s %s", u.Email, u.Password, strings.Join(notes, ", "))
		_, _ = fmt.Fprintln(p.stdout, strings.TrimRight(line, " "))
	}
	_, _ = fmt.Fprintln(p.stdout)
}

// serveUntil serves h until ctx ends.
func serveUntil(ctx context.Context, l net.Listener, h http.Handler) error {
	srv := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	stop := context.AfterFunc(ctx, func() { _ = srv.Close() })
	defer stop()
	if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve %s: %w", l.Addr(), err)
	}
	return nil
}

func listenPort(l net.Listener) string {
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		return ""
	}
	return port
}
