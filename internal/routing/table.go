package routing

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/problem"
	"github.com/gatehouse-auth/gatehouse/internal/urlpath"
)

// Table is the one route table: every path that the gateway serves falls on one
// of its rows or on none. It never changes.
//
// Routes of a host and routes without one are considered together: the longest
// path wins, and of two of the same length the one that names the host.
type Table struct {
	routes  []*Route
	general []row
	hosts   map[string][]row
	// folds says that a route's own path differs from its folded form, so that
	// even a path that is its own folded form must be matched twice.
	folds bool
}

// row is a route as it is matched: whole segments, without the slash at the end.
type row struct {
	route  *Route
	prefix string
	folded string
}

// NewTable builds the table of the routes and of the gateway's own endpoints,
// which lie under the mount own ("/auth") and are a row like others, with
// [AuthOwn]. It refuses paths that are not canonical, rows that nothing tells
// apart, and routes inside the mount.
func NewTable(routes []Route, own string) (*Table, error) {
	t := &Table{hosts: make(map[string][]row)}
	rows, err := parseRows(append(slices.Clone(routes), Route{Path: own, Access: Access{Auth: AuthOwn}}))
	if err != nil {
		return nil, err
	}
	mount := rows[len(rows)-1]
	seen := make(map[string]string)
	for i, r := range rows {
		if i < len(routes) && urlpath.Covers(mount.folded, r.folded) {
			return nil, fmt.Errorf("route %s lies in the gateway's own mount %s", r.route.Path, own)
		}
		key := r.route.Host + r.folded
		if other, ok := seen[key]; ok {
			return nil, fmt.Errorf("routes %s and %s of host %q cannot be told apart", other, r.route.Path, r.route.Host)
		}
		seen[key] = r.route.Path
		t.folds = t.folds || r.folded != r.prefix
		t.routes = append(t.routes, r.route)
	}
	t.index(rows)
	return t, nil
}

func parseRows(routes []Route) ([]row, error) {
	rows := make([]row, 0, len(routes))
	for i := range routes {
		p, err := urlpath.Parse(routes[i].Path)
		if err != nil {
			return nil, fmt.Errorf("parse route path %q: %w", routes[i].Path, err)
		}
		if p.EncodedSlash() {
			return nil, fmt.Errorf("parse route path %q: an encoded slash cannot be matched", routes[i].Path)
		}
		rows = append(rows, row{
			route:  &routes[i],
			prefix: strings.TrimSuffix(p.Literal(), "/"),
			folded: strings.TrimSuffix(p.Folded(), "/"),
		})
	}
	return rows, nil
}

// index sorts the rows into lists that are searched from the front.
func (t *Table) index(rows []row) {
	slices.SortStableFunc(rows, func(a, b row) int {
		return cmp.Or(cmp.Compare(len(b.prefix), len(a.prefix)), cmp.Compare(len(b.route.Host), len(a.route.Host)))
	})
	for _, r := range rows {
		if host := r.route.Host; host != "" {
			t.hosts[host] = nil
		}
	}
	for _, r := range rows {
		if r.route.Host == "" {
			t.general = append(t.general, r)
		}
		for host := range t.hosts {
			if r.route.Host == "" || r.route.Host == host {
				t.hosts[host] = append(t.hosts[host], r)
			}
		}
	}
}

// Routes returns the rows in the order they were given, the mount last. They
// are what [Table.Judge] returns, and must not be changed.
func (t *Table) Routes() []*Route { return t.routes }

// IdentityHeaders are the canonical names of all headers that say who is calling, on
// any of the routes. None is a client's to send, whichever route it asks.
func (t *Table) IdentityHeaders() []string {
	var names []string
	for _, r := range t.routes {
		names = slices.Concat(names, r.Identity.Names(), r.Assertion.Names())
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Judge makes the path of a target canonical and returns it with the route that
// it falls on. It looks at the target alone, so that it can be asked about any.
// Errors are *problem.Error: 404 not_found, 405 method_not_allowed with Allow, and
// 400 ambiguous_path if two readers could take the path for different ones, if an
// upstream could read it as one that falls on another route, or if it has an
// encoded slash that the route does not allow.
func (t *Table) Judge(target Target) (*Route, urlpath.Path, error) {
	p, err := target.Canonical()
	if err != nil {
		return nil, urlpath.Path{}, err
	}
	route, err := t.match(target.Host, p, target.Method)
	if err != nil {
		return nil, urlpath.Path{}, err
	}
	return route, p, nil
}

func (t *Table) match(host string, p urlpath.Path, method string) (*Route, error) {
	rows := t.general
	if len(t.hosts) > 0 {
		if of, ok := t.hosts[host]; ok {
			rows = of
		}
	}
	route := find(rows, p.Literal())
	if !t.oneRoute(rows, p, route) {
		return nil, ambiguous(errFolded)
	}
	if route == nil {
		return nil, problem.NotFound(nil)
	}
	if p.EncodedSlash() && !route.AllowEncodedSlash {
		return nil, ambiguous(errSlash)
	}
	if !allowed(route, method) {
		return nil, problem.MethodNotAllowed(route.Methods...)
	}
	return route, nil
}

// oneRoute reports whether all readings of the path fall on the route that its
// literal form falls on.
func (t *Table) oneRoute(rows []row, p urlpath.Path, route *Route) bool {
	if (t.folds || p.Folded() != p.Literal()) && findFolded(rows, p.Folded()) != route {
		return false
	}
	for _, reading := range p.Others() {
		if findFolded(rows, reading) != route {
			return false
		}
	}
	return true
}

var (
	errFolded = errors.New("folded path falls on another route")
	errSlash  = errors.New("path has an encoded slash")
)

func find(rows []row, path string) *Route {
	for i := range rows {
		if urlpath.Covers(rows[i].prefix, path) {
			return rows[i].route
		}
	}
	return nil
}

// findFolded is find on the folded prefixes. They may be shorter than the
// literal ones that the rows are sorted by, so all rows are looked at.
func findFolded(rows []row, path string) *Route {
	best := -1
	for i := range rows {
		if urlpath.Covers(rows[i].folded, path) && (best < 0 || len(rows[i].folded) > len(rows[best].folded)) {
			best = i
		}
	}
	if best < 0 {
		return nil
	}
	return rows[best].route
}

// allowed reports whether the route takes the method. TRACE is never taken: an
// upstream would echo the token into its answer.
func allowed(route *Route, method string) bool {
	switch method {
	case http.MethodTrace, "TRACK", http.MethodConnect:
		return false
	}
	return len(route.Methods) == 0 || slices.Contains(route.Methods, method)
}
