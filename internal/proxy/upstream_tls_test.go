package proxy_test

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/proxy"
	"github.com/gatehouse-auth/gatehouse/internal/routing"
)

// authority vouches for the certificates that it makes.
type authority struct {
	t    testing.TB
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	file string // its own certificate
}

func newAuthority(t testing.TB) *authority {
	a := &authority{t: t, dir: t.TempDir(), key: newKey(t)}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, a.key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	a.file = a.write("ca.pem", "CERTIFICATE", der)
	return a
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// issue makes a certificate for the name, and returns its files.
func (a *authority) issue(name string) (certFile, keyFile string) {
	a.t.Helper()
	key := newKey(a.t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{name}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	if ip := net.ParseIP(name); ip != nil {
		template.IPAddresses = []net.IP{ip}
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	return a.write(name+".pem", "CERTIFICATE", cert), a.write(name+".key.pem", "PRIVATE KEY", der)
}

func (a *authority) write(name, kind string, der []byte) string {
	a.t.Helper()
	file := filepath.Join(a.dir, name)
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		a.t.Fatal(err)
	}
	return file
}

// upstream serves under the name, and asks clients for a certificate of the authority's if
// it is to.
func (a *authority) upstream(name string, asks bool, protocols ...string) *url.URL {
	a.t.Helper()
	pair, err := tls.LoadX509KeyPair(a.issue(name))
	if err != nil {
		a.t.Fatal(err)
	}
	up := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		client := "nobody"
		if len(r.TLS.PeerCertificates) > 0 {
			client = r.TLS.PeerCertificates[0].Subject.CommonName
		}
		_, _ = fmt.Fprintf(w, "%s, %s asks %s", r.Proto, client, r.TLS.ServerName)
	}))
	up.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, NextProtos: protocols, MinVersion: tls.VersionTLS12}
	if asks {
		up.TLS.ClientAuth, up.TLS.ClientCAs = tls.RequireAndVerifyClientCert, x509.NewCertPool()
		up.TLS.ClientCAs.AddCert(a.cert)
	}
	up.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0) // handshakes that are meant to fail
	up.EnableHTTP2 = len(protocols) == 0
	up.StartTLS()
	a.t.Cleanup(up.Close)
	return parse(a.t, up.URL)
}

func TestRelay_trusts_upstreams_as_it_is_told(t *testing.T) {
	const refused = "TLS: the other side refuses: "
	ours, theirs := newAuthority(t), newAuthority(t)
	cert, key := ours.issue("gateway")
	alien, alienKey := theirs.issue("gateway")
	for name, test := range map[string]struct {
		up     *url.URL
		trust  routing.UpstreamTLS
		speaks routing.Protocol
		want   string // the body, or what the log says
	}{
		"an authority of its own":     {ours.upstream("127.0.0.1", false), routing.UpstreamTLS{CAFile: ours.file}, routing.AnyProtocol, "HTTP/2.0, nobody asks "},
		"the same over HTTP/1.1":      {ours.upstream("127.0.0.1", false), routing.UpstreamTLS{CAFile: ours.file}, routing.HTTP1, "HTTP/1.1, nobody asks "},
		"no HTTP/2 there":             {ours.upstream("127.0.0.1", false, "http/1.1"), routing.UpstreamTLS{CAFile: ours.file}, routing.AnyProtocol, "HTTP/1.1, nobody asks "},
		"HTTP/2 alone":                {ours.upstream("127.0.0.1", false), routing.UpstreamTLS{CAFile: ours.file}, routing.HTTP2, "HTTP/2.0, nobody asks "},
		"HTTP/2 alone, and not there": {ours.upstream("127.0.0.1", false, "http/1.1"), routing.UpstreamTLS{CAFile: ours.file}, routing.HTTP2, "TLS: the other side refuses: no application protocol"},
		"the system's authorities":    {ours.upstream("127.0.0.1", false), routing.UpstreamTLS{}, routing.AnyProtocol, "TLS: the certificate is of an unknown authority"},
		"another authority":           {ours.upstream("127.0.0.1", false), routing.UpstreamTLS{CAFile: theirs.file}, routing.AnyProtocol, "TLS: the certificate is of an unknown authority"},
		"another name":                {ours.upstream("api.internal", false), routing.UpstreamTLS{CAFile: ours.file}, routing.AnyProtocol, "TLS: the certificate is for another name"},
		"that name, as it was told":   {ours.upstream("api.internal", false), routing.UpstreamTLS{CAFile: ours.file, ServerName: "api.internal"}, routing.AnyProtocol, "HTTP/2.0, nobody asks api.internal"},
		"a certificate":               {ours.upstream("127.0.0.1", true), routing.UpstreamTLS{CAFile: ours.file, CertFile: cert, KeyFile: key}, routing.AnyProtocol, "HTTP/2.0, gateway asks "},
		"a certificate over HTTP/1.1": {ours.upstream("127.0.0.1", true), routing.UpstreamTLS{CAFile: ours.file, CertFile: cert, KeyFile: key}, routing.HTTP1, "HTTP/1.1, gateway asks "},
		"no certificate":              {ours.upstream("127.0.0.1", true), routing.UpstreamTLS{CAFile: ours.file}, routing.HTTP1, refused},
		"somebody else's certificate": {ours.upstream("127.0.0.1", true), routing.UpstreamTLS{CAFile: ours.file, CertFile: alien, KeyFile: alienKey}, routing.HTTP1, refused},
	} {
		for _, transport := range transports {
			t.Run(name+", "+string(transport), func(t *testing.T) {
				f := newFront(t, proxy.Options{}, routing.Route{
					Path: "/", Upstreams: routing.To(test.up), UpstreamTLS: test.trust, UpstreamProtocol: test.speaks, StandardTransport: transport.standard(),
				})
				for range 2 { // over a kept connection, too
					status, body := f.ask(t, "GET", "/x")
					_, err := f.last()
					want := test.want
					if transport == "standard" && want == refused {
						want = "" // net/http may meet the end of the connection first
					}
					if status == http.StatusOK && body != test.want || status != http.StatusOK && !strings.Contains(fmt.Sprint(err), want) {
						t.Errorf("%d %q, %v; want %q", status, body, err, test.want)
					}
				}
			})
		}
	}
}

// Of one address, routes with different certificates share no connection, or one would
// speak for the other.
func TestRelay_shares_no_connection_between_certificates(t *testing.T) {
	ours := newAuthority(t)
	up := ours.upstream("127.0.0.1", true, "http/1.1")
	var routes []routing.Route
	for _, name := range []string{"one", "other"} {
		cert, key := ours.issue(name)
		routes = append(routes, routing.Route{
			Path: "/" + name + "/", Upstreams: routing.To(up), UpstreamTLS: routing.UpstreamTLS{CAFile: ours.file, CertFile: cert, KeyFile: key}, UpstreamIdle: time.Hour,
		})
	}
	f := newFront(t, proxy.Options{}, routes...)
	for range 5 {
		for _, name := range []string{"one", "other"} {
			if _, body := f.ask(t, "GET", "/"+name+"/x"); body != "HTTP/1.1, "+name+" asks " {
				t.Errorf("%s: %q", name, body)
			}
		}
	}
}

// WebSockets and health checks go by the same.
func TestRelay_trusts_upstreams_for_all_that_it_asks(t *testing.T) {
	ours := newAuthority(t)
	cert, key := ours.issue("gateway")
	pair, err := tls.LoadX509KeyPair(ours.issue("127.0.0.1"))
	if err != nil {
		t.Fatal(err)
	}
	clients := x509.NewCertPool()
	clients.AddCert(ours.cert)
	up := newByHandTLS(t, &tls.Config{
		Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: clients, MinVersion: tls.VersionTLS12,
	})
	known := &proxy.Upstreams{}
	f := newFront(t, proxy.Options{Upstreams: known}, routing.Route{
		Path: "/", Upstreams: routing.To(up.url), UpstreamTLS: routing.UpstreamTLS{CAFile: ours.file, CertFile: cert, KeyFile: key},
		HealthCheck: routing.HealthCheck{Path: "/healthz", Interval: time.Hour, Timeout: patience, Rise: 1, Fall: 1},
	})
	answer := f.later(t, request("/x", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="))
	conn, r := up.next(answer)
	if r.URL.Path != "/x" || r.Header.Get("Upgrade") != "websocket" {
		t.Fatalf("asked %s %v", r.URL, r.Header)
	}
	conn.say(t, answerOf("no"))
	<-answer
	f.runChecks(t, known)
	conn, r = up.next(nil)
	if r.URL.Path != "/healthz" {
		t.Errorf("asked %s", r.URL)
	}
	conn.say(t, answerOf("well"))
}

// TestUpstreams_take_over_TLS_files: new connections go by what the files are by then, and
// by what they were where that is nothing.
func TestUpstreams_take_over_TLS_files(t *testing.T) {
	ours := newAuthority(t)
	cert, key := ours.issue("before")
	up := ours.upstream("127.0.0.1", true, "http/1.1")
	logs := &logBuffer{}
	known := &proxy.Upstreams{Log: slog.New(slog.NewTextHandler(logs, nil))}
	route := routing.Route{Path: "/", Upstreams: routing.To(up), UpstreamTLS: routing.UpstreamTLS{CAFile: ours.file, CertFile: cert, KeyFile: key}, ReuseNever: true}
	f := newFront(t, proxy.Options{Upstreams: known}, route)
	asks := func(name string) {
		t.Helper()
		if _, body := f.ask(t, "GET", "/x"); body != "HTTP/1.1, "+name+" asks " {
			t.Errorf("%q, want that %s asks", body, name)
		}
	}
	asks("before")
	move := func(from, to string) {
		t.Helper()
		if err := os.Rename(from, to); err != nil {
			t.Fatal(err)
		}
	}
	newCert, newKey := ours.issue("after")
	move(newCert, cert)
	for range 2 { // told once
		known.WatchCredentials()
	}
	asks("before")
	move(newKey, key)
	known.WatchCredentials()
	asks("after")
	last, lastKey := ours.issue("at last")
	move(last, cert)
	move(lastKey, key)
	if relay, err := proxy.NewRelay(table(t, route), proxy.Options{Upstreams: known}); err != nil { // as a reload does
		t.Error(err)
	} else {
		relay.Close()
	}
	asks("at last")
	text := logs.String()
	if strings.Count(text, "level=ERROR") != 1 || strings.Count(text, "level=INFO") != 2 || !strings.Contains(text, "certFile="+cert) {
		t.Errorf("the log says:\n%s", text)
	}
	for name, named := range map[string]routing.UpstreamTLS{
		"files that are not there": {CAFile: filepath.Join(t.TempDir(), "none.pem")},
		"no certificate":           {CAFile: key},
		"a key of another's":       {CertFile: ours.file, KeyFile: key},
	} {
		route.UpstreamTLS = named
		if relay, err := proxy.NewRelay(table(t, route), proxy.Options{Upstreams: known}); err == nil {
			relay.Close()
			t.Errorf("%s were taken", name)
		}
	}
}

// A WebSocket takes HTTP/1.1 (RFC 6455 §1.2), whatever else the upstream speaks.
func TestRelay_tunnels_to_upstreams_that_also_speak_HTTP2(t *testing.T) {
	ours := newAuthority(t)
	pair, err := tls.LoadX509KeyPair(ours.issue("127.0.0.1"))
	if err != nil {
		t.Fatal(err)
	}
	up := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor == 2 {
			_, _ = w.Write([]byte("HTTP/2"))
			return
		}
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = conn.Close() }()
		_, _ = conn.Write([]byte("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " + accepted + "\r\n\r\n"))
	}))
	up.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	up.EnableHTTP2 = true
	up.StartTLS()
	t.Cleanup(up.Close)
	f := newFront(t, proxy.Options{}, routing.Route{Path: "/", Upstreams: routing.To(parse(t, up.URL)), UpstreamTLS: routing.UpstreamTLS{CAFile: ours.file}})
	for range 2 {
		if _, body := f.ask(t, "GET", "/x"); body != "HTTP/2" {
			t.Errorf("without an upgrade: %q", body)
		}
		conn := f.dial(t)
		_, _ = conn.Write([]byte(handshake))
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil || res.StatusCode != http.StatusSwitchingProtocols {
			_, why := f.last()
			t.Errorf("the handshake is answered: %v, %v: %v", res, err, why)
		}
	}
}
