package storeurl

import (
	"errors"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// Refusal is why an address is not taken: what would be. It repeats nothing of
// the address, which may have a password anywhere.
type Refusal string

func (r Refusal) Error() string { return "want " + string(r) }

const (
	// Forms is refused what is none of them.
	Forms Refusal = `"memory:" or "cookie:" (in quotes), redis://HOST:PORT/DB, rediss://USER:PASSWORD@HOST:PORT/DB, ` +
		`redis-sentinel://HOST:PORT,HOST:PORT/PRIMARY or redis-cluster://HOST:PORT,HOST:PORT`
	// Unencoded is a user or password with a character that means something else
	// in an address (RFC 3986 §3.2.1), or that none may have.
	Unencoded Refusal = "user and password percent-encoded: # as %23, % as %25, / as %2F, ? as %3F, @ as %40, a space as %20"
)

// FormsWith are the forms that there are where own schemes are known as well.
func FormsWith(own []string) Refusal {
	r := Forms
	for _, scheme := range own {
		r += Refusal(", or " + scheme + ":…")
	}
	return r
}

// CheckScheme refuses what cannot be a scheme (RFC 3986 §3.1, in lower case), or is
// one of this package's.
func CheckScheme(scheme string) error {
	_, known := forms[scheme]
	switch {
	case known, scheme == Memory, scheme == Cookie:
		return errors.New("is a scheme of Gatehouse's own stores")
	case !schemes.MatchString(scheme):
		return errors.New("is no scheme: want a lower-case letter, then such letters, digits, +, - and dots")
	}
	return nil
}

var schemes = regexp.MustCompile(`^[a-z][a-z0-9+.-]*$`)

// parseOwn reads an address of which only the beginning and user and password are
// known.
func parseOwn(raw string) (Address, error) {
	u, err := url.Parse(raw)
	scheme, rest, _ := strings.Cut(raw, ":")
	if behind, ok := strings.CutPrefix(rest, "//"); ok {
		rest = behind[authority(behind):]
	}
	switch sound := err == nil && printable(raw) && !strings.Contains(raw, "#"); {
	case strings.Contains(rest, "@"), !sound && strings.Contains(raw, "@"): // a password outside of its place would be shown
		return Address{}, Unencoded
	case !sound:
		return Address{}, Refusal("an address (RFC 3986), without a fragment, such as " + scheme + "://HOST:PORT/NAME")
	}
	a := Address{Scheme: u.Scheme, Username: u.User.Username()}
	password, _ := u.User.Password()
	a.Password = secret.NewText(password)
	u.User = nil
	a.rest = u.String()
	return a, nil
}

// form is what an address of one scheme may say.
type form struct {
	port       string // where none is given
	several    bool   // hosts, with commas between
	parameters []string
}

var (
	tlsParameters = []string{"tls_ca_file", "tls_cert_file", "tls_key_file", "tls_server_name"}
	forms         = map[string]form{
		Redis:    {port: "6379"},
		RedisTLS: {port: "6379", parameters: tlsParameters},
		Sentinel: {port: "26379", several: true, parameters: append([]string{"tls", "db", "sentinel_user", "sentinel_password_file"}, tlsParameters...)},
		Cluster:  {port: "6379", several: true, parameters: append([]string{"tls"}, tlsParameters...)},
	}
)

// Parse reads an address. Besides the schemes of this package it may be of one of
// own. The error is a [Refusal].
func Parse(raw string, own ...string) (Address, error) {
	scheme, rest, _ := strings.Cut(raw, ":")
	if rest == "" && (scheme == Memory || scheme == Cookie) { // without quotes, YAML takes the colon for its own
		return Address{Scheme: scheme}, nil
	}
	if slices.Contains(own, scheme) {
		return parseOwn(raw)
	}
	form, known := forms[scheme]
	rest, opaque := strings.CutPrefix(rest, "//")
	if !known || !opaque {
		return Address{}, FormsWith(own)
	}
	a := Address{Scheme: scheme, TLS: scheme == RedisTLS}
	end := authority(rest)
	if strings.Contains(rest[end:], "@") {
		return Address{}, Unencoded // the authority ended within a password
	}
	at := strings.LastIndexByte(rest[:end], '@') + 1
	if !a.setUserinfo(rest[:at]) {
		return Address{}, Unencoded
	}
	if !a.setHosts(rest[at:end], form) {
		return Address{}, Forms
	}
	if err := a.setRest(rest[end:], form); err != nil {
		return Address{}, err
	}
	return a, nil
}

// authority is where the authority ends that a text begins with (RFC 3986 §3.2).
func authority(text string) (end int) {
	if end = strings.IndexAny(text, "/?#"); end < 0 {
		return len(text)
	}
	return end
}

// setUserinfo reads what stands before the hosts, the @ included.
func (a *Address) setUserinfo(text string) bool {
	u, err := url.Parse("redis://" + text + "host")
	if err != nil || !printable(text) {
		return false
	}
	a.Username = u.User.Username()
	password, _ := u.User.Password()
	a.Password = secret.NewText(password)
	return true
}

// setHosts takes hosts apart, of which a URL may name one only (RFC 3986 §3.2.2).
func (a *Address) setHosts(text string, f form) bool {
	hosts := strings.Split(text, ",")
	for _, h := range hosts {
		joined, ok := withPort(strings.ToLower(h), f.port)
		if !ok {
			return false
		}
		a.Hosts = append(a.Hosts, joined)
	}
	return len(hosts) == 1 || f.several
}

// withPort reads host[:port] with a name, an IPv4 address, or an IPv6 address in
// brackets.
func withPort(text, port string) (string, bool) {
	host := text
	if at := strings.LastIndexByte(text, ':'); at > strings.LastIndexByte(text, ']') {
		host, port = text[:at], text[at+1:]
	}
	if n, ok := number(port); !ok || n < 1 || n > 65535 {
		return "", false
	}
	inner, bracketed := strings.CutPrefix(host, "[")
	if bracketed {
		inner, bracketed = strings.CutSuffix(inner, "]")
		addr, err := netip.ParseAddr(inner)
		return net.JoinHostPort(inner, port), bracketed && err == nil && addr.Is6() && addr.Zone() == ""
	}
	return host + ":" + port, isName(host)
}

// isName accepts DNS names, as resolvers take them, and IPv4 addresses.
func isName(host string) bool {
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.Is4()
	}
	labels := strings.Split(host, ".")
	for _, l := range labels {
		if l == "" || len(l) > 63 || strings.Trim(l, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return false
		}
	}
	_, number := number(labels[len(labels)-1])
	return len(host) <= 253 && !number // "10.0.0.300" is no name
}

// setRest reads what follows the hosts: path and query.
func (a *Address) setRest(text string, f form) error {
	u, err := url.Parse("redis://host" + text)
	if err != nil || !printable(text) || strings.Contains(text, "#") || !a.setPath(strings.TrimPrefix(u.Path, "/")) {
		return Forms
	}
	if !a.setQuery(u.RawQuery, f) {
		return Refusal(string(Forms) + f.parameterNames())
	}
	return nil
}

// MaskQuery covers the values of parameters that there are none of, in a text that
// need not be an address: whoever gives one may well mean a password.
func MaskQuery(text, mask string) string {
	head, query, found := strings.Cut(text, "?")
	if !found {
		return text
	}
	pairs := strings.Split(query, "&")
	for i, pair := range pairs {
		switch name, _, valued := strings.Cut(pair, "="); {
		case slices.Contains(forms[Sentinel].parameters, name): // which has them all
		case valued:
			pairs[i] = name + "=" + mask
		default:
			pairs[i] = mask
		}
	}
	return head + "?" + strings.Join(pairs, "&")
}

func (a *Address) setPath(path string) bool {
	switch a.Scheme {
	case Sentinel:
		a.Primary = path
		return path != "" && printable(path) && !strings.Contains(path, "/")
	case Cluster:
		return path == ""
	}
	return path == "" || a.setDatabase(path)
}

// setDatabase takes up to 9999, far above what servers are set up with.
func (a *Address) setDatabase(text string) (ok bool) {
	a.Database, ok = number(text)
	return ok && a.Database <= 9999
}

// setQuery reads the parameters. One that is unknown, empty or given twice is a
// fault: misspelt, it could be what was to keep a connection safe.
func (a *Address) setQuery(query string, f form) bool {
	values, err := url.ParseQuery(query)
	if err != nil {
		return false
	}
	for name, v := range values {
		if !slices.Contains(f.parameters, name) || len(v) != 1 || !a.set(name, v[0]) {
			return false
		}
	}
	needsTLS := a.CAFile != "" || a.CertFile != "" || a.ServerName != ""
	return (a.CertFile == "") == (a.KeyFile == "") && (a.TLS || !needsTLS)
}

func (a *Address) set(name, value string) bool {
	switch name {
	case "db":
		return a.setDatabase(value)
	case "tls":
		a.TLS = value == "true"
		return value == "true" || value == "false"
	}
	*a.text(name) = value
	return value != ""
}

func (f form) parameterNames() string {
	if len(f.parameters) == 0 {
		return ", without a query; a password stands in front of the @, or in a key of its own"
	}
	return "; in its query, once each: " + strings.Join(f.parameters, ", ") + "; those of tls with TLS, a certificate and its key together"
}

// number reads a decimal number without sign.
func number(s string) (int, bool) {
	n, err := strconv.ParseUint(s, 10, 31)
	return int(n), err == nil
}

func printable(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}
