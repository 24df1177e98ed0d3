package proxy_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-auth/gatehouse/internal/proxy"
	"github.com/gatehouse-auth/gatehouse/internal/routing"
)

func TestReverse_passes_nothing_of_one_connection_to_the_client(t *testing.T) {
	up := rawUpstream(t, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: x-one\r\nConnection: , X-Two\r\nX-One: 1\r\nX-Two: 2\r\nX-Three: 3\r\n"+
		"Keep-Alive: timeout=5\r\nProxy-Authenticate: Basic\r\nProxy-Connection: close\r\nUpgrade: h2c\r\nTE: trailers\r\n\r\nok")
	f := newFront(t, proxy.Options{}, routing.Route{Path: "/", Upstreams: routing.To(up)})
	res, err := http.Get(f.URL)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	for _, name := range []string{"X-One", "X-Two", "Keep-Alive", "Proxy-Authenticate", "Proxy-Connection", "Upgrade", "Te", "Connection"} {
		if v, ok := res.Header[name]; ok {
			t.Errorf("%s: %q arrives", name, v)
		}
	}
	if res.Header.Get("X-Three") != "3" || res.Close {
		t.Errorf("answer: %v", res)
	}
}

func TestReverse_cannot_be_made_to_drop_the_gateways_own_headers(t *testing.T) {
	up := rawUpstream(t, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: x-request-id, cache-control\r\nVary: Accept\r\nVary: Cookie\r\n\r\nok")
	f := newFront(t, proxy.Options{}, routing.Route{Path: "/", Upstreams: routing.To(up)})
	f.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Vary", "Origin")
		f.ServeHTTP(w, r)
	})
	res, err := http.Get(f.URL)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.Header.Get("X-Request-Id") != "gateway-id" || res.Header.Get("Cache-Control") != "private, no-store" {
		t.Errorf("headers: %v", res.Header)
	}
	if diff := cmp.Diff([]string{"Origin", "Accept", "Cookie"}, res.Header["Vary"]); diff != "" {
		t.Error(diff)
	}
}

func TestReverse_passes_answers_without_a_body(t *testing.T) {
	up, _ := recorder(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/head":
			w.Header().Set("Content-Length", "1234")
		case "/204":
			w.WriteHeader(http.StatusNoContent)
		case "/304":
			w.Header().Set("Etag", `"x"`)
			w.WriteHeader(http.StatusNotModified)
		case "/empty":
		}
	})
	f := newFront(t, proxy.Options{}, routing.Route{Path: "/", Upstreams: routing.To(up)})
	conn := f.dial(t) // one connection: a wrong length would be taken for the next answer
	br := bufio.NewReader(conn)
	for _, test := range []struct {
		method, path string
		status       int
		length       string
	}{
		{"HEAD", "/head", 200, "1234"}, {"GET", "/204", 204, ""}, {"GET", "/304", 304, ""}, {"GET", "/empty", 200, "0"},
		{"HEAD", "/204", 204, ""}, {"HEAD", "/empty", 200, ""},
	} {
		_, _ = io.WriteString(conn, test.method+" "+test.path+" HTTP/1.1\r\nHost: a\r\n\r\n")
		res, err := http.ReadResponse(br, &http.Request{Method: test.method})
		if err != nil {
			t.Fatalf("%s %s: %v", test.method, test.path, err)
		}
		body, _ := io.ReadAll(res.Body)
		if res.StatusCode != test.status || res.Header.Get("Content-Length") != test.length || len(body) > 0 || len(res.TransferEncoding) > 0 {
			t.Errorf("%s %s: %v, body %q", test.method, test.path, res, body)
		}
	}
}

// What has no length may be a stream of any kind: neither its header nor a piece
// of it waits for the next.
func TestReverse_passes_each_piece_as_it_comes(t *testing.T) {
	next := make(chan string)
	up, _ := recorder(t, func(w http.ResponseWriter, _ *http.Request) {
		client := http.NewResponseController(w)
		_ = client.Flush()
		for piece := range next {
			_, _ = io.WriteString(w, piece)
			_ = client.Flush()
		}
	})
	f := newFront(t, proxy.Options{}, routing.Route{Path: "/", Upstreams: routing.To(up)})
	res, err := http.Get(f.URL) // returns with the header
	if err != nil {
		t.Fatal(err)
	}
	for _, piece := range []string{"a", "bc", strings.Repeat("d", 50_000)} {
		next <- piece // the one before has arrived
		got := make([]byte, len(piece))
		if _, err := io.ReadFull(res.Body, got); err != nil || string(got) != piece {
			t.Fatalf("%d bytes: %v", len(piece), err)
		}
	}
	close(next)
	if rest, err := io.ReadAll(res.Body); err != nil || len(rest) > 0 {
		t.Errorf("the end: %q, %v", rest, err)
	}
	_ = res.Body.Close()
}

// A stream of events is flushed even where it says how long it will be.
func TestReverse_flushes_events_of_a_known_length(t *testing.T) {
	more := make(chan struct{})
	up, _ := recorder(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		w.Header().Set("Content-Length", "10")
		_, _ = io.WriteString(w, "data\n")
		_ = http.NewResponseController(w).Flush()
		<-more
		_, _ = io.WriteString(w, "data\n")
	})
	f := newFront(t, proxy.Options{}, routing.Route{Path: "/", Upstreams: routing.To(up)})
	conn := f.dial(t)
	_, _ = io.WriteString(conn, request("/x"))
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(res.Body, make([]byte, 5)); err != nil {
		t.Fatal(err)
	}
	close(more)
	if rest, err := io.ReadAll(res.Body); err != nil || string(rest) != "data\n" {
		t.Errorf("the rest: %q, %v", rest, err)
	}
}

// A trailer that has the name of a header takes nothing of that header along.
func TestReverse_keeps_headers_and_trailers_apart(t *testing.T) {
	up := rawUpstream(t, "HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nX-Sum: head\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Sum: tail\r\n\r\n")
	f := newFront(t, proxy.Options{}, routing.Route{Path: "/", Upstreams: routing.To(up)})
	res, err := http.Get(f.URL)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, res.Body)
	_ = res.Body.Close()
	if res.Header.Get("X-Sum") != "head" {
		t.Errorf("headers: %v", res.Header)
	}
	if diff := cmp.Diff(http.Header{"X-Sum": {"tail"}}, res.Trailer); diff != "" {
		t.Errorf("trailers: %s", diff)
	}
}

// gRPC: HTTP/2 on both sides, both directions at once, the outcome in a trailer.
func TestReverse_relays_http2_streams_both_ways(t *testing.T) {
	up := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/grpc")
		w.Header().Set("X-Te", r.Header.Get("Te"))
		client := http.NewResponseController(w)
		_ = client.Flush()
		lines := bufio.NewScanner(r.Body)
		for lines.Scan() {
			_, _ = io.WriteString(w, "echo "+lines.Text()+"\n")
			_ = client.Flush()
		}
		w.Header().Set(http.TrailerPrefix+"Grpc-Status", "0")
	}))
	up.Config.Protocols = unencryptedHTTP2()
	up.Start()
	defer up.Close()
	target := parse(t, up.URL)
	target.Scheme = "h2c"
	f := newFront(t, proxy.Options{}, routing.Route{Path: "/", Upstreams: routing.To(target)})
	front := httptest.NewUnstartedServer(f)
	front.Config.Protocols = unencryptedHTTP2()
	front.Start()
	defer front.Close()
	transport := &http.Transport{Protocols: unencryptedHTTP2()}
	defer transport.CloseIdleConnections()
	body, client := io.Pipe()
	req, _ := http.NewRequest("POST", front.URL+"/x", body)
	req.Header.Set("Te", "trailers")
	res, err := transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	if res.ProtoMajor != 2 || res.Header.Get("X-Te") != "trailers" {
		t.Errorf("answer: %v", res)
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
	if diff := cmp.Diff(http.Header{"Grpc-Status": {"0"}}, res.Trailer); diff != "" {
		t.Error(diff)
	}
}

func unencryptedHTTP2() *http.Protocols {
	p := new(http.Protocols)
	p.SetUnencryptedHTTP2(true)
	return p
}

// A client need not wait for the handshake's answer before it writes: what came
// along with the handshake is the first that the upstream gets.
func TestReverse_loses_no_bytes_sent_with_a_handshake(t *testing.T) {
	up, _ := echoSocket(t)
	f := newFront(t, proxy.Options{}, routing.Route{Path: "/", Upstreams: routing.To(up)})
	conn := f.dial(t)
	_, _ = io.WriteString(conn, handshake+"early")
	br := bufio.NewReader(conn)
	if _, err := http.ReadResponse(br, nil); err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(conn, " and late")
	_ = conn.(*net.TCPConn).CloseWrite()
	if got, err := io.ReadAll(br); err != nil || string(got) != "early and late" {
		t.Errorf("echo: %q, %v", got, err)
	}
}

// TestReverse_invents_no_type: net/http would guess one from the body, which
// overrules an upstream that says nosniff, and runs a file of some user's as a page.
func TestReverse_invents_no_type(t *testing.T) {
	up := rawUpstream(t, "HTTP/1.1 200 OK\r\nContent-Length: 14\r\nX-Content-Type-Options: nosniff\r\n\r\n<html><script>")
	f := newFront(t, proxy.Options{}, routing.Route{Path: "/", Upstreams: routing.To(up)})
	if answer := f.talk(t, request("/x")); strings.Contains(answer, "Content-Type:") || status(t, answer) != "200 OK" {
		t.Errorf("answer: %s", answer)
	}
}

func TestReverse_takes_an_impossible_status_for_no_answer(t *testing.T) {
	for _, code := range []string{"000", "099"} {
		up := rawUpstream(t, "HTTP/1.1 "+code+" Odd\r\nContent-Length: 2\r\nX-Up: leak\r\n\r\nok")
		f := newFront(t, proxy.Options{}, routing.Route{Path: "/", Upstreams: routing.To(up)})
		if answer := f.talk(t, request("/x")); status(t, answer) != "502 Bad Gateway" || strings.Contains(answer, "leak") {
			t.Errorf("%s: %s", code, answer)
		}
	}
}

// TestReverse_holds_nothing_back: a body of known length may come slowly too.
func TestReverse_holds_nothing_back(t *testing.T) {
	arrived := make(chan struct{})
	up, _ := recorder(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "4")
		_, _ = io.WriteString(w, "ab")
		_ = http.NewResponseController(w).Flush()
		select {
		case <-arrived:
			_, _ = io.WriteString(w, "cd")
		case <-r.Context().Done():
		}
	})
	f := newFront(t, proxy.Options{}, routing.Route{Path: "/", Upstreams: routing.To(up), Timeout: patience})
	client := &http.Client{Timeout: patience}
	res, err := client.Get(f.URL)
	if err != nil {
		t.Fatalf("the header is held back: %v", err)
	}
	defer func() { _ = res.Body.Close() }()
	first := make([]byte, 2)
	if _, err := io.ReadFull(res.Body, first); err != nil {
		t.Fatalf("the first half is held back: %v", err)
	}
	close(arrived)
	if rest, err := io.ReadAll(res.Body); string(first)+string(rest) != "abcd" || err != nil {
		t.Errorf("read %q, %v", string(first)+string(rest), err)
	}
}

func TestReverse_passes_no_framing_as_a_trailer(t *testing.T) {
	up := rawUpstream(t, "HTTP/1.1 200 OK\r\nTrailer: Keep-Alive, X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n"+
		"Connection: x-a\r\nContent-Length: 9\r\nKeep-Alive: timeout=1\r\nUpgrade: h2c\r\nX-Sum: 42\r\n\r\n")
	f := newFront(t, proxy.Options{}, routing.Route{Path: "/", Upstreams: routing.To(up)})
	answer := f.talk(t, request("/x", "TE: trailers"))
	if !strings.HasSuffix(answer, "2\r\nok\r\n0\r\nX-Sum: 42\r\n\r\n") || !strings.Contains(answer, "\r\nTrailer: X-Sum\r\n") {
		t.Errorf("answer: %q", answer)
	}
}

// Over HTTP/2 lengths frame nothing, so net/http keeps what an upstream makes of
// them. An HTTP/1 client would be led by it.
func TestReverse_sets_the_length_that_was_parsed(t *testing.T) {
	lengths := make(chan []string, 4)
	f := newFront(t, proxy.Options{}, routing.Route{Path: "/", Upstreams: routing.To(lengthsUpstream(t, lengths))})
	for name, test := range map[string]struct {
		sent []string
		want string // "" is none
	}{
		"one":       {[]string{"2"}, "2"},
		"none":      {nil, ""},
		"empty":     {[]string{""}, ""},
		"two":       {[]string{"3", "5"}, ""},
		"no number": {[]string{"2x"}, ""},
		"signed":    {[]string{"+2"}, ""},
		"padded":    {[]string{"0002"}, "2"},
	} {
		lengths <- test.sent
		answer := f.talk(t, request("/x"))
		got := ""
		for line := range strings.SplitSeq(answer, "\r\n") {
			if value, ok := strings.CutPrefix(line, "Content-Length: "); ok {
				got += value
			}
		}
		if status(t, answer) != "200 OK" || got != test.want || !strings.Contains(answer, "ok") {
			t.Errorf("%s: length %q, want %q: %s", name, got, test.want, answer)
		}
	}
}

const hangUp, reset, refuse = "hang up", "reset", "refuse"

// lengthsUpstream is an h2c upstream by hand, as no server of the standard library
// would send several lengths: it answers each request with the next ones, but
// closes the connection at hangUp, and resets the stream at reset and refuse.
func lengthsUpstream(t *testing.T, lengths <-chan []string) *url.URL {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	serve := func(conn net.Conn) {
		defer func() { _ = conn.Close() }()
		const data, headers, rstStream, settings, endStream, endHeaders, ack = 0, 1, 3, 4, 1, 4, 1
		write := func(kind, flags byte, stream []byte, payload string) { // RFC 9113 §4.1
			n := len(payload)
			frame := append([]byte{byte(n >> 16), byte(n >> 8), byte(n), kind, flags}, stream...)
			_, _ = conn.Write(append(frame, payload...))
		}
		connection := make([]byte, 4)
		_, _ = io.ReadFull(conn, make([]byte, len("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")))
		write(settings, 0, connection, "")
		for head := make([]byte, 9); ; {
			if _, err := io.ReadFull(conn, head); err != nil {
				return
			}
			_, _ = io.ReadFull(conn, make([]byte, int(head[0])<<16|int(head[1])<<8|int(head[2])))
			switch {
			case head[3] == settings && head[4]&ack == 0:
				write(settings, ack, connection, "")
			case head[3] == headers:
				block := "\x88" // RFC 7541 §6.1: ":status: 200"
				next := <-lengths
				switch strings.Join(next, "") {
				case hangUp:
					return
				case reset:
					write(rstStream, 0, head[5:], "\x00\x00\x00\x02") // INTERNAL_ERROR
					continue
				case refuse:
					write(rstStream, 0, head[5:], "\x00\x00\x00\x07") // REFUSED_STREAM
					continue
				}
				for _, length := range next {
					block += "\x0f\x0d" + string(rune(len(length))) + length // §6.2.2: "content-length"
				}
				write(headers, endHeaders, head[5:], block)
				write(data, endStream, head[5:], "ok")
			}
		}
	}
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go serve(conn)
		}
	}()
	return parse(t, "h2c://"+ln.Addr().String())
}
