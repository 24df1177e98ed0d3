//go:build unix

package static_test

import (
	"syscall"
	"testing"
)

// pipe makes a named pipe, whose opening blocks until somebody writes.
func pipe(t testing.TB, path string) bool {
	t.Helper()
	if err := syscall.Mkfifo(path, 0o644); err != nil {
		t.Fatal(err)
	}
	return true
}
