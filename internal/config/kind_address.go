package config

import (
	"net"
	"net/netip"
	"strings"

	"github.com/google/jsonschema-go/jsonschema"
)

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

// optionalAddress is listenAddress, or empty for no listener.
type optionalAddress struct{ listenAddress }

func (k optionalAddress) parse(field any, s string) error {
	if s == "" {
		return nil
	}
	return k.listenAddress.parse(field, s)
}

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
