package proxy_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-auth/gatehouse/internal/proxy"
	"github.com/gatehouse-auth/gatehouse/internal/routing"
	"github.com/gatehouse-auth/gatehouse/internal/tunnel"
)

func TestReverse_passes_no_interim_answer(t *testing.T) {
	up := rawUpstream(t, "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\nSet-Cookie: __Host-Http-gatehouse=evil\r\n\r\n"+
		"HTTP/1.1 102 Processing\r\n\r\n"+
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
	f := newFront(t, proxy.Options{}, routing.Route{Path: "/", Upstreams: routing.To(up)})
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
			f := newFront(t, proxy.Options{}, routing.Route{Path: "/", Upstreams: routing.To(up)})
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
	f := newFront(t, proxy.Options{}, routing.Route{Path: "/", Upstreams: routing.To(up)})
	answer := f.talk(t, "POST /x HTTP/1.1\r\nHost: app.example\r\nConnection: close\r\nTransfer-Encoding: chunked\r\nTrailer: X-Auth-Subject\r\n\r\n2\r\nok\r\n0\r\nX-Auth-Subject: evil\r\n\r\n")
	if status(t, answer) != "200 OK" || len(trailer) != 0 {
		t.Errorf("trailers %v arrived; answer: %s", trailer, answer)
	}
}

func TestReverse_passes_no_upgrade_but_websocket(t *testing.T) {
	up, seen := recorder(t, nil)
	f := newFront(t, proxy.Options{}, routing.Route{Path: "/", Upstreams: routing.To(up)})
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
	const toH2C, toNothing = "Connection: Upgrade\r\nUpgrade: h2c\r\n", ""
	for name, test := range map[string]struct {
		asked    []string
		answered string
	}{
		"no upgrade":             {nil, toH2C},
		"no upgrade, to nothing": {nil, toNothing},
		"h2c":                    {[]string{"Connection: Upgrade", "Upgrade: h2c"}, toH2C},
		"h2c, to nothing":        {[]string{"Connection: Upgrade", "Upgrade: h2c"}, toNothing},
		"websocket, to h2c":      {[]string{"Connection: Upgrade", "Upgrade: websocket"}, toH2C},
		"websocket, to nothing":  {[]string{"Connection: Upgrade", "Upgrade: websocket"}, toNothing},
		"empty":                  {[]string{"Connection: Upgrade", "Upgrade: "}, toNothing},
	} {
		up := rawUpstream(t, "HTTP/1.1 101 Switching Protocols\r\n"+test.answered+"Set-Cookie: __Host-Http-gatehouse=evil\r\n\r\nevil bytes")
		f := newFront(t, proxy.Options{}, routing.Route{Path: "/", Upstreams: routing.To(up)})
		answer := f.talk(t, request("/x", test.asked...))
		if status(t, answer) != "502 Bad Gateway" || strings.Contains(answer, "evil") {
			t.Errorf("%s: %s", name, answer)
		}
		_, err := f.last()
		checkProblem(t, err, http.StatusBadGateway, "upstream_unavailable")
	}
}

// Without the right answer to the key, the upstream may be talking about another
// handshake, or about none.
func TestReverse_refuses_a_websocket_that_does_not_answer_the_key(t *testing.T) {
	const key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
	for name, test := range map[string]struct {
		keys    []string
		accepts []string
	}{
		"none":               {[]string{key}, nil},
		"empty":              {[]string{key}, []string{""}},
		"of another key":     {[]string{key}, []string{"ICX+Yqv66kxgM0FcWaLWlFLwTAI="}},
		"in another case":    {[]string{key}, []string{strings.ToUpper(accepted)}},
		"with more behind":   {[]string{key}, []string{accepted + ", x"}},
		"twice":              {[]string{key}, []string{accepted, accepted}},
		"of no key at all":   {nil, []string{"Kfh9QIsMVZcl6xEPYxPHzW8SZ8w="}},
		"of one of two keys": {[]string{key, "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="}, []string{accepted}},
	} {
		script := "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
		for _, a := range test.accepts {
			script += "Sec-WebSocket-Accept: " + a + "\r\n"
		}
		f := newFront(t, proxy.Options{}, routing.Route{Path: "/", Upstreams: routing.To(rawUpstream(t, script+"\r\nevil bytes"))})
		answer := f.talk(t, request("/x", append(test.keys, "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13")...))
		if status(t, answer) != "502 Bad Gateway" || strings.Contains(answer, "evil") {
			t.Errorf("%s: %s", name, answer)
		}
	}
}

func TestReverse_keeps_no_connection_of_a_refused_switch(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	f := newFront(t, proxy.Options{}, routing.Route{Path: "/", Upstreams: routing.To(parse(t, "http://"+ln.Addr().String()))})
	for _, lines := range [][]string{nil, {"Connection: Upgrade", "Upgrade: websocket"}} {
		closed := make(chan error, 1)
		go func() {
			conn, err := ln.Accept()
			if err != nil {
				closed <- err
				return
			}
			defer func() { _ = conn.Close() }()
			br := bufio.NewReader(conn)
			_, _ = http.ReadRequest(br)
			_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n")
			_, err = br.ReadByte()
			closed <- err
		}()
		f.talk(t, request("/x", lines...))
		if err := <-closed; !errors.Is(err, io.EOF) {
			t.Errorf("the connection ended with %v", err)
		}
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
			"Keep-Alive: 5\r\nSec-WebSocket-Accept: "+accepted+"\r\nSet-Cookie: __Host-Http-gatehouse=evil\r\nX-Gatehouse: evil\r\nSet-Cookie: theirs=1\r\n\r\n")
		_, _ = io.Copy(conn, rw)
	}))
	t.Cleanup(up.Close)
	return parse(t, up.URL), requests
}

// handshake is that of RFC 6455 §1.3, and accepted is the answer to its key.
const accepted = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

const handshake = "GET /socket HTTP/1.1\r\nHost: app.example\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n" +
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nCookie: __Host-Http-gatehouse=secret\r\n\r\n"

func TestReverse_tunnels_a_websocket(t *testing.T) {
	up, requests := echoSocket(t)
	f := newFront(t, proxy.Options{}, routing.Route{Path: "/", BodyBytes: 4, Upstreams: routing.To(up)})
	conn := f.dial(t)
	_, _ = io.WriteString(conn, handshake)
	br := bufio.NewReader(conn)
	res, err := http.ReadResponse(br, nil)
	if err != nil {
		t.Fatal(err)
	}
	if res.StatusCode != http.StatusSwitchingProtocols || res.Header.Get("Sec-Websocket-Accept") != accepted {
		t.Fatalf("handshake: %v", res)
	}
	if diff := cmp.Diff([]string{"theirs=1"}, res.Header["Set-Cookie"]); diff != "" || res.Header.Get("X-Gatehouse")+res.Header.Get("Keep-Alive") != "" {
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

func TestReverse_opens_no_tunnel_once_a_stop_has_begun(t *testing.T) {
	up, _ := echoSocket(t)
	tunnels := &tunnel.Registry{}
	f := newFront(t, proxy.Options{Tunnels: tunnels}, routing.Route{Path: "/", Upstreams: routing.To(up)})
	tunnels.Close()
	answer := f.talk(t, handshake)
	if status(t, answer) != "503 Service Unavailable" || !strings.Contains(answer, "X-Problem: draining") || !strings.Contains(answer, "Connection: close") {
		t.Errorf("answer: %s", answer)
	}
	if err := tunnels.Wait(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestReverse_counts_its_tunnels(t *testing.T) {
	up, _ := echoSocket(t)
	tunnels := &tunnel.Registry{}
	f := newFront(t, proxy.Options{Tunnels: tunnels}, routing.Route{Path: "/", Upstreams: routing.To(up)})
	conn := f.dial(t)
	_, _ = io.WriteString(conn, handshake)
	br := bufio.NewReader(conn)
	if _, err := http.ReadResponse(br, nil); err != nil {
		t.Fatal(err)
	}
	if tunnels.Len() != 1 {
		t.Errorf("%d tunnels are open", tunnels.Len())
	}
	_ = conn.(*net.TCPConn).CloseWrite()
	_, _ = io.Copy(io.Discard, br)
	tunnels.Close()
	if err := tunnels.Wait(t.Context()); err != nil || tunnels.Len() != 0 {
		t.Errorf("%d tunnels are open: %v", tunnels.Len(), err)
	}
}

func TestReverse_ends_a_websocket_with_its_context(t *testing.T) {
	up, _ := echoSocket(t)
	f := newFront(t, proxy.Options{}, routing.Route{Path: "/", Upstreams: routing.To(up)})
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

// What lasts for as long as both sides like is marked, for its length is no latency.
func TestReverse_marks_streams(t *testing.T) {
	plain := func(contentType string) string {
		return "HTTP/1.1 200 OK\r\nContent-Type: " + contentType + "\r\nContent-Length: 2\r\n\r\nok"
	}
	for name, test := range map[string]struct {
		asked, answer string
		want          bool
	}{
		"events":    {request("/x"), plain("text/event-stream"), true},
		"an answer": {request("/x"), plain("text/plain"), false},
		"websocket": {handshake, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
			"Sec-WebSocket-Accept: " + accepted + "\r\n\r\n", true},
	} {
		f := newFront(t, proxy.Options{}, routing.Route{Path: "/", Upstreams: routing.To(rawUpstream(t, test.answer))})
		done := make(chan struct{})
		f.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			defer close(done)
			f.ServeHTTP(w, r)
		})
		conn := f.dial(t)
		_, _ = io.WriteString(conn, test.asked)
		if _, err := http.ReadResponse(bufio.NewReader(conn), nil); err != nil {
			t.Fatal(err)
		}
		_ = conn.Close()
		<-done
		if event, err := f.last(); event.Stream != test.want || err != nil {
			t.Errorf("%s: a stream: %v, %v", name, event.Stream, err)
		}
	}
}

// The answer to a short body may be a stream, and last for hours.
func TestReverse_keeps_no_body_while_it_is_answered(t *testing.T) {
	up, asked := recorder(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	f := newFront(t, proxy.Options{}.WithPatience(), routing.Route{Path: "/", Upstreams: routing.To(up)})
	res, err := http.Post(f.URL+"/x", "text/plain", strings.NewReader("hello"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if got := f.relay.(*proxy.Dispatcher).BodyBytes(); got != 0 || asked.count() != 1 {
		t.Errorf("%d bytes are kept, after %d requests", got, asked.count())
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
	f := newFront(t, proxy.Options{}, routing.Route{Path: "/", Upstreams: routing.To(up)})
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
	f := newFront(t, proxy.Options{}, routing.Route{Path: "/", Upstreams: routing.To(parse(t, up.URL))})
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

func TestReverse_keeps_the_clients_connection_after_a_body(t *testing.T) {
	up, seen := recorder(t, nil)
	f := newFront(t, proxy.Options{}, routing.Route{Path: "/", BodyBytes: 100, Upstreams: routing.To(up)})
	conn := f.dial(t)
	br := bufio.NewReader(conn)
	const head = "POST /x HTTP/1.1\r\nHost: a\r\n"
	for _, message := range []string{
		head + "Content-Length: 4\r\n\r\nbody", head + "Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n", head + "Content-Length: 0\r\n\r\n", "GET /x HTTP/1.1\r\nHost: a\r\n\r\n",
	} {
		_, _ = io.WriteString(conn, message)
		res, err := http.ReadResponse(br, nil)
		if err != nil {
			t.Fatalf("%q: %v", message, err)
		}
		if res.StatusCode != http.StatusOK || res.Close {
			t.Errorf("%q: %v", message, res)
		}
	}
	if diff := cmp.Diff([]string{"body", "body", "", ""}, seen.texts()); diff != "" {
		t.Error(diff)
	}
}

// What is left of a body when its answer is over must not be taken for a
// request of its own.
func TestReverse_ends_the_connection_when_an_answer_overtakes_its_body(t *testing.T) {
	const smuggled = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
	up, seen := recorder(t, nil)
	f := newFront(t, proxy.Options{}, routing.Route{Path: "/", Upstreams: routing.To(up)},
		routing.Route{Path: "/down/", Upstreams: routing.To(parse(t, closedPort(t)))},
		routing.Route{Path: "/early/", Upstreams: routing.To(rawUpstream(t, "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno"))})
	for path, want := range map[string]int{"/down/x": http.StatusBadGateway, "/early/x": http.StatusForbidden} {
		for name, head := range map[string]string{
			"length":    "Content-Length: 1000\r\n\r\nbegin",
			"chunked":   "Transfer-Encoding: chunked\r\n\r\n5\r\nbegin\r\n",
			"malformed": "Transfer-Encoding: chunked\r\n\r\n5\r\nbegin\r\n5\r\nbegin",
		} {
			conn := f.dial(t)
			_, _ = io.WriteString(conn, "POST "+path+" HTTP/1.1\r\nHost: a\r\n"+head)
			br := bufio.NewReader(conn)
			res, err := http.ReadResponse(br, nil)
			if err != nil {
				t.Fatalf("%s, %s: %v", path, name, err)
			}
			if res.StatusCode != want || !res.Close {
				t.Errorf("%s, %s: %v", path, name, res)
			}
			_, _ = io.Copy(io.Discard, res.Body)
			_, _ = io.WriteString(conn, smuggled+smuggled)
			_ = conn.(*net.TCPConn).CloseWrite()
			if rest, _ := io.ReadAll(br); len(rest) != 0 {
				t.Errorf("%s, %s: a second answer: %s", path, name, rest)
			}
		}
	}
	if seen.count() != 0 {
		t.Errorf("smuggled: %v", seen.last(t).URL)
	}
}

func TestReverse_answers_expect_continue_itself(t *testing.T) {
	up, seen := recorder(t, nil)
	f := newFront(t, proxy.Options{}, routing.Route{Path: "/", Upstreams: routing.To(up)})
	conn := f.dial(t)
	_, _ = io.WriteString(conn, "POST /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
	br := bufio.NewReader(conn)
	if line, _ := br.ReadString('\n'); !strings.HasPrefix(line, "HTTP/1.1 100 ") {
		t.Fatalf("got %q", line)
	}
	_, _ = io.WriteString(conn, "ok")
	rest, _ := io.ReadAll(br)
	if !strings.Contains(string(rest), "HTTP/1.1 200 OK") || seen.texts()[0] != "ok" || seen.last(t).Header.Get("Expect") != "" {
		t.Errorf("answer: %s", rest)
	}
}

// TestReverse_ends_a_tunnel_whose_client_reads_nothing: the end must not wait for
// a write that the client never takes.
func TestReverse_ends_a_tunnel_whose_client_reads_nothing(t *testing.T) {
	flooded := make(chan struct{})
	up, _ := recorder(t, func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer func() { _ = conn.Close() }()
		_, _ = io.WriteString(conn, "HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "+accepted+"\r\n\r\n")
		once := sync.OnceFunc(func() { close(flooded) })
		for chunk := make([]byte, 1<<16); ; {
			_ = conn.SetWriteDeadline(time.Now().Add(500 * time.Millisecond))
			if _, err := conn.Write(chunk); err != nil {
				once() // nobody takes any more
				_ = conn.SetWriteDeadline(time.Time{})
				_, _ = conn.Read(chunk)
				return
			}
		}
	})
	f := newFront(t, proxy.Options{}, routing.Route{Path: "/", Upstreams: routing.To(up)})
	ended := make(chan struct{})
	cancels := make(chan context.CancelFunc, 1)
	f.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithCancel(r.Context())
		cancels <- cancel
		f.ServeHTTP(w, r.WithContext(ctx))
		close(ended)
	})
	conn := f.dial(t)
	if _, err := io.WriteString(conn, handshake); err != nil {
		t.Fatal(err)
	}
	<-flooded
	(<-cancels)()
	select {
	case <-ended:
	case <-time.After(patience):
		t.Error("the tunnel goes on after its context ended")
		_ = conn.Close()
	}
}

// A client may take an answer as slowly as it likes, or read nothing of it. The
// upstream's connections are for others all the same: they are bounded until an answer
// begins.
func TestReverse_bounds_what_waits_for_the_upstream_and_not_for_clients(t *testing.T) {
	up, _ := recorder(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/much" {
			_, _ = io.CopyN(w, zeros{}, 64<<20)
		}
	})
	f := newFront(t, proxy.Options{}, routing.Route{Path: "/", Upstreams: routing.To(up), UpstreamConnections: 2})
	for range 3 {
		idle := f.dial(t)
		_, _ = io.WriteString(idle, request("/much"))
		if _, err := http.ReadResponse(bufio.NewReader(idle), nil); err != nil {
			t.Fatal(err)
		}
	}
	for range 10 {
		if answer := f.talk(t, request("/x")); status(t, answer) != "200 OK" {
			t.Fatalf("while three clients read nothing: %s", answer)
		}
	}
}
