package config

import (
	"crypto/tls"
	"crypto/x509"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// checkFiles looks into the files of TLS and of the store's address: what is wrong
// with one of them ends a start.
func (l *loader) checkFiles() {
	c := l.cfg.TLS
	if c.CertFile != "" && c.KeyFile != "" && l.top.sound("tls.cert_file", "tls.key_file") {
		cert, key := l.readNamed(l.top, "tls.cert_file", "", c.CertFile), l.readNamed(l.top, "tls.key_file", "", c.KeyFile)
		l.checkPair(l.top, "tls.cert_file", "", cert, key)
	}
	const store = "session.store"
	if !l.top.sound(store) {
		return
	}
	a := l.cfg.Session.Store
	l.checkAuthorities(l.top, store, "tls_ca_file: ", a.CAFile)
	cert, key := l.readNamed(l.top, store, "tls_cert_file: ", a.CertFile), l.readNamed(l.top, store, "tls_key_file: ", a.KeyFile)
	l.checkPair(l.top, store, "tls_cert_file and tls_key_file: ", cert, key)
	if password := l.readNamed(l.top, store, "sentinel_password_file: ", a.SentinelPasswordFile); password != nil {
		if _, err := secret.FromFile(password); err != nil {
			l.reject(l.top, store, -1, curef("sentinel_password_file: a file %v", err))
		}
	}
}

// readNamed reads a file that the key names, in a parameter if it says which. It
// returns nil for no name, and after a fault.
func (l *loader) readNamed(s *scope, path, parameter, name string) []byte {
	if name == "" {
		return nil
	}
	data, err := l.src.ReadFile(name)
	if err != nil {
		l.reject(s, path, -1, curef("%sa file that can be read (%s%s)", parameter, reason(err), lookedAt(name)))
		return nil
	}
	return data
}

// checkAuthorities looks for certificates in a file that the key names, if it names one.
func (l *loader) checkAuthorities(s *scope, path, parameter, name string) {
	if roots := l.readNamed(s, path, parameter, name); roots != nil && !x509.NewCertPool().AppendCertsFromPEM(roots) {
		l.reject(s, path, -1, cure(parameter+"a file with certificates in PEM"))
	}
}

// checkPair holds a certificate and its key against each other, if both were read.
func (l *loader) checkPair(s *scope, path, parameters string, cert, key []byte) {
	if cert == nil || key == nil {
		return
	}
	if _, err := tls.X509KeyPair(cert, key); err != nil {
		l.reject(s, path, -1, curef("%sa certificate and its key in PEM (%s)", parameters, strings.TrimPrefix(err.Error(), "tls: ")))
	}
}
