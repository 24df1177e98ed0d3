//go:build !linux

package proxy_test

import "net"

// delivered takes what was written for delivered, which over loopback it is.
func delivered(*net.TCPConn) bool { return true }
