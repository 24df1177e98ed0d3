package command

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"runtime"
)

// readSecret reads a file that a *_file key names, and warns of one that every
// user of the machine can read, unless it holds certificates alone. Only of files
// that are this user's own, as ssh does: what an orchestrator mounts is its own
// business, and readable by nobody outside the container.
func readSecret(p process) func(string) ([]byte, error) {
	return func(path string) ([]byte, error) {
		text, err := os.ReadFile(path)
		if err != nil || certificates(text) {
			return text, err
		}
		if info, err := os.Stat(path); err == nil && readableByAll(info) && ownFile(info) {
			_, _ = fmt.Fprintf(p.stderr, "gateway: warning: every user of this machine can read %s, which holds a secret: chmod 600 it\n", path)
		}
		return text, nil
	}
}

// certificates reports whether a text is PEM of nothing but certificates, which are public.
func certificates(text []byte) bool {
	begin := []byte("-----BEGIN ")
	return bytes.Contains(text, begin) &&
		bytes.Count(text, begin) == bytes.Count(text, []byte("-----BEGIN CERTIFICATE-----"))
}

// readableByAll says nothing of Windows, where the mode does not tell.
func readableByAll(info fs.FileInfo) bool {
	const others = 0o004
	return runtime.GOOS != "windows" && info.Mode().Perm()&others != 0
}
