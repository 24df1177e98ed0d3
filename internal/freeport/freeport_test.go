package freeport

import (
	"net"
	"testing"
)

func TestAddr(t *testing.T) {
	t.Run("is_one_tests_alone_before_anybody_listens", func(t *testing.T) {
		addr := Addr(t)
		if reserve(t, addr) {
			t.Errorf("%s was given out twice", addr)
		}
	})
	t.Run("is_one_tests_alone_with_those_behind_it", func(t *testing.T) {
		first := Row(t, 3)
		for port := first; port < first+3; port++ {
			if reserve(t, loopback(port)) {
				t.Errorf("%d was given out twice", port)
			}
		}
	})
	t.Run("is_no_port_that_somebody_listens_on", func(t *testing.T) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = l.Close() }()
		if reserve(t, l.Addr().String()) {
			t.Errorf("%s has a listener", l.Addr())
		}
	})
	t.Run("can_be_listened_on", func(t *testing.T) {
		l, err := net.Listen("tcp", Addr(t))
		if err != nil {
			t.Fatal(err)
		}
		_ = l.Close()
	})
	t.Run("is_given_back_at_the_tests_end", func(t *testing.T) {
		var addr string
		t.Run("user", func(t *testing.T) { addr = Addr(t) })
		if !reserve(t, addr) {
			t.Errorf("%s is still taken", addr)
		}
	})
}
