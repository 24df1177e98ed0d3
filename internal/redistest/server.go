// Package redistest starts real Redis servers for tests: what a driver can get
// wrong shows against nothing less.
//
// It owns the processes, their directories and certificates, and ends them with
// the test. It knows nothing of what is stored. The one invariant: a missing
// redis-server fails the test and never skips it.
package redistest

import (
	"bufio"
	crand "crypto/rand"
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

	"github.com/gatehouse-auth/gatehouse/internal/freeport"
)

// Options of a server. The zero value is plain TCP without a password.
type Options struct {
	// Password of the default user, or of User.
	Password string
	// User is an ACL user; the default user is off then.
	User string
	// Rules are the ACL rules of User. Default: everything.
	Rules string
	// Config are further lines of the configuration of servers that hold data. The
	// last of several about one setting counts.
	Config []string
	// TLS makes the server speak TLS only, with a certificate made for it.
	TLS bool
	// ClientCertificates makes a TLS server refuse whoever shows none.
	ClientCertificates bool
}

// Server is a running redis-server on a free port of 127.0.0.1. It keeps its
// data over [Server.Stop] and [Server.Restart].
type Server struct {
	// Addr is host:port.
	Addr string
	// URL holds the user and the password as well, and with TLS the files of
	// [Server.Certificate].
	URL string
	// Roots trust the server's certificate; nil without TLS.
	Roots *x509.CertPool
	// Certificate is the server's, which is also the client's; nil without TLS.
	Certificate *Certificate

	t       testing.TB
	dir     string
	port    string
	setup   setup
	process *exec.Cmd
	paused  bool
}

// setup is what the servers of one topology have in common, and what sets one
// apart.
type setup struct {
	Options
	admin       string       // password of the tests' own user
	certificate *Certificate // nil without TLS
	mode        []string     // more arguments of redis-server
	ready       string       // what it logs when it is up
	lines       []string     // more of its configuration
}

const adminUser = "redistest"

// Start starts a server that ends with the test.
func Start(t testing.TB, o Options) *Server {
	t.Helper()
	s := newServer(t, newSetup(t, o))
	s.writeConfig()
	s.Restart()
	return s
}

func newSetup(t testing.TB, o Options) setup {
	t.Helper()
	u := setup{Options: o, admin: crand.Text(), ready: "Ready to accept connections"}
	if o.TLS {
		u.certificate = newCertificate(t)
	}
	return u
}

// newServer chooses a directory and a port and starts nothing yet.
func newServer(t testing.TB, u setup) *Server {
	t.Helper()
	s := &Server{t: t, dir: t.TempDir(), setup: u, Certificate: u.certificate}
	if u.certificate != nil {
		s.Roots = u.certificate.Roots
	}
	s.Addr = freeport.Addr(t)
	_, s.port, _ = net.SplitHostPort(s.Addr)
	s.URL = u.url("redis", s.Addr, "")
	t.Cleanup(s.kill)
	return s
}

// url of one or several hosts.
func (u setup) url(scheme, hosts, path string) string {
	out := url.URL{Scheme: scheme, Host: hosts, Path: path}
	if u.Password != "" {
		out.User = url.UserPassword(u.User, u.Password)
	}
	if u.certificate != nil {
		q := u.certificate.query()
		if scheme == "redis" {
			out.Scheme = "rediss"
		} else {
			q.Set("tls", "true")
		}
		out.RawQuery = q.Encode()
	}
	return out.String()
}

// writeConfig: everything that is written lands uncompressed in the directory,
// so that a search of its files is a search of all data.
func (s *Server) writeConfig() {
	lines := []string{
		"bind 127.0.0.1", "dir " + s.dir, "loglevel notice",
		"user " + adminUser + " on >" + s.setup.admin + " ~* &* +@all",
	}
	if s.setup.mode == nil { // holds data
		lines = append(lines, "appendonly yes", "appendfsync no", `save ""`, "rdbcompression no",
			"masteruser "+adminUser, "masterauth "+s.setup.admin, "repl-diskless-sync-delay 0")
	}
	lines = append(lines, s.listeningLines()...)
	lines = append(lines, s.setup.accountLines()...)
	lines = append(lines, s.setup.lines...)
	if s.setup.mode == nil {
		lines = append(lines, s.setup.Config...)
	}
	err := os.WriteFile(s.config(), []byte(strings.Join(lines, "\n")+"\n"), 0o600)
	if err != nil {
		s.t.Fatalf("write the configuration: %v", err)
	}
}

func (s *Server) listeningLines() []string {
	c := s.setup.certificate
	if c == nil {
		return []string{"port " + s.port}
	}
	auth := "no"
	if s.setup.ClientCertificates {
		auth = "yes"
	}
	return []string{
		"port 0", "tls-port " + s.port, "tls-auth-clients " + auth, "tls-replication yes",
		"tls-ca-cert-file " + c.CertFile, "tls-cert-file " + c.CertFile, "tls-key-file " + c.KeyFile,
	}
}

func (u setup) accountLines() []string {
	switch {
	case u.User != "":
		rules := u.Rules
		if rules == "" {
			rules = "~* &* +@all"
		}
		return []string{"user default off", "user " + u.User + " on >" + u.Password + " " + rules}
	case u.Password != "":
		return []string{"requirepass " + u.Password}
	}
	return nil
}

func (s *Server) config() string { return filepath.Join(s.dir, "redis.conf") }

// Restart starts the server at its old address, with its old data, and returns
// when it takes connections.
func (s *Server) Restart() {
	s.t.Helper()
	cmd := exec.Command("redis-server", append([]string{s.config()}, s.setup.mode...)...)
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
		if strings.Contains(lines.Text(), s.setup.ready) {
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

// Kill ends the server as a crash does (kill -9).
func (s *Server) Kill() { s.kill() }

func (s *Server) kill() {
	if s.process != nil {
		_ = s.process.Process.Kill() // works on a paused one too
		_ = s.process.Wait()
		s.process, s.paused = nil, false
	}
}

// answers reports whether the server is expected to.
func (s *Server) answers() bool { return s.process != nil && !s.paused }

// Client returns a client that may do everything, closed with the test.
func (s *Server) Client() *redis.Client {
	o := &redis.Options{
		Addr: s.Addr, Username: adminUser, Password: s.setup.admin, DisableIdentity: true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}
	if s.Certificate != nil {
		o.TLSConfig = s.Certificate.clientConfig()
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
