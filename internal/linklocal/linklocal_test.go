package linklocal_test

import (
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/linklocal"
)

func TestHost(t *testing.T) {
	for host, want := range map[string]bool{
		"169.254.169.254": true, "169.254.170.2": true, "169.254.0.1": true, "::ffff:169.254.169.254": true, "::ffff:a9fe:a9fe": true,
		"fe80::1": true, "fe80::1%eth0": true, "febf::1": true, "fd00:ec2::254": true, "fd00:ec2::23": true, "64:ff9b::a9fe:a9fe": true,
		"192.0.0.192": true, "100.100.100.200": true, "168.63.129.16": true, "64:ff9b::6464:64c8": true,

		"169.253.255.255": false, "169.255.0.0": false, "127.0.0.1": false, "::1": false, "10.0.0.1": false, "192.168.1.1": false,
		"100.100.100.201": false, "fd00:ec3::254": false, "fec0::1": false, "64:ff9b::a00:1": false, "2001:db8::1": false,
		"metadata.google.internal": false, "169.254.169.254.example.com": false, "": false, "[fe80::1]": false,
	} {
		if got := linklocal.Host(host); got != want {
			t.Errorf("%q: %v", host, got)
		}
	}
}
