package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// certificate is the one of every party that serves https, for localhost.
type certificate struct {
	certFile string
	keyFile  string
	bothFile string // both in one, as HAProxy wants them
	roots    *x509.CertPool
}

func newCertificate(dir string) (certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return certificate{}, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"},
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, // it is its own root
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return certificate{}, err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return certificate{}, err
	}
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})
	c := certificate{
		certFile: filepath.Join(dir, "cert.pem"), keyFile: filepath.Join(dir, "key.pem"),
		bothFile: filepath.Join(dir, "both.pem"), roots: x509.NewCertPool(),
	}
	c.roots.AppendCertsFromPEM(certPEM)
	for name, text := range map[string][]byte{c.certFile: certPEM, c.keyFile: keyPEM, c.bothFile: slices.Concat(certPEM, keyPEM)} {
		if err := os.WriteFile(name, text, 0o600); err != nil {
			return certificate{}, err
		}
	}
	return c, nil
}

// client trusts the certificate, and keeps no connection that would count as load.
func (c certificate) client() *http.Client {
	return &http.Client{Timeout: 20 * time.Second, Transport: c.transport()}
}

func (c certificate) transport() *http.Transport {
	return &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: c.roots, MinVersion: tls.VersionTLS12}}
}
