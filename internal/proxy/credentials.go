package proxy

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"

	"github.com/gatehouse-auth/gatehouse/internal/routing"
)

// credentials are what TLS to upstreams goes by: the files that a route names, as they
// are now.
type credentials struct {
	named   routing.UpstreamTLS
	current atomic.Pointer[tls.Config]

	mu   sync.Mutex // held while files are read
	read [][]byte   // as they were last
}

// newCredentials reads the files. Without any it is the system's roots that vouch for
// upstreams.
func newCredentials(named routing.UpstreamTLS) (*credentials, error) {
	c := &credentials{named: named}
	if _, err := c.look(); err != nil {
		return nil, err
	}
	return c, nil
}

// look takes over what the files are now, and reports whether that is something else. What
// does not fit changes nothing, and is told once: one of them may be written before another.
func (c *credentials) look() (changed bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var read [][]byte
	for _, name := range []string{c.named.CAFile, c.named.CertFile, c.named.KeyFile} {
		var text []byte
		if name != "" && err == nil {
			text, err = os.ReadFile(name)
		}
		read = append(read, text)
	}
	if c.read != nil && equal(read, c.read) {
		return false, nil
	}
	c.read = read
	if err != nil {
		return false, err
	}
	config, err := c.config(read[0], read[1], read[2])
	if err != nil {
		return false, err
	}
	c.current.Store(config)
	return true, nil
}

func equal(a, b [][]byte) bool {
	for i := range a {
		if !bytes.Equal(a[i], b[i]) {
			return false
		}
	}
	return true
}

// config makes the configuration of what was read.
func (c *credentials) config(authorities, cert, key []byte) (*tls.Config, error) {
	config := &tls.Config{ServerName: c.named.ServerName, MinVersion: tls.VersionTLS12}
	if c.named.CAFile != "" {
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(authorities) {
			return nil, errors.New("there is no certificate in the file of authorities")
		}
	}
	if c.named.CertFile != "" {
		pair, err := tls.X509KeyPair(cert, key)
		if err != nil {
			return nil, err
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}

// watch takes over what the files have become, and tells log, which may be nil.
func (c *credentials) watch(log *slog.Logger) {
	changed, err := c.look()
	if log == nil {
		return
	}
	files := []any{"caFile", c.named.CAFile, "certFile", c.named.CertFile, "keyFile", c.named.KeyFile}
	switch {
	case err != nil:
		log.Error("TLS files of an upstream not taken over: those before stay", append(files, "error", err)...)
	case changed:
		log.Info("TLS files of an upstream taken over", files...)
	}
}

// credentialsOf returns those of a route's files, which all routes that name the same share.
// The caller holds the lock, and puts them to use before it lets go of it: those that
// nobody uses are forgotten.
func (u *Upstreams) credentialsOf(named routing.UpstreamTLS) (*credentials, error) {
	if c := u.credentials[named]; c != nil {
		c.watch(u.Log) // they may have changed with the configuration
		return c, nil
	}
	c, err := newCredentials(named)
	if err != nil {
		return nil, fmt.Errorf("upstream_tls: %w", err)
	}
	if u.credentials == nil {
		u.credentials = make(map[routing.UpstreamTLS]*credentials)
	}
	u.credentials[named] = c
	return c, nil
}

// watchCredentials takes over what the files of all credentials have become, and forgets
// those that no upstream needs any more.
func (u *Upstreams) watchCredentials() {
	u.mu.Lock()
	defer u.mu.Unlock()
	needed := make(map[*credentials]bool)
	for key := range u.ways {
		needed[key.credentials] = true
	}
	for named, c := range u.credentials {
		if !needed[c] {
			delete(u.credentials, named)
			continue
		}
		c.watch(u.Log)
	}
}
