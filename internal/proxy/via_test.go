package proxy_test

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/proxy"
	"github.com/gatehouse-auth/gatehouse/internal/routing"
)

// forwardProxy is a real one: it connects to TLS ports and fetches plain
// addresses, all of one server, and notes what it was asked for.
type forwardProxy struct {
	*httptest.Server
	plain, tls string // host:port of what stands for every server

	mu    sync.Mutex
	asked []string
}

func (f *forwardProxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	f.asked = append(f.asked, r.Method+" "+r.RequestURI+" "+r.Header.Get("Proxy-Authorization"))
	f.mu.Unlock()
	if r.Method == http.MethodConnect {
		f.connect(w)
		return
	}
	r.Header.Del("Proxy-Authorization")
	res, err := http.DefaultTransport.RoundTrip(&http.Request{
		Method: r.Method, URL: &url.URL{Scheme: "http", Host: f.plain, Path: r.URL.Path}, Host: r.URL.Host, Header: r.Header,
	})
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	defer func() { _ = res.Body.Close() }()
	w.WriteHeader(res.StatusCode)
	_, _ = io.Copy(w, res.Body)
}

func (f *forwardProxy) connect(w http.ResponseWriter) {
	up, err := net.Dial("tcp", f.tls)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	down, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		_ = up.Close()
		return
	}
	_, _ = io.WriteString(down, "HTTP/1.1 200 Connected\r\n\r\n")
	go func() { _, _ = io.Copy(up, buffered); _ = up.Close() }()
	_, _ = io.Copy(down, up)
	_ = down.Close()
}

func (f *forwardProxy) take() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	defer func() { f.asked = nil }()
	return strings.Join(f.asked, ", ")
}

// TestRelay_goes_by_a_proxy where the route says so, and nowhere else.
func TestRelay_goes_by_a_proxy(t *testing.T) {
	api := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Host+r.URL.Path+" "+r.Header.Get("Authorization")+r.Header.Get("Proxy-Authorization"))
	})
	plain, encrypted := httptest.NewServer(api), httptest.NewTLSServer(api)
	t.Cleanup(plain.Close)
	t.Cleanup(encrypted.Close)
	via := &forwardProxy{plain: plain.Listener.Addr().String(), tls: encrypted.Listener.Addr().String()}
	via.Server = httptest.NewServer(via)
	t.Cleanup(via.Close)
	at := parse(t, via.URL)
	at.User = url.UserPassword("gate", "house")
	roots := x509.NewCertPool()
	roots.AddCert(encrypted.Certificate())
	f := newFront(t, proxy.Options{
		Proxy: func(u *url.URL) (*url.URL, error) {
			if u.Hostname() == "127.0.0.1" {
				return nil, nil
			}
			return at, nil
		},
	}.WithUpstreamTLS(&tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}),
		routing.Route{Path: "/plain/", Upstreams: routing.To(parse(t, "http://plain.example/base")), UseProxy: true},
		routing.Route{Path: "/tls/", Upstreams: routing.To(parse(t, "https://example.com")), UseProxy: true},
		routing.Route{Path: "/excepted/", Upstreams: routing.To(parse(t, plain.URL)), UseProxy: true},
		routing.Route{Path: "/direct/", Upstreams: routing.To(parse(t, plain.URL))},
	)
	const basic = "Basic Z2F0ZTpob3VzZQ=="
	for _, test := range []struct{ path, asked, answer string }{
		{"/plain/a%20b?x=%2f", "GET http://plain.example/base/plain/a%20b?x=%2f " + basic, "plain.example/base/plain/a b " + bearer},
		{"/tls/x", "CONNECT example.com:443 " + basic, "example.com/tls/x " + bearer},
		{"/excepted/x", "", plain.Listener.Addr().String() + "/excepted/x " + bearer},
		{"/direct/x", "", plain.Listener.Addr().String() + "/direct/x " + bearer},
	} {
		res, err := http.Get(f.URL + test.path)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if got := via.take(); got != test.asked || string(body) != test.answer {
			t.Errorf("%s: the proxy was asked for %q, and the answer is %d %q; want %q and %q", test.path, got, res.StatusCode, body, test.asked, test.answer)
		}
	}
}
