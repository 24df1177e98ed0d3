package config

import (
	"net/url"
	"slices"
	"strings"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// storeURL fills the Store and StorePassword of a *Session. The password is kept
// apart, so that the address may be logged; so nothing in the query is secret.
type storeURL struct{}

// storeForm is what an address of one scheme may say.
type storeForm struct {
	several    bool // hosts, with commas between
	path       func(string) bool
	parameters []string
}

var (
	tlsParameters = []string{"tls_ca_file", "tls_cert_file", "tls_key_file", "tls_server_name"}
	storeForms    = map[string]storeForm{
		"redis":          {path: validDatabase},
		"rediss":         {path: validDatabase, parameters: tlsParameters},
		"redis-sentinel": {several: true, path: validPrimary, parameters: append([]string{"tls", "db", "sentinel_user", "sentinel_password_file"}, tlsParameters...)},
		"redis-cluster":  {several: true, path: noPath, parameters: append([]string{"tls"}, tlsParameters...)},
	}
)

func (storeURL) want() string {
	return `"memory:" or "cookie:" (in quotes), redis://HOST:PORT/DB, rediss://USER:PASSWORD@HOST:PORT/DB, ` +
		`redis-sentinel://HOST:PORT,HOST:PORT/PRIMARY or redis-cluster://HOST:PORT,HOST:PORT`
}

func (k storeURL) parse(field any, s string) error {
	scheme, rest, _ := strings.Cut(s, ":") // without quotes, YAML takes the colon for its own
	if rest == "" && (scheme == "memory" || scheme == "cookie") {
		field.(*Session).Store = &url.URL{Scheme: scheme}
		return nil
	}
	u, hosts, ok := splitStore(s)
	form, known := storeForms[scheme]
	if !ok || !known || !printable(s) || strings.Contains(s, "#") || !form.path(u.Path) || len(hosts) > 1 && !form.several {
		return cure(k.want())
	}
	for i, h := range hosts {
		hosts[i] = strings.ToLower(h)
		if _, _, ok := splitHost(hosts[i]); !ok {
			return cure(k.want())
		}
	}
	if !form.accepts(u) {
		return curef("%s; in its query, once each: %s", k.want(), form.parameterNames())
	}
	u.Host = strings.Join(hosts, ",")
	k.keep(field.(*Session), u)
	return nil
}

// splitStore parses an address that may name several hosts, which no URL may
// (RFC 3986 §3.2.2): the parser gets the first one only.
func splitStore(s string) (u *url.URL, hosts []string, ok bool) {
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok {
		return nil, nil, false
	}
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	if strings.Contains(rest[end:], "@") {
		return nil, nil, false // the end of a password with a character that wants escaping
	}
	at := strings.LastIndexByte(rest[:end], '@') + 1
	hosts = strings.Split(rest[at:end], ",")
	u, err := url.Parse(scheme + "://" + rest[:at] + hosts[0] + rest[end:])
	return u, hosts, err == nil
}

// storeHosts are the hosts of a resolved address, without their ports.
func storeHosts(u *url.URL) []string {
	hosts := strings.Split(u.Host, ",")
	for i, h := range hosts {
		hosts[i], _, _ = splitHost(h)
	}
	return hosts
}

// storeTLS reports whether a resolved address asks for TLS.
func storeTLS(u *url.URL) bool { return u.Scheme == "rediss" || u.Query().Get("tls") == "true" }

// accepts checks a query: each parameter known, given once and not empty.
func (f storeForm) accepts(u *url.URL) bool {
	values, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return false
	}
	for name, v := range values {
		switch {
		case !slices.Contains(f.parameters, name), len(v) != 1, v[0] == "",
			name == "tls" && v[0] != "true" && v[0] != "false",
			name == "db" && !validDatabase(v[0]),
			slices.Contains(tlsParameters, name) && !storeTLS(u):
			return false
		}
	}
	return values.Has("tls_cert_file") == values.Has("tls_key_file")
}

func (f storeForm) parameterNames() string {
	if len(f.parameters) == 0 {
		return "nothing"
	}
	return strings.Join(f.parameters, ", ") + "; those of tls with TLS, a certificate and its key together"
}

// validDatabase accepts "", "/" and "/0" to "/9999".
func validDatabase(path string) bool {
	path = strings.TrimPrefix(path, "/")
	n, ok := digits(path)
	return path == "" || ok && n <= 9999
}

// validPrimary accepts the name that sentinels have for a primary.
func validPrimary(path string) bool {
	name, ok := strings.CutPrefix(path, "/")
	return ok && name != "" && !strings.Contains(name, "/")
}

func noPath(path string) bool { return path == "" || path == "/" }

func (storeURL) keep(s *Session, u *url.URL) {
	if u.User != nil {
		password, _ := u.User.Password()
		s.StorePassword = secret.NewText(password)
		name := u.User.Username()
		u.User = nil
		if name != "" {
			u.User = url.User(name)
		}
	}
	s.Store = u
}

func (storeURL) format(field any) []string {
	s := field.(*Session)
	if s.Store == nil {
		return []string{""}
	}
	u := *s.Store
	if !s.StorePassword.Empty() {
		u.User = url.UserPassword(u.User.Username(), "xxxxx") // as url.URL.Redacted has it
	}
	return []string{u.String()}
}

func (storeURL) schema() *jsonschema.Schema {
	return orVariable(&jsonschema.Schema{Type: "string", Pattern: `^(memory:?|cookie:?|rediss?://.+|redis-(sentinel|cluster)://.+)$`})
}
