package server_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/config"
	"github.com/gatehouse-auth/gatehouse/internal/server"
)

// pair is the files of a certificate, which is renewed in place.
type pair struct {
	t     *testing.T
	files config.TLS
	roots *x509.CertPool
}

func newPair(t *testing.T) *pair {
	dir := t.TempDir()
	p := &pair{t: t, files: config.TLS{CertFile: filepath.Join(dir, "cert.pem"), KeyFile: filepath.Join(dir, "key.pem")}, roots: x509.NewCertPool()}
	p.renew(1)
	return p
}

// renew writes a certificate of that serial number.
func (p *pair) renew(serial int64) {
	p.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		p.t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), DNSNames: []string{"example.com"}, NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		p.t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		p.t.Fatal(err)
	}
	leaf, _ := x509.ParseCertificate(der)
	p.roots.AddCert(leaf)
	p.write(p.files.CertFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	p.write(p.files.KeyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw}))
}

func (p *pair) write(file string, text []byte) {
	p.t.Helper()
	if err := os.WriteFile(file, text, 0o600); err != nil {
		p.t.Fatal(err)
	}
}

// serialAt returns the serial number of the certificate that a listener shows.
func serialAt(address string) (int64, error) {
	conn, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true}) // which certificate it is, is the question
	if err != nil {
		return 0, err
	}
	defer func() { _ = conn.Close() }()
	return conn.ConnectionState().PeerCertificates[0].SerialNumber.Int64(), nil
}

// TestCertificateIsRenewedUnderLoad: no handshake fails while the files are replaced.
func TestCertificateIsRenewedUnderLoad(t *testing.T) {
	p := newPair(t)
	change := func(doc map[string]any) {
		doc["tls"] = map[string]any{"cert_file": p.files.CertFile, "key_file": p.files.KeyFile}
	}
	r := newRig(t, change)
	public, _ := url.Parse(r.url)
	address := net.JoinHostPort("127.0.0.1", public.Port())
	stop := make(chan struct{})
	var crowd sync.WaitGroup
	var handshakes, newest atomic.Int64
	for range 4 {
		crowd.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				serial, err := serialAt(address)
				if err != nil {
					t.Errorf("handshake: %v", err)
					return
				}
				handshakes.Add(1)
				newest.Store(max(newest.Load(), serial))
			}
		})
	}
	for serial := int64(2); serial <= 5; serial++ {
		p.renew(serial)
		r.reload(r.server, change)
		until(t, "the new certificate", func() bool { return newest.Load() == serial })
	}
	close(stop)
	crowd.Wait()
	t.Logf("%d handshakes", handshakes.Load())
}

// TestCertificateIsRenewedByItself: nobody need tell the gateway.
func TestCertificateIsRenewedByItself(t *testing.T) {
	p := newPair(t)
	synctest.Test(t, func(t *testing.T) {
		var logs logs
		ctx, stop := context.WithCancel(t.Context())
		shown, err := server.WatchCertificate(ctx, p.files, slog.New(slog.NewTextHandler(&logs, nil)))
		if err != nil {
			t.Fatal(err)
		}
		if n := shown(); n != 1 {
			t.Errorf("certificate %d is shown at the beginning", n)
		}
		p.renew(2)
		time.Sleep(11 * time.Second)
		if n := shown(); n != 2 {
			t.Errorf("certificate %d is shown after the renewal", n)
		}
		p.write(p.files.KeyFile, []byte("no key"))
		time.Sleep(time.Minute)
		if n := strings.Count(logs.String(), "not replaced"); shown() != 2 || n != 1 {
			t.Errorf("certificate %d is shown with a key that is none, and told %d times", shown(), n)
		}
		if err := os.Remove(p.files.KeyFile); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if n := strings.Count(logs.String(), "not replaced"); shown() != 2 || n != 2 {
			t.Errorf("certificate %d is shown without a key, and told %d times", shown(), n)
		}
		p.renew(3)
		time.Sleep(11 * time.Second)
		if n := shown(); n != 3 {
			t.Errorf("certificate %d is shown after both files have come back", n)
		}
		stop()
		synctest.Wait()
	})
}
