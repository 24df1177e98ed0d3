package sessionstore

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// layout is how the Redis servers of an address stand to each other.
type layout struct {
	port string // where none is given
	tls  bool   // whether the scheme itself says so
	// whether it has several hosts, a primary's name as its path, databases
	several, named, databases bool
}

// layouts by the scheme of a URL:
//
//	redis://[user[:password]@]host[:port][/database]         one server
//	rediss://…                                               the same by TLS
//	redis-sentinel://[user[:password]@]host[:port],…/PRIMARY  what Sentinel calls PRIMARY
//	redis-cluster://[user[:password]@]host[:port],…           a cluster; some of its nodes
//
// User and password are those of the servers that hold the data. What else can
// be said stands in the query; see [address.set].
var layouts = map[string]layout{
	"redis":          {port: "6379", databases: true},
	"rediss":         {port: "6379", databases: true, tls: true},
	"redis-sentinel": {port: "26379", several: true, named: true, databases: true},
	"redis-cluster":  {port: "6379", several: true},
}

// address is a URL taken apart. It is held by no error: it has a password.
type address struct {
	layout
	hosts    []string // host:port
	user     string
	password secret.Text
	primary  string
	database int

	sentinelUser         string
	sentinelPasswordFile string

	caFile, certFile, keyFile, serverName string
}

// errURL stands for every fault of a URL: a parser's own words repeat it, the
// password included.
var errURL = errors.New("the URL must be redis://[user[:password]@]host[:port][/database], rediss://…, " +
	"redis-sentinel://[user[:password]@]host[:port],…/PRIMARY or redis-cluster://[user[:password]@]host[:port],…, " +
	"and every parameter of its query one that is documented for it")

func parseAddress(raw string) (address, error) {
	u, hosts, ok := splitHosts(raw)
	if !ok {
		return address{}, errURL
	}
	kind, known := layouts[u.Scheme]
	if !known || u.Fragment != "" || u.Opaque != "" || len(hosts) > 1 && !kind.several {
		return address{}, errURL
	}
	a := address{layout: kind, user: u.User.Username()}
	if password, given := u.User.Password(); given {
		a.password = secret.NewText(password)
	}
	for _, h := range hosts {
		joined, ok := withPort(h, kind.port)
		if !ok {
			return address{}, errURL
		}
		a.hosts = append(a.hosts, joined)
	}
	if !a.setPath(strings.TrimPrefix(u.Path, "/")) || !a.setAll(u.RawQuery) {
		return address{}, errURL
	}
	return a, nil
}

// splitHosts parses a URL that may name several hosts, which no URL may
// (RFC 3986 §3.2.2): the parser gets the first one only.
func splitHosts(raw string) (u *url.URL, hosts []string, ok bool) {
	scheme, rest, ok := strings.Cut(raw, "://")
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

func withPort(host, port string) (string, bool) {
	u, err := url.Parse("//" + host)
	if err != nil || u.Host != host || u.Hostname() == "" {
		return "", false
	}
	if u.Port() != "" {
		port = u.Port()
	}
	return net.JoinHostPort(u.Hostname(), port), true
}

func (a *address) setPath(path string) bool {
	switch {
	case a.named:
		a.primary = path
		return path != "" && !strings.Contains(path, "/")
	case path == "":
		return true
	case a.databases:
		return a.setDatabase(path)
	}
	return false
}

func (a *address) setDatabase(text string) bool {
	n, err := strconv.ParseUint(text, 10, 16)
	a.database = int(n)
	return err == nil
}

// setAll reads a query. A parameter that is unknown, empty or given twice is a
// fault: one that was misspelt could be what was to keep a connection safe.
func (a *address) setAll(query string) bool {
	values, err := url.ParseQuery(query)
	if err != nil {
		return false
	}
	for name, v := range values {
		if len(v) != 1 || v[0] == "" || !a.set(name, v[0]) {
			return false
		}
	}
	return (a.certFile == "") == (a.keyFile == "")
}

// set knows the parameters:
//
//	db=0                        Sentinel: the database
//	sentinel_user=NAME          Sentinel: the user at the sentinels themselves
//	sentinel_password_file=PATH Sentinel: the password there; a file, for a URL is shown
//	tls=true                    Sentinel and Cluster: TLS to every server
//	tls_ca_file=PATH            roots that sign the servers' certificates, not the system's
//	tls_cert_file, tls_key_file the client's certificate and its key, read again at each connection
//	tls_server_name=NAME        the name in the certificates, where it is not the host dialled
func (a *address) set(name, value string) bool {
	switch name {
	case "db":
		return a.named && a.setDatabase(value)
	case "sentinel_user":
		a.sentinelUser = value
		return a.named
	case "sentinel_password_file":
		a.sentinelPasswordFile = value
		return a.named
	case "tls":
		a.tls = value == "true"
		return a.several && (value == "true" || value == "false")
	case "tls_ca_file":
		a.caFile = value
	case "tls_cert_file":
		a.certFile = value
	case "tls_key_file":
		a.keyFile = value
	case "tls_server_name":
		a.serverName = value
	default:
		return false
	}
	return true
}

// tlsConfig returns nil where there is no TLS. It reads the files once, so that
// a wrong path shows at start.
func (a address) tlsConfig(base *tls.Config) (*tls.Config, error) {
	if !a.tls {
		if base != nil || a.caFile != "" || a.certFile != "" || a.serverName != "" {
			return nil, errors.New("TLS options need rediss:// or tls=true")
		}
		return nil, nil
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if base != nil {
		c = base.Clone()
	}
	if a.serverName != "" {
		c.ServerName = a.serverName
	}
	if a.caFile != "" {
		roots, err := readRoots(a.caFile)
		if err != nil {
			return nil, err
		}
		c.RootCAs = roots
	}
	if a.certFile != "" {
		if _, err := a.clientCertificate(nil); err != nil {
			return nil, err
		}
		c.GetClientCertificate = a.clientCertificate
	}
	return c, nil
}

func readRoots(file string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read tls_ca_file: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("read tls_ca_file: no certificate in %s", file)
	}
	return roots, nil
}

// clientCertificate reads the files at each connection, for certificates that
// are renewed every few hours while the gateway runs.
func (a address) clientCertificate(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
	cert, err := tls.LoadX509KeyPair(a.certFile, a.keyFile)
	if err != nil {
		return nil, fmt.Errorf("load tls_cert_file and tls_key_file: %w", err)
	}
	return &cert, nil
}

// sentinelPassword is what the file holds.
func (a address) sentinelPassword() (string, error) {
	if a.sentinelPasswordFile == "" {
		return "", nil
	}
	b, err := os.ReadFile(a.sentinelPasswordFile)
	if err != nil {
		return "", fmt.Errorf("read sentinel_password_file: %w", err)
	}
	password, err := secret.FromFile(b)
	if err != nil {
		return "", fmt.Errorf("read sentinel_password_file: want a file %w", err)
	}
	return password, nil
}
