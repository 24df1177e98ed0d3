package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"time"
)

// median is the middle value, or the mean of the two in the middle.
func median[T int64 | float64](values []T) T {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// each takes one figure of every round.
func each[T any](results []result, figure func(result) T) []T {
	all := make([]T, len(results))
	for i, r := range results {
		all[i] = figure(r)
	}
	return all
}

// ratio is the median of the ratios that both reached in the same round.
func ratio(a, b []result) float64 {
	var all []float64
	for i := range min(len(a), len(b)) {
		all = append(all, a[i].perSecond/b[i].perSecond)
	}
	return median(all)
}

func printVariants(out io.Writer, s settings, variants []*variant) error {
	client := "built-in client"
	if s.wrk {
		client = "wrk"
	}
	_, err := fmt.Fprintf(out, "%s/%s, %d cores, %s; %d connections, %d rounds of %v, %s; medians\n\n"+
		"| variant | requests/s | × tuned | × bare | p50 | p99 | CPU a request | allocations |\n| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n",
		runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), runtime.Version(), s.connections, s.rounds, s.duration, client)
	if err != nil {
		return err
	}
	tuned, bare := find(variants, nameTuned), find(variants, nameBare)
	for _, v := range variants {
		_, err := fmt.Fprintf(out, "| %s | %.0f | %.2f | %.2f | %s | %s | %s | %s |\n", v.name,
			median(each(v.results, func(r result) float64 { return r.perSecond })),
			ratio(v.results, tuned), ratio(v.results, bare),
			medianTime(v.results, func(r result) time.Duration { return r.p50 }, 10*time.Microsecond),
			medianTime(v.results, func(r result) time.Duration { return r.p99 }, 100*time.Microsecond),
			medianTime(v.results, func(r result) time.Duration { return r.cpu }, 100*time.Nanosecond),
			medianCount(v.results, func(r result) float64 { return r.allocations }))
		if err != nil {
			return err
		}
	}
	return nil
}

func find(variants []*variant, name string) []result {
	for _, v := range variants {
		if v.name == name {
			return v.results
		}
	}
	return nil
}

// medianTime formats a median; one that could not be measured is a dash.
func medianTime(results []result, figure func(result) time.Duration, unit time.Duration) string {
	d := time.Duration(median(each(results, func(r result) int64 { return int64(figure(r)) })))
	if d == 0 {
		return "–"
	}
	return d.Round(unit).String()
}

// medianCount formats a median; one that could not be measured is a dash.
func medianCount(results []result, figure func(result) float64) string {
	n := median(each(results, figure))
	if n == 0 {
		return "–"
	}
	return strconv.FormatFloat(n, 'f', 0, 64)
}

// footprint is what the gateway takes besides time per request.
type footprint struct {
	starts    []time.Duration // from the process's start to its first answer
	atRest    int64           // bytes
	afterLoad int64           // bytes
	size      int64           // bytes of the production binary
}

// footprint times starts of the production build and weighs its binary.
func (b *bench) footprint(ctx context.Context, s site) (footprint, error) {
	binary, err := build(ctx, filepath.Join(b.dir, "gateway-production"), "-tags", "production")
	if err != nil {
		return footprint{}, err
	}
	info, err := os.Stat(binary)
	if err != nil {
		return footprint{}, err
	}
	b.stop() // the addresses of the site are needed again
	b.processes = nil
	f := footprint{size: info.Size()}
	s.binary = binary
	for range b.starts {
		begin := time.Now()
		p, err := s.start(ctx)
		if err != nil {
			return footprint{}, err
		}
		f.starts = append(f.starts, time.Since(begin))
		p.stop()
	}
	return f, nil
}

func (f footprint) print(out io.Writer) error {
	starts := slices.SortedFunc(slices.Values(f.starts), cmp.Compare)
	_, err := fmt.Fprintf(out, `
| what | measured |
| --- | ---: |
| start of serve to first answered request, median of %d | %v |
| the slowest of them | %v |
| memory at rest (RSS) | %s |
| memory after the load (RSS) | %s |
| size of the production binary | %s |
`, len(starts), starts[len(starts)/2].Round(100*time.Microsecond), starts[len(starts)-1].Round(100*time.Microsecond),
		megabytes(f.atRest), megabytes(f.afterLoad), megabytes(f.size))
	return err
}

func megabytes(n int64) string {
	if n == 0 {
		return "–"
	}
	return fmt.Sprintf("%.1f MB", float64(n)/1e6)
}
