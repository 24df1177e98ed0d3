package server

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/backoff"
	"github.com/gatehouse-auth/gatehouse/internal/config"
	"github.com/gatehouse-auth/gatehouse/internal/telemetry"
)

// certificateEvery is how often the certificate's files are read: whoever renews them
// need tell nobody.
const certificateEvery = 10 * time.Second

var certificateExpires = telemetry.NewReading("tls_certificate_expires_timestamp_seconds",
	"When the certificate that is served expires, in Unix seconds; absent without TLS.")

// certificate is what the public listener shows: that of two files, as they are now, or
// one that was given.
type certificate struct {
	files   config.TLS
	log     *slog.Logger
	current atomic.Pointer[tls.Certificate]

	mu        sync.Mutex // held while files are read
	cert, key []byte     // as they were read last
}

// newCertificate reads the files that are configured; without them it is the one given.
// It returns nil where there is none.
func newCertificate(files config.TLS, given *tls.Certificate, log *slog.Logger) (*certificate, error) {
	c := &certificate{files: files, log: log}
	if files.CertFile != "" {
		if _, err := c.read(); err != nil {
			return nil, fmt.Errorf("load certificate (tls): %w", err)
		}
		return c, nil
	}
	if given == nil {
		return nil, nil
	}
	c.current.Store(given)
	return c, nil
}

// config is the listener's; nil is none, which is plain HTTP.
func (c *certificate) config() *tls.Config {
	if c == nil {
		return nil
	}
	return &tls.Config{
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.current.Load(), nil },
		MinVersion:     tls.VersionTLS12,
		NextProtos:     []string{"h2", "http/1.1"},
	}
}

// watch takes over what the files become, until ctx ends.
func (c *certificate) watch(ctx context.Context) {
	if c == nil {
		return
	}
	for backoff.Sleep(ctx, certificateEvery) {
		c.look()
	}
}

// look takes over what the files are now. What does not fit changes nothing: one of them
// may be written before the other.
func (c *certificate) look() {
	if c == nil || c.files.CertFile == "" {
		return
	}
	switch changed, err := c.read(); {
	case err != nil:
		c.log.Error("certificate not replaced: the one before stays", "certFile", c.files.CertFile, "keyFile", c.files.KeyFile, "error", err)
	case changed:
		c.log.Info("certificate replaced", "certFile", c.files.CertFile, "expires", c.current.Load().Leaf.NotAfter)
	}
}

// read reads the files, and reports whether there is another certificate in them. An
// error is told once for the same content.
func (c *certificate) read() (changed bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	cert, err := os.ReadFile(c.files.CertFile)
	var key []byte
	if err == nil {
		key, err = os.ReadFile(c.files.KeyFile)
	}
	if c.key != nil && bytes.Equal(cert, c.cert) && bytes.Equal(key, c.key) {
		return false, nil
	}
	c.cert, c.key = cert, append([]byte{}, key...)
	if err != nil {
		return false, err
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return false, err
	}
	c.current.Store(&pair)
	return true, nil
}

// figures shows what a scrape reads of it.
func (c *certificate) figures(show telemetry.Show) {
	if leaf := c.current.Load().Leaf; leaf != nil {
		show(certificateExpires, telemetry.Seconds(leaf.NotAfter))
	}
}
