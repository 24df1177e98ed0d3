package proxy_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/proxy"
	"github.com/gatehouse-auth/gatehouse/internal/routing"
)

// However long a body is, little of it is in memory at any time.
func TestRelay_takes_no_memory_for_what_passes(t *testing.T) {
	var got int64
	api := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got, _ = io.Copy(io.Discard, r.Body)
		if r.Method == http.MethodGet && r.URL.Path == "/length" {
			w.Header().Set("Content-Length", fmt.Sprint(bulk))
		}
		if r.Method == http.MethodGet {
			_, _ = io.CopyN(w, zeros{}, bulk)
		}
	})
	plain, encrypted := httptest.NewServer(api), httptest.NewTLSServer(api) // of HTTP/1.1
	t.Cleanup(plain.Close)
	t.Cleanup(encrypted.Close)
	trusting := proxy.Options{}.WithUpstreamTLS(encrypted.Client().Transport.(*http.Transport).TLSClientConfig)
	for _, up := range []*httptest.Server{plain, encrypted} {
		for _, transport := range transports {
			f := newFront(t, trusting, routing.Route{Path: "/", Upstreams: routing.To(parse(t, up.URL)), StandardTransport: transport.standard()})
			for _, path := range []string{"/length", "/chunks"} {
				t.Run(parse(t, up.URL).Scheme+"_"+string(transport)+path, func(t *testing.T) {
					before := live()
					res, err := http.Get(f.URL + path)
					if err != nil {
						t.Fatal(err)
					}
					down := &gauge{from: res.Body}
					if n, err := io.Copy(io.Discard, down); n != bulk || err != nil {
						t.Errorf("down: %d bytes, %v", n, err)
					}
					_ = res.Body.Close()

					body := &gauge{from: io.LimitReader(zeros{}, bulk)}
					r, err := http.NewRequest(http.MethodPost, f.URL+path, body)
					if err != nil {
						t.Fatal(err)
					}
					if r.ContentLength = -1; path == "/length" {
						r.ContentLength = bulk
					}
					if res, err = http.DefaultTransport.RoundTrip(r); err != nil {
						t.Fatal(err)
					}
					_ = res.Body.Close()
					if res.StatusCode != http.StatusOK || got != bulk {
						t.Errorf("up: %d bytes arrive, and the answer is %d", got, res.StatusCode)
					}
					if most := max(down.most, body.most); most > before+16<<20 {
						t.Errorf("%d MiB in use on the way, %d before", most>>20, before>>20)
					}
				})
			}
		}
	}
}

// gauge measures the memory in use while it is read.
type gauge struct {
	from      io.Reader
	read, due int64
	most      uint64
}

func (g *gauge) Read(p []byte) (int, error) {
	n, err := g.from.Read(p)
	if g.read += int64(n); g.read >= g.due {
		g.most, g.due = max(g.most, live()), g.read+bulk/8
	}
	return n, err
}

// live is the memory in use by what is not garbage.
func live() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
