package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"runtime"
	"sync"
	"time"
)

// The roles that this program plays in processes of its own.
const (
	roleUpstream = "role-upstream"
	roleBare     = "role-bare"
	roleTuned    = "role-tuned"
)

// The environment variables of a role: a proxy's upstream, and the files of a
// certificate if it is to serve https.
const (
	upstreamVariable = "BENCH_UPSTREAM"
	certVariable     = "BENCH_CERT"
	keyVariable      = "BENCH_KEY"
)

func isRole(arg string) bool {
	return arg == roleUpstream || arg == roleBare || arg == roleTuned
}

// serveRole listens on a free port of the loopback, writes the address as one line
// to out, and serves until in ends, as it does when the parent is gone.
func serveRole(role string, in io.Reader, out io.Writer) error {
	handler, err := roleHandler(role)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintln(out, listener.Addr()); err != nil {
		return err
	}
	server := &http.Server{Handler: withFigures(handler), ReadHeaderTimeout: 10 * time.Second}
	go func() {
		_, _ = io.Copy(io.Discard, in)
		_ = server.Close()
	}()
	if err := serveOn(server, listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func serveOn(server *http.Server, listener net.Listener) error {
	if cert := os.Getenv(certVariable); cert != "" {
		return server.ServeTLS(listener, cert, os.Getenv(keyVariable))
	}
	return server.Serve(listener)
}

// figuresPath is where a role says how much it has allocated.
const figuresPath = "/-/figures"

// withFigures answers figuresPath in the words of the gateway's own metrics.
func withFigures(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != figuresPath {
			next.ServeHTTP(w, r)
			return
		}
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		_, _ = fmt.Fprintf(w, "%s %d\n", mallocs, m.Mallocs)
	})
}

func roleHandler(role string) (http.Handler, error) {
	if role == roleUpstream {
		return newUpstream(), nil
	}
	target, err := url.Parse(os.Getenv(upstreamVariable))
	if err != nil {
		return nil, err
	}
	if role == roleBare {
		return httputil.NewSingleHostReverseProxy(target), nil
	}
	return tunedProxy(target), nil
}

// tunedProxy is the yardstick. The stock proxy keeps two idle connections to its
// upstream, so with more clients than that it measures connecting; this one keeps
// enough, uses its copy buffers again, and asks for no compression.
func tunedProxy(target *url.URL) http.Handler {
	return &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host
		},
		Transport: &http.Transport{
			MaxIdleConns:        0, // no limit in all
			MaxIdleConnsPerHost: 512,
			IdleConnTimeout:     90 * time.Second,
			DisableCompression:  true,
		},
		BufferPool: &bufferPool{pool: sync.Pool{New: func() any { return make([]byte, 32<<10) }}},
	}
}

type bufferPool struct{ pool sync.Pool }

func (p *bufferPool) Get() []byte { return p.pool.Get().([]byte) }

func (p *bufferPool) Put(b []byte) {
	//lint:ignore SA6002 a slice header a request is the same for every user of this interface
	p.pool.Put(b)
}
