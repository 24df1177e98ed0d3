package returnto_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/returnto"
)

func FuzzParse(f *testing.F) {
	for _, raw := range slices.Concat(hostile, harmless, spellings) {
		f.Add(raw)
		f.Add(app + raw)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		a, err := policy.Parse(raw)
		if err != nil {
			if !a.IsZero() {
				t.Fatalf("%q is refused and yet an address", raw)
			}
			return
		}
		if again, err := policy.Parse(a.String()); err != nil || again.String() != a.String() || again.Truncated() {
			t.Fatalf("%q became %q, and that %q, error %v", raw, a, again, err)
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
		if again, err := policy.Parse(a.String()); err != nil || again.String() != a.String() {
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
	if len(s) > returnto.MaxLength {
		t.Fatalf("it has %d bytes", len(s))
	}
	if i := strings.IndexFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune(`"<>`, r) }); i >= 0 {
		t.Fatalf("%q holds, at %d, what a header, a page or a browser could read as something else", s, i)
	}
	local := s
	for _, o := range policy.Origins {
		if rest, ok := strings.CutPrefix(s, o+"/"); ok {
			local = "/" + rest
		}
	}
	path := local
	if i := strings.IndexAny(local, "?#"); i >= 0 {
		path = local[:i]
	}
	if path == "" || path[0] != '/' || strings.HasPrefix(path, "//") || strings.Contains(path, `\`) {
		t.Fatalf("%q has the path %q", s, path)
	}
	if decoded := decodeFully(path); strings.HasPrefix(decoded, "//") || strings.HasPrefix(decoded, `/\`) {
		t.Fatalf("%q reads as %q once decoded", s, decoded)
	}
	base, _ := url.Parse(own + "/auth/login")
	u, err := url.Parse(s)
	if err != nil { // a lone "%", which browsers let stand
		return
	}
	to := base.ResolveReference(u)
	if origin := to.Scheme + "://" + to.Host; to.User != nil || origin != own && !slices.Contains(policy.Origins, origin) {
		t.Fatalf("%q leads to %q", s, to)
	}
}
