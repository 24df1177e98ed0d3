package config

import (
	"strings"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/gatehouse-auth/gatehouse/internal/headers"
)

// trustedHeader adds one of the headers that a proxy may be believed in, in any case, to a *[]string.
type trustedHeader struct{}

func (trustedHeader) want() string { return "one of " + strings.Join(headers.Believable(), ", ") }

func (k trustedHeader) parse(field any, s string) error {
	for _, name := range headers.Believable() {
		if strings.EqualFold(name, s) {
			put(field, name)
			return nil
		}
	}
	return cure(k.want())
}

func (trustedHeader) format(field any) []string { return taken(field) }
func (trustedHeader) schema() *jsonschema.Schema {
	return &jsonschema.Schema{Type: "string"}
}

// ownHeader fills a *string with the name of a header that the gateway is to send
// upstream, and that means nothing else there. The example may be one that is kept for
// the gateway.
type ownHeader struct{ example string }

func (k ownHeader) want() string {
	return "a header's name of letters, digits and hyphens such as " + k.example
}

func (k ownHeader) parse(field any, s string) error {
	switch {
	case s == "", strings.EqualFold(s, k.example):
	case !headers.Plain(s) || len(s) > 64:
		return cure(k.want())
	case !headers.Free(s):
		return curef("another name such as %s: this one says something else of a request, or is set by the gateway already", k.example)
	}
	put(field, s)
	return nil
}

func (ownHeader) format(field any) []string { return taken(field) }
func (ownHeader) schema() *jsonschema.Schema {
	return &jsonschema.Schema{Type: "string", Pattern: "^[A-Za-z0-9-]{1,64}$"}
}

// claimName is the name of a claim.
var claimName = text{what: "the name of a claim such as sub", check: func(s string) bool { return len(s) <= 128 }}
