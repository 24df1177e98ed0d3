// Package fronttest starts real nginx, Caddy and HAProxy for tests: what a front makes
// of a request shows against nothing less.
//
// It owns the processes and their directories, and ends them with the test. It
// knows nothing of gateways. The one invariant: a missing program fails the test
// and never skips it.
package fronttest

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// Nginx starts nginx with text in its block http, and returns once it listens at
// address, which text names.
func Nginx(t testing.TB, text, address string) {
	t.Helper()
	dir := t.TempDir()
	program, err := exec.LookPath("nginx")
	if err != nil {
		program = "/usr/sbin/nginx" // not in everybody's PATH
	}
	conf := filepath.Join(dir, "conf")
	write(t, conf, `daemon off; master_process off; pid `+dir+`/pid;
events {}
http {
  access_log off;
  client_body_temp_path `+dir+`; proxy_temp_path `+dir+`; fastcgi_temp_path `+dir+`;
  uwsgi_temp_path `+dir+`; scgi_temp_path `+dir+`;
`+text+`
}`)
	start(t, address, exec.Command(program, "-e", "stderr", "-p", dir, "-c", conf))
}

// Caddy starts Caddy with a Caddyfile that has no global options of its own, and
// returns once it listens at address, which the file names. It asks nobody for
// certificates where the file says which to use.
func Caddy(t testing.TB, caddyfile, address string) {
	t.Helper()
	dir := t.TempDir()
	conf := filepath.Join(dir, "Caddyfile")
	// HTTP/3 is left out, as freeport keeps the UDP port of the same number.
	write(t, conf, `{
	admin off
	auto_https disable_redirects
	skip_install_trust
	servers {
		protocols h1 h2
	}
}
`+caddyfile)
	cmd := exec.Command("caddy", "run", "--config", conf, "--adapter", "caddyfile")
	cmd.Env = append(os.Environ(), "HOME="+dir, "XDG_DATA_HOME="+dir, "XDG_CONFIG_HOME="+dir)
	start(t, address, cmd)
}

// HAProxy starts HAProxy with a whole configuration, and returns once it listens at
// address, which the configuration names.
func HAProxy(t testing.TB, text, address string) {
	t.Helper()
	program, err := exec.LookPath("haproxy")
	if err != nil {
		program = "/usr/sbin/haproxy" // not in everybody's PATH
	}
	conf := filepath.Join(t.TempDir(), "haproxy.cfg")
	write(t, conf, text)
	start(t, address, exec.Command(program, "-db", "-f", conf))
}

func write(t testing.TB, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// patience is how long a front may take to listen: only one that never does takes it.
const patience = 2 * time.Minute

// start runs cmd until the test ends, and waits until it listens at address.
func start(t testing.TB, address string, cmd *exec.Cmd) {
	t.Helper()
	out := &output{}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatalf("this test needs %s: .ci/deps installs it (%v)", filepath.Base(cmd.Path), err)
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(ended)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-ended
		if t.Failed() {
			t.Logf("%s said:\n%s", filepath.Base(cmd.Path), out)
		}
	})
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			_ = conn.Close()
			return
		}
		select {
		case <-ended:
			t.Fatalf("%s ended before it listened at %s", filepath.Base(cmd.Path), address)
		case <-time.After(10 * time.Millisecond): // a poll, not a guess at how long it takes
		}
	}
	t.Fatalf("%s does not listen at %s", filepath.Base(cmd.Path), address)
}

// output keeps what a front writes.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write implements io.Writer.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

// String returns what was written so far.
func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}
