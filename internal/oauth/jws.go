package oauth

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// maxDepth is how deep JSON in a token may nest. Real claims have three levels.
const maxDepth = 16

// maxKeyID bounds a kid, in bytes.
const maxKeyID = 256

var errForm = errors.New("not a compact JWS with RS256")

// checkForm judges a token before any key is looked up and any library reads it,
// and returns its kid. Stricter than the libraries, which take padding, line
// breaks, stray trailing bits and repeated members: two readers of one token
// must not see two tokens (RFC 7515 §2, §4; RFC 8725 §3).
func checkForm(token string) (kid string, err error) {
	if len(token) > maxToken || strings.Count(token, ".") != 2 {
		return "", errForm
	}
	parts := strings.Split(token, ".")
	decoded := make([][]byte, len(parts))
	for i, part := range parts {
		b, ok := decodeStrict(part)
		if !ok || len(b) == 0 {
			return "", errForm
		}
		decoded[i] = b
	}
	header, err := strictObject(decoded[0])
	if err != nil {
		return "", err
	}
	if _, err := strictObject(decoded[1]); err != nil {
		return "", err
	}
	return checkHeader(header)
}

// checkHeader allows RS256 under a named key and nothing that would steer
// verification: embedded keys, addresses of keys, critical extensions,
// compression, nesting.
func checkHeader(h map[string]json.RawMessage) (kid string, err error) {
	for _, member := range []string{"crit", "b64", "zip", "enc", "cty", "jwk", "jku", "x5u", "x5c"} {
		if _, there := h[member]; there {
			return "", errForm
		}
	}
	if alg, ok := stringMember(h, "alg"); !ok || alg != "RS256" {
		return "", errForm
	}
	// at+jwt, logout+jwt and their like are tokens for other uses (RFC 8725 §3.11).
	if typ, ok := stringMember(h, "typ"); h["typ"] != nil && (!ok || !strings.EqualFold(typ, "JWT")) {
		return "", errForm
	}
	kid, ok := stringMember(h, "kid")
	if !ok || kid == "" || len(kid) > maxKeyID {
		return "", errForm
	}
	return kid, nil
}

// decodeStrict decodes unpadded base64url of which there is only one spelling.
// The library's strict mode still skips line breaks.
func decodeStrict(s string) ([]byte, bool) {
	if strings.ContainsAny(s, "\r\n") {
		return nil, false
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	return b, err == nil
}

// jwtPayload returns the payload of token if it has a JWT's form. Nothing about
// it is verified.
func jwtPayload(token string) (json.RawMessage, bool) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil, false
	}
	for _, part := range parts[:2] {
		b, ok := decodeStrict(part)
		if !ok {
			return nil, false
		}
		if _, err := strictObject(b); err != nil {
			return nil, false
		}
	}
	payload, _ := decodeStrict(parts[1])
	return payload, true
}

// looksLikeJWT reports whether a reader less strict than [jwtPayload] would take
// token for a JWT: padding, the other alphabet of base64, repeated members. Such
// a token is not opaque, and what it says depends on who reads it.
func looksLikeJWT(token string) bool {
	parts := strings.Split(strings.NewReplacer("+", "-", "/", "_", "=", "").Replace(token), ".")
	if len(parts) != 3 {
		return false
	}
	for _, part := range parts[:2] {
		var object map[string]json.RawMessage
		b, err := base64.RawURLEncoding.DecodeString(part)
		if err != nil || json.Unmarshal(b, &object) != nil || object == nil {
			return false
		}
	}
	return true
}

// AccessClaims returns the payload of an access token, or {} if it is no JWT.
// It verifies nothing: right only for a token that came from the provider
// itself and was kept safe since.
func AccessClaims(access secret.Text) json.RawMessage {
	if payload, ok := jwtPayload(access.Reveal()); ok {
		return payload
	}
	return json.RawMessage("{}")
}

// strictObject decodes one JSON object, refusing what readers disagree about:
// repeated members at any level, invalid UTF-8, text after the end; and depth.
func strictObject(b []byte) (map[string]json.RawMessage, error) {
	if !utf8.Valid(b) {
		return nil, errors.New("not UTF-8")
	}
	if err := checkMembers(b); err != nil {
		return nil, err
	}
	var m map[string]json.RawMessage
	if err := json.Unmarshal(b, &m); err != nil || m == nil {
		return nil, errors.New("not a JSON object")
	}
	return m, nil
}

// checkMembers walks b's tokens with one set of names for each open object; the
// set is nil for an array.
func checkMembers(b []byte) error {
	var open []map[string]bool
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	for name := false; ; {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return errors.New("not JSON")
		}
		if s, ok := token.(string); ok && name {
			names := open[len(open)-1]
			if names[s] {
				return errors.New("repeated member")
			}
			names[s], name = true, false // its value is next
			continue
		}
		switch token {
		case json.Delim('{'):
			open = append(open, map[string]bool{})
		case json.Delim('['):
			open = append(open, nil)
		case json.Delim('}'), json.Delim(']'):
			open = open[:len(open)-1]
		}
		if len(open) > maxDepth {
			return errors.New("nested too deep")
		}
		name = len(open) > 0 && open[len(open)-1] != nil
	}
}

func stringMember(m map[string]json.RawMessage, name string) (string, bool) {
	var s *string
	if err := json.Unmarshal(m[name], &s); err != nil || s == nil {
		return "", false
	}
	return *s, true
}
