package server

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"runtime"
	"syscall"
)

// Listen opens a TCP listener. Where that fails, the error tells an operator what
// to change: by is what set the address, such as "key listen" or "flag --listen".
func Listen(address, by string) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	if err == nil {
		return l, nil
	}
	host, port, splitErr := net.SplitHostPort(address)
	switch {
	case splitErr != nil:
		return nil, fmt.Errorf("listen (%s): %w", by, err)
	case PortInUse(err):
		return nil, fmt.Errorf("port %s is in use (%s): choose another, or stop what listens at %s", port, by, address)
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("port %s is not this user's to open (%s): choose one from 1024 up", port, by)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return nil, fmt.Errorf("%s is no address of this machine (%s)", host, by)
	}
	return nil, fmt.Errorf("listen (%s): %w", by, err)
}

// PortInUse reports whether a listener was not opened because another has its
// port.
func PortInUse(err error) bool {
	const wsaInUse = syscall.Errno(10048) // WSAEADDRINUSE, which package syscall has no name for
	return errors.Is(err, syscall.EADDRINUSE) || runtime.GOOS == "windows" && errors.Is(err, wsaInUse)
}
