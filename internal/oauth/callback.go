package oauth

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// limits are the most bytes that the callback's parameters have.
var limits = []struct {
	name  string
	limit int
}{{"code", 4096}, {"state", MaxState}, {"iss", 512}, {"error", 256}}

// Callback is an authorization response: a code, or a refusal, for one state.
type Callback struct {
	Code   secret.Text
	State  string
	Issuer string // iss, RFC 9207; empty if there was none
	// Refusal is the provider's error; nil where there is a code.
	Refusal *AuthorizationError
}

var (
	codeParams  = []string{"code", "state", "iss", "session_state"}
	errorParams = []string{"error", "state", "iss", "error_description", "error_uri"}
)

// ParseCallback judges the query of an authorization response, or answers
// [ErrCallback]. There must be exactly one state and exactly one code or error.
//
// RFC 6749 §4.1.2 would have unknown parameters ignored. Here they are refused:
// nobody but the provider writes this query, and what an attacker adds to it
// (access_token, id_token, a second flow's answer) has never been harmless
// everywhere. session_state and error_uri are known and ignored.
func ParseCallback(q url.Values) (Callback, error) {
	known := codeParams
	if q.Has("error") {
		known = errorParams
	}
	for name, values := range q {
		if !slices.Contains(known, name) {
			return Callback{}, fmt.Errorf("parse callback: %w: foreign parameter", ErrCallback)
		}
		if len(values) != 1 || values[0] == "" {
			return Callback{}, fmt.Errorf("parse callback: %w: %s empty or repeated", ErrCallback, name)
		}
	}
	for _, p := range limits {
		if v := q.Get(p.name); len(v) > p.limit || strings.ContainsFunc(v, notVSCHAR) {
			return Callback{}, fmt.Errorf("parse callback: %w: %s too long or not text", ErrCallback, p.name)
		}
	}
	if !q.Has("state") || !q.Has("error") && !q.Has("code") {
		return Callback{}, fmt.Errorf("parse callback: %w: no state, or neither code nor error", ErrCallback)
	}
	cb := Callback{Code: secret.NewText(q.Get("code")), State: q.Get("state"), Issuer: q.Get("iss")}
	if q.Has("error") {
		cb.Refusal = &AuthorizationError{Code: q.Get("error"), Description: description(q.Get("error_description"))}
	}
	return cb, nil
}

// notVSCHAR reports what may stand in no code, state or error (RFC 6749,
// appendix A).
func notVSCHAR(r rune) bool { return r < 0x20 || r > 0x7e }
