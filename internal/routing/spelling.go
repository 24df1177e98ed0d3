package routing

import "github.com/gatehouse-auth/gatehouse/internal/urlpath"

// Misspelling is a pair of routes of which one would lie below the other if they
// were spelled alike. An upstream that takes both spellings for one serves, on the
// open route, what the other one guards.
type Misspelling struct {
	Open    *Route // serves nobody, or requires nothing of a caller
	Guarded *Route // demands a caller, or requires something besides
}

// Misspellings finds them, in the order of the routes. No request gets from one
// route to the other by its spelling, which [Table.Judge] sees to; but what was
// meant to be guarded in both may be guarded in one only.
func (t *Table) Misspellings() []Misspelling {
	rows := t.general
	for _, of := range t.hosts {
		rows = append(rows[:len(rows):len(rows)], of...)
	}
	byRoute := make(map[*Route]row, len(rows))
	for _, r := range rows {
		byRoute[r.route] = r
	}
	var out []Misspelling
	for _, open := range t.routes {
		for _, guarded := range t.routes {
			if open.Access.asks() < guarded.Access.asks() && shareHost(open, guarded) && misspelt(byRoute[open], byRoute[guarded]) {
				out = append(out, Misspelling{open, guarded})
			}
		}
	}
	return out
}

// asks is how much is asked of a caller: nothing, to be known, or more than that. The
// gateway's own endpoints guard themselves.
func (a *Access) asks() int {
	switch {
	case a.ServesNobody() || a.Auth == AuthOwn:
		return 0
	case a.Require == nil:
		return 1
	}
	return 2
}

func shareHost(a, b *Route) bool { return a.Host == "" || b.Host == "" || a.Host == b.Host }

// misspelt reports whether one lies below the other as folded paths only.
func misspelt(a, b row) bool {
	return urlpath.Covers(a.folded, b.folded) && !urlpath.Covers(a.prefix, b.prefix) ||
		urlpath.Covers(b.folded, a.folded) && !urlpath.Covers(b.prefix, a.prefix)
}
