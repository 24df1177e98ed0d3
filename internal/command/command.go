// Package command is the command line of Gatehouse, and nothing else: each
// subcommand, one a file, reads its arguments, builds what it needs and runs it.
// The one invariant: run is the whole program, and Main only lends it the process.
package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/signal"
	"slices"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/gatehouse-auth/gatehouse/internal/config"
	"github.com/gatehouse-auth/gatehouse/internal/sessionstore"
	"github.com/gatehouse-auth/gatehouse/internal/storeurl"
)

// Exit statuses.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2 // wrong usage or configuration
)

// Main runs the command line of this process until a signal stops it, and returns
// the exit status. stores are those of the program's own, by the scheme of
// session.store.
func Main(stores map[string]sessionstore.OpenEntries) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return run(ctx, os.Args[1:], process{
		environ: os.Environ(), stdout: os.Stdout, stderr: os.Stderr, stores: stores,
	})
}

// process is what a command has of the process it runs in.
type process struct {
	environ []string
	stdout  io.Writer
	stderr  io.Writer
	stores  map[string]sessionstore.OpenEntries // the program's own, by scheme
}

// schemes are those of the program's own stores.
func (p process) schemes() []string { return slices.Sorted(maps.Keys(p.stores)) }

// checkStores finds what is wrong with the program's own stores.
func (p process) checkStores() error {
	for _, scheme := range p.schemes() {
		if err := storeurl.CheckScheme(scheme); err != nil {
			return usagef("this program's store %q %w", scheme, err)
		}
		if p.stores[scheme] == nil {
			return usagef("this program's store %q has nothing that opens it", scheme)
		}
	}
	return nil
}

// cli is the command line. Commands that are for development only come with
// the embedded struct, and stay out of a production build.
type cli struct {
	Serve    serveCmd    `cmd:"" help:"Run the gateway."`
	Config   configCmd   `cmd:"" help:"Check, print or describe a configuration. Touches no network."`
	Keygen   keygenCmd   `cmd:"" help:"Print a fresh key for session.keys."`
	Sessions sessionsCmd `cmd:"" help:"List and end the sessions of users of a running gateway."`
	Health   healthCmd   `cmd:"" help:"Ask an address whether it is healthy; exit 0 if it answers 200."`
	Version  versionCmd  `cmd:"" help:"Print version, commit and Go version."`
	development

	ShowVersion kong.VersionFlag `name:"version" short:"v" help:"Print version, commit and Go version."`
}

const description = `Gatehouse is a backend-for-frontend auth gateway for Amazon Cognito: it runs the OAuth code flow, ` +
	`keeps every token on the server behind one secure cookie, refreshes them, and proxies to your APIs.

` + begin + ` a configuration, check it with "gateway config check", and run "gateway serve".`

// usageError is a mistake in how the command was called.
type usageError struct{ err error }

func (e usageError) Error() string { return e.err.Error() }
func (e usageError) Unwrap() error { return e.err }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// run is the program: it parses args, runs the command and returns the exit status.
func run(ctx context.Context, args []string, p process) (status int) {
	if err := p.checkStores(); err != nil {
		return report(p.stderr, err)
	}
	var c cli
	parser, err := kong.New(&c,
		kong.Name("gateway"), kong.Description(description), kong.Writers(p.stdout, p.stderr),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}), kong.Vars{"version": build().String()},
		kong.Exit(func(code int) { panic(exit(code)) }),
	)
	if err != nil {
		return report(p.stderr, err)
	}
	defer func() {
		if code, ok := recover().(exit); ok { // --help or --version has been printed
			status = int(code)
		}
	}()
	if len(args) > 0 && slices.Contains(leftOut, args[0]) {
		return report(p.stderr, usagef("%s is not in this build, which is for production: take one without the tag production, such as the image gatehouse:dev", args[0]))
	}
	parsed, err := parser.Parse(spelled(args))
	if err != nil {
		return report(p.stderr, usagef("%w\n\"gateway --help\" lists the commands, \"gateway COMMAND --help\" the flags", err))
	}
	parsed.BindTo(ctx, (*context.Context)(nil))
	return report(p.stderr, parsed.Run(p))
}

// spelled takes the other spellings of --help: no argument at all, and help as a
// command, with or without the name of another.
func spelled(args []string) []string {
	switch {
	case len(args) == 0:
		return []string{"--help"}
	case args[0] == "help":
		return append(slices.Clone(args[1:]), "--help")
	}
	return args
}

// exit carries kong's wish to end out of its parser.
type exit int

// report tells an error to the operator and turns it into an exit status.
func report(stderr io.Writer, err error) int {
	if err == nil {
		return exitOK
	}
	var (
		faults config.Faults
		usage  usageError
	)
	switch {
	case errors.As(err, &faults):
		_, _ = fmt.Fprintf(stderr, "gateway: %s in the configuration:\n%s\n", count(len(faults), "fault"), faults.Error())
		return exitUsage
	case errors.As(err, &usage):
		_, _ = fmt.Fprintf(stderr, "gateway: %v\n", err)
		return exitUsage
	}
	_, _ = fmt.Fprintf(stderr, "gateway: %v\n", err)
	return exitFailed
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
