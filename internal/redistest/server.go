// Package redistest starts real Redis servers for tests: what a driver can get
// wrong shows against nothing less.
//
// It owns the processes, their directories and certificates, and ends them with
// the test. It knows nothing of what is stored. The one invariant: a missing
// redis-server fails the test and never skips it.
package redistest

import (
	"bufio"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"io/fs"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// Options of a server. The zero value is plain TCP without a password.
type Options struct {
	// Password of the default user, or of User.
	Password string
	// User is an ACL user; the default user is off then.
	User string
	// Rules are the ACL rules of User. Default: everything.
	Rules string
	// TLS makes the server speak TLS only, with a certificate made for it.
	TLS bool
}

// Server is a running redis-server on a free port of 127.0.0.1. It keeps its
// data over [Server.Stop] and [Server.Restart].
type Server struct {
	// Addr is host:port.
	Addr string
	// URL holds the user and the password as well.
	URL string
	// Roots trust the server's certificate; nil without TLS.
	Roots *x509.CertPool

	t       testing.TB
	dir     string
	tls     bool
	admin   string // password of the tests' own user
	process *exec.Cmd
}

const adminUser = "redistest"

// Start starts a server that ends with the test.
func Start(t testing.TB, o Options) *Server {
	t.Helper()
	s := &Server{t: t, dir: t.TempDir(), tls: o.TLS, admin: rand.Text()}
	if o.TLS {
		s.Roots = writeCertificate(t, s.dir)
	}
	s.chooseAddr(o)
	s.writeConfig(o)
	t.Cleanup(s.kill)
	s.Restart()
	return s
}

func (s *Server) chooseAddr(o Options) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		s.t.Fatalf("find a free port: %v", err)
	}
	s.Addr = l.Addr().String()
	_ = l.Close()
	u := url.URL{Scheme: "redis", Host: s.Addr}
	if o.TLS {
		u.Scheme = "rediss"
	}
	if o.Password != "" {
		u.User = url.UserPassword(o.User, o.Password)
	}
	s.URL = u.String()
}

// writeConfig: everything that is written lands uncompressed in the directory,
// so that a search of its files is a search of all data.
func (s *Server) writeConfig(o Options) {
	_, port, _ := net.SplitHostPort(s.Addr)
	lines := []string{
		"bind 127.0.0.1", "dir " + s.dir, "loglevel notice",
		"appendonly yes", "appendfsync no", `save ""`, "rdbcompression no",
		"user " + adminUser + " on >" + s.admin + " ~* &* +@all",
	}
	if o.TLS {
		lines = append(lines, "port 0", "tls-port "+port, "tls-auth-clients no",
			"tls-cert-file "+filepath.Join(s.dir, certFile), "tls-key-file "+filepath.Join(s.dir, keyFile))
	} else {
		lines = append(lines, "port "+port)
	}
	switch {
	case o.User != "":
		rules := o.Rules
		if rules == "" {
			rules = "~* &* +@all"
		}
		lines = append(lines, "user default off", "user "+o.User+" on >"+o.Password+" "+rules)
	case o.Password != "":
		lines = append(lines, "requirepass "+o.Password)
	}
	err := os.WriteFile(s.config(), []byte(strings.Join(lines, "\n")+"\n"), 0o600)
	if err != nil {
		s.t.Fatalf("write the configuration: %v", err)
	}
}

func (s *Server) config() string { return filepath.Join(s.dir, "redis.conf") }

// Restart starts the server at its old address, with its old data, and returns
// when it takes connections.
func (s *Server) Restart() {
	s.t.Helper()
	cmd := exec.Command("redis-server", s.config())
	out, err := cmd.StdoutPipe()
	if err != nil {
		s.t.Fatalf("start redis-server: %v", err)
	}
	if err := cmd.Start(); err != nil {
		s.t.Fatalf("start redis-server (Debian: apt-get install redis-server): %v", err)
	}
	s.process = cmd
	var said []string
	for lines := bufio.NewScanner(out); lines.Scan(); {
		said = append(said, lines.Text())
		if strings.Contains(lines.Text(), "Ready to accept connections") {
			go func() { _, _ = io.Copy(io.Discard, out) }() // until the process ends
			return
		}
	}
	s.t.Fatalf("redis-server did not come up:\n%s", strings.Join(said, "\n"))
}

// Stop ends the server in order; its data stays on disk.
func (s *Server) Stop() {
	s.t.Helper()
	if s.process == nil {
		return
	}
	if err := s.process.Process.Signal(os.Interrupt); err != nil {
		s.t.Fatalf("stop redis-server: %v", err)
	}
	_ = s.process.Wait()
	s.process = nil
}

func (s *Server) kill() {
	if s.process != nil {
		_ = s.process.Process.Kill() // works on a paused one too
		_ = s.process.Wait()
		s.process = nil
	}
}

// Client returns a client that may do everything, closed with the test.
func (s *Server) Client() *redis.Client {
	o := &redis.Options{
		Addr: s.Addr, Username: adminUser, Password: s.admin, DisableIdentity: true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}
	if s.tls {
		o.TLSConfig = &tls.Config{RootCAs: s.Roots, ServerName: "127.0.0.1", MinVersion: tls.VersionTLS12}
	}
	c := redis.NewClient(o)
	s.t.Cleanup(func() { _ = c.Close() })
	return c
}

// Dump returns every byte of data on the server's disk: a snapshot taken now,
// and the log of every write so far.
func (s *Server) Dump() []byte {
	s.t.Helper()
	if err := s.Client().Save(s.t.Context()).Err(); err != nil {
		s.t.Fatalf("save: %v", err)
	}
	var all []byte
	err := filepath.WalkDir(s.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || path == s.config() {
			return err
		}
		b, err := os.ReadFile(path)
		all = append(all, b...)
		return err
	})
	if err != nil {
		s.t.Fatalf("read the dump: %v", err)
	}
	return all
}
