package telemetry_test

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	_ "github.com/gatehouse-auth/gatehouse/internal/server" // brings the figures of every package
	"github.com/gatehouse-auth/gatehouse/internal/telemetry"
)

// TestMetricsTable: docs/metrics.md has a row for each metric that there is, with
// its labels and type, and for no other.
func TestMetricsTable(t *testing.T) {
	if d := cmp.Diff(registered(t), documented(t)); d != "" {
		t.Errorf("code and docs/metrics.md differ (-code +docs):\n%s", d)
	}
}

// row is what both sides know of a metric.
type row struct {
	Kind   string
	Labels string // with commas, in order of the alphabet
}

var (
	described = regexp.MustCompile(`^Desc\{fqName: "(\w+)", .*constLabels: \{([^}]*)\}, variableLabels: \{([^}]*)\}\}$`)
	label     = regexp.MustCompile(`(?:^|,)(\w+)`)
	inDocs    = regexp.MustCompile("^\\| `(gatehouse_\\w+)` \\| (\\w+) \\|([^|]*)\\| [^|]+ \\|[^|]*\\|$")
)

func registered(t *testing.T) map[string]row {
	m := telemetry.NewMetrics("1", "c0ffee")
	found := make(chan *prometheus.Desc)
	go func() {
		defer close(found)
		m.Describe(found)
	}()
	rows := make(map[string]row)
	for d := range found {
		f := described.FindStringSubmatch(d.String())
		if f == nil {
			t.Fatalf("%s", d)
		}
		if strings.HasPrefix(f[1], "gatehouse_") && !strings.HasPrefix(f[1], "gatehouse_test_") {
			rows[f[1]] = row{kindOf(f[1]), joined(label.FindAllStringSubmatch(strings.Trim(f[2]+","+f[3], ","), -1))}
		}
	}
	return rows
}

// kindOf is what a metric's name says of its type, as Prometheus advises.
func kindOf(name string) string {
	switch {
	case strings.HasSuffix(name, "_total"):
		return "counter"
	case strings.HasSuffix(name, "_duration_seconds"), strings.HasSuffix(name, "_wait_seconds"), strings.HasSuffix(name, "_gap_seconds"):
		return "histogram"
	}
	return "gauge"
}

func documented(t *testing.T) map[string]row {
	text, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := make(map[string]row)
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "| `") {
			continue
		}
		f := inDocs.FindStringSubmatch(strings.TrimSpace(line))
		if f == nil {
			t.Fatalf("not a row of the table: %s", line)
		}
		if _, twice := rows[f[1]]; twice {
			t.Errorf("%s has two rows", f[1])
		}
		rows[f[1]] = row{f[2], joined(regexp.MustCompile("`(\\w+)`").FindAllStringSubmatch(f[3], -1))}
	}
	return rows
}

func joined(found [][]string) string {
	names := make(map[string]bool)
	for _, f := range found {
		names[f[1]] = true
	}
	return strings.Join(slices.Sorted(maps.Keys(names)), ",")
}
