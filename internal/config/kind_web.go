package config

import (
	"net/url"
	"strings"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/gatehouse-auth/gatehouse/internal/defaultport"
	"github.com/gatehouse-auth/gatehouse/internal/loopback"
)

// parseWeb reads an http or https address, its host in lower case and without the
// default port. Credentials, query and fragment are refused.
func parseWeb(s string) (*url.URL, bool) {
	u, err := url.Parse(s)
	if err != nil || !printable(s) || strings.ContainsAny(s, "?#\\ ") || u.User != nil || u.Opaque != "" {
		return nil, false
	}
	if u.Scheme != "https" && u.Scheme != "http" {
		return nil, false
	}
	u.Host = strings.ToLower(u.Host)
	if _, _, ok := splitHost(u.Host); !ok {
		return nil, false
	}
	u.Host = defaultport.Cut(u.Scheme, u.Host)
	return u, true
}

// insecure reports whether plain http would leave this machine.
func insecure(u *url.URL) bool { return u.Scheme != "https" && !loopback.Host(u.Hostname()) }

// webURL fills a **url.URL, or a *string with the text unchanged. Plain http is
// accepted on loopback only: codes, tokens and cookies travel there.
type webURL struct {
	example string
	path    bool // a path is accepted
	mount   bool // a path is for the key mount
}

func (k webURL) want() string {
	if k.path {
		return "an address such as " + k.example + ", without query; plain http on loopback only"
	}
	return "an address such as " + k.example + ", without path and query; plain http on loopback only"
}

func (k webURL) parse(field any, s string) error {
	if s == "" {
		return nil
	}
	u, ok := parseWeb(s)
	if meant := withScheme(s); !ok && meant != nil {
		if !k.path {
			meant.Path = ""
		}
		return curef("%s, with the scheme in front", meant)
	}
	if !ok {
		return cure(k.want())
	}
	hasPath := len(u.Path) > 1
	u.Path, u.RawPath = strings.TrimSuffix(u.Path, "/"), strings.TrimSuffix(u.RawPath, "/")
	// Kept even where it is refused: rules about its host still have something to say.
	switch p := field.(type) {
	case *string:
		*p = s
	case **url.URL:
		*p = u
	}
	switch {
	case hasPath && k.mount:
		return curef("%s://%s, without path and query; for a path set mount: %s/auth", u.Scheme, u.Host, strings.TrimSuffix(u.Path, "/auth"))
	case hasPath && !k.path:
		return curef("%s://%s, without path and query", u.Scheme, u.Host)
	case insecure(u):
		return curef("https://%s; plain http is accepted on loopback only", u.Host)
	}
	return nil
}

// withScheme is the address that s is but for its scheme, or nil.
func withScheme(s string) *url.URL {
	u, ok := parseWeb("https://" + s)
	if !ok || strings.Contains(s, "://") || !strings.ContainsAny(u.Host, ".:") {
		return nil
	}
	if loopback.Host(u.Hostname()) {
		u.Scheme = "http"
	}
	return u
}

func (k webURL) format(field any) []string { return formatURL(field) }

func formatURL(field any) []string {
	switch p := field.(type) {
	case *string:
		return []string{*p}
	case **url.URL:
		if *p != nil {
			return []string{(*p).String()}
		}
	}
	return []string{""}
}

func (k webURL) schema() *jsonschema.Schema {
	return orVariable(&jsonschema.Schema{Type: "string", Pattern: `^(https?://.*)?$`})
}

// origin fills a *[]string with serialised origins (RFC 6454 §6.2).
type origin struct{}

func (origin) want() string {
	return "an origin such as https://app.example.com, in full; plain http on loopback only"
}

func (k origin) parse(field any, s string) error {
	if strings.Contains(s, "*") {
		return cure("each origin in full, such as https://app.example.com; wildcards are not accepted")
	}
	u, ok := parseWeb(s)
	switch {
	case !ok || u.Path != "" && u.Path != "/":
		return cure(k.want())
	case insecure(u):
		return curef("https://%s; plain http is accepted on loopback only", u.Host)
	}
	put(field, u.Scheme+"://"+u.Host)
	return nil
}

func (origin) format(field any) []string  { return taken(field) }
func (origin) schema() *jsonschema.Schema { return &jsonschema.Schema{Type: "string"} }
