// Command bench measures the gateway beside reverse proxies and another auth proxy,
// on this machine and in one run, and prints tables in Markdown and plots in SVG.
//
// It starts every party as a process of its own: an upstream, httputil.ReverseProxy
// as it comes and tuned, the gateway with a real session that it signs in to through
// the emulator, and nginx, HAProxy, Caddy and oauth2-proxy where they are installed.
// What the numbers mean is left to docs/benchmarks.md. The one invariant: variants
// alternate within a round and a ratio is taken within its round, so a machine that
// is busy for a while slows all of them and not one.
//
//	go run ./bench -quick
//	go run ./bench -only requests,bodies
//	go run ./bench -write docs/benchmarks.md
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// settings is what the command line says.
type settings struct {
	gateway     string
	against     string
	store       string
	parts       []part
	rounds      int
	duration    time.Duration
	connections int
	streams     int
	sessions    []int // how many sessions ask in turn; ascending
	starts      int
	wrk         bool
	write       string
}

func main() {
	if len(os.Args) == 2 && isRole(os.Args[1]) {
		exit(serveRole(os.Args[1], os.Stdin, os.Stdout))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
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
	page, err := openPage(s.write, s.parts) // before the long work, so that a missing marker is told now
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "gatehouse-bench-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()

	b, err := newBench(ctx, s, dir, stderr)
	if err != nil {
		return err
	}
	var faults []error // of parts; the others are worth having
	for _, p := range s.parts {
		if err := b.measure(ctx, p, stdout, page); err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", p.name, err))
		}
	}
	return errors.Join(faults...)
}

// measure measures one part, prints what it found and puts it on the page.
func (b *bench) measure(ctx context.Context, p part, stdout io.Writer, page page) error {
	found, err := b.section(ctx, p)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(stdout, "## %s\n\n%s\n", p.title, found.text); err != nil {
		return err
	}
	return page.put(p, found)
}

func parse(args []string, stderr io.Writer) (settings, error) {
	var (
		s     settings
		only  string
		quick bool
	)
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&s.gateway, "gateway", "", "the `binary` to measure, with the emulator in it; default: built from ./cmd/gateway")
	flags.StringVar(&s.against, "against", "", "another gateway `binary` to measure in the same run, such as one of an older version")
	flags.StringVar(&s.store, "store", "", "where sessions are, e.g. redis://localhost:6379/0; what is written there stays until it expires; default: a redis-server that is started, or else memory:")
	flags.StringVar(&only, "only", "", "the `parts` to measure, separated by commas, of "+partNames()+"; default: all")
	flags.BoolVar(&quick, "quick", false, "measure everything too shortly for figures that mean something: to see it work")
	flags.IntVar(&s.rounds, "rounds", 5, "how often each variant is measured; the slower parts take less")
	flags.DurationVar(&s.duration, "duration", 2*time.Second, "how long each measurement takes")
	flags.IntVar(&s.connections, "connections", 32, "how many connections ask at the same time")
	flags.IntVar(&s.streams, "streams", 2000, "how many idle streams are held open")
	flags.IntVar(&s.starts, "starts", 10, "how many starts of the gateway to time")
	flags.BoolVar(&s.wrk, "wrk", installed("wrk"), "load with wrk where the request has no body, instead of the built-in client; default: if it is installed")
	flags.StringVar(&s.write, "write", "", "write the tables into this `page` between its markers, and the plots beside it into images/")
	if err := flags.Parse(args); err != nil {
		return settings{}, err
	}
	s.sessions = []int{1, 1000, 10_000, 15_000, 100_000}
	if quick {
		s.hurry()
	}
	if flags.NArg() > 0 || s.rounds < 1 || s.connections < 1 || s.streams < 1 || s.starts < 1 || s.duration < 100*time.Millisecond {
		return settings{}, errors.New("give at least one round, connection, stream and start, 100ms, and no further argument")
	}
	if s.wrk && s.duration%time.Second != 0 {
		return settings{}, errors.New("wrk takes whole seconds: give -duration so, or -wrk=false")
	}
	var err error
	s.parts, err = partsNamed(only)
	return s, err
}

// hurry makes the whole run take less than a minute on a machine that is idle.
func (s *settings) hurry() {
	s.rounds, s.duration, s.wrk = 1, 200*time.Millisecond, false
	s.streams, s.starts, s.sessions = 100, 2, []int{1, 100, 1000}
}

// few is how many rounds a part takes that is slow or steady.
func (s *settings) few() int { return max(1, s.rounds*3/5) }

// program finds one that a peer needs: in the PATH, where nginx and HAProxy often
// are not for people, or where `make bench-peers` puts what it builds.
func program(name string) (string, bool) {
	for _, file := range []string{name, "/usr/sbin/" + name, filepath.Join(peersDir, name)} {
		if found, err := exec.LookPath(file); err == nil {
			abs, err := filepath.Abs(found)
			return abs, err == nil
		}
	}
	return "", false
}

func installed(name string) bool {
	_, ok := program(name)
	return ok
}

func partsNamed(only string) ([]part, error) {
	if only == "" {
		return parts, nil
	}
	var chosen []part
	for name := range strings.SplitSeq(only, ",") {
		i := slices.IndexFunc(parts, func(p part) bool { return p.name == name })
		if i < 0 {
			return nil, fmt.Errorf("there is no part %q; there are %s", name, partNames())
		}
		chosen = append(chosen, parts[i])
	}
	return chosen, nil
}

func partNames() string {
	names := make([]string, len(parts))
	for i, p := range parts {
		names[i] = p.name
	}
	return strings.Join(names, ", ")
}
