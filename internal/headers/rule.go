// Package headers says what happens to every header that the gateway knows on its
// way through, in one table: [Known]. Requests, answers, trailers and the
// handshakes of tunnels all ask it; a row that is added takes effect in each. It edits
// nothing: that, and what depends on more than a name, is left to package proxy.
//
// The one invariant: all rows that name a header count, whatever their order.
package headers

import (
	"net/http"
	"strings"
)

// Rule says what happens to a header. It is a set; the empty one passes the header
// on as it is.
type Rule uint16

const (
	// HopByHop headers speak of one connection. They are passed on in neither
	// direction (RFC 9110 §7.6.1).
	HopByHop Rule = 1 << iota
	// NeverUpstream headers are dropped from requests, whoever sends them.
	NeverUpstream
	// OfProxies headers say where a request came from. They are dropped from
	// requests, unless a trusted proxy sends one that it is believed in.
	OfProxies
	// Restated headers are set by the gateway on requests. It drops the one that came,
	// and says again what it believes of it.
	Restated
	// NeverDownstream headers are dropped from answers and from trailers.
	NeverDownstream
	// NeverTrailer headers are dropped from trailers. The header of an answer was
	// judged when it began, and a reader may merge trailers into it (RFC 9110 §6.5.1).
	NeverTrailer
	// Caching headers say who may keep an answer. They are dropped where the gateway
	// says that itself, and from trailers.
	Caching
	// Additive headers of the gateway and of the upstream both stand in an answer. Of
	// all other headers that both set, the gateway's holds.
	Additive
)

// Has reports whether the rule has any of those in other.
func (r Rule) Has(other Rule) bool { return r&other != 0 }

// Row is a row of the table.
type Row struct {
	// Name is that of a header, in any case. A "*" at its end stands for any rest, one
	// at its start for any beginning.
	Name string
	Rule Rule
}

// Table finds the rows of a header. It never changes.
type Table struct {
	exact    map[string]Rule
	prefixes [256][]Row // by bucket
	suffixes []Row
}

// NewTable makes a table of the rows. The rules of all rows that name a header add
// up. It panics over a row that [Table.Of] could not find.
func NewTable(rows ...Row) *Table {
	t := &Table{exact: make(map[string]Rule, len(rows))}
	for _, row := range rows {
		prefix, begins := strings.CutSuffix(row.Name, "*")
		name, ends := strings.CutPrefix(prefix, "*")
		name = http.CanonicalHeaderKey(name)
		if name == "" || begins && (ends || len(name) < bucketed) {
			panic("headers: a row for " + row.Name)
		}
		switch {
		case begins:
			t.prefixes[bucket(name)] = append(t.prefixes[bucket(name)], Row{name, row.Rule})
		case ends:
			t.suffixes = append(t.suffixes, Row{name, row.Rule})
		default:
			t.exact[name] |= row.Rule
		}
	}
	return t
}

// Of returns the rule of the header of that name, spelled as net/http spells it
// ([http.CanonicalHeaderKey]), which is how headers that were read are spelled.
func (t *Table) Of(name string) Rule {
	if name == "" {
		return 0
	}
	rule := t.exact[name]
	for _, row := range t.prefixes[bucket(name)] {
		if strings.HasPrefix(name, row.Name) {
			rule |= row.Rule
		}
	}
	for _, row := range t.suffixes {
		if strings.HasSuffix(name, row.Name) {
			rule |= row.Rule
		}
	}
	return rule
}

// bucketed is how many bytes of a name tell its bucket.
const bucketed = 3

// bucket spreads names by their first letter, or the one behind "X-".
func bucket(name string) byte {
	if len(name) >= bucketed && name[0] == 'X' && name[1] == '-' {
		return name[2] | 0x80
	}
	return name[0]
}

// Plain reports whether a name is made of letters, digits and hyphens. A request's
// headers of other names are dropped: CGI and its heirs read X_Auth_Subject, and
// some X.Auth.Subject, as X-Auth-Subject.
func Plain(name string) bool {
	for i := 0; i < len(name); i++ {
		c := name[i] | 0x20
		if (c < 'a' || c > 'z') && (name[i] < '0' || name[i] > '9') && name[i] != '-' {
			return false
		}
	}
	return name != ""
}
