package server_test

import (
	"bytes"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/cognitoemu"
	"github.com/gatehouse-auth/gatehouse/internal/server"
)

// BenchmarkProxied is one call of a signed-in page, through the whole gateway on
// the memory store, to an upstream on loopback. BenchmarkBare is the same call
// through nothing but a tuned httputil.ReverseProxy. Compare within one run.
func BenchmarkProxied(b *testing.B) {
	handler, cookie := signedInHandler(b, benchAPI(b))
	serveCalls(b, handler, cookie)
}

// BenchmarkBearer is the same call by a program with an access token of its own.
func BenchmarkBearer(b *testing.B) {
	handler, authorization := bearerHandler(b, benchAPI(b))
	b.ReportAllocs()
	for b.Loop() {
		r := httptest.NewRequest(http.MethodGet, "/api/orders?page=2", nil)
		r.RemoteAddr = "127.0.0.1:5555"
		r.Header.Set("User-Agent", "Mozilla/5.0")
		r.Header.Set("Accept", "application/json")
		r.Header.Set("Authorization", authorization)
		handler.ServeHTTP(&discard{h: http.Header{}}, r)
	}
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

// What a call takes: of a signed-in page, and by an access token of its own, which has a
// timer that ends with it, and its text for the upstream.
const (
	mostAllocations         = 55
	mostAllocationsByBearer = 58
)

// TestProxied pins what a call of a signed-in page may allocate. What is counted
// is all that the process allocates for it: net/http reading the request, the
// gateway, the transport, and the answer's way back. The client and the upstream
// are in the same process, but made of fixed buffers.
func TestProxied(t *testing.T) {
	t.Run("allocates_little", func(t *testing.T) {
		handler, cookie := signedInHandler(t, cannedAPI(t))
		front := httptest.NewServer(handler)
		defer front.Close()
		allocatesLittle(t, mostAllocations, caller(t, front.Listener.Addr().String(), "Cookie: theme=dark; "+cookie+"; lang=en"))
	})
	t.Run("allocates_little_by_a_bearer", func(t *testing.T) {
		handler, authorization := bearerHandler(t, cannedAPI(t))
		front := httptest.NewServer(handler)
		defer front.Close()
		allocatesLittle(t, mostAllocationsByBearer, caller(t, front.Listener.Addr().String(), "Authorization: "+authorization))
	})
}

func allocatesLittle(t *testing.T, most float64, ask func()) {
	t.Helper()
	for range 10 { // connections are opened, buffers and caches filled
		ask()
	}
	if n := fewestAllocations(ask); n > most+lostToPools {
		t.Errorf("%.0f allocations a call, want at most %.0f", n, most+lostToPools)
	}
}

// bearerHandler builds a gateway whose route takes access tokens, and returns its handler
// with the header that shows one.
func bearerHandler(b testing.TB, api string) (handler http.Handler, authorization string) {
	b.Helper()
	r := &rig{t: b, url: "https://example.com", wire: &wire{}, logs: &logs{}, issued: &tokens{}, seen: &apiRequests{}}
	r.startPool()
	r.startAPI()
	cfg := r.config([]settings{func(doc map[string]any) {
		doc["routes"] = []any{map[string]any{"path": "/api/", "upstream": api, "auth": "bearer"}}
		doc["bearer_clients"] = []string{cognitoemu.DefaultMachineClientID}
		doc["log"] = map[string]any{"level": "info"}
	}})
	s, err := server.New(cfg, server.Options{Logs: io.Discard})
	if err != nil {
		b.Fatal(err)
	}
	return hostOf(s.Handler(), "example.com"), "Bearer " + r.machineToken()
}

// fewestAllocations is what a call allocates in the best of some rounds: what the
// process does beside them is no part of it, and more of that falls into a round
// the slower the machine is.
func fewestAllocations(call func()) float64 {
	fewest := testing.AllocsPerRun(50, call)
	for range 9 {
		fewest = min(fewest, testing.AllocsPerRun(50, call))
	}
	return fewest
}

// caller returns a function that makes one call of a page and reads the answer,
// and allocates nothing.
func caller(t *testing.T, address, proof string) func() {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	message := []byte("GET /api/orders?page=2 HTTP/1.1\r\nHost: example.com\r\nAccept: application/json\r\n" +
		"User-Agent: Mozilla/5.0\r\nAccept-Language: en-GB,en;q=0.9\r\nAccept-Encoding: gzip, deflate, br, zstd\r\n" +
		"Sec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: cors\r\nSec-Fetch-Dest: empty\r\nReferer: https://example.com/\r\n" +
		proof + "\r\n\r\n")
	buffer := make([]byte, 4096)
	return func() {
		if _, err := conn.Write(message); err != nil {
			t.Fatal(err)
		}
		n := 0
		for n == 0 || buffer[n-1] != cannedEnd {
			more, err := conn.Read(buffer[n:])
			if err != nil {
				t.Fatal(err)
			}
			n += more
		}
		if !bytes.HasPrefix(buffer, []byte("HTTP/1.1 200 ")) {
			t.Fatalf("answer: %s", buffer[:n])
		}
	}
}

// cannedEnd is a byte that ends the canned answer and stands nowhere else in it.
const cannedEnd = '}'

// cannedAPI is an upstream that gives the same 600 bytes to every request without
// looking at it, and allocates nothing for it.
func cannedAPI(t *testing.T) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	answer := []byte("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nDate: Mon, 23 Nov 2026 12:00:00 GMT\r\nContent-Length: 600\r\n\r\n{" +
		strings.Repeat("x", 598) + string(cannedEnd))
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = conn.Close() }()
				buffer := make([]byte, 16<<10)
				for n := 0; ; {
					more, err := conn.Read(buffer[n:])
					if err != nil {
						return
					}
					if n += more; bytes.HasSuffix(buffer[:n], []byte("\r\n\r\n")) {
						n = 0
						_, _ = conn.Write(answer)
					}
				}
			}()
		}
	}()
	return "http://" + listener.Addr().String()
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
func signedInHandler(b testing.TB, api string, change ...settings) (http.Handler, string) {
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
	cfg := r.config(append([]settings{func(doc map[string]any) {
		doc["routes"] = []any{map[string]any{"path": "/api/", "upstream": api}}
		doc["log"] = map[string]any{"level": "info"}
	}}, change...))
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
