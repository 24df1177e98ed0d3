package config

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/google/jsonschema-go/jsonschema"
)

const (
	lower   = "abcdefghijklmnopqrstuvwxyz"
	upper   = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	digit   = "0123456789"
	letters = lower + upper + digit
)

// only reports whether s is not empty and has no other characters than these.
func only(s, chars string) bool {
	return s != "" && strings.Trim(s, chars) == "" && !strings.ContainsFunc(s, func(r rune) bool { return !strings.ContainsRune(chars, r) })
}

func isPoolID(s string) bool {
	region, id, found := strings.Cut(s, "_")
	return found && only(region, lower+digit+"-") && only(id, letters)
}

func isClientID(s string) bool { return only(s, letters+"-_.+") }

// isScope follows RFC 6749 §3.3: visible ASCII but " and \.
func isScope(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '\\' })
}

// isCookieName takes a token's plain part (RFC 6265 §4.1.1) without the
// underscores in front that begin a prefix with a meaning to browsers.
func isCookieName(s string) bool {
	return only(s, letters+"-_.") && len(s) <= 64 && !strings.HasPrefix(s, "__")
}

// isCookieDomain refuses what no browser takes: one label, an IP address.
func isCookieDomain(s string) bool {
	_, err := netip.ParseAddr(s)
	return err != nil && validHost(s) && strings.Contains(s, ".")
}

// isMethod takes a method's name; CONNECT and TRACE are never relayed.
func isMethod(s string) bool { return only(s, upper+"-") && s != "CONNECT" && s != "TRACE" }

// notCustom are headers that a page can send across origins without preflight, or
// that browsers send by themselves; neither proves anything about the sender.
var notCustom = []string{
	"accept", "accept-language", "authorization", "connection", "content-language", "content-length",
	"content-type", "cookie", "downlink", "dpr", "ect", "host", "origin", "range", "referer", "rtt",
	"save-data", "te", "trailer", "transfer-encoding", "upgrade", "user-agent", "via", "viewport-width", "width",
}

func isCustomHeader(s string) bool {
	name := strings.ToLower(s)
	return only(s, letters+"-") && len(s) <= 64 && !slices.Contains(notCustom, name) &&
		!strings.HasPrefix(name, "sec-") && !strings.HasPrefix(name, "proxy-")
}

// upstreamsOwn fills a *bool from the word upstream, or nothing.
type upstreamsOwn struct{}

func (upstreamsOwn) want() string { return `upstream, or nothing` }

func (k upstreamsOwn) parse(field any, s string) error {
	if s != "" && s != "upstream" {
		return cure(k.want())
	}
	*field.(*bool) = s == "upstream"
	return nil
}

func (upstreamsOwn) format(field any) []string {
	if *field.(*bool) {
		return []string{"upstream"}
	}
	return []string{""}
}

func (upstreamsOwn) schema() *jsonschema.Schema {
	return orVariable(&jsonschema.Schema{Enum: []any{"", "upstream"}})
}

// claimValue adds a value of a claim to a *[]string, as the text that it is in a token.
type claimValue struct{}

func (claimValue) want() string { return "a text, a number, true or false" }

func (k claimValue) parse(field any, s string) error {
	return text{what: k.want()}.parse(field, s)
}

func (claimValue) format(field any) []string { return taken(field) }

func (claimValue) schema() *jsonschema.Schema {
	return &jsonschema.Schema{Types: []string{"string", "number", "boolean"}}
}
