package config

import (
	"net"
	"net/netip"
	"net/url"
	"strings"

	"github.com/google/jsonschema-go/jsonschema"
)

// isLoopback reports whether a host name without port can only be this machine:
// the names that RFC 6761 §6.3 reserves, 127.0.0.0/8 and ::1. Browsers take the
// same for trustworthy without TLS.
func isLoopback(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback() && !addr.Is4In6()
}

// validHost accepts an IP address or a lower-case DNS name in ASCII, without a
// dot at its end. A name that ends in a number is an IPv4 address to browsers
// (WHATWG URL §3.5), so "127.1" is refused rather than looked up.
func validHost(host string) bool {
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.Zone() == ""
	}
	labels := strings.Split(host, ".")
	for _, l := range labels {
		if l == "" || len(l) > 63 || l[0] == '-' || l[len(l)-1] == '-' || strings.Trim(l, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return false
		}
	}
	last := labels[len(labels)-1]
	return len(host) <= 253 && strings.Trim(last, "0123456789") != "" && !strings.HasPrefix(last, "0x")
}

// splitHost takes a lower-case host[:port] apart; port is "" where there is none.
func splitHost(hostport string) (host, port string, ok bool) {
	host = hostport
	if at := strings.LastIndexByte(hostport, ':'); at > strings.LastIndexByte(hostport, ']') {
		host, port = hostport[:at], hostport[at+1:]
		if n, isNumber := digits(port); !isNumber || n < 1 || n > 65535 {
			return "", "", false
		}
	}
	if inner, bracketed := strings.CutPrefix(host, "["); bracketed {
		host, bracketed = strings.CutSuffix(inner, "]")
		return host, port, bracketed && strings.Contains(host, ":") && validHost(host)
	}
	return host, port, !strings.Contains(host, ":") && validHost(host)
}

// withoutDefaultPort cuts the port that a browser would leave out.
func withoutDefaultPort(scheme, hostport string) string {
	switch scheme {
	case "https":
		return strings.TrimSuffix(hostport, ":443")
	case "http":
		return strings.TrimSuffix(hostport, ":80")
	}
	return hostport
}

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
	u.Host = withoutDefaultPort(u.Scheme, u.Host)
	return u, true
}

// insecure reports whether plain http would leave this machine.
func insecure(u *url.URL) bool { return u.Scheme != "https" && !isLoopback(u.Hostname()) }

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
	if !ok {
		return k.refuse(s)
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

// refuse words what is no address; often all it lacks is the scheme.
func (k webURL) refuse(s string) error {
	if u, ok := parseWeb("https://" + s); ok && strings.ContainsAny(u.Host, ".:") && !strings.Contains(s, "://") {
		if isLoopback(u.Hostname()) {
			u.Scheme = "http"
		}
		if !k.path {
			u.Path = ""
		}
		return curef("%s, with the scheme in front", u)
	}
	return cure(k.want())
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

// host fills a *string or *[]string with a lower-case host[:port].
type host struct{}

func (host) want() string { return "a host such as app.example.com or localhost:8080" }

func (k host) parse(field any, s string) error {
	_, isList := field.(*[]string)
	if s == "" && !isList {
		return nil
	}
	if strings.Contains(s, "*") {
		return cure("each host in full, such as app.example.com; wildcards are not accepted")
	}
	s = strings.ToLower(s)
	if _, _, ok := splitHost(s); !ok {
		return cure(k.want())
	}
	put(field, s)
	return nil
}

func (host) format(field any) []string  { return taken(field) }
func (host) schema() *jsonschema.Schema { return &jsonschema.Schema{Type: "string"} }

// listenAddress fills a *string with what net.Listen takes.
type listenAddress struct{}

func (listenAddress) want() string {
	return `HOST:PORT such as ":8080" or "127.0.0.1:9090"`
}

func (k listenAddress) parse(field any, s string) error {
	if _, ok := digits(s); ok {
		return curef(`HOST:PORT: ":%s" for every address, "127.0.0.1:%s" for this machine only`, s, s)
	}
	name, port, err := net.SplitHostPort(s)
	if err != nil {
		return cure(k.want())
	}
	if n, ok := digits(port); !ok || n > 65535 {
		return cure(k.want())
	}
	if name != "" && !validHost(strings.ToLower(name)) {
		return cure(k.want())
	}
	put(field, s)
	return nil
}

func (listenAddress) format(field any) []string  { return taken(field) }
func (listenAddress) schema() *jsonschema.Schema { return &jsonschema.Schema{Type: "string"} }

// prefix fills a *[]netip.Prefix.
type prefix struct{}

func (prefix) want() string { return "a network such as 10.0.0.0/8, or one address" }

func (k prefix) parse(field any, s string) error {
	p, err := netip.ParsePrefix(s)
	if err != nil {
		addr, err := netip.ParseAddr(s)
		if err != nil || addr.Zone() != "" {
			return cure(k.want())
		}
		p = netip.PrefixFrom(addr, addr.BitLen())
	}
	if p.Addr().Is4In6() {
		return cure("the IPv4 form, such as 10.0.0.0/8")
	}
	if p != p.Masked() {
		return curef("%s, which is that network, or one address", p.Masked())
	}
	list := field.(*[]netip.Prefix)
	*list = append(*list, p)
	return nil
}

func (prefix) format(field any) []string {
	var out []string
	for _, p := range *field.(*[]netip.Prefix) {
		out = append(out, p.String())
	}
	return out
}

func (prefix) schema() *jsonschema.Schema { return &jsonschema.Schema{Type: "string"} }

// upstream fills a **url.URL, once.
type upstream struct{}

func (upstream) want() string { return "an address such as http://localhost:9000, without query" }

func (k upstream) parse(field any, s string) error {
	if s == "" {
		return nil
	}
	p := field.(**url.URL)
	if *p != nil {
		return cure("one upstream; several are not built yet")
	}
	if strings.HasPrefix(s, "h2c://") {
		return cure("http:// or https://; h2c:// is not built yet")
	}
	u, ok := parseWeb(s)
	if !ok {
		return cure(k.want())
	}
	if strings.Contains(u.EscapedPath(), "//") {
		return cure("an address whose path has no empty segment")
	}
	*p = u
	return nil
}

func (upstream) format(field any) []string {
	if *field.(**url.URL) == nil {
		return nil
	}
	return formatURL(field)
}

func (upstream) schema() *jsonschema.Schema {
	return orVariable(&jsonschema.Schema{Type: "string", Pattern: `^(https?://.*)?$`})
}
