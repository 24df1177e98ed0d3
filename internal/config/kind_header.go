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
