package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

// section is what one part has found, for the page.
type section struct {
	text string // Markdown
	plot *plot  // nil: none
}

// table is one in Markdown. Its first column is words and the others are figures.
type table struct {
	head []string
	rows [][]string
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

func (t *table) String() string {
	var b strings.Builder
	line := func(cells []string) { b.WriteString("| " + strings.Join(cells, " | ") + " |\n") }
	line(t.head)
	line(append([]string{"---"}, slices.Repeat([]string{"---:"}, len(t.head)-1)...))
	for _, row := range t.rows {
		line(row)
	}
	return b.String()
}

// report words a section: how it was measured, the tables, and who is missing.
func (l *lab) report(ctx context.Context, how string, programs []string, plot *plot, tables ...*table) section {
	conditions := append([]string{runtime.GOOS + "/" + runtime.GOARCH, fmt.Sprintf("%d cores%s", runtime.NumCPU(), processor()), runtime.Version()},
		versions(ctx, programs...)...)
	if l.bench.load != "" {
		conditions = append(conditions, "load average "+l.bench.load+" before the run")
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s. %s.\n", strings.Join(conditions, ", "), how)
	for _, t := range tables {
		fmt.Fprintf(&b, "\n%v", t)
	}
	if len(l.missing) > 0 {
		fmt.Fprintf(&b, "\nNot measured, as it is not installed: %s.\n", strings.Join(l.missing, ", "))
	}
	return section{text: b.String(), plot: plot}
}

// processor names the cores in brackets, where the system says what they are.
func processor() string {
	text, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return " (" + strings.TrimSpace(value) + ")"
		}
	}
	return ""
}

// loadAverage is how many processes wanted a processor over the last minute.
func loadAverage() string {
	text, _ := os.ReadFile("/proc/loadavg")
	average, _, _ := strings.Cut(string(text), " ")
	return average
}

// client names what asks by HTTP/1.1 without bodies.
func (l *lab) client() string {
	if l.wrk {
		return "wrk"
	}
	return "a client of the benchmark's own"
}

// medians says over how much a figure was taken.
func (l *lab) medians(rounds int) string {
	return fmt.Sprintf("medians of %d rounds of %v", rounds, l.duration)
}

// median is the middle value, or the mean of the two in the middle.
func median[T ~int64 | ~float64](values []T) T {
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
func each[T, F any](values []T, figure func(T) F) []F {
	all := make([]F, len(values))
	for i, v := range values {
		all[i] = figure(v)
	}
	return all
}

// The figures of a result.
func rateOf(r result) float64       { return r.perSecond }
func p50Of(r result) time.Duration  { return r.p50 }
func p99Of(r result) time.Duration  { return r.p99 }
func p999Of(r result) time.Duration { return r.p999 }
func cpuOf(r result) time.Duration  { return r.cpu }
func allocsOf(r result) float64     { return r.allocations }

// ratio is the median of the ratios that both reached in the same round; 0 if one
// of them was not measured.
func ratio(a, b []result) float64 {
	var all []float64
	for i := range min(len(a), len(b)) {
		all = append(all, a[i].perSecond/b[i].perSecond)
	}
	return median(all)
}

// times writes a ratio.
func times(a, b []result) string {
	r := ratio(a, b)
	if r == 0 {
		return "–"
	}
	return strconv.FormatFloat(r, 'f', 2, 64)
}

// medianTime writes a median; one that could not be measured is a dash.
func medianTime(results []result, figure func(result) time.Duration) string {
	return written(median(each(results, figure)))
}

// written rounds a time to three digits.
func written(d time.Duration) string {
	unit := time.Nanosecond
	for d >= 1000*unit {
		unit *= 10
	}
	if d == 0 {
		return "–"
	}
	return d.Round(unit).String()
}

// medianCount writes a median; one that could not be measured is a dash.
func medianCount(results []result, figure func(result) float64) string {
	n := median(each(results, figure))
	if n == 0 {
		return "–"
	}
	return strconv.FormatFloat(n, 'f', 0, 64)
}

func megabytes(n int64) string {
	if n == 0 {
		return "–"
	}
	return fmt.Sprintf("%.1f MB", float64(n)/1e6)
}
