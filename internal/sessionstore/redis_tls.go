package sessionstore

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"

	"github.com/gatehouse-auth/gatehouse/internal/storeurl"
)

// tlsConfig is base with what the address says; nil where it says that there is
// no TLS. It reads the files once, so that a wrong path shows at start.
func tlsConfig(a storeurl.Address, base *tls.Config) (*tls.Config, error) {
	if !a.TLS {
		if base != nil {
			return nil, errors.New("TLS options need rediss:// or tls=true")
		}
		return nil, nil
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if base != nil {
		c = base.Clone()
	}
	if a.ServerName != "" {
		c.ServerName = a.ServerName
	}
	if a.CAFile != "" {
		roots, err := readRoots(a.CAFile)
		if err != nil {
			return nil, err
		}
		c.RootCAs = roots
	}
	if a.CertFile != "" {
		pair := keyPair{a.CertFile, a.KeyFile}
		if _, err := pair.load(nil); err != nil {
			return nil, err
		}
		c.GetClientCertificate = pair.load
	}
	return c, nil
}

func readRoots(file string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read tls_ca_file: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("read tls_ca_file: no certificate in %s", file)
	}
	return roots, nil
}

// keyPair names the files of a client's certificate and its key.
type keyPair struct{ cert, key string }

// load reads the files at each connection, for certificates that are renewed
// every few hours while the gateway runs.
func (p keyPair) load(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
	cert, err := tls.LoadX509KeyPair(p.cert, p.key)
	if err != nil {
		return nil, fmt.Errorf("load tls_cert_file and tls_key_file: %w", err)
	}
	return &cert, nil
}
