package server_test

import (
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/server"
)

// BenchmarkProxied is one call of a signed-in page, through the whole gateway on
// the memory store, to an upstream on loopback. BenchmarkBare is the same call
// through nothing but a tuned httputil.ReverseProxy. Compare within one run.
func BenchmarkProxied(b *testing.B) {
	handler, cookie := signedInHandler(b)
	serveCalls(b, handler, cookie)
}

func BenchmarkBare(b *testing.B) {
	api := benchAPI(b)
	target, _ := url.Parse(api)
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost, transport.DisableCompression = 256, true
	serveCalls(b, &httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(target) },
		Transport: transport, BufferPool: benchBuffers{},
	}, "")
}

type benchBuffers struct{}

func (benchBuffers) Get() []byte  { return make([]byte, 32<<10) }
func (benchBuffers) Put(_ []byte) {}

func benchAPI(b *testing.B) string {
	body := []byte(strings.Repeat("x", 600))
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(body) }))
	b.Cleanup(api.Close)
	return api.URL
}

// discard is a ResponseWriter that costs nothing.
type discard struct{ h http.Header }

func (d *discard) Header() http.Header         { return d.h }
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }
func (d *discard) WriteHeader(int)             {}
func (d *discard) Flush()                      {}

func serveCalls(b *testing.B, handler http.Handler, cookie string) {
	b.ReportAllocs()
	for b.Loop() {
		r := httptest.NewRequest(http.MethodGet, "/api/orders?page=2", nil)
		r.RemoteAddr = "127.0.0.1:5555"
		r.Header.Set("User-Agent", "Mozilla/5.0")
		r.Header.Set("Accept", "application/json")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
		r.Header.Set("Sec-Fetch-Mode", "cors")
		r.Header.Set("Sec-Fetch-Dest", "empty")
		r.Header.Set("Cookie", "theme=dark; "+cookie+"; lang=en")
		handler.ServeHTTP(&discard{h: http.Header{}}, r)
	}
}

// signedInHandler builds a gateway, signs a browser in through it, and returns
// its handler with the session cookie.
func signedInHandler(b *testing.B) (http.Handler, string) {
	b.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	r := &rig{
		t: b, url: "https://example.com:" + port, roots: x509.NewCertPool(),
		wire: &wire{}, logs: &logs{}, issued: &tokens{}, seen: &apiRequests{},
	}
	r.startPool()
	r.startAPI()
	api := benchAPI(b)
	cfg := r.config([]settings{func(doc map[string]any) {
		doc["routes"] = []any{map[string]any{"path": "/api/", "upstream": api}}
		doc["log"] = map[string]any{"level": "info"}
	}})
	s, err := server.New(cfg, server.Options{Logs: io.Discard})
	if err != nil {
		b.Fatal(err)
	}
	front := httptest.NewUnstartedServer(s.Handler())
	_ = front.Listener.Close()
	front.Listener = listener
	front.StartTLS()
	b.Cleanup(front.Close)
	r.roots.AddCert(front.Certificate())
	browser := r.browser()
	if p := browser.signIn("alice@example.com", "/api/x"); p.status != http.StatusOK {
		b.Fatalf("login ended with %d at %s", p.status, p.url)
	}
	public, _ := url.Parse(r.url)
	for _, c := range browser.http.Jar.Cookies(public) {
		if c.Name == "__Host-Http-gatehouse" {
			return hostOf(s.Handler(), public.Host), c.Name + "=" + c.Value
		}
	}
	b.Fatal("no session cookie")
	return nil, ""
}

// hostOf asks h under the host it serves.
func hostOf(h http.Handler, host string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Host = host
		h.ServeHTTP(w, r)
	})
}
