package command

import (
	"net"
	"net/url"
	"regexp"
	"strconv"

	"github.com/gatehouse-auth/gatehouse/internal/loopback"
)

// isURL reports whether s is an http or https address.
func isURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}

// schemeless matches what was meant as an address: a name or an IP address with a
// port, and maybe a path.
var schemeless = regexp.MustCompile(`^([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5}(/.*)?$`)

// wantURL demands an http or https address of a flag.
func wantURL(flag, value string) error {
	switch {
	case isURL(value):
		return nil
	case schemeless.MatchString(value):
		return usagef("%s %s: add http:// in front: %s http://%s", flag, value, flag, value)
	}
	return usagef("%s %q: want an http or https address such as http://localhost:3000", flag, value)
}

// wantListen demands an address to listen on of a flag.
func wantListen(flag, value string) error {
	_, port, err := net.SplitHostPort(value)
	if number, atoiErr := strconv.Atoi(port); err == nil && atoiErr == nil && 0 <= number && number <= 65535 {
		return nil
	}
	if number, err := strconv.Atoi(value); err == nil && 0 <= number && number <= 65535 {
		return usagef("%s %s: want HOST:PORT, such as 127.0.0.1:%s", flag, value, value)
	}
	return usagef("%s %q: want HOST:PORT, such as 127.0.0.1:8080", flag, value)
}

// wantLoopback is [wantListen] where others must not get in; what is the danger.
func wantLoopback(flag, value, what string) error {
	if err := wantListen(flag, value); err != nil {
		return err
	}
	if loopback.HostPort(value) {
		return nil
	}
	_, port, _ := net.SplitHostPort(value) // which it has
	return usagef("%s %s is not on loopback: %s. Use 127.0.0.1:%s", flag, value, what, port)
}
