// Package identity says in headers who is calling: which claim goes by which name,
// and how a claim is written in a header. Who is calling is known before (package
// middleware); that no client sends such a header itself is the relay's to see to
// (package proxy), and [Headers.Names] tells it the names.
//
// The one invariant: a value is visible ASCII, whatever the claim holds.
package identity

import (
	"net/http"

	"github.com/gatehouse-auth/gatehouse/internal/cognito"
	"github.com/gatehouse-auth/gatehouse/internal/headers"
	"github.com/gatehouse-auth/gatehouse/internal/oauth"
)

// Header is a header with its value, as [http.Header] has them: the name is
// canonical, the value the only one.
type Header struct {
	Name   string
	Values []string
}

// Claim is a claim that goes by the name of a header of the operator's choice.
type Claim struct{ Header, Name string }

// Headers is the rule of a route: which headers say who is calling, and from where
// each has its value. It never changes; nil is the rule of a route without any.
type Headers struct {
	key  string // what was made by this rule, of [oauth.Identity.Kept]
	rows []row
}

type row struct {
	name  string // canonical
	value func(*oauth.Identity) string
}

// New makes a rule: the four headers X-Auth-* where standard is set, and those of the
// claims.
func New(standard bool, claims []Claim) *Headers {
	if !standard && len(claims) == 0 {
		return nil
	}
	h := &Headers{key: "identity headers"}
	if standard {
		h.add(headers.Subject, func(i *oauth.Identity) string { return escape(i.Subject, text) })
		h.add(headers.Username, func(i *oauth.Identity) string { return escape(cognito.Username(i), text) })
		h.add(headers.Email, func(i *oauth.Identity) string { return escape(cognito.VerifiedEmail(i), text) })
		h.add(headers.Groups, func(i *oauth.Identity) string { return list(cognito.Groups(i)) })
	}
	for _, c := range claims {
		h.add(c.Header, func(i *oauth.Identity) string { return claim(i.Claim(c.Name)) })
		h.key += "=" + c.Name
	}
	return h
}

func (h *Headers) add(name string, value func(*oauth.Identity) string) {
	name = http.CanonicalHeaderKey(name)
	h.rows = append(h.rows, row{name, value})
	h.key += "\n" + name
}

// Names are all headers that the rule may make, whether or not a caller has a value for
// each.
func (h *Headers) Names() []string {
	if h == nil {
		return nil
	}
	names := make([]string, len(h.rows))
	for i, r := range h.rows {
		names[i] = r.name
	}
	return names
}

// Of returns the headers for a caller, those without a value left out. They are made
// once for a set of tokens and shared between requests: change none.
func (h *Headers) Of(i *oauth.Identity) []Header {
	if h == nil {
		return nil
	}
	if made, ok := i.Kept(h.key).([]Header); ok {
		return made
	}
	made := make([]Header, 0, len(h.rows))
	size := 0
	for _, r := range h.rows {
		if v := r.value(i); v != "" {
			made = append(made, Header{r.name, []string{v}})
			size += headerBytes + len(v)
		}
	}
	i.Keep(h.key, made, size)
	return made
}

// headerBytes is what a header takes besides its value.
const headerBytes = 64
