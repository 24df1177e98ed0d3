package proxy_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-auth/gatehouse/internal/proxy"
)

func TestReverse_forwards_the_path_that_was_judged(t *testing.T) {
	up, seen := recorder(t, nil)
	based := *up
	based.Path = "/base/v%1"
	based.RawPath = "/base/v%251"
	f := newFront(t, proxy.Options{},
		proxy.Route{Path: "/", Upstream: up, AllowEncodedSlash: true},
		proxy.Route{Path: "/strip/", Upstream: up, StripPrefix: true, AllowEncodedSlash: true},
		proxy.Route{Path: "/a/b/", Upstream: &based, StripPrefix: true},
		proxy.Route{Path: "/based/", Upstream: &based},
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
	f := newFront(t, proxy.Options{}, proxy.Route{Path: "/", Upstream: up}, proxy.Route{Path: "/api/", Upstream: up})
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
	f := newFront(t, proxy.Options{}, proxy.Route{Path: "/", Upstream: up})
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
		proxy.Route{Path: "/", Upstream: up, PreserveHost: true}, proxy.Route{Path: "/own/", Upstream: up})
	for target, want := range map[string]string{"/x": "app.example", "/own/x": up.Host} {
		f.talk(t, request(target))
		if got := seen.last(t).Host; got != want {
			t.Errorf("%s: Host is %s, want %s", target, got, want)
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
	f := newFront(t, proxy.Options{}, proxy.Route{Path: "/", Upstream: up})
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
	if seen.bodies[0] != body || seen.last(t).Method != "PUT" {
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

func TestReverse_passes_no_interim_answer(t *testing.T) {
	up := rawUpstream(t, "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\nSet-Cookie: __Host-Http-gatehouse=evil\r\n\r\n"+
		"HTTP/1.1 102 Processing\r\n\r\n"+
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
	f := newFront(t, proxy.Options{}, proxy.Route{Path: "/", Upstream: up})
	answer := f.talk(t, request("/x"))
	if status(t, answer) != "200 OK" || strings.Contains(answer, "evil") || strings.Contains(answer, "HTTP/1.1 10") {
		t.Errorf("answer: %s", answer)
	}
	if !strings.Contains(answer, "X-Request-Id: gateway-id") {
		t.Errorf("the gateway's own header is gone: %s", answer)
	}
}

func TestReverse_filters_trailers(t *testing.T) {
	for name, announced := range map[string]string{
		"announced":     "Trailer: Set-Cookie, X-Checksum, X-Gatehouse\r\n",
		"not announced": "",
		"partly":        "Trailer: X-Checksum\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			up := rawUpstream(t, "HTTP/1.1 200 OK\r\n"+announced+"Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n"+
				"Set-Cookie: __Host-Http-gatehouse=evil\r\nX-Checksum: 42\r\nX-Gatehouse: evil\r\nClear-Site-Data: evil\r\n\r\n")
			f := newFront(t, proxy.Options{}, proxy.Route{Path: "/", Upstream: up})
			answer := f.talk(t, request("/x", "TE: trailers"))
			if !strings.HasSuffix(answer, "2\r\nok\r\n0\r\nX-Checksum: 42\r\n\r\n") {
				t.Errorf("answer: %q", answer)
			}
			if strings.Contains(answer, "evil") || strings.Contains(answer, "Gatehouse") {
				t.Errorf("a forbidden trailer passes: %q", answer)
			}
		})
	}
}

func TestReverse_drops_request_trailers(t *testing.T) {
	var trailer http.Header
	up, _ := recorder(t, func(_ http.ResponseWriter, r *http.Request) { trailer = r.Trailer })
	f := newFront(t, proxy.Options{}, proxy.Route{Path: "/", Upstream: up})
	answer := f.talk(t, "POST /x HTTP/1.1\r\nHost: app.example\r\nConnection: close\r\nTransfer-Encoding: chunked\r\nTrailer: X-Auth-Subject\r\n\r\n2\r\nok\r\n0\r\nX-Auth-Subject: evil\r\n\r\n")
	if status(t, answer) != "200 OK" || len(trailer) != 0 {
		t.Errorf("trailers %v arrived; answer: %s", trailer, answer)
	}
}

func TestReverse_passes_no_upgrade_but_websocket(t *testing.T) {
	up, seen := recorder(t, nil)
	f := newFront(t, proxy.Options{}, proxy.Route{Path: "/", Upstream: up})
	for name, message := range map[string]string{
		"h2c":            "GET /x HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n",
		"list":           "GET /x HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, close\r\nUpgrade: websocket, h2c\r\n\r\n",
		"two lines":      "GET /x HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, close\r\nUpgrade: websocket\r\nUpgrade: h2c\r\n\r\n",
		"TLS":            "GET /x HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, close\r\nUpgrade: TLS/1.0\r\n\r\n",
		"not a GET":      "POST /x HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, close\r\nUpgrade: websocket\r\nContent-Length: 0\r\n\r\n",
		"with a body":    "GET /x HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, close\r\nUpgrade: websocket\r\nContent-Length: 2\r\n\r\nab",
		"HTTP/1.0":       "GET /x HTTP/1.0\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
		"not connection": "GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\nUpgrade: websocket\r\n\r\n",
	} {
		before := seen.count()
		answer := f.talk(t, message)
		if status(t, answer) != "200 OK" || seen.count() != before+1 {
			t.Errorf("%s: %s", name, answer)
			continue
		}
		for _, header := range []string{"Upgrade", "Connection", "Http2-Settings"} {
			if v, ok := seen.last(t).Header[header]; ok {
				t.Errorf("%s: the upstream got %s: %q", name, header, v)
			}
		}
	}
}

func TestReverse_refuses_a_switch_that_nobody_asked_for(t *testing.T) {
	for name, lines := range map[string][]string{
		"no upgrade":  nil,
		"h2c":         {"Connection: Upgrade", "Upgrade: h2c"},
		"websocket":   {"Connection: Upgrade", "Upgrade: websocket"},
		"empty token": {"Upgrade: "},
	} {
		up := rawUpstream(t, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nSet-Cookie: __Host-Http-gatehouse=evil\r\n\r\nevil bytes")
		f := newFront(t, proxy.Options{}, proxy.Route{Path: "/", Upstream: up})
		answer := f.talk(t, request("/x", lines...))
		if status(t, answer) != "502 Bad Gateway" || strings.Contains(answer, "evil") {
			t.Errorf("%s: %s", name, answer)
		}
		_, err := f.last()
		checkProblem(t, err, http.StatusBadGateway, "upstream_unavailable")
	}
}

// echoSocket is an upstream that accepts a WebSocket handshake and then echoes
// bytes, since for a tunnel frames are bytes.
func echoSocket(t testing.TB) (*url.URL, chan *http.Request) {
	t.Helper()
	requests := make(chan *http.Request, 1)
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests <- r.Clone(context.Background())
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = conn.Close() }()
		_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
			"Sec-WebSocket-Accept: accepted\r\nSet-Cookie: __Host-Http-gatehouse=evil\r\nX-Gatehouse: evil\r\nSet-Cookie: theirs=1\r\n\r\n")
		_, _ = io.Copy(conn, rw)
	}))
	t.Cleanup(up.Close)
	return parse(t, up.URL), requests
}

const handshake = "GET /socket HTTP/1.1\r\nHost: app.example\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n" +
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nCookie: __Host-Http-gatehouse=secret\r\n\r\n"

func TestReverse_tunnels_a_websocket(t *testing.T) {
	up, requests := echoSocket(t)
	f := newFront(t, proxy.Options{BodyBytes: 4}, proxy.Route{Path: "/", Upstream: up})
	conn := f.dial(t)
	_, _ = io.WriteString(conn, handshake)
	br := bufio.NewReader(conn)
	res, err := http.ReadResponse(br, nil)
	if err != nil {
		t.Fatal(err)
	}
	if res.StatusCode != http.StatusSwitchingProtocols || res.Header.Get("Sec-Websocket-Accept") != "accepted" {
		t.Fatalf("handshake: %v", res)
	}
	if diff := cmp.Diff([]string{"theirs=1"}, res.Header["Set-Cookie"]); diff != "" || res.Header.Get("X-Gatehouse") != "" {
		t.Errorf("the upstream's headers are not filtered: %v", res.Header)
	}
	asked := <-requests
	if asked.Header.Get("Authorization") != bearer || asked.Header.Get("Cookie") != "" || asked.Header.Get("Sec-Websocket-Key") == "" {
		t.Errorf("handshake upstream: %v", asked.Header)
	}
	for _, message := range []string{"hello", strings.Repeat("x", 100_000)} {
		go func() { _, _ = io.WriteString(conn, message) }()
		got := make([]byte, len(message))
		if _, err := io.ReadFull(br, got); err != nil || string(got) != message {
			t.Fatalf("echo: %v", err)
		}
	}
	// The end of one side is the end of the other.
	_ = conn.(*net.TCPConn).CloseWrite()
	if rest, err := io.ReadAll(br); err != nil || len(rest) != 0 {
		t.Errorf("after the close: %q, %v", rest, err)
	}
}

func TestReverse_ends_a_websocket_with_its_context(t *testing.T) {
	up, _ := echoSocket(t)
	f := newFront(t, proxy.Options{}, proxy.Route{Path: "/", Upstream: up})
	end := make(chan context.CancelFunc, 1)
	f.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithCancel(r.Context())
		end <- cancel
		f.ServeHTTP(w, r.WithContext(ctx))
	})
	conn := f.dial(t)
	_, _ = io.WriteString(conn, handshake)
	br := bufio.NewReader(conn)
	if _, err := http.ReadResponse(br, nil); err != nil {
		t.Fatal(err)
	}
	(<-end)()
	if rest, err := io.ReadAll(br); len(rest) != 0 {
		t.Errorf("after the end: %q, %v", rest, err)
	}
}

func TestReverse_flushes_events_at_once(t *testing.T) {
	next := make(chan string)
	gone := make(chan struct{})
	up, _ := recorder(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		w.Header().Set("X-Accel-Buffering", "yes")
		for {
			select {
			case <-r.Context().Done():
				close(gone)
				return
			case event := <-next:
				_, _ = io.WriteString(w, event)
				_ = http.NewResponseController(w).Flush()
			}
		}
	})
	f := newFront(t, proxy.Options{}, proxy.Route{Path: "/", Upstream: up})
	go func() { next <- "data: 0\n" }()
	res, err := http.Get(f.URL + "/events")
	if err != nil {
		t.Fatal(err)
	}
	if res.Header.Get("X-Accel-Buffering") != "no" {
		t.Errorf("headers: %v", res.Header)
	}
	br := bufio.NewReader(res.Body)
	for i := range 3 {
		want := fmt.Sprintf("data: %d\n", i)
		if got, err := br.ReadString('\n'); got != want {
			t.Fatalf("got %q, want %q: %v", got, want, err)
		}
		// The next event is sent only after this one has arrived.
		if i < 2 {
			next <- fmt.Sprintf("data: %d\n", i+1)
		}
	}
	// A client that leaves is no leak upstream.
	_ = res.Body.Close()
	<-gone
}

func TestReverse_streams_both_ways_at_once(t *testing.T) {
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rc := http.NewResponseController(w)
		_ = rc.EnableFullDuplex()
		w.WriteHeader(http.StatusOK)
		_ = rc.Flush()
		br := bufio.NewReader(r.Body)
		for {
			line, err := br.ReadString('\n')
			if err != nil {
				return
			}
			_, _ = io.WriteString(w, "echo "+line)
			_ = rc.Flush()
		}
	}))
	defer up.Close()
	f := newFront(t, proxy.Options{}, proxy.Route{Path: "/", Upstream: parse(t, up.URL)})
	body, client := io.Pipe()
	req, _ := http.NewRequest("POST", f.URL+"/x", body)
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	br := bufio.NewReader(res.Body)
	for _, line := range []string{"one\n", "two\n"} {
		_, _ = io.WriteString(client, line)
		if got, err := br.ReadString('\n'); got != "echo "+line {
			t.Fatalf("got %q: %v", got, err)
		}
	}
	_ = client.Close()
	_, _ = io.Copy(io.Discard, br)
	_ = res.Body.Close()
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
	clear.Config.Protocols = new(http.Protocols)
	clear.Config.Protocols.SetUnencryptedHTTP2(true)
	clear.Start()
	defer clear.Close()
	secure := httptest.NewUnstartedServer(answer)
	secure.EnableHTTP2 = true
	secure.StartTLS()
	defer secure.Close()

	h2c := parse(t, clear.URL)
	h2c.Scheme = "h2c"
	f := newFront(t, proxy.Options{UpstreamTLS: secure.Client().Transport.(*http.Transport).TLSClientConfig},
		proxy.Route{Path: "/h2c/", Upstream: h2c}, proxy.Route{Path: "/tls/", Upstream: parse(t, secure.URL)})
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

func TestReverse_keeps_connections_to_upstreams(t *testing.T) {
	var opened atomic.Int64
	up := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "ok")
	}))
	up.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened.Add(1)
		}
	}
	up.Start()
	defer up.Close()
	target := parse(t, up.URL)
	f := newFront(t, proxy.Options{}, proxy.Route{Path: "/a/", Upstream: target}, proxy.Route{Path: "/b/", Upstream: target})
	for i := range 10 {
		f.talk(t, request([]string{"/a/x", "/b/x"}[i%2]))
	}
	if n := opened.Load(); n != 1 {
		t.Errorf("%d connections for ten requests in a row on two routes", n)
	}
}

func TestReverse_refuses_upstreams_it_cannot_speak_to(t *testing.T) {
	for _, raw := range []string{"ftp://a.example", "//a.example", "http:///x", "unix:/run/x"} {
		if _, err := proxy.NewRelay(proxy.Options{Table: table(t, proxy.Route{Path: "/", Upstream: parse(t, raw)})}); err == nil {
			t.Errorf("%s: accepted", raw)
		}
	}
}

func TestRelay_refuses_routes_it_does_not_have(t *testing.T) {
	f := newFront(t, proxy.Options{}, proxy.Route{Path: "/"})
	p, _ := proxy.ParsePath("/x")
	for name, route := range map[string]*proxy.Route{"none": nil, "the mount": {Auth: proxy.AuthOwn}, "of another table": {Path: "/"}} {
		w := httptest.NewRecorder()
		err := f.relay.Relay(w, httptest.NewRequest("GET", "/x", nil), &proxy.Decision{Route: route, Path: p})
		if err == nil || w.Body.Len() > 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestReverse_runs_the_timeout_from_the_last_byte_of_the_request(t *testing.T) {
	const timeout = 400 * time.Millisecond
	up, _ := recorder(t, nil)
	f := newFront(t, proxy.Options{}, proxy.Route{Path: "/", Upstream: up, Timeout: timeout})
	body, client := io.Pipe()
	// No sleep would do here: what is under test is that real time passes.
	time.AfterFunc(3*timeout/2, func() { _ = client.Close() })
	res, err := http.Post(f.URL+"/x", "text/plain", body)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Errorf("a slow upload: %s", res.Status)
	}
}

func TestReverse_answers_expect_continue_itself(t *testing.T) {
	up, seen := recorder(t, nil)
	f := newFront(t, proxy.Options{}, proxy.Route{Path: "/", Upstream: up})
	conn := f.dial(t)
	_, _ = io.WriteString(conn, "POST /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
	br := bufio.NewReader(conn)
	if line, _ := br.ReadString('\n'); !strings.HasPrefix(line, "HTTP/1.1 100 ") {
		t.Fatalf("got %q", line)
	}
	_, _ = io.WriteString(conn, "ok")
	rest, _ := io.ReadAll(br)
	if !strings.Contains(string(rest), "HTTP/1.1 200 OK") || seen.bodies[0] != "ok" || seen.last(t).Header.Get("Expect") != "" {
		t.Errorf("answer: %s", rest)
	}
}
