//go:build !production

package command

import (
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"

	"github.com/gatehouse-auth/gatehouse/internal/server"
)

// devAddresses are where dev mode listens; empty: the default port, or the next
// free one.
type devAddresses struct {
	Listen        string `help:"Loopback address of the gateway. Left out: 127.0.0.1:8080, or the next free port." placeholder:"HOST:PORT"`
	CognitoListen string `help:"Loopback address of the Cognito emulator. Left out: 127.0.0.1:9229, or the next free port." placeholder:"HOST:PORT"`
	AdminListen   string `help:"Loopback address of health, metrics and admin API. Left out: 127.0.0.1:9090, or the next free port." placeholder:"HOST:PORT"`
	SampleListen  string `help:"Loopback address of the sample API and demo page. Left out: any free port." placeholder:"HOST:PORT"`
}

// devPorts are the ports taken where no flag names one; 0: any. Tests have others.
var devPorts = struct{ gateway, cognito, admin, sample int }{gateway: 8080, cognito: 9229, admin: 9090}

// portsTried bounds the search for a free port after a default.
const portsTried = 100

// devListeners are dev mode's listeners, open.
type devListeners struct{ front, pool, admin, sample net.Listener }

func (l *devListeners) close() {
	for _, one := range []net.Listener{l.front, l.pool, l.admin, l.sample} {
		if one != nil {
			_ = one.Close()
		}
	}
}

// listener is one of them before it is open.
type listener struct {
	name, flag, address string
	port                int // the default
	to                  *net.Listener
}

// open opens them all: those that flags name first, so that no default takes
// their port. Nor does one take a port of theirs, the developer's own, who may
// start what is there later. It tells out of each default that moved.
func (a *devAddresses) open(out io.Writer, theirs []string) (*devListeners, error) {
	l := &devListeners{}
	all := []listener{
		{"gateway", "--listen", a.Listen, devPorts.gateway, &l.front},
		{"Cognito emulator", "--cognito-listen", a.CognitoListen, devPorts.cognito, &l.pool},
		{"admin listener", "--admin-listen", a.AdminListen, devPorts.admin, &l.admin},
		{"sample API", "--sample-listen", a.SampleListen, devPorts.sample, &l.sample},
	}
	var err error
	for _, one := range all {
		if one.address != "" && err == nil {
			*one.to, err = openNamed(one.address, one.flag)
		}
	}
	for _, one := range all {
		if one.address == "" && err == nil {
			*one.to, err = openDefault(one, theirs, out)
		}
	}
	if err != nil {
		l.close()
		return nil, err
	}
	return l, nil
}

// check finds what is wrong with the flags themselves.
func (a *devAddresses) check() error {
	const danger = "dev mode lets everyone in"
	for _, one := range []struct{ flag, address string }{
		{"--listen", a.Listen}, {"--cognito-listen", a.CognitoListen},
		{"--admin-listen", a.AdminListen}, {"--sample-listen", a.SampleListen},
	} {
		if one.address == "" {
			continue
		}
		if err := wantLoopback(one.flag, one.address, danger); err != nil {
			return err
		}
	}
	if host, port, err := net.SplitHostPort(a.CognitoListen); err == nil && host != "127.0.0.1" && host != "localhost" {
		return usagef("--cognito-listen %s: want 127.0.0.1:%s, under which the hosted pages are found", a.CognitoListen, port)
	}
	return nil
}

// openNamed takes the address or fails: what somebody chose does not move.
func openNamed(address, flag string) (net.Listener, error) {
	l, err := server.Listen(address, "flag "+flag)
	if err != nil {
		return nil, err
	}
	if taken := takenBeside(l); taken != "" {
		_ = l.Close()
		return nil, fmt.Errorf("port %s is in use at %s (flag %s), where browsers may look for localhost: choose another",
			listenPort(l), taken, flag)
	}
	return l, nil
}

// openDefault takes the default port or, as dev servers do, the next free one.
func openDefault(one listener, theirs []string, out io.Writer) (net.Listener, error) {
	var last error
	for port := one.port; port < one.port+portsTried; port++ {
		if slices.Contains(theirs, strconv.Itoa(port)) {
			last = errors.New("named by another flag")
			continue
		}
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil { // in use, or kept back by the system
			last = err
			continue
		}
		if one.port != 0 && takenBeside(l) != "" {
			last = errors.New("in use at [::1]")
			_ = l.Close()
			continue
		}
		if port != one.port {
			_, _ = fmt.Fprintf(out, "  port %d is taken: the %s has %d (%s names another)\n", one.port, one.name, port, one.flag)
		}
		return l, nil
	}
	return nil, fmt.Errorf("no free port from %d on for the %s: name one by %s (%w)", one.port, one.name, one.flag, last)
}

// takenBeside names the other loopback address where somebody else has the
// listener's port. Browsers look up localhost, which is both, and may ask that
// one first.
func takenBeside(l net.Listener) string {
	at, ok := l.Addr().(*net.TCPAddr)
	if !ok {
		return ""
	}
	beside := net.JoinHostPort("::1", listenPort(l))
	if at.IP.To4() == nil {
		beside = net.JoinHostPort("127.0.0.1", listenPort(l))
	}
	other, err := net.Listen("tcp", beside)
	if err != nil {
		if server.PortInUse(err) {
			return beside
		}
		return "" // there is no such address here
	}
	_ = other.Close()
	return ""
}
