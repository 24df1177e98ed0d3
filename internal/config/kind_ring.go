package config

import (
	"encoding/base64"
	"slices"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// sampleKeys are the keys that our own documentation shows, and what there has the form
// of one. Everybody has them.
var sampleKeys = []string{
	"0Q0IxJDgOiTVY1J7/mfERzLQaeYCO2bl/kGclEpZ2Ok=",
	// A code_verifier and its code_challenge (RFC 7636, appendix B).
	"dBjftJeZ4CVP+mB92K27uhbUJU1p1r/wW1gFWFOEjXk=",
	"E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw+cM=",
}

// ringKey fills a *Keys.
type ringKey struct{}

func (ringKey) want() string {
	return "32 random bytes in base64, as gateway keygen prints them"
}

func (k ringKey) parse(field any, s string) error {
	b, ok := decodeKey(s)
	if !ok || len(b) != secret.KeySize {
		return cure(k.want())
	}
	if isSample(b) {
		return cure(k.want() + "; this one is a sample from the documentation")
	}
	if weak(b) {
		return cure(k.want() + "; this one can be guessed")
	}
	list := field.(*Keys)
	if slices.ContainsFunc(*list, func(other []byte) bool { return slices.Equal(other, b) }) {
		return cure("each key once")
	}
	*list = append(*list, b)
	return nil
}

// decodeKey takes either alphabet of RFC 4648, with or without padding.
func decodeKey(s string) ([]byte, bool) {
	for _, e := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding} {
		if b, err := e.Strict().DecodeString(s); err == nil {
			return b, true
		}
	}
	return nil, false
}

func isSample(b []byte) bool {
	return slices.ContainsFunc(sampleKeys, func(s string) bool {
		sample, ok := decodeKey(s)
		return ok && slices.Equal(sample, b)
	})
}

// minDistinct is how many different bytes a key must have. Of 32 random ones
// about 30 differ; fewer than 16 happens once in more than 10^16 keys.
const minDistinct = 16

// weak reports what chance does not bring about: few distinct bytes, nothing but
// printable ASCII (a pass phrase), one half like the other, or even steps.
func weak(b []byte) bool {
	seen := map[byte]bool{}
	text, steps := true, true
	for i, c := range b {
		seen[c] = true
		text = text && ' ' <= c && c <= '~'
		steps = steps && (i < 2 || c-b[i-1] == b[1]-b[0])
	}
	half := len(b) / 2
	return len(seen) < minDistinct || text || steps || slices.Equal(b[:half], b[half:])
}

func (ringKey) format(field any) []string {
	out := make([]string, len(*field.(*Keys)))
	for i := range out {
		out[i] = masked
	}
	return out
}

func (ringKey) schema() *jsonschema.Schema { return &jsonschema.Schema{Type: "string"} }
