package oauth

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// maxTime is the largest NumericDate believed: the end of the year 9999. Larger
// ones overflow somewhere behind us.
const maxTime = 253402300799

// claimReader reads claims by exact name and JSON type, and remembers the first
// that was wrong. Its errors name claims, never values.
type claimReader struct {
	members map[string]json.RawMessage
	err     error
}

func newClaimReader(raw json.RawMessage) (*claimReader, error) {
	m, err := strictObject(raw)
	if err != nil {
		return nil, err
	}
	return &claimReader{members: m}, nil
}

func (r *claimReader) fail(name string) {
	if r.err == nil {
		r.err = errors.New(name)
	}
}

func (r *claimReader) optionalText(name string) *string {
	if _, there := r.members[name]; !there {
		return nil
	}
	s, ok := stringMember(r.members, name)
	if !ok {
		r.fail(name)
	}
	return &s
}

func (r *claimReader) text(name string) string {
	s := r.optionalText(name)
	if s == nil {
		r.fail(name)
		return ""
	}
	return *s
}

// texts reads one string or an array of strings, as aud may be.
func (r *claimReader) texts(name string) []string {
	if s, ok := stringMember(r.members, name); ok {
		return []string{s}
	}
	var list []*string
	if err := json.Unmarshal(r.members[name], &list); err != nil || len(list) == 0 {
		r.fail(name)
		return nil
	}
	out := make([]string, 0, len(list))
	for _, s := range list {
		if s == nil {
			r.fail(name)
			return nil
		}
		out = append(out, *s)
	}
	return out
}

// optionalTime reads a NumericDate (RFC 7519 §2), cut to whole seconds; zero if
// there is none.
func (r *claimReader) optionalTime(name string) time.Time {
	raw, there := r.members[name]
	if !there {
		return time.Time{}
	}
	var n *float64 // refuses strings, and numbers that a float does not hold
	if err := json.Unmarshal(raw, &n); err != nil || n == nil || *n < 0 || *n > maxTime {
		r.fail(name)
		return time.Time{}
	}
	return time.Unix(int64(*n), 0)
}

func (r *claimReader) time(name string) time.Time {
	if _, there := r.members[name]; !there {
		r.fail(name)
	}
	return r.optionalTime(name)
}

// accessClaims are the claims of an access token that is a JWT. It came by TLS
// from the token endpoint and is the upstream's to verify; what is checked here
// is that it is no other kind of token, for this client, not over yet, and about
// the user that the ID token names.
type accessClaims struct {
	use, client *string
	sub         *string
	exp         time.Time // zero if there is none
}

func readAccessClaims(payload json.RawMessage) (accessClaims, error) {
	r, err := newClaimReader(payload)
	if err != nil {
		return accessClaims{}, err
	}
	a := accessClaims{
		use: r.optionalText("token_use"), client: r.optionalText("client_id"),
		sub: r.optionalText("sub"), exp: r.optionalTime("exp"),
	}
	return a, r.err
}

// check judges what holds for any of this client's access tokens. A claim must
// be right where it stands, and need not stand (docs/decisions/0003-token-use.md).
func (a accessClaims) check(clientID string, now time.Time) error {
	switch {
	case a.use != nil && *a.use != "access":
		return errors.New("token_use")
	case a.client != nil && *a.client != clientID:
		return errors.New("client_id")
	case !a.exp.IsZero() && now.After(a.exp.Add(clockSkew)):
		return errors.New("exp")
	}
	return nil
}

// checkAccessSubject refuses an access token that is about another user than its
// session: the upstream would serve one user as another.
func checkAccessSubject(claims json.RawMessage, subject string) error {
	a, err := readAccessClaims(claims)
	if err == nil && a.sub != nil && *a.sub != subject {
		err = errors.New("another subject")
	}
	if err != nil {
		return fmt.Errorf("%w: access token: %w", ErrInvalidToken, err)
	}
	return nil
}
