package proxy_test

import (
	"bytes"
	"compress/gzip"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-auth/gatehouse/internal/proxy"
	"github.com/gatehouse-auth/gatehouse/internal/routing"
	"github.com/gatehouse-auth/gatehouse/internal/urlpath"
)

func TestReverse_forwards_the_path_that_was_judged(t *testing.T) {
	up, seen := recorder(t, nil)
	based := *up
	based.Path = "/base/v%1"
	based.RawPath = "/base/v%251"
	f := newFront(t, proxy.Options{},
		routing.Route{Path: "/", Upstreams: routing.To(up), AllowEncodedSlash: true},
		routing.Route{Path: "/strip/", Upstreams: routing.To(up), StripPrefix: true, AllowEncodedSlash: true},
		routing.Route{Path: "/a/b/", Upstreams: routing.To(&based), StripPrefix: true},
		routing.Route{Path: "/based/", Upstreams: routing.To(&based)},
	)
	for target, want := range map[string]string{
		"/":                       "/",
		"/x/y":                    "/x/y",
		"/%78/%7e":                "/x/~",
		"/c%2fb/c":                "/c%2Fb/c",
		"/a;v=1,2/(x)!*'":         "/a;v=1,2/(x)!*'",
		"/a%3Bb":                  "/a%3Bb",
		"/é":                      "/%C3%A9",
		"/strip":                  "/",
		"/strip/":                 "/",
		"/strip/x":                "/x",
		"/strip/a%2Fb":            "/a%2Fb",
		"/%73trip/x":              "/x",
		"/a/b/c%20d":              "/base/v%251/c%20d",
		"/a/b":                    "/base/v%251/",
		"/based/x":                "/base/v%251/based/x",
		"/x?":                     "/x?",
		"/x?a=b;c=d&e=%zz&f=é&g#": "/x?a=b;c=d&e=%zz&f=é&g#",
		"/x?//../..;%00":          "/x?//../..;%00",
		"http://app.example/y?z":  "/y?z",
	} {
		before := seen.count()
		if answer := f.talk(t, request(target)); status(t, answer) != "200 OK" {
			t.Errorf("%s: %s", target, status(t, answer))
			continue
		}
		if seen.count() != before+1 {
			t.Errorf("%s: the upstream was asked %d times", target, seen.count()-before)
		}
		if got := seen.last(t).RequestURI; got != want {
			t.Errorf("%s is forwarded as %s, want %s", target, got, want)
		}
	}
}

func TestReverse_asks_no_upstream_about_an_ambiguous_path(t *testing.T) {
	up, seen := recorder(t, nil)
	f := newFront(t, proxy.Options{}, routing.Route{Path: "/", Upstreams: routing.To(up)}, routing.Route{Path: "/api/", Upstreams: routing.To(up)})
	for _, target := range []string{"//x", "/a/../api/x", "/a/%2e%2e/api", "/API/x", "/api;x/y", "/a%2fb", "/x#y", "/a%5cb"} {
		if got := status(t, f.talk(t, request(target))); got != "400 Bad Request" {
			t.Errorf("%s: %s", target, got)
		}
	}
	if seen.count() != 0 {
		t.Errorf("the upstream was asked %d times", seen.count())
	}
}

func TestReverse_lets_no_client_header_spoof_or_take_away(t *testing.T) {
	up, seen := recorder(t, nil)
	f := newFront(t, proxy.Options{}, routing.Route{Path: "/", Upstreams: routing.To(up)})
	answer := f.talk(t, "GET /x HTTP/1.1\r\nHost: app.example\r\n"+
		"Authorization: Bearer evil\r\n"+
		"X_Forwarded_For: 6.6.6.6\r\nX.Auth.Subject: evil\r\nX-Auth-Subject: evil\r\nx-auth-groups: evil\r\n"+
		"X-Forwarded-For: 6.6.6.6\r\nX-Request-Id: evil\r\nForwarded: for=6.6.6.6\r\nTraceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n"+
		"Accept: text/plain\r\n X-Auth-Subject: folded\r\n"+
		"Cookie: a=b; __Host-Http-gatehouse=secret; c=d\r\nCookie: __Host-Http-gatehouse-1=secret\r\n"+
		"Connection: , authorization, X-Forwarded-For,x-request-id\r\nConnection: traceparent, close, X-Forwarded-Proto\r\n"+
		"Keep-Alive: 5\r\nProxy-Authorization: Basic x\r\nTE: gzip\r\nTrailer: X-Auth-Subject\r\n\r\n")
	if status(t, answer) != "200 OK" {
		t.Fatal(answer)
	}
	got := seen.last(t).Header
	if trace := got.Get("Traceparent"); len(trace) != 55 || strings.Contains(trace, "0af7651916cd43dd") {
		t.Errorf("traceparent: %q", trace)
	}
	got.Del("Traceparent")
	want := http.Header{
		"Authorization": {bearer}, "X-Request-Id": {"gateway-id"}, "X-Forwarded-For": {"192.0.2.7"}, "X-Forwarded-Host": {"app.example"},
		"X-Forwarded-Proto": {"https"}, "Accept": {"text/plain X-Auth-Subject: folded"}, "Cookie": {"a=b; c=d"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestReverse_sends_the_host_that_the_route_wants(t *testing.T) {
	up, seen := recorder(t, nil)
	f := newFront(t, proxy.Options{},
		routing.Route{Path: "/", Upstreams: routing.To(up), PreserveHost: true}, routing.Route{Path: "/own/", Upstreams: routing.To(up)})
	for target, want := range map[string]string{"/x": "app.example", "/own/x": up.Host} {
		// The host that was judged goes on, not the one that stood beside it.
		f.talk(t, strings.Replace(request(target, "X-Forwarded-Host: evil.example"), "app.example", "admin.example", 1))
		if got := seen.last(t); got.Host != want || got.Header.Get("X-Forwarded-Host") != "app.example" {
			t.Errorf("%s: Host is %s, X-Forwarded-Host %s, want %s", target, got.Host, got.Header.Get("X-Forwarded-Host"), want)
		}
	}
}

func TestReverse_passes_bodies_and_answers_untouched(t *testing.T) {
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	_, _ = io.WriteString(z, strings.Repeat("content ", 20000))
	_ = z.Close()
	up, seen := recorder(t, func(w http.ResponseWriter, r *http.Request) {
		if _, ok := r.Header["Accept-Encoding"]; ok {
			t.Error("Accept-Encoding was added")
		}
		w.Header().Set("Content-Encoding", "gzip")
		w.Header().Set("Location", "http://internal.example/next")
		w.Header().Add("Set-Cookie", "theirs=1; Path=/")
		w.Header().Add("Set-Cookie", "__Host-Http-gatehouse=evil; Path=/; Secure")
		w.Header().Set("X-Request-Id", "theirs")
		w.WriteHeader(http.StatusTemporaryRedirect)
		_, _ = w.Write(zipped.Bytes())
	})
	f := newFront(t, proxy.Options{}, routing.Route{Path: "/", Upstreams: routing.To(up)})
	body := strings.Repeat("body ", 100_000)
	req, _ := http.NewRequest("PUT", f.URL+"/x", strings.NewReader(body))
	res, err := (&http.Transport{DisableCompression: true, DisableKeepAlives: true}).RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	got, err := io.ReadAll(res.Body)
	if err != nil || !bytes.Equal(got, zipped.Bytes()) {
		t.Errorf("answer of %d bytes, want %d: %v", len(got), zipped.Len(), err)
	}
	if res.StatusCode != http.StatusTemporaryRedirect || res.Header.Get("Location") != "http://internal.example/next" {
		t.Errorf("redirect is not passed on: %v", res.Header)
	}
	if diff := cmp.Diff([]string{"theirs=1; Path=/"}, res.Header["Set-Cookie"]); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"gateway-id"}, res.Header["X-Request-Id"]); diff != "" {
		t.Error(diff)
	}
	if res.Header.Get("Cache-Control") != "private, no-store" {
		t.Errorf("Cache-Control: %q", res.Header.Get("Cache-Control"))
	}
	if seen.texts()[0] != body || seen.last(t).Method != "PUT" {
		t.Error("the upstream got another body")
	}
	if _, ok := seen.last(t).Header["User-Agent"]; ok && seen.last(t).UserAgent() == "" {
		t.Error("an empty User-Agent was added")
	}
	event, _ := f.last()
	if event.Upstream != up.Host || event.UpstreamTime <= 0 {
		t.Errorf("event: upstream %q, time %v", event.Upstream, event.UpstreamTime)
	}
}

func TestReverse_speaks_http2_to_upstreams(t *testing.T) {
	answer := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Proto", r.Proto)
		w.Header().Set("Trailer", "Grpc-Status, Set-Cookie")
		_, _ = io.WriteString(w, "ok")
		w.Header().Set("Grpc-Status", "0")
		w.Header().Set("Set-Cookie", "__Host-Http-gatehouse=evil")
		w.Header().Set(http.TrailerPrefix+"X-Late", "1")
		w.Header().Set(http.TrailerPrefix+"Clear-Site-Data", "evil")
	})
	clear := httptest.NewUnstartedServer(answer)
	onlyH2C(clear)
	clear.Start()
	defer clear.Close()
	secure := httptest.NewUnstartedServer(answer)
	secure.EnableHTTP2 = true
	secure.StartTLS()
	defer secure.Close()

	h2c := parse(t, clear.URL)
	h2c.Scheme = "h2c"
	f := newFront(t, proxy.Options{}.WithUpstreamTLS(secure.Client().Transport.(*http.Transport).TLSClientConfig),
		routing.Route{Path: "/h2c/", Upstreams: routing.To(h2c)}, routing.Route{Path: "/tls/", Upstreams: routing.To(parse(t, secure.URL))})
	for _, path := range []string{"/h2c/x", "/tls/x"} {
		res, err := http.Get(f.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if err != nil || string(body) != "ok" || res.Header.Get("X-Proto") != "HTTP/2.0" {
			t.Errorf("%s: %q, %v, %v", path, body, res.Header, err)
		}
		if diff := cmp.Diff(http.Header{"Grpc-Status": {"0"}, "X-Late": {"1"}}, res.Trailer); diff != "" {
			t.Errorf("%s: trailers: %s", path, diff)
		}
	}
}

// An upstream that is known to speak HTTP/1.1 may speak HTTP/2 alone one day.
func TestReverse_learns_anew_what_an_upstream_speaks(t *testing.T) {
	var moved atomic.Bool
	up := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Proto) }))
	up.Config.ErrorLog = log.New(io.Discard, "", 0)
	up.EnableHTTP2 = true
	up.TLS = &tls.Config{GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		if moved.Load() {
			if len(hello.SupportedProtos) == 1 {
				return nil, errors.New("HTTP/2 or nothing")
			}
			return nil, nil
		}
		old := up.TLS.Clone()
		old.GetConfigForClient, old.NextProtos = nil, []string{"http/1.1"}
		return old, nil
	}}
	up.StartTLS()
	defer up.Close()
	f := newFront(t, proxy.Options{}.WithUpstreamTLS(up.Client().Transport.(*http.Transport).TLSClientConfig),
		routing.Route{Path: "/", Upstreams: routing.To(parse(t, up.URL))})
	for i, want := range []string{"HTTP/1.1", "HTTP/1.1", "", "HTTP/2.0"} {
		if i == 2 {
			moved.Store(true)
			up.CloseClientConnections()
		}
		answer := f.talk(t, request("/x"))
		if ok := status(t, answer) == "200 OK"; ok != (want != "") || !strings.Contains(answer, want) {
			t.Errorf("request %d: %q", i, answer)
		}
	}
}

// A server may ignore an Upgrade (RFC 9110 §7.8), and HTTP/2 has none.
func TestReverse_asks_an_h2c_upstream_for_no_websocket(t *testing.T) {
	up := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor != 2 || r.Header.Get("Upgrade") != "" {
			t.Errorf("the upstream is asked by %s for %q", r.Proto, r.Header.Get("Upgrade"))
		}
		w.WriteHeader(http.StatusUpgradeRequired)
	}))
	up.Config.Protocols = unencryptedHTTP2()
	up.Start()
	defer up.Close()
	target := parse(t, up.URL)
	target.Scheme = "h2c"
	f := newFront(t, proxy.Options{}, routing.Route{Path: "/", Upstreams: routing.To(target)})
	if answer := f.talk(t, strings.Replace(handshake, "keep-alive,", "close,", 1)); status(t, answer) != "426 Upgrade Required" {
		t.Errorf("answer: %s", answer)
	}
}

// Whatever an upstream speaks, one connection serves requests in a row, on routes that
// share the upstream too. A proxy had lost that for h2c (caddy#6343).
func TestReverse_keeps_connections_to_upstreams(t *testing.T) {
	for name, start := range map[string]func(*httptest.Server){
		"http":      (*httptest.Server).Start,
		"https":     (*httptest.Server).StartTLS,
		"https, h2": func(up *httptest.Server) { up.EnableHTTP2 = true; up.StartTLS() },
		"h2c, alone": func(up *httptest.Server) {
			onlyH2C(up)
			up.Start()
			up.URL = "h2c" + strings.TrimPrefix(up.URL, "http")
		},
	} {
		for _, transport := range transports {
			t.Run(name+"_"+string(transport), func(t *testing.T) {
				var opened atomic.Int64
				up := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					_, _ = io.WriteString(w, "ok")
				}))
				up.Config.ConnState = func(_ net.Conn, state http.ConnState) {
					if state == http.StateNew {
						opened.Add(1)
					}
				}
				start(up)
				defer up.Close()
				target, roots := parse(t, up.URL), up.Client().Transport.(*http.Transport).TLSClientConfig
				f := newFront(t, proxy.Options{}.WithUpstreamTLS(roots),
					routing.Route{Path: "/a/", Upstreams: routing.To(target), StandardTransport: transport.standard()},
					routing.Route{Path: "/b/", Upstreams: routing.To(target), StandardTransport: transport.standard()})
				// The first tells what an https upstream speaks, and so by which connections it is asked.
				f.talk(t, request("/a/x"))
				before := opened.Load()
				for i := range 10 {
					f.talk(t, request([]string{"/a/x", "/b/x"}[i%2]))
				}
				if n := opened.Load() - before; before != 1 || n > 1 || n > 0 && name != "https" {
					t.Errorf("%d connections for a request, and %d more for ten in a row", before, n)
				}
			})
		}
	}
}

// onlyH2C has the server speak HTTP/2 without TLS, and nothing else.
func onlyH2C(up *httptest.Server) {
	up.Config.Protocols = new(http.Protocols)
	up.Config.Protocols.SetUnencryptedHTTP2(true)
}

func TestReverse_refuses_upstreams_it_cannot_speak_to(t *testing.T) {
	for _, raw := range []string{"ftp://a.example", "//a.example", "http:///x", "unix:/run/x"} {
		if _, err := proxy.NewRelay(table(t, routing.Route{Path: "/", Upstreams: routing.To(parse(t, raw))}), proxy.Options{}); err == nil {
			t.Errorf("%s: accepted", raw)
		}
	}
}

func TestRelay_refuses_routes_it_does_not_have(t *testing.T) {
	f := newFront(t, proxy.Options{}, routing.Route{Path: "/"})
	p, _ := urlpath.Parse("/x")
	for name, route := range map[string]*routing.Route{"none": nil, "the mount": {Access: routing.Access{Auth: routing.AuthOwn}}, "of another table": {Path: "/"}} {
		w := httptest.NewRecorder()
		err := f.relay.Relay(w, httptest.NewRequest("GET", "/x", nil), &proxy.Decision{Route: route, Path: p})
		if err == nil || w.Body.Len() > 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestReverse_runs_the_timeout_from_the_last_byte_of_the_request(t *testing.T) {
	t.Parallel()
	const timeout = 3 * time.Second // of which an answer takes a thousandth, unless the machine is busy
	up, _ := recorder(t, nil)
	f := newFront(t, proxy.Options{}, routing.Route{Path: "/", Upstreams: routing.To(up), Timeout: timeout})
	body, client := io.Pipe()
	// No sleep would do here: what is under test is that real time passes.
	time.AfterFunc(timeout+timeout/4, func() { _ = client.Close() })
	res, err := http.Post(f.URL+"/x", "text/plain", body)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Errorf("a slow upload: %s", res.Status)
	}
}
