package proxy

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var names = cookieNames{"__Host-Http-gatehouse", "__Host-Http-gatehouse-login"}

func TestStrip_removes_own_cookies_and_nothing_else(t *testing.T) {
	for _, test := range []struct{ in, want []string }{
		{nil, nil},
		{[]string{"a=b"}, []string{"a=b"}},
		{[]string{"__Host-Http-gatehouse=v"}, nil},
		{[]string{"__Host-Http-gatehouse=v; a=b"}, []string{"a=b"}},
		{[]string{"a=b; __Host-Http-gatehouse=v"}, []string{"a=b"}},
		{[]string{"a=b; __Host-Http-gatehouse=v; c=d"}, []string{"a=b; c=d"}},
		{[]string{"a=b;__Host-Http-gatehouse=v;c=d"}, []string{"a=b;c=d"}},
		{[]string{"__Host-Http-gatehouse-login=v; __Host-Http-gatehouse=w"}, nil},
		{[]string{"__Host-Http-gatehouse-1=v; __Host-Http-gatehouse-23=w; x=y"}, []string{"x=y"}},
		{[]string{"__Host-Http-gatehouse=v; __Host-Http-gatehouse=w; x=y"}, []string{"x=y"}},
		{[]string{"  __Host-Http-gatehouse \t=v;x=y"}, []string{"x=y"}},
		{[]string{"__Host-Http-gatehouse"}, nil},
		{[]string{"__host-http-GATEHOUSE=v"}, nil},
		{[]string{"x=y", "__Host-Http-gatehouse=v", "z=1"}, []string{"x=y", "z=1"}},
		{[]string{"x=\"a; __Host-Http-gatehouse=v; b\""}, []string{"x=\"a; b\""}},
		// Not ours.
		{[]string{"__Host-Http-gatehouse2=v; __Host-Http-gatehouse-x=w; __Host-Http-gatehouse-=z; gatehouse=1"},
			[]string{"__Host-Http-gatehouse2=v; __Host-Http-gatehouse-x=w; __Host-Http-gatehouse-=z; gatehouse=1"}},
		{[]string{"a=__Host-Http-gatehouse=v"}, []string{"a=__Host-Http-gatehouse=v"}},
		// As odd as it came.
		{[]string{";;  a = b ;c;=d;\"e\"=\xff"}, []string{";;  a = b ;c;=d;\"e\"=\xff"}},
		{[]string{" a =b;; __Host-Http-gatehouse=v;;c"}, []string{" a =b;;;c"}},
	} {
		h := http.Header{}
		if test.in != nil {
			h["Cookie"] = slices.Clone(test.in)
		}
		names.strip(h)
		if diff := cmp.Diff(test.want, h["Cookie"]); diff != "" {
			t.Errorf("%q: %s", test.in, diff)
		}
		if _, ok := h["Cookie"]; ok && test.want == nil {
			t.Errorf("%q: an empty Cookie header is left", test.in)
		}
	}
}

func TestStrip_allocates_nothing_without_own_cookies(t *testing.T) {
	h := http.Header{"Cookie": {"theme=dark; lang=en; __Host-Http-other=1"}}
	if n := testing.AllocsPerRun(100, func() { names.strip(h) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestStrip_allocates_nothing_for_own_cookies_at_one_end(t *testing.T) {
	for _, line := range []string{
		"theme=dark; lang=en; __Host-Http-gatehouse=v", "__Host-Http-gatehouse-login=v; __Host-Http-gatehouse=w; theme=dark", "__Host-Http-gatehouse=v",
	} {
		if n := testing.AllocsPerRun(100, func() { names.stripLine(line) }); n != 0 {
			t.Errorf("%q: %v allocations", line, n)
		}
	}
}

// A line that is nothing but such cuts is copied once, and not once for each.
func TestStrip_copies_a_line_once(t *testing.T) {
	line := strings.Repeat("__Host-Http-gatehouse=v;a=b;", 1000)
	if n := testing.AllocsPerRun(10, func() { names.stripLine(line) }); n > 20 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzStrip(f *testing.F) {
	for _, seed := range []string{"a=b", "a=b; __Host-Http-gatehouse=v; c=d", "__Host-Http-gatehouse-1=", ";;", "=", " ; \t"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, line string) {
		var want []string
		for pair := range strings.SplitSeq(line, ";") {
			name, _, _ := strings.Cut(pair, "=")
			if !names.own(strings.Trim(name, " \t")) {
				want = append(want, strings.Trim(pair, " \t"))
			}
		}
		rest := names.stripLine(line)
		if rest == "" && len(strings.Join(want, "")) == 0 {
			return
		}
		got := strings.Split(rest, ";")
		for i := range got {
			got[i] = strings.Trim(got[i], " \t")
		}
		// Empty pairs at the front may go with an own cookie before them.
		want, got = slices.DeleteFunc(want, empty), slices.DeleteFunc(got, empty)
		if !slices.Equal(want, got) {
			t.Errorf("%q: %q is left, want %q", line, got, want)
		}
	})
}

func empty(s string) bool { return s == "" }

func TestStripSetCookie_lets_no_upstream_set_own_cookies(t *testing.T) {
	for _, line := range []string{
		"__Host-Http-gatehouse=evil; Path=/; Secure", "__Host-Http-gatehouse-login=evil", "__Host-Http-gatehouse-1=evil",
		" __Host-Http-gatehouse =evil", "\t__Host-Http-gatehouse=evil", "__Host-Http-gatehouse", "__Host-Http-gatehouse; Path=/",
		"=__Host-Http-gatehouse=evil", " = __Host-Http-gatehouse=evil", "==__Host-Http-gatehouse=evil",
		"\u2000__Host-Http-gatehouse=evil", "__Host-Http-gatehouse\u00a0=evil", "\x85__Host-Http-gatehouse=evil", "\v__Host-Http-gatehouse\f=evil",
		"__HOST-http-Gatehouse=evil", "\"__Host-Http-gatehouse\"=evil", "__Host-Http-gatehouse=; Max-Age=0",
	} {
		h := http.Header{"Set-Cookie": {"a=1", line, "b=2"}}
		names.stripSetCookie(h)
		if diff := cmp.Diff([]string{"a=1", "b=2"}, h["Set-Cookie"]); diff != "" {
			t.Errorf("%q: %s", line, diff)
		}
	}
}

func TestStripSetCookie_keeps_the_upstreams_own(t *testing.T) {
	lines := []string{"a=__Host-Http-gatehouse=x", "__Host-Http-gatehouse2=v", "x__Host-Http-gatehouse=v", "", "=", "=v", "s=1; Comment=__Host-Http-gatehouse=1"}
	h := http.Header{"Set-Cookie": slices.Clone(lines)}
	names.stripSetCookie(h)
	if diff := cmp.Diff(lines, h["Set-Cookie"]); diff != "" {
		t.Error(diff)
	}
}
