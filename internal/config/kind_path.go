package config

import (
	"errors"
	"io/fs"
	"net/url"
	"strings"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/gatehouse-auth/gatehouse/internal/returnto"
	"github.com/gatehouse-auth/gatehouse/internal/urlpath"
)

// mountPath fills a *string: no slash at its end, and not the root.
type mountPath struct{}

func (mountPath) want() string { return "a path such as /auth, in plain letters, digits, - and _" }

func (k mountPath) parse(field any, s string) error {
	plain := strings.Trim(s, "/-_.~abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") == ""
	if s == "/" || !plain || !urlpath.Plain(s) {
		return cure(k.want())
	}
	if trimmed := strings.TrimSuffix(s, "/"); trimmed != s {
		return curef("%s, without the slash at its end", trimmed)
	}
	put(field, s)
	return nil
}

func (mountPath) format(field any) []string { return taken(field) }
func (mountPath) schema() *jsonschema.Schema {
	return orVariable(&jsonschema.Schema{Type: "string", Pattern: `^/.+[^/]$`})
}

// returnTarget fills a *string with a local path, or an absolute address that
// other rules judge.
type returnTarget struct{}

func (returnTarget) want() string {
	return "a local path such as /, or an address at one of login.return_origins"
}

func (k returnTarget) parse(field any, s string) error {
	scheme, _, _ := strings.Cut(strings.ToLower(s), "://")
	web := scheme == "http" || scheme == "https"
	if _, err := (returnto.Policy{}).Parse(s); !printable(s) || errors.Is(err, returnto.ErrUnsafe) && !web {
		return cure(k.want())
	}
	put(field, s)
	return nil
}

func (returnTarget) format(field any) []string  { return taken(field) }
func (returnTarget) schema() *jsonschema.Schema { return &jsonschema.Schema{Type: "string"} }

// target fills a *string with a local path or an https address that take a query
// of the gateway's.
type target struct{}

func (target) want() string {
	return "a local path such as /error, or an https address, without query"
}

func (k target) parse(field any, s string) error {
	if s != "" && !k.accepts(s) {
		return cure(k.want())
	}
	put(field, s)
	return nil
}

// accepts refuses what a browser would take for another host: "//evil.example"
// and "/\evil.example".
func (target) accepts(s string) bool {
	if !printable(s) || strings.ContainsAny(s, "\\ ?#") {
		return false
	}
	u, err := url.Parse(s)
	if err != nil || u.User != nil {
		return false
	}
	if strings.HasPrefix(s, "/") {
		return !strings.HasPrefix(s, "//")
	}
	_, web := parseWeb(u.Scheme + "://" + u.Host)
	return web && !insecure(u)
}

func (target) format(field any) []string  { return taken(field) }
func (target) schema() *jsonschema.Schema { return &jsonschema.Schema{Type: "string"} }

// fileName accepts the name of a file under a served directory.
func fileName(s string) bool {
	return fs.ValidPath(s) && s != "." && !strings.Contains(s, `\`) && !strings.HasPrefix(s, ".") && !strings.Contains(s, "/.")
}
