package routing_test

import (
	"net/http"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/routing"
	"github.com/gatehouse-auth/gatehouse/internal/urlpath"
)

func table(t testing.TB, routes ...routing.Route) *routing.Table {
	t.Helper()
	table, err := routing.NewTable(routes, "/auth")
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func match(t testing.TB, table *routing.Table, host, raw, method string) (*routing.Route, error) {
	t.Helper()
	if _, err := urlpath.Parse(raw); err != nil {
		t.Fatalf("parse %q: %v", raw, err)
	}
	route, _, err := table.Judge(routing.Target{Method: method, Host: host, Path: raw})
	return route, err
}

var shop = []routing.Route{
	{Path: "/"},
	{Path: "/api/", Methods: []string{"GET", "POST"}},
	{Path: "/api/admin/", Methods: []string{"GET"}},
	{Path: "/files/", AllowEncodedSlash: true},
	{Path: "/files/private/"},
	{Path: "/", Host: "admin.example"},
	{Path: "/Docs/"},
}

func TestJudge_finds_the_longest_prefix_in_whole_segments(t *testing.T) {
	routes := table(t, shop...)
	for _, test := range []struct{ host, path, want string }{
		{"app.example", "/", "/"},
		{"app.example", "/x", "/"},
		{"app.example", "/api", "/api/"},
		{"app.example", "/api/", "/api/"},
		{"app.example", "/api/x", "/api/"},
		{"app.example", "/%61pi/x", "/api/"},
		{"app.example", "/apix", "/"},
		{"app.example", "/api-x/y", "/"},
		{"app.example", "/api/admin", "/api/admin/"},
		{"app.example", "/api/admin/x", "/api/admin/"},
		{"app.example", "/api/administrator", "/api/"},
		{"app.example", "/auth", "/auth"},
		{"app.example", "/auth/login", "/auth"},
		{"app.example", "/authors", "/"},
		{"app.example", "/files/a%2Fb", "/files/"},
		{"app.example", "/Docs/x", "/Docs/"},
		{"app.example", "/x;v=1", "/"},
		{"admin.example", "/api/x", "/api/"},
	} {
		route, err := match(t, routes, test.host, test.path, "GET")
		if err != nil {
			t.Errorf("%s: %v", test.path, err)
		} else if route.Path != test.want {
			t.Errorf("%s falls on %s, want %s", test.path, route.Path, test.want)
		}
	}
}

func TestJudge_prefers_the_route_that_names_the_host(t *testing.T) {
	routes := table(t, shop...)
	for host, want := range map[string]string{"app.example": "", "admin.example": "admin.example"} {
		route, err := match(t, routes, host, "/x", "GET")
		if err != nil {
			t.Fatal(err)
		}
		if route.Host != want {
			t.Errorf("%s falls on the route of host %q", host, route.Host)
		}
	}
}

func TestJudge_never_tries_a_method_on_a_shorter_route(t *testing.T) {
	routes := table(t, shop...)
	_, err := match(t, routes, "", "/api/admin/x", "POST")
	h := checkProblem(t, err, http.StatusMethodNotAllowed, "method_not_allowed")
	if got := h.Get("Allow"); got != "GET" {
		t.Errorf("Allow: %s", got)
	}
	_, err = match(t, routes, "", "/api/x", "DELETE")
	h = checkProblem(t, err, http.StatusMethodNotAllowed, "method_not_allowed")
	if got := h.Get("Allow"); got != "GET, POST" {
		t.Errorf("Allow: %s", got)
	}
}

func TestJudge_refuses_methods_that_echo_or_tunnel(t *testing.T) {
	routes := table(t, shop...)
	for _, method := range []string{"TRACE", "TRACK", "CONNECT"} {
		_, err := match(t, routes, "", "/x", method)
		if h := checkProblem(t, err, http.StatusMethodNotAllowed, "method_not_allowed"); h.Get("Allow") == "" {
			t.Errorf("%s: no Allow header", method)
		}
	}
}

func TestJudge_refuses_a_path_that_folds_onto_another_route(t *testing.T) {
	routes := table(t, shop...)
	for _, path := range []string{
		"/API/x", "/Api", "/api;v=1/x", "/api%3b/x", "/api./x", "/api%20/x", "/api%20.%20;x/y", "/%2561pi/x", "/API%3bx",
		"/api/Admin/x", "/api/admin;/x", "/api/admin./x", "/api%2Fadmin/x", "/api%23/x", "/api%3F/x",
		"/AUTH/login", "/auth;x/login", "/auth./login", "/%2541uth",
		"/files/private%2Fx", "/files/Private/x", "/docs/x", "/DOCS/x",
	} {
		route, err := match(t, routes, "", path, "GET")
		if err == nil {
			t.Errorf("%s falls on %s", path, route.Path)
			continue
		}
		checkProblem(t, err, http.StatusBadRequest, "ambiguous_path")
	}
}

func TestJudge_takes_routes_that_are_not_their_own_folded_form(t *testing.T) {
	routes := table(t, routing.Route{Path: "/a;version=1/"}, routing.Route{Path: "/a/b/"}, routing.Route{Path: "/B/"})
	for path, want := range map[string]string{"/a;version=1/x": "/a;version=1/", "/a/b/x": "/a/b/", "/B/x": "/B/"} {
		route, err := match(t, routes, "", path, "GET")
		if err != nil || route.Path != want {
			t.Errorf("%s: %v, %v", path, route, err)
		}
	}
}

func TestJudge_refuses_encoded_slashes_unless_the_route_takes_them(t *testing.T) {
	routes := table(t, shop...)
	for _, path := range []string{"/x%2Fy", "/api/a%2fb", "/auth/login%2f", "/files/private/a%2Fb"} {
		_, err := match(t, routes, "", path, "GET")
		if err == nil {
			t.Errorf("%s is accepted", path)
			continue
		}
		checkProblem(t, err, http.StatusBadRequest, "ambiguous_path")
	}
}

func TestJudge_without_a_route_is_not_found(t *testing.T) {
	routes := table(t, routing.Route{Path: "/api/"})
	_, err := match(t, routes, "", "/x", "GET")
	checkProblem(t, err, http.StatusNotFound, "not_found")
}

func TestNewTable_refuses_rows_that_cannot_be_told_apart(t *testing.T) {
	for name, routes := range map[string][]routing.Route{
		"same path":           {{Path: "/api/"}, {Path: "/api"}},
		"same folded path":    {{Path: "/api/"}, {Path: "/API/"}},
		"the mount itself":    {{Path: "/auth/"}},
		"inside the mount":    {{Path: "/auth/x/"}},
		"mount in upper case": {{Path: "/AUTH/x"}},
		"dot segment":         {{Path: "/a/../b/"}},
		"encoded slash":       {{Path: "/a%2fb/"}},
		"no slash":            {{Path: "api"}},
		"empty":               {{}},
	} {
		if _, err := routing.NewTable(routes, "/auth"); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := routing.NewTable([]routing.Route{{Path: "/api/"}, {Path: "/api/", Host: "a.example"}, {Path: "/api/", Host: "b.example"}}, "/auth"); err != nil {
		t.Errorf("same path on other hosts: %v", err)
	}
}

func TestJudge_allocates_nothing(t *testing.T) {
	routes := table(t, shop...)
	r, err := read(t, "/api/orders/7?x=y")
	if err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(100, func() { _, _, _ = routes.Judge(routing.TargetOf(r, "app.example")) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkJudge(b *testing.B) {
	routes := table(b, shop...)
	r, err := read(b, "/api/orders/7?page=2")
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := routes.Judge(routing.TargetOf(r, "app.example")); err != nil {
			b.Fatal(err)
		}
	}
}
