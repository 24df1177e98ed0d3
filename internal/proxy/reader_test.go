package proxy_test

import (
	"bufio"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/proxy"
	"github.com/gatehouse-auth/gatehouse/internal/routing"
)

// A client that does not read what it asked for is let go, and its upstream with it.
func TestReverse_lets_a_client_go_that_does_not_read(t *testing.T) {
	left := make(chan struct{}, 1)
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		piece := make([]byte, 64<<10)
		for {
			if _, err := w.Write(piece); err != nil {
				left <- struct{}{}
				return
			}
		}
	}))
	t.Cleanup(up.Close)
	for _, transport := range transports {
		f := newFront(t, proxy.Options{ClientTimeout: 200 * time.Millisecond}, routing.Route{Path: "/", Upstreams: routing.To(parse(t, up.URL)), StandardTransport: transport.standard()})
		conn := f.dial(t)
		_, _ = io.WriteString(conn, request("/x"))
		if _, err := http.ReadResponse(bufio.NewReader(conn), nil); err != nil {
			t.Fatal(err)
		}
		<-left // or the test hangs
	}
}

// How long nothing comes is no matter of the client's, which is there: at the end of a
// quiet stream it gets the rest, and its end.
func TestReverse_leaves_a_client_alone_that_has_nothing_to_read(t *testing.T) {
	const timeout = 2 * time.Second
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "first ")
		_ = http.NewResponseController(w).Flush()
		<-time.After(timeout + timeout/2)
		_, _ = io.WriteString(w, "last")
		_ = http.NewResponseController(w).Flush()
		<-time.After(timeout + timeout/2)
	}))
	t.Cleanup(up.Close)
	f := newFront(t, proxy.Options{ClientTimeout: timeout}, routing.Route{Path: "/", Upstreams: routing.To(parse(t, up.URL))})
	res, err := http.Get(f.URL + "/x")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if text, err := io.ReadAll(res.Body); string(text) != "first last" || err != nil {
		t.Errorf("%q, %v", text, err)
	}
}
