package config

import (
	"net/url"
	"strings"

	"github.com/google/jsonschema-go/jsonschema"
)

// redirectURI fills a *[]string with redirection endpoints of pages (RFC 6749
// §3.1.2), unchanged, as they are compared to the letter (RFC 9700 §4.1.3).
type redirectURI struct{}

func (redirectURI) want() string {
	return "a page's address in full such as https://app.example.com/, without fragment; plain http on loopback only"
}

func (k redirectURI) parse(field any, s string) error {
	if strings.Contains(s, "*") {
		return cure("each address in full, such as https://app.example.com/; wildcards are not accepted")
	}
	u, ok := parseRedirect(s)
	switch {
	case !ok:
		return cure(k.want())
	case insecure(u):
		return curef("https://%s; plain http is accepted on loopback only", u.Host)
	}
	put(field, s)
	return nil
}

// parseRedirect reads an address that may have a query.
func parseRedirect(s string) (*url.URL, bool) {
	address, query, _ := strings.Cut(s, "?")
	if !printable(query) || strings.ContainsAny(query, "#\\ ") {
		return nil, false
	}
	return parseWeb(address)
}

func (redirectURI) format(field any) []string { return taken(field) }
func (redirectURI) schema() *jsonschema.Schema {
	return &jsonschema.Schema{Type: "string", Pattern: `^(https?://[^#]*)?$`}
}
