//go:build unix

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// The process goes on for a while when it is told to stop, and its profile is whole by then.
func TestProfile_is_written_at_the_signal_to_stop(t *testing.T) {
	dir := t.TempDir()
	written, err := profile(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(os.Getpid(), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	<-written
	files, err := filepath.Glob(filepath.Join(dir, "serve-*.pprof"))
	if err != nil || len(files) != 1 {
		t.Fatalf("%q, %v", files, err)
	}
	data, err := os.ReadFile(files[0])
	if gzip := []byte{0x1f, 0x8b}; err != nil || !bytes.HasPrefix(data, gzip) { // RFC 1952 §2.3.1
		t.Errorf("%d bytes that are no profile, %v", len(data), err)
	}
}

func TestProfile_wants_a_directory(t *testing.T) {
	if _, err := profile(filepath.Join(t.TempDir(), "missing")); err == nil {
		t.Error("no error")
	}
}
