package returnto_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/returnto"
)

func FuzzParse(f *testing.F) {
	for _, raw := range append(hostile, harmless...) {
		if len(raw) <= returnto.MaxLength {
			f.Add(raw)
			f.Add(app + raw)
		}
	}
	f.Fuzz(func(t *testing.T, raw string) {
		a, err := policy.Parse(raw)
		if err != nil {
			if !a.IsZero() {
				t.Fatalf("%q is refused and yet an address", raw)
			}
			return
		}
		if a.String() != raw {
			t.Fatalf("%q became %q", raw, a)
		}
		checkSafe(t, a)
	})
}

func FuzzRequest(f *testing.F) {
	for _, raw := range append(hostile, harmless...) {
		path, query, _ := strings.Cut(raw, "?")
		f.Add(path, query)
	}
	f.Add(app+"/", "no target of a request")
	f.Fuzz(func(t *testing.T, path, query string) {
		a := policy.Request(path, query)
		if a.IsZero() {
			return
		}
		if again, err := policy.Parse(a.String()); err != nil || again != a {
			t.Fatalf("path %q, query %q: Parse does not accept %q: %v", path, query, a, err)
		}
		if a.String()[0] != '/' {
			t.Fatalf("path %q became the absolute address %q", path, a)
		}
		checkSafe(t, a)
	})
}

// checkSafe states the invariant without the package's own means.
func checkSafe(t *testing.T, a returnto.Address) {
	t.Helper()
	s := a.String()
	if i := strings.IndexFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '\\' || r == '#' }); i >= 0 {
		t.Fatalf("%q holds, at %d, what browsers drop or read as something else", s, i)
	}
	base, _ := url.Parse(own + "/auth/login")
	u, err := url.Parse(s)
	if err != nil {
		t.Fatalf("%q does not parse: %v", s, err)
	}
	to := base.ResolveReference(u)
	origin := to.Scheme + "://" + to.Host
	if s[0] == '/' {
		if strings.HasPrefix(s, "//") || origin != own || to.User != nil {
			t.Fatalf("%q leads to %q", s, to)
		}
	} else if !slices.Contains(policy.Origins, origin) || to.User != nil {
		t.Fatalf("%q leads to %q", s, to)
	}
	if to.EscapedPath() != u.EscapedPath() && u.Path != "" {
		t.Fatalf("%q is resolved to another path, %q", s, to.EscapedPath())
	}
	if path := decodeFully(u.Path); strings.HasPrefix(path, "//") || strings.HasPrefix(path, `/\`) {
		t.Fatalf("%q reads as %q once decoded", s, path)
	}
}
