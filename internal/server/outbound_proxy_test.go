package server

import (
	"net/url"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/config"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

func TestForwardProxy(t *testing.T) {
	named := forwardProxy(config.Proxy{
		HTTPS: secret.NewText("http://u:p%40w@proxy:3128"), HTTP: secret.NewText("socks5://other"),
		No: []string{"internal.example", ".corp.example", "10.0.0.0/8", "192.0.2.7:8443"},
	})
	for address, want := range map[string]string{
		"https://cognito-idp.eu-west-1.amazonaws.com/": "http://u:p%40w@proxy:3128",
		"http://api.example/":                          "socks5://other",
		"https://internal.example/":                    "", "https://api.internal.example/": "",
		"https://corp.example/": "http://u:p%40w@proxy:3128", "https://a.corp.example/": "",
		"https://10.1.2.3/": "", "https://192.0.2.7:8443/": "", "https://192.0.2.7/": "http://u:p%40w@proxy:3128",
		"http://localhost:9229/": "", "http://127.0.0.1/": "", "http://[::1]:9229/": "", "http://pool.localhost:9229/": "",
	} {
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		via, err := named(u)
		if via != nil {
			got = via.String()
		}
		if err != nil || got != want {
			t.Errorf("%s goes by %q, %v; want %q", address, got, err, want)
		}
	}
	if via, err := forwardProxy(config.Proxy{})(&url.URL{Scheme: "https", Host: "idp.example"}); via != nil || err != nil {
		t.Errorf("without a proxy: %v, %v", via, err)
	}
}
