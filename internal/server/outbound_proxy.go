package server

import (
	"net/url"
	"strings"

	"golang.org/x/net/http/httpproxy"

	"github.com/gatehouse-auth/gatehouse/internal/config"
	"github.com/gatehouse-auth/gatehouse/internal/loopback"
)

// forwardProxy names the proxy to an address, or nil, by the rules that Go
// programs have for HTTPS_PROXY, HTTP_PROXY and NO_PROXY: never for loopback.
// net/http would read the variables itself, once in a process and past what the
// configuration says.
func forwardProxy(p config.Proxy) func(*url.URL) (*url.URL, error) {
	c := httpproxy.Config{
		HTTPSProxy: p.HTTPS.Reveal(), HTTPProxy: p.HTTP.Reveal(), NoProxy: strings.Join(p.No, ","),
	}
	named := c.ProxyFunc()
	return func(u *url.URL) (*url.URL, error) {
		if loopback.Host(u.Hostname()) { // names under localhost too, which httpproxy does not know
			return nil, nil
		}
		return named(u)
	}
}
