package routing

import (
	"strings"
	"time"
)

// Require is what a route asks of its callers besides being known. All rules that it has
// must be met. It never changes.
type Require struct {
	// Groups are those of which a caller is in one at least; empty asks for none.
	Groups Set
	// Scopes are those that a caller's access token has, all of them.
	Scopes []string
	// Claims are such as have one of some values, all of them.
	Claims []Claim
	// MaxAuthAge is how long ago the user signed in at most; 0 asks for no sign-in.
	MaxAuthAge time.Duration
	// Unsaid keeps the names of what a caller lacks out of the answer.
	Unsaid bool
}

// Claim is a claim that is, or holds, one of these values: texts, and numbers and
// booleans as they are written in a token.
type Claim struct {
	Name   string
	Values Set
}

// Set is texts that are looked up. The zero value is empty.
type Set struct {
	has    map[string]struct{}
	listed string
}

// NewSet returns the set of these texts.
func NewSet(texts ...string) Set {
	s := Set{has: make(map[string]struct{}, len(texts)), listed: strings.Join(texts, ", ")}
	for _, t := range texts {
		s.has[t] = struct{}{}
	}
	return s
}

// Has reports whether text is one of them.
func (s Set) Has(text string) bool {
	_, has := s.has[text]
	return has
}

// Empty reports whether there is none.
func (s Set) Empty() bool { return len(s.has) == 0 }

// String lists them as they were given.
func (s Set) String() string { return s.listed }
