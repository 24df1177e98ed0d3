package bearer

import (
	"errors"
	"strings"
)

var (
	// ErrNone: nobody is named; there is no Authorization header, or one of another
	// scheme.
	ErrNone = errors.New("no bearer token")
	// ErrMalformed: the request has several Authorization headers, or one that is no
	// scheme with a token behind it.
	ErrMalformed = errors.New("malformed Authorization header")
)

// scheme is what the gateway itself writes before a token.
const scheme = "Bearer "

// Token returns the token of a request with these Authorization headers, and the header
// as the gateway would write it (RFC 6750 §2.1). No other place for a token is looked at:
// not the query, which is logged on the way (§5.3), and no body.
//
// Errors: [ErrNone], [ErrMalformed].
func Token(authorization []string) (token, header string, err error) {
	switch len(authorization) {
	case 0:
		return "", "", ErrNone
	case 1:
	default:
		return "", "", ErrMalformed
	}
	header = authorization[0]
	named, rest, _ := strings.Cut(header, " ")
	token = strings.TrimLeft(rest, " ") // RFC 9110 §11.4: one space or more
	switch {
	case named == "":
		return "", "", ErrMalformed
	case !strings.EqualFold(named, scheme[:len(scheme)-1]):
		return "", "", ErrNone
	case !isToken(token):
		return "", "", ErrMalformed
	}
	if len(header) != len(scheme)+len(token) || !strings.HasPrefix(header, scheme) {
		header = scheme + token
	}
	return token, header, nil
}

// isToken reports whether s is a b64token (RFC 6750 §2.1).
func isToken(s string) bool {
	body := strings.TrimRight(s, "=")
	for i := range len(body) {
		switch c := body[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case c == '-', c == '.', c == '_', c == '~', c == '+', c == '/':
		default:
			return false
		}
	}
	return body != ""
}
