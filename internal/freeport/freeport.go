// Package freeport chooses ports for servers of tests that have to know their
// address before they listen, or on which nobody is to listen at all.
//
// It owns the choice and nothing of the server. The one invariant: a port is
// given to one test at a time, in whatever process, and to no connection.
package freeport

import (
	"math/rand/v2"
	"net"
	"strconv"
	"testing"
)

// Ports that no system gives to connections by itself: Linux takes those from
// 32768, others from 49152 (RFC 6335 §6).
const lowest, highest = 10_000, 30_000

// Addr returns host:port on 127.0.0.1 where nobody listens. The port is the
// test's own until its end.
func Addr(t testing.TB) string {
	t.Helper()
	return loopback(Row(t, 1))
}

// Row returns the first of n ports, one after another, on each of which nobody listens.
// It is for what moves on to the next port where somebody does. They are the
// test's own until its end.
func Row(t testing.TB, n int) int {
	t.Helper()
	for range 1000 {
		first := lowest + rand.IntN(highest-lowest-n) //nolint:gosec // spreads ports, guards nothing
		if reserveAll(t, first, n) {
			return first
		}
	}
	t.Fatalf("find %d free ports: none of a thousand places has them", n)
	return 0
}

// reserveAll may keep some of the ports where it cannot have all.
func reserveAll(t testing.TB, first, n int) bool {
	for port := first; port < first+n; port++ {
		if !reserve(t, loopback(port)) {
			return false
		}
	}
	return true
}

func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// reserve takes the UDP port of the same number, which no server of ours wants:
// other tests then see that the number is taken, before there is a server.
func reserve(t testing.TB, addr string) bool {
	taken, err := net.ListenPacket("udp", addr)
	if err != nil {
		return false
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		_ = taken.Close()
		return false
	}
	_ = l.Close()
	t.Cleanup(func() { _ = taken.Close() })
	return true
}
