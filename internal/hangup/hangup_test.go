//go:build linux

package hangup_test

import (
	"crypto/tls"
	"net"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/hangup"
)

// long is how long is waited for what comes at once.
const long = time.Minute

// pair returns the two ends of a connection on loopback.
func pair(t *testing.T) (client, server *net.TCPConn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	dialled, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	accepted, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = dialled.Close(), accepted.Close() })
	return dialled.(*net.TCPConn), accepted.(*net.TCPConn)
}

func watch(t *testing.T, w *hangup.Watcher, conn net.Conn) (of *hangup.Watched, gone chan struct{}) {
	t.Helper()
	gone = make(chan struct{}, 2)
	of, ok := w.Watch(conn, func() { gone <- struct{}{} })
	if !ok {
		t.Fatal("cannot be watched")
	}
	return of, gone
}

func TestWatcher_tells_of_an_end(t *testing.T) {
	for name, leave := range map[string]func(*net.TCPConn){
		"that_is_a_half":      func(c *net.TCPConn) { _ = c.CloseWrite() },
		"of_both_directions":  func(c *net.TCPConn) { _ = c.Close() },
		"that_is_a_reset":     func(c *net.TCPConn) { _, _ = c.SetLinger(0), c.Close() },
		"behind_unread_bytes": func(c *net.TCPConn) { _, _ = c.Write([]byte("x")); _ = c.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			var w hangup.Watcher
			client, server := pair(t)
			of, gone := watch(t, &w, server)
			defer of.Forget()
			leave(client)
			select {
			case <-gone:
			case <-time.After(long):
				t.Error("nobody was told")
			}
		})
	}
}

func TestWatcher_tells_of_an_end_that_came_before(t *testing.T) {
	var w hangup.Watcher
	client, server := pair(t)
	_ = client.Close()
	if n, _ := server.Read(make([]byte, 1)); n != 0 { // so that the end is here
		t.Fatal("not the end")
	}
	of, gone := watch(t, &w, server)
	defer of.Forget()
	select {
	case <-gone:
	case <-time.After(long):
		t.Error("nobody was told")
	}
}

// Whoever is told of one end has seen what came before on the others.
func TestWatcher_tells_of_nothing_else(t *testing.T) {
	var w hangup.Watcher
	client, server := pair(t)
	of, gone := watch(t, &w, server)
	defer of.Forget()
	forgotten, conn := pair(t)
	was, told := watch(t, &w, conn)
	was.Forget()
	was.Forget()
	_ = forgotten.Close()
	_, _ = client.Write([]byte("bytes"))
	other, last := pair(t)
	end, heard := watch(t, &w, last)
	defer end.Forget()
	_ = other.Close()
	<-heard
	if len(gone) != 0 || len(told) != 0 {
		t.Error("told of bytes, or of what was forgotten")
	}
}

func TestWatcher_looks_below_tls(t *testing.T) {
	var w hangup.Watcher
	client, server := pair(t)
	of, gone := watch(t, &w, tls.Server(server, &tls.Config{MinVersion: tls.VersionTLS12}))
	defer of.Forget()
	_ = client.Close()
	<-gone
}

func TestWatcher_cannot_watch_what_is_no_socket(t *testing.T) {
	var w hangup.Watcher
	a, b := net.Pipe()
	defer func() { _, _ = a.Close(), b.Close() }()
	if _, ok := w.Watch(a, func() {}); ok {
		t.Error("a pipe in memory is watched")
	}
	_, closed := pair(t)
	_ = closed.Close()
	if _, ok := w.Watch(closed, func() {}); ok {
		t.Error("a closed connection is watched")
	}
}

// Connections come and go from everywhere, descriptors are used again, and in the end
// nothing is left.
func TestWatcher_at_work(t *testing.T) {
	srv := httptest.NewServer(nil) // so that net has what it keeps
	srv.Close()
	before := descriptors(t)
	var w hangup.Watcher
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for i := range 100 {
				client, server := pair(t)
				of, gone := watch(t, &w, server)
				if i%2 == 0 {
					_ = client.Close()
					<-gone
				}
				of.Forget()
				_, _ = client.Close(), server.Close()
				if len(gone) != 0 {
					t.Error("told twice, or of a connection that was forgotten")
				}
			}
		})
	}
	all.Wait()
	if now := descriptors(t); now > before {
		t.Errorf("%d descriptors are open, %d before", now, before)
	}
}

func descriptorOf(t *testing.T, conn *net.TCPConn) (number uintptr) {
	t.Helper()
	raw, err := conn.SyscallConn()
	if err == nil {
		err = raw.Control(func(fd uintptr) { number = fd })
	}
	if err != nil {
		t.Fatal(err)
	}
	return number
}

func descriptors(t *testing.T) (n int) {
	t.Helper()
	names, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if to, err := os.Readlink("/proc/self/fd/" + name.Name()); err == nil && (strings.HasPrefix(to, "socket:") || strings.HasPrefix(to, "anon_inode:[eventpoll]")) {
			n++
		}
	}
	return n
}

// Somebody may close a connection without a word, such as who makes room for another: its
// descriptor is used again then, and the watch over what has it now goes on.
func TestWatcher_keeps_connections_of_one_descriptor_apart(t *testing.T) {
	var w hangup.Watcher
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	_, first := pair(t)
	was, told := watch(t, &w, first)
	number := descriptorOf(t, first)
	_ = first.Close()
	var second net.Conn
	for second == nil || descriptorOf(t, second.(*net.TCPConn)) != number { // the lowest that is free, mostly at once
		if second, err = net.Dial("tcp", ln.Addr().String()); err != nil {
			t.Fatal(err)
		}
		defer func(c net.Conn) { _ = c.Close() }(second)
	}
	of, gone := watch(t, &w, second)
	was.Forget()
	_ = ln.Close() // which resets what it has not accepted
	select {
	case <-gone:
	case <-time.After(long):
		t.Error("nobody was told")
	}
	of.Forget()
	if len(told) != 0 {
		t.Error("told of a connection that was closed here")
	}
}
