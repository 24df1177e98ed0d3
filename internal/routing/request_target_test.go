package routing_test

import (
	"bufio"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/problem"
	"github.com/gatehouse-auth/gatehouse/internal/routing"
)

// read parses a request as the server does.
func read(t testing.TB, target string) (*http.Request, error) {
	t.Helper()
	return http.ReadRequest(bufio.NewReader(strings.NewReader("GET " + target + " HTTP/1.1\r\nHost: app.example\r\n\r\n")))
}

// checkProblem fails unless err is a problem of that status and code, and
// returns the headers that go with it.
func checkProblem(t testing.TB, err error, status int, code string) http.Header {
	t.Helper()
	var p *problem.Error
	if !errors.As(err, &p) {
		t.Fatalf("error is %v, want the problem %d %s", err, status, code)
	}
	if p.Status != status || string(p.Code) != code {
		t.Errorf("problem is %d %s (%v), want %d %s", p.Status, p.Code, p.Err, status, code)
	}
	return p.Header
}

func TestCanonical_refuses_what_has_more_than_one_reading(t *testing.T) {
	targets := []string{
		// Empty segments.
		"//x", "/a//x", "/a//", "//", "//evil/x", "/a///x", "/a//..//x", "/a/...//x",
		// Dot segments, literal and encoded.
		"/.", "/..", "/./x", "/../x", "/a/../x", "/a/./x", "/a/..", "/a/.", "/a/../", "/admin/.",
		"/a/%2e%2e/x", "/a/%2E%2E/x", "/a/.%2e/x", "/a/%2e./x", "/a/%2e/x", "/%2e", "/%2e%2e",
		// Dot segments behind encoded slashes.
		"/a/%2e%2e%2fx", "/a/..%2fx", "/a%2f..%2fx", "/a%2f..", "/a/b%2F.%2Fc",
		// Dot segments encoded twice and more.
		"/a/%252e%252e/x", "/a/%252e%252e%252fx", "/a/.%252e/x", "/a/%25252e%25252e/x", "/a/%25%32%65%25%32%65/x",
		// Dot segments with parameters, spaces and more dots.
		"/a/..;/x", "/a/..;v=1/x", "/a/.;/x", "/a/..%3b/x", "/a/..%253b/x", "/a/;/x", "/;a=b/api/x", "/a/%20/x", "/a/..%20/x",
		"/a/.%20./x", "/a/.../x", "/a/%2e%2e%2e/x",
		// Dot segments before what another decoder takes for query or fragment.
		"/a/..%3f/x", "/a/..%23/x", "/a/%23/x", "/a/%3f/x",
		// Slashes encoded twice.
		"/a%252fx", "/a%252Fx", "/a%25%32%46x", "/a%25252fx", "/a%2F%252Fx", "/a%2f%252fx",
		// Backslashes.
		"/a\\x", "/\\evil/x", "/a/..\\x", "/a%5cx", "/a%5Cx", "/a/..%5cx", "/a%255cx",
		// NUL and control characters.
		"/admin%00", "/admin%00.css", "/admin/..%00/", "/admin%09", "/a%0d%0ax", "/a%0ax", "/a%7f", "/a%1b", "/a%c2%85x", "/a%2500", "/a%250a",
		// Fragments.
		"/admin#", "/x#frag", "/#/x", "/a#b?c", "http://app.example/x#y",
		// Invalid escapes and text.
		"/%c0%ae%c0%ae/", "/%c0%af", "/%ff", "/%e0%80%ae", "/%ed%a0%80", "/a%25c0%25aex", "/\xff",
		// What compatibility forms turn into dots and slashes.
		"/%ef%bc%8e%ef%bc%8e/", "/%e2%80%a4%e2%80%a4/x", "/a/%e2%80%a5/x", "/a/..%ef%bc%8fx", "/a/..%ef%bc%bcx",
		// What nobody sees, between dots.
		"/a/.%E2%80%8D./x", "/a/%E2%80%8B../x",
		// Encoded without end.
		"/%25252525252541",
		// Targets that are no path.
		"*", "http://app.example//x", "http://app.example/../x",
	}
	if len(targets) < 60 {
		t.Fatalf("corpus has %d shapes only", len(targets))
	}
	for _, target := range targets {
		t.Run(fmt.Sprintf("%q", target), func(t *testing.T) {
			r, err := read(t, target)
			if err != nil {
				return // refused by net/http, before any handler
			}
			p, err := routing.TargetOf(r, "").Canonical()
			if err == nil {
				t.Fatalf("accepted as %q", p.Escaped())
			}
			checkProblem(t, err, http.StatusBadRequest, "ambiguous_path")
		})
	}
}

func TestJudge_refuses_connect(t *testing.T) {
	routes := table(t, routing.Route{Path: "/"})
	for target, want := range map[string]struct {
		status int
		code   string
	}{"evil.example:443": {400, "ambiguous_path"}, "/path": {405, "method_not_allowed"}} {
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader("CONNECT " + target + " HTTP/1.1\r\nHost: evil.example\r\n\r\n")))
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = routes.Judge(routing.TargetOf(r, "evil.example"))
		checkProblem(t, err, want.status, want.code)
	}
}

func TestCanonical_accepts_what_has_one_reading(t *testing.T) {
	for _, test := range []struct{ target, literal, escaped, folded string }{
		{"/", "/", "/", "/"},
		{"/api", "/api", "/api", "/api"},
		{"/api/?q=//..;", "/api/", "/api/", "/api/"},
		{"/api/orders/7", "/api/orders/7", "/api/orders/7", "/api/orders/7"},
		{"/API/x", "/API/x", "/API/x", "/api/x"},
		{"/%61pi", "/api", "/api", "/api"},
		{"/%7e%41", "/~A", "/~A", "/~a"},
		{"/a%20b", "/a b", "/a%20b", "/a b"},
		{"/a+b", "/a+b", "/a+b", "/a+b"},
		{"/x;v=1/y", "/x;v=1/y", "/x;v=1/y", "/x/y"},
		{"/x%3bv/y", "/x;v/y", "/x%3Bv/y", "/x/y"},
		{"/;jsessionid=1", "/;jsessionid=1", "/;jsessionid=1", "/"},
		{"/admin.", "/admin.", "/admin.", "/admin"},
		{"/admin%20.%20", "/admin . ", "/admin%20.%20", "/admin"},
		{"/admin./x", "/admin./x", "/admin./x", "/admin/x"},
		{"/a%2fb", "/a%2Fb", "/a%2Fb", "/a/b"},
		{"/p/https%3A%2F%2Fe", "/p/https:%2F%2Fe", "/p/https%3A%2F%2Fe", "/p/https:/e"},
		{"/c%23", "/c#", "/c%23", "/c"},
		{"/what%3f", "/what?", "/what%3F", "/what"},
		{"/100%25", "/100%", "/100%25", "/100%"},
		{"/100%25%20x", "/100% x", "/100%25%20x", "/100% x"},
		{"/%2561pi", "/%61pi", "/%2561pi", "/api"},
		{"/%c3%a9", "/é", "/%C3%A9", "/é"},
		{"/é", "/é", "/%C3%A9", "/é"},
		{"/%C3%89", "/É", "/%C3%89", "/é"},
		{"/admin%C5%BF", "/adminſ", "/admin%C5%BF", "/admins"},
		{"/[slug]|x\"", "/[slug]|x\"", "/%5Bslug%5D%7Cx%22", "/[slug]|x\""},
		{"/.well-known/x", "/.well-known/x", "/.well-known/x", "/.well-known/x"},
		{"/a..b/..c/d...e", "/a..b/..c/d...e", "/a..b/..c/d...e", "/a..b/..c/d...e"},
		{"/@evil:80", "/@evil:80", "/@evil:80", "/@evil:80"},
		{"/*", "/*", "/*", "/*"},
		{"http://app.example", "/", "/", "/"},
		{"http://app.example?q=/x", "/", "/", "/"},
		{"http://app.example/x?q", "/x", "/x", "/x"},
		{"/" + strings.Repeat("a/", 1000), "/" + strings.Repeat("a/", 1000), "/" + strings.Repeat("a/", 1000), "/" + strings.Repeat("a/", 1000)},
	} {
		r, err := read(t, test.target)
		if err != nil {
			t.Fatalf("read %q: %v", test.target, err)
		}
		p, err := routing.TargetOf(r, "").Canonical()
		if err != nil {
			t.Errorf("%q: %v", test.target, err)
			continue
		}
		if p.Literal() != test.literal || p.Escaped() != test.escaped || p.Folded() != test.folded {
			t.Errorf("%q is %q, %q, %q; want %q, %q, %q", test.target,
				p.Literal(), p.Escaped(), p.Folded(), test.literal, test.escaped, test.folded)
		}
	}
}

func TestCanonical_allocates_nothing_for_a_plain_path(t *testing.T) {
	r, err := read(t, "/api/orders/7?x=y")
	if err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(100, func() { _, _ = routing.TargetOf(r, "").Canonical() }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// HTTP/2 carries a space in the query, where the request line of HTTP/1.1 would end.
func TestCanonical_refuses_a_space_in_the_query(t *testing.T) {
	for query, refused := range map[string]bool{"a HTTP/1.0": true, "a%20b": false, "a+b": false} {
		_, err := routing.TargetOf(&http.Request{Method: "GET", RequestURI: "/x?" + query, URL: &url.URL{Path: "/x", RawQuery: query}}, "").Canonical()
		if (err != nil) != refused {
			t.Errorf("%q: %v", query, err)
		}
	}
}

// A front names the target of a request in headers of its own. Nothing of the
// request that brings them counts, and what net/url would hide is seen.
func TestJudge_of_what_a_front_names(t *testing.T) {
	routes := table(t, routing.Route{Path: "/"}, routing.Route{Path: "/api/", Methods: []string{"POST"}}, routing.Route{Path: "/", Host: "admin.example"})
	for _, test := range []struct {
		target routing.Target
		route  string // of this path; "" is refused
		status int
		code   string
	}{
		{routing.Target{Method: "POST", Host: "app.example", Path: "/%61pi/x", Query: "q=//.."}, "/api/", 0, ""},
		{routing.Target{Method: "GET", Host: "app.example", Path: "/api/x"}, "", 405, "method_not_allowed"},
		{routing.Target{Method: "GET", Host: "admin.example", Path: "/api/x"}, "", 405, "method_not_allowed"},
		{routing.Target{Method: "GET", Host: "admin.example", Path: "/apix"}, "/", 0, ""},
		{routing.Target{Method: "CONNECT", Host: "app.example", Path: "/x"}, "", 405, "method_not_allowed"},
		{routing.Target{Method: "TRACE", Host: "app.example", Path: "/x"}, "", 405, "method_not_allowed"},
		{routing.Target{Method: "GET", Host: "app.example", Path: "/x#y"}, "", 400, "ambiguous_path"},
		{routing.Target{Method: "GET", Host: "app.example", Path: "/x?y"}, "", 400, "ambiguous_path"},
		{routing.Target{Method: "GET", Host: "app.example", Path: "/x", Query: "a b"}, "", 400, "ambiguous_path"},
		{routing.Target{Method: "GET", Host: "app.example", Path: "//app.example/x"}, "", 400, "ambiguous_path"},
		{routing.Target{Method: "GET", Host: "app.example", Path: "http://app.example/x"}, "", 400, "ambiguous_path"},
		{routing.Target{Method: "GET", Host: "app.example", Path: "x"}, "", 400, "ambiguous_path"},
		{routing.Target{Method: "GET", Host: "app.example"}, "", 400, "ambiguous_path"},
		{routing.Target{}, "", 400, "ambiguous_path"},
	} {
		route, p, err := routes.Judge(test.target)
		if test.route == "" {
			if checkProblem(t, err, test.status, test.code); route != nil || p.Escaped() != "" {
				t.Errorf("%+v: refused, and yet %v", test.target, route)
			}
		} else if err != nil || route.Path != test.route {
			t.Errorf("%+v: %v, error %v", test.target, route, err)
		}
	}
}
