package urlpath_test

import (
	"net/url"
	"path"
	"reflect"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/urlpath"
)

// Shapes that net/http refuses when it reads a request may still come from a
// header of a forward-auth front.
func TestParse_refuses_what_net_http_would_not_let_through(t *testing.T) {
	for _, raw := range []string{"", "x", "*", "a/b", "/%", "/%4", "/%zz", "/%u002e%u002e/", "/a%2", "/a b\x00", "/\x01", "/a\tb", "/a\nb", "app.example:443"} {
		if p, err := urlpath.Parse(raw); err == nil {
			t.Errorf("Parse(%q) is accepted as %q", raw, p.Escaped())
		}
	}
}

// checkAccepted holds an accepted path against the readers of the standard
// library, and against itself.
func checkAccepted(t *testing.T, raw string, p urlpath.Path) {
	t.Helper()
	again, err := urlpath.Parse(p.Escaped())
	if err != nil || !reflect.DeepEqual(again, p) {
		t.Errorf("%q: canonical form %q is no fixed point: %+v, %v", raw, p.Escaped(), again, err)
	}
	u, err := url.ParseRequestURI(p.Escaped())
	if err != nil {
		t.Fatalf("%q: url refuses %q: %v", raw, p.Escaped(), err)
	}
	if want := strings.ReplaceAll(p.Literal(), "%2F", "/"); u.Path != want && p.EncodedSlash() || !p.EncodedSlash() && u.Path != p.Literal() {
		t.Errorf("%q: url reads %q as %q, we as %q", raw, p.Escaped(), u.Path, p.Literal())
	}
	if u.RawQuery != "" || u.Host != "" || u.EscapedPath() == "" {
		t.Errorf("%q: %q has more than a path", raw, p.Escaped())
	}
	trimmed := p.Literal()
	if len(trimmed) > 1 {
		trimmed = strings.TrimSuffix(trimmed, "/")
	}
	if clean := path.Clean(trimmed); clean != trimmed {
		t.Errorf("%q: path.Clean turns %q into %q", raw, trimmed, clean)
	}
	for reading := range readings(p.Escaped()) {
		for _, segment := range strings.FieldsFunc(reading, func(c rune) bool { return c == '/' || c == '\\' }) {
			name, _, _ := strings.Cut(segment, ";")
			if name == "." || name == ".." {
				t.Errorf("%q: a reader sees %q", raw, reading)
			}
		}
		if strings.ContainsAny(reading, "\x00\r\n\\") {
			t.Errorf("%q: a reader sees %q", raw, reading)
		}
	}
}

// readings yields the path decoded by the standard library, again and again.
func readings(escaped string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for range 6 {
			next, err := url.PathUnescape(escaped)
			if err != nil || next == escaped || !yield(next) {
				return
			}
			escaped = next
		}
	}
}

// Every short path over an alphabet of trouble.
func TestParse_agrees_with_the_standard_library(t *testing.T) {
	alphabet := []string{"/", ".", "a", "A", ";", "%2e", "%2f", "%5c", "%25", "2e", "%20", "é"}
	accepted := 0
	var walk func(prefix string, depth int)
	walk = func(prefix string, depth int) {
		if p, err := urlpath.Parse(prefix); err == nil {
			accepted++
			checkAccepted(t, prefix, p)
		}
		if depth == 0 || t.Failed() {
			return
		}
		for _, s := range alphabet {
			walk(prefix+s, depth-1)
		}
	}
	walk("/", 4)
	if accepted < 1000 {
		t.Errorf("%d paths accepted only: this shows nothing", accepted)
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"/", "/api/x", "/a/../x", "/%2e%2e/", "/a%252e", "/x;y/z", "/a%2Fb", "/é", "/%C5%BF", "//", "/a\\b", "/%c0%ae", "/%25%32%65", "/．．/"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		p, err := urlpath.Parse(raw)
		if err != nil {
			return
		}
		checkAccepted(t, raw, p)
	})
}
