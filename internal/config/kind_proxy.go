package config

import (
	"net/url"
	"strings"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// proxyURL fills a [secret.Text] with the address of a forward proxy, which may
// hold a password. It is stricter than net/http, which goes without the proxy
// where it cannot read the address.
type proxyURL struct{}

func (proxyURL) want() string {
	return "the address of a proxy such as http://proxy.example.com:3128, or socks5://, user and password percent-encoded"
}

func (k proxyURL) parse(field any, s string) error {
	if s == "" {
		*field.(*secret.Text) = secret.Text{}
		return nil
	}
	if !strings.Contains(s, "://") {
		s = "http://" + s // as everywhere: HTTPS_PROXY=proxy:3128
	}
	u, err := url.Parse(s)
	if err != nil || !printable(s) || strings.ContainsAny(s, "?#") || u.Path != "" && u.Path != "/" {
		return cure(k.want())
	}
	_, _, ok := splitHost(strings.ToLower(u.Host))
	switch u.Scheme {
	case "http", "https", "socks5", "socks5h":
	default:
		ok = false
	}
	if !ok {
		return cure(k.want())
	}
	u.Path = ""
	*field.(*secret.Text) = secret.NewText(u.String())
	return nil
}

// format masks the user, too: some are tokens.
func (proxyURL) format(field any) []string {
	u, err := url.Parse(field.(*secret.Text).Reveal())
	if err != nil {
		return []string{masked}
	}
	if u.User != nil {
		u.User = url.UserPassword("xxxxx", "xxxxx")
	}
	return []string{u.String()}
}

func (proxyURL) schema() *jsonschema.Schema { return &jsonschema.Schema{Type: "string"} }

// proxyException fills a *[]string. Empty elements are left out: the variables of
// this kind are often put together by scripts.
type proxyException struct{}

func (proxyException) want() string {
	return "a host, a domain such as .example.com, a network such as 10.0.0.0/8, or *"
}

func (k proxyException) parse(field any, s string) error {
	if !printable(s) || strings.Contains(s, "://") || strings.Contains(s, " ") {
		return cure(k.want())
	}
	if s != "" {
		put(field, s)
	}
	return nil
}

func (proxyException) format(field any) []string  { return taken(field) }
func (proxyException) schema() *jsonschema.Schema { return &jsonschema.Schema{Type: "string"} }
