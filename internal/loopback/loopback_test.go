package loopback_test

import (
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/loopback"
)

func TestHost(t *testing.T) {
	for host, want := range map[string]bool{
		"localhost": true, "LocalHost": true, "app.localhost": true, "127.0.0.1": true, "127.255.0.9": true, "::1": true, "0:0:0:0:0:0:0:1": true,
		"": false, "localhost.": false, "notlocalhost": false, "localhost.example.com": false, "0.0.0.0": false, "::": false,
		"128.0.0.1": false, "10.0.0.1": false, "127.1": false, "2130706433": false, "::ffff:127.0.0.1": false, "[::1]": false, "127.0.0.1.example.com": false,
	} {
		if got := loopback.Host(host); got != want {
			t.Errorf("Host(%q) = %v", host, got)
		}
	}
}

func TestHostPort(t *testing.T) {
	for hostport, want := range map[string]bool{
		"localhost": true, "LocalHost:9090": true, "127.0.0.1:80": true, "127.0.0.1": true, "[::1]:9090": true, "[::1]": true, "::1": true,
		"": false, ":9090": false, "0.0.0.0:9090": false, "[::]:9090": false, "evil.example:9090": false, "evil.example": false,
		"localhost.example:80": false, "localhost:80:80": false,
	} {
		if got := loopback.HostPort(hostport); got != want {
			t.Errorf("HostPort(%q) = %v", hostport, got)
		}
	}
}
