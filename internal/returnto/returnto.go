// Package returnto decides whether an address that a request names is safe to
// send the browser to. It is pure: it knows the configured origins and nothing
// else. There is one grammar, the browsers' own: an address is read and
// normalised as the URL Standard (https://url.spec.whatwg.org) does it, once;
// what that yields is judged, and is what the browser is sent to.
//
// The one invariant: an [Address] that is not empty leads, in every browser, to
// the gateway's own origin or to one of the configured origins.
package returnto

import (
	"errors"
	"slices"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/urlpath"
)

// MaxLength bounds an address, in bytes of its normalised form.
const MaxLength = 2048

var (
	// ErrUnsafe is the answer to every address that is not accepted. It does not
	// say why: the caller names the parameter, and the address is untrusted text.
	ErrUnsafe = errors.New("return address not accepted")
	// ErrTooLong is the answer to an address that would be accepted if its path
	// alone were not over [MaxLength].
	ErrTooLong = errors.New("return address too long")
)

// Address is an accepted address in normalised form, printable ASCII without
// quotation marks and angle brackets: a local path with its query and fragment,
// or an absolute address at a configured origin. The zero value is none.
type Address struct {
	s         string
	truncated bool
}

// String returns the address as it goes into a Location header.
func (a Address) String() string { return a.s }

// IsZero reports whether there is no address.
func (a Address) IsZero() bool { return a.s == "" }

// Truncated reports whether the address was too long, so that it is only its path.
func (a Address) Truncated() bool { return a.truncated }

// Policy says which addresses are accepted. Origins are serialised, lower case,
// without a default port: scheme://host[:port] (RFC 6454 §6.2).
type Policy struct {
	// Own is the origin that local paths are of. An address there becomes one.
	Own string
	// Origins are the others.
	Origins []string
	// Refused are paths that are never returned to, such as the login itself,
	// which would loop.
	Refused []string
}

// Parse accepts raw, or answers [ErrUnsafe] or [ErrTooLong]. Accepted are
// absolute addresses and paths, in every spelling that leads to one of the
// policy's origins; not what a browser would take relative to the page it is on,
// nor user information.
func (p Policy) Parse(raw string) (Address, error) { return p.ParseAt(p.Own, raw) }

// ParseAt is [Policy.Parse] for a page at another of the policy's origins: that
// is where a path leads to.
func (p Policy) ParseAt(origin, raw string) (Address, error) {
	u, ok := normalise(raw)
	if !ok {
		return Address{}, ErrUnsafe
	}
	if u.origin == "" {
		u.origin = origin
	}
	switch {
	case u.origin == p.Own:
		u.origin = ""
	case !slices.Contains(p.Origins, u.origin):
		return Address{}, ErrUnsafe
	}
	if authorityLike(u.path) || p.refuses(u.path) {
		return Address{}, ErrUnsafe
	}
	if whole := u.origin + u.path + u.rest; len(whole) <= MaxLength {
		return Address{s: whole}, nil
	}
	if path := u.origin + u.path; len(path) <= MaxLength {
		return Address{s: path, truncated: true}, nil
	}
	return Address{}, ErrTooLong
}

// Request makes an address of the gateway's own request target, path and query as
// they came. The zero value is for a target that is no local address.
func (p Policy) Request(path, query string) Address { return p.RequestAt(p.Own, path, query) }

// RequestAt is [Policy.Request] for a request to another of the policy's origins.
func (p Policy) RequestAt(origin, path, query string) Address {
	if query != "" {
		path += "?" + query
	}
	if !strings.HasPrefix(path, "/") {
		return Address{}
	}
	// No fragment belongs to a request's target, so there a "#" is no delimiter.
	a, err := p.ParseAt(origin, strings.ReplaceAll(path, "#", "%23"))
	if err != nil {
		return Address{}
	}
	return a
}

// Path returns the part of an accepted address that is its path, if beginning,
// which is where the rest of the address was lost, reaches beyond it; else "".
func Path(beginning string) string {
	if i := strings.IndexAny(beginning, "?#"); i >= 0 {
		return beginning[:i]
	}
	return ""
}

// authorityLike reports whether path, decoded by some reader behind the browser,
// would begin as "//host" does. Some readers drop control characters on the way.
func authorityLike(path string) bool {
	path = strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f {
			return -1
		}
		return r
	}, urlpath.Decode(path))
	return len(path) > 1 && isSlash(path[0]) && isSlash(path[1])
}

// refuses reports whether path is one of p.Refused, in whatever spelling.
func (p Policy) refuses(path string) bool {
	path = urlpath.Fold(path)
	return slices.ContainsFunc(p.Refused, func(r string) bool { return path == urlpath.Fold(r) })
}
