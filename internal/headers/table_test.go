package headers_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/headers"
)

func TestOf_finds_a_row_however_it_is_spelled(t *testing.T) {
	table := headers.NewTable(
		headers.Row{Name: "x-WHOLE", Rule: headers.HopByHop},
		headers.Row{Name: "x-begins-*", Rule: headers.NeverUpstream},
		headers.Row{Name: "BEGins*", Rule: headers.NeverUpstream},
		headers.Row{Name: "*-ENDS", Rule: headers.Caching},
		headers.Row{Name: "X-Begins-Whole", Rule: headers.Restated},
	)
	for name, want := range map[string]headers.Rule{
		"x-whole": headers.HopByHop, "X-Begins-So": headers.NeverUpstream, "beginsso": headers.NeverUpstream, "Begins": headers.NeverUpstream,
		"So-It-Ends": headers.Caching, "X-Begins-Ends": headers.NeverUpstream | headers.Caching, "X-Begins-Whole": headers.NeverUpstream | headers.Restated,
		"X-Whole-Not": 0, "X-Beginsnot": 0, "X-Begin": 0, "X-": 0, "X": 0, "": 0, "Accept": 0, "_": 0, "\xff": 0,
	} {
		if got := table.Of(http.CanonicalHeaderKey(name)); got != want {
			t.Errorf("%s has the rule %b, want %b", name, got, want)
		}
	}
}

func TestNewTable_takes_no_row_that_would_do_nothing(t *testing.T) {
	for _, name := range []string{"", "*", "**", "*x*", "X-*", "X*", "xy*"} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("a row for %q is taken", name)
				}
			}()
			headers.NewTable(headers.Row{Name: name})
		}()
	}
}

func TestOf_allocates_nothing(t *testing.T) {
	if n := testing.AllocsPerRun(100, func() { headers.Known.Of("X-Forwarded-Anything") }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// What names an identity, or decides where a request goes, no proxy is believed in.
func TestBelievable_names_where_a_request_came_from_only(t *testing.T) {
	names := headers.Believable()
	if len(names) < 10 {
		t.Fatalf("only %q", names)
	}
	for _, name := range names {
		for _, other := range []string{"user", "email", "auth", "subject", "cert", "uri", "url", "method"} {
			if strings.Contains(strings.ToLower(name), other) {
				t.Errorf("%s may be believed", name)
			}
		}
	}
}
