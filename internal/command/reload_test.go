//go:build unix

package command

import (
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestHangup changes the configuration of a running gateway and sends SIGHUP.
func TestHangup(t *testing.T) {
	g := startServe(t, newProvider(t), `"memory:"`, "http://127.0.0.1:1")
	status := func(path string) int {
		res, _ := send(t, http.DefaultClient, "GET", g.url+path, "Sec-Fetch-Mode", "cors", "Sec-Fetch-Site", "same-origin")
		return res.StatusCode
	}
	reload := func(before, after string) {
		t.Helper()
		data, err := os.ReadFile(g.file)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(g.file, []byte(strings.Replace(string(data), before, after, 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
	}
	until := func(path string, want int) {
		t.Helper()
		for deadline := time.Now().Add(patience); status(path) != want; time.Sleep(10 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%s answers %d after %v, want %d", path, status(path), patience, want)
			}
		}
	}
	until("/api/x", http.StatusUnauthorized)
	reload("path: /api/", "path: /v2/")
	until("/v2/x", http.StatusUnauthorized)
	until("/api/x", http.StatusNotFound)
	reload("path: /v2/", "path: v3") // a fault
	reload("path: v3", "path: /v4/")
	until("/v4/x", http.StatusUnauthorized)
}
