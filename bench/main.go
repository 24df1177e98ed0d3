// Command bench measures the gateway beside a bare reverse proxy, on this machine
// and in one run, and prints a table in Markdown.
//
// It starts every party as a process of its own: an upstream, a bare
// httputil.ReverseProxy, one that is tuned, and the gateway with a real session
// that it signs in to through the emulator. What the numbers mean is left to
// docs/benchmarks.md. The one invariant: variants alternate within a round and a
// ratio is taken within its round, so a machine that is busy for a while slows all
// of them and not one.
//
//	go run ./bench
//	go run ./bench -store redis://localhost:6379/0 -rounds 9
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"
)

// settings is what the command line says.
type settings struct {
	gateway     string
	against     string
	store       string
	rounds      int
	duration    time.Duration
	connections int
	wrk         bool
	starts      int
}

func main() {
	if len(os.Args) == 2 && isRole(os.Args[1]) {
		exit(serveRole(os.Args[1], os.Stdin, os.Stdout))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

func exit(err error) {
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		os.Exit(0)
	default:
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	s, err := parse(args, stderr)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "gatehouse-bench-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()

	if s.gateway == "" {
		if s.gateway, err = buildGateway(ctx, dir); err != nil {
			return err
		}
	}
	b := bench{settings: s, dir: dir, out: stdout, log: stderr}
	defer b.stop()
	return b.run(ctx)
}

func parse(args []string, stderr io.Writer) (settings, error) {
	var s settings
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&s.gateway, "gateway", "", "the `binary` to measure, with the emulator in it; default: built from ./cmd/gateway")
	flags.StringVar(&s.against, "against", "", "another gateway `binary` to measure in the same run, such as one of an older version")
	flags.StringVar(&s.store, "store", "", "measure this session store as well, e.g. redis://localhost:6379/0")
	flags.IntVar(&s.rounds, "rounds", 5, "how often each variant is measured")
	flags.DurationVar(&s.duration, "duration", 4*time.Second, "how long each measurement takes")
	flags.IntVar(&s.connections, "connections", 32, "how many connections ask at the same time")
	flags.BoolVar(&s.wrk, "wrk", false, "load with wrk, which must be installed, instead of the built-in client")
	flags.IntVar(&s.starts, "starts", 10, "how many starts of the gateway to time")
	if err := flags.Parse(args); err != nil {
		return settings{}, err
	}
	if flags.NArg() > 0 || s.rounds < 1 || s.connections < 1 || s.starts < 1 || s.duration < 100*time.Millisecond {
		return settings{}, errors.New("give at least one round, connection and start, 100ms, and no further argument")
	}
	return s, nil
}
