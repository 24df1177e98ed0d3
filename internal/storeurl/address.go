// Package storeurl owns the grammar of the addresses of session stores: which
// forms there are, what each of them may say, and how it is written. The
// configuration and the stores read addresses here, so that what the one accepts
// the others do.
//
// What an address leads to is left to sessionstore: nothing is connected to,
// looked up or read here. The one invariant: neither an error nor an address
// that is printed shows a password. What an own scheme's address says besides user
// and password is left to whoever has that scheme.
package storeurl

import (
	"net/url"
	"strconv"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// Schemes, each a way to keep sessions.
const (
	Memory   = "memory"         // memory: in this process
	Cookie   = "cookie"         // cookie: in the browser
	Redis    = "redis"          // redis://[user[:password]@]host[:port][/database]
	RedisTLS = "rediss"         // the same by TLS
	Sentinel = "redis-sentinel" // redis-sentinel://[user[:password]@]host[:port],…/PRIMARY: what sentinels call PRIMARY
	Cluster  = "redis-cluster"  // redis-cluster://[user[:password]@]host[:port],…: some nodes of a cluster
)

// Address is an address taken apart. User and password are those of the servers
// that hold the data. Fields that the scheme has no use for are empty.
type Address struct {
	Scheme   string
	Hosts    []string // host:port, in lower case, the default port filled in
	Username string
	Password secret.Text
	Primary  string // [Sentinel]: the primary's name
	Database int
	TLS      bool // to every server, sentinels included

	SentinelUser         string // sentinel_user: the user at the sentinels themselves
	SentinelPasswordFile string // sentinel_password_file: a file with the password there

	CAFile     string // tls_ca_file: roots of the servers' certificates, not the system's
	CertFile   string // tls_cert_file: the client's certificate
	KeyFile    string // tls_key_file: the certificate's key
	ServerName string // tls_server_name: the name in the certificates, where it is not the host dialled

	rest string // of an own scheme: all but user and password
}

// URL is an address of an own scheme, user and password included; nil of any other.
func (a Address) URL() *url.URL {
	u, err := url.Parse(a.rest)
	if a.rest == "" || err != nil { // which Parse has seen to
		return nil
	}
	switch {
	case !a.Password.Empty():
		u.User = url.UserPassword(a.Username, a.Password.Reveal())
	case a.Username != "":
		u.User = url.User(a.Username)
	}
	return u
}

// String writes the address without its password. Read again, it is the same but
// for that.
func (a Address) String() string {
	if a.Scheme == Memory || a.Scheme == Cookie {
		return a.Scheme + ":"
	}
	if a.rest != "" {
		a.Password = secret.Text{}
		return a.URL().String()
	}
	out := a.Scheme + "://"
	if a.Username != "" {
		out += url.User(a.Username).String() + "@"
	}
	out += strings.Join(a.Hosts, ",")
	switch a.Scheme {
	case Redis, RedisTLS:
		out += "/" + strconv.Itoa(a.Database)
	case Sentinel:
		out += "/" + url.PathEscape(a.Primary)
	}
	return out + a.query()
}

// query writes what the address says besides, in the order of the scheme's
// parameters.
func (a Address) query() string {
	var pairs []string
	for _, name := range forms[a.Scheme].parameters {
		value := ""
		switch name {
		case "tls":
			if a.TLS {
				value = "true"
			}
		case "db":
			if a.Database > 0 {
				value = strconv.Itoa(a.Database)
			}
		default:
			value = *a.text(name)
		}
		if value != "" {
			pairs = append(pairs, name+"="+strings.ReplaceAll(url.QueryEscape(value), "%2F", "/"))
		}
	}
	if len(pairs) == 0 {
		return ""
	}
	return "?" + strings.Join(pairs, "&")
}

// text is where a parameter goes that is taken as it is.
func (a *Address) text(name string) *string {
	switch name {
	case "sentinel_user":
		return &a.SentinelUser
	case "sentinel_password_file":
		return &a.SentinelPasswordFile
	case "tls_ca_file":
		return &a.CAFile
	case "tls_cert_file":
		return &a.CertFile
	case "tls_key_file":
		return &a.KeyFile
	}
	return &a.ServerName
}
