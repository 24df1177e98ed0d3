package command

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/config"
	"github.com/gatehouse-auth/gatehouse/internal/memlimit"
	"github.com/gatehouse-auth/gatehouse/internal/server"
)

type serveCmd struct {
	Config string `help:"Configuration file. Without one everything comes from GATEHOUSE_* variables." placeholder:"FILE"`
}

// Help implements kong.HelpProvider.
func (serveCmd) Help() string {
	return `Reads one YAML file; ${NAME} in its values comes from the environment, and every scalar can be ` +
		`overridden by GATEHOUSE_ and its path, such as GATEHOUSE_COGNITO_CLIENT_ID. All faults are reported ` +
		`together, each with its line and what would be accepted; see "gateway config check".

Stops on SIGTERM or SIGINT: it finishes running requests first. SIGHUP reads the configuration again and takes ` +
		`over routes and session.keys; a faulty one is reported in the log, and the one before stays.

  gateway keygen --out session.keys
  gateway serve --config gatehouse.yaml`
}

// drainNotice is a little more than load balancers take between two probes.
const drainNotice = 1500 * time.Millisecond

// Run serves until the process is told to stop.
func (c *serveCmd) Run(ctx context.Context, p process) error {
	cfg, err := load(c.Config, p)
	if err != nil {
		return err
	}
	warn(p, cfg.Warnings)
	s, err := server.New(cfg, server.Options{
		Version: build().version, Commit: build().commit, Memory: memlimit.Apply(lookup(p.environ)),
		Stores: p.stores, Logs: p.stderr, DrainNotice: drainNotice,
	})
	if err != nil {
		return err
	}
	defer c.reloadOnHangup(s, p)()
	return s.Run(ctx)
}

// load reads the configuration from a file, if one is named, and the environment.
func load(path string, p process) (*config.Config, error) {
	src, err := source(path, p)
	if err != nil {
		return nil, err
	}
	return config.Load(src)
}

// source is a configuration before anybody looks at it.
func source(path string, p process) (config.Source, error) {
	src := config.Source{
		Path: path, Getenv: lookup(p.environ), Environ: func() []string { return p.environ }, ReadFile: readSecret(p),
		Stores: p.schemes(),
	}
	if path != "" {
		data, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return src, usagef("no configuration file at %s%s", path, startingAt(path))
		}
		if err != nil {
			return src, usagef("read configuration: %w", err)
		}
		src.Data = data
	}
	return src, nil
}

// startingAt says what a relative path that led nowhere started at.
func startingAt(path string) string {
	dir, err := os.Getwd()
	if err != nil || filepath.IsAbs(path) {
		return ""
	}
	return ", seen from the working directory " + dir
}

// lookup is os.LookupEnv on a given environment.
func lookup(environ []string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		for _, pair := range environ {
			if k, v, _ := strings.Cut(pair, "="); k == name {
				return v, true
			}
		}
		return "", false
	}
}

func warn(p process, warnings []string) {
	for _, w := range warnings {
		_, _ = fmt.Fprintf(p.stderr, "gateway: warning: %s\n", strings.TrimSuffix(w, "\n"))
	}
}
