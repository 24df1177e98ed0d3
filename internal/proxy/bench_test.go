package proxy_test

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/proxy"
	"github.com/gatehouse-auth/gatehouse/internal/routing"
	"github.com/gatehouse-auth/gatehouse/internal/telemetry"
)

// BenchmarkRelay compares the whole way of a request, from canonical path to
// the answer's last byte, with a bare ReverseProxy that is tuned in the same
// way. The upstream is a real server on loopback.
func BenchmarkRelay(b *testing.B) {
	answer := []byte(strings.Repeat("x", 600))
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(answer)
	}))
	b.Cleanup(up.Close)
	target := parse(b, up.URL)
	b.Run("gatehouse", func(b *testing.B) {
		f := newFront(b, proxy.Options{}, routing.Route{Path: "/", Upstreams: routing.To(target)})
		benchmark(b, func(w http.ResponseWriter, r *http.Request) {
			event := telemetry.Event{}
			if err := f.serve(w, r, &event); err != nil {
				b.Error(err)
			}
		})
	})
	b.Run("tuned", func(b *testing.B) { benchmark(b, tuned(target).ServeHTTP) })
}

func benchmark(b *testing.B, serve http.HandlerFunc) {
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		r := httptest.NewRequest("GET", "/api/orders/7?page=2", nil)
		r.Header.Set("Accept", "application/json")
		r.Header.Set("Accept-Encoding", "gzip, deflate, br, zstd")
		r.Header.Set("Accept-Language", "en-GB,en;q=0.9")
		r.Header.Set("Cookie", "theme=dark; __Host-Http-gatehouse="+strings.Repeat("c", 204)+"; lang=en")
		r.Header.Set("Sec-Fetch-Mode", "cors")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
		for pb.Next() {
			serve(&discard{header: make(http.Header)}, r)
		}
	})
}

// discard is an answer that nobody reads.
type discard struct{ header http.Header }

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) WriteHeader(int)             {}
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }

// tuned is what the gateway is measured against: no session, no policy, but the
// same transport settings and pooled buffers.
func tuned(target *url.URL) *httputil.ReverseProxy {
	return &httputil.ReverseProxy{
		Rewrite:    func(pr *httputil.ProxyRequest) { pr.SetURL(target) },
		Transport:  &http.Transport{MaxIdleConnsPerHost: 512, DisableCompression: true},
		BufferPool: &slices{},
	}
}

type slices struct{ pool sync.Pool }

func (s *slices) Get() []byte {
	if b, ok := s.pool.Get().(*[32 << 10]byte); ok {
		return b[:]
	}
	return make([]byte, 32<<10)
}

func (s *slices) Put(b []byte) { s.pool.Put((*[32 << 10]byte)(b)) }
