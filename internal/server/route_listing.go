package server

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/gatehouse-auth/gatehouse/internal/config"
	"github.com/gatehouse-auth/gatehouse/internal/routing"
)

// RouteListing is the routes of a configuration as the gateway understands them.
type RouteListing struct {
	rows []routeRow
	// Warnings are what is odd about them but may be meant, one sentence each.
	Warnings []string
}

// routeRow says of one route what it matches and where it leads.
type routeRow struct{ host, path, auth, methods, rules, to string }

// ListRoutes reads the routes as [New] does, and starts nothing.
func ListRoutes(cfg *config.Config) (*RouteListing, error) {
	table, err := routing.NewTable(routeTable(cfg.Routes), cfg.Mount)
	if err != nil {
		return nil, err
	}
	return newRouteListing(cfg.Routes, table, cfg.Mount), nil
}

func newRouteListing(routes []config.Route, table *routing.Table, mount string) *RouteListing {
	l := &RouteListing{Warnings: spellingWarnings(table)}
	l.rows = append(l.rows, routeRow{anyHost, mount + "/", "own", "its own", noRules, "the gateway's endpoints"})
	for _, r := range routes {
		l.rows = append(l.rows, rowOf(r))
	}
	slices.SortStableFunc(l.rows, func(a, b routeRow) int {
		return cmp.Or(cmp.Compare(len(b.path), len(a.path)), cmp.Compare(a.hosts(), b.hosts()))
	})
	return l
}

const anyHost = "any"

// hosts puts a route of one host before one of any.
func (r routeRow) hosts() int {
	if r.host == anyHost {
		return 2
	}
	return 1
}

func rowOf(r config.Route) routeRow {
	row := routeRow{host: cmp.Or(r.Host, anyHost), path: r.Path, auth: r.Auth, methods: "all", rules: rulesOf(r), to: r.Target()}
	if len(r.Methods) > 0 {
		row.methods = strings.Join(r.Methods, ",")
	}
	if r.StripPrefix && len(r.Path) > 1 {
		row.to += ", without " + strings.TrimSuffix(r.Path, "/")
	}
	if r.SPAFallback != "" {
		row.to += ", or " + r.SPAFallback
	}
	return row
}

const noRules = "-"

// rulesOf says what a request must meet besides, and what the upstream is told.
func rulesOf(r config.Route) string {
	var rules []string
	say := func(set bool, format string, args ...any) {
		if set {
			rules = append(rules, fmt.Sprintf(format, args...))
		}
	}
	say(len(r.Require.Groups) > 0, "groups %s", strings.Join(r.Require.Groups, "|"))
	say(len(r.Require.Scopes) > 0, "scopes %s", strings.Join(r.Require.Scopes, "+"))
	for _, claim := range r.Require.Claims {
		say(true, "%s %s", claim.Name, strings.Join(claim.Values, "|"))
	}
	say(r.Require.MaxAuthAge > 0, "signed in within %s", config.FormatDuration(r.Require.MaxAuthAge))
	say(r.RateLimit.Requests > 0, "%d in %s by %s", r.RateLimit.Requests, config.FormatDuration(r.RateLimit.Per), r.RateLimit.By)
	say(r.Concurrency > 0, "%d at once", r.Concurrency)
	say(r.IdentityHeaders || len(r.Headers) > 0, "identity headers")
	say(r.Assertion.Audience != "", "assertion for %s", r.Assertion.Audience)
	return cmp.Or(strings.Join(rules, ", "), noRules)
}

// spellingWarnings name the routes that an upstream could take for one another.
func spellingWarnings(table *routing.Table) []string {
	var out []string
	words := make(map[routing.Auth]string, len(auths))
	for word, auth := range auths {
		words[auth] = word
	}
	for _, m := range table.Misspellings() {
		open, guarded, to := "auth "+words[m.Open.Access.Auth], "auth "+words[m.Guarded.Access.Auth], "anybody"
		if !m.Open.Access.ServesNobody() {
			open, guarded, to = "requires nothing", "requires something", "every known caller"
		}
		out = append(out, fmt.Sprintf("routes: %s (%s) and %s (%s) overlap but for their spelling: "+
			"an upstream that does not tell one from the other serves to %s what %s guards; spell them alike",
			m.Open.Host+m.Open.Path, open, m.Guarded.Host+m.Guarded.Path, guarded, to, m.Guarded.Path))
	}
	return out
}

// Print writes a table, in the order in which a path is looked up.
func (l *RouteListing) Print(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(t, "HOST\tPATH\tAUTH\tMETHODS\tRULES\tTO")
	for _, r := range l.rows {
		_, _ = fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", r.host, r.path, r.auth, r.methods, r.rules, r.to)
	}
	return t.Flush()
}

// logRoutes says in the log what [RouteListing.Print] says, of the routes that hold now.
func (s *Server) logRoutes() {
	l := s.router.Load().routes
	for _, w := range l.Warnings {
		s.log.Warn("configuration", "warning", w)
	}
	for _, r := range l.rows {
		s.log.Info("route", "host", r.host, "path", r.path, "auth", r.auth, "methods", r.methods, "rules", r.rules, "to", r.to)
	}
}
