package config

import (
	"strings"

	"github.com/google/jsonschema-go/jsonschema"
)

// trustedHeaders are the headers in which a proxy says where a request came from.
// None that names an identity is among them: that is nobody's to name but the
// gateway's.
var trustedHeaders = []string{
	"X-Forwarded-For", "X-Forwarded-Proto", "X-Request-Id", "traceparent", "X-Forwarded-Host", "X-Forwarded-Port",
	"X-Forwarded-Prefix", "X-Forwarded-Server", "Forwarded", "X-Real-IP", "True-Client-IP",
}

// trustedHeader adds one of them, in any case, to a *[]string.
type trustedHeader struct{}

func (trustedHeader) want() string { return "one of " + strings.Join(trustedHeaders, ", ") }

func (k trustedHeader) parse(field any, s string) error {
	for _, name := range trustedHeaders {
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
