package proxy_test

import (
	"bytes"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/proxy"
	"github.com/gatehouse-auth/gatehouse/internal/routing"
)

// Servers that people run send bodies where there is none: Debian's gunicorn passes on
// what an application returns, and Python's own http.server what a handler writes. A
// user whose file looks like an answer could so answer others.
func TestRelay_gives_nobody_what_real_servers_send_unasked(t *testing.T) {
	const innocents, attackers, requests = 6, 4, 1200
	app, err := filepath.Abs("testdata")
	if err != nil {
		t.Fatal(err)
	}
	for name, start := range map[string]func(t *testing.T, deeds []deed) *exec.Cmd{
		"gunicorn": func(*testing.T, []deed) *exec.Cmd {
			return exec.Command("gunicorn", "--chdir", app, "--bind", "fd://3", "--worker-class", "gthread", "--threads", "16",
				"--keep-alive", "60", "--worker-tmp-dir", t.TempDir(), "app:app")
		},
		"http.server": func(t *testing.T, deeds []deed) *exec.Cmd {
			return exec.Command("python3", filepath.Join(app, "files.py"), directory(t, deeds))
		},
	} {
		for _, transport := range transports {
			t.Run(name+"_"+string(transport), func(t *testing.T) {
				var deeds []deed
				for range innocents {
					deeds = append(deeds, deed{how: honest, framing: length, method: http.MethodGet, n: newNonce()})
				}
				for range attackers {
					deeds = append(deeds, deed{how: excess, framing: length, method: http.MethodHead, n: newNonce()})
				}
				if name == "gunicorn" {
					for _, framing := range []string{none, unmodified} {
						deeds = append(deeds, deed{how: excess, framing: framing, method: http.MethodGet, n: newNonce()})
					}
				}
				up := program(t, start(t, deeds))
				// A machine that is busy may take its time between two writes of the server's.
				f := newFront(t, proxy.Options{}, routing.Route{Path: "/", Upstreams: routing.To(parse(t, "http://"+up)), UpstreamIdle: 30 * time.Second, UpstreamRest: 5 * time.Second, StandardTransport: transport.standard()})
				storm := &storm{address: f.Listener.Addr().String(), draw: func() deed { return pick(deeds...) }}
				storm.run(t, requests)
				t.Log(storm)
				if storm.crossed.Load() > 0 || storm.refused.Load() > 0 {
					t.Errorf("wrong answers: %v", storm)
				}
			})
		}
	}
}

// directory has a file for each of the deeds, which is served as the deed is called.
func directory(t *testing.T, deeds []deed) string {
	t.Helper()
	dir := t.TempDir()
	for _, d := range deeds {
		at := filepath.Join(dir, d.how, d.framing)
		if err := os.MkdirAll(at, 0o700); err != nil {
			t.Fatal(err)
		}
		content := string(d.n)
		if d.how == excess {
			content = answerOf(content)
		}
		if err := os.WriteFile(filepath.Join(at, string(d.n)), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// program starts a server on a listener that it gets as descriptor 3, and returns the
// listener's address. Who connects before the server is up waits.
func program(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	file, err := ln.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	var output bytes.Buffer
	cmd.ExtraFiles, cmd.Stdout, cmd.Stderr = []*os.File{file}, &output, &output
	cmd.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1") // nothing into the tree
	if err := cmd.Start(); err != nil {
		t.Fatalf("this test needs %s: .ci/deps installs it (%v)", cmd.Args[0], err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt) // which gunicorn passes on to its worker
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("%s printed at last:\n%s", cmd.Args[0], output.Bytes()[max(0, output.Len()-2000):])
		}
	})
	return ln.Addr().String()
}
