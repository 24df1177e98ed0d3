package proxy_test

import (
	"bufio"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/http1/http1test"
	"github.com/gatehouse-auth/gatehouse/internal/proxy"
	"github.com/gatehouse-auth/gatehouse/internal/routing"
)

// TestTraps are faults that other proxies had. Each is a row of requests over one
// route; behind each of its answers something else is asked for, which must be what
// comes.
func TestTraps(t *testing.T) {
	const ok, two, chunked = "HTTP/1.1 200 OK\r\n", "Content-Length: 2\r\n", "Transfer-Encoding: chunked\r\n"
	const whole, forged = ok + two + "\r\nok", ok + "Content-Length: 6\r\nX-Evil: 1\r\n\r\nforged"
	kept := plain("ok", http1test.Kept, two)
	for _, trap := range []struct {
		name string // and where it was
		asks []http1test.Answer
	}{
		{"a HEAD with a length waits for a body (traefik#11407, envoy#3985)", []http1test.Answer{
			{Method: "HEAD", Raw: ok + "Content-Length: 1234\r\n\r\n", Verdict: plain("", http1test.Rests, "Content-Length: 1234\r\n")},
		}},
		{"neither length nor chunks is a blank page (traefik#11437)", []http1test.Answer{
			{Raw: ok + "\r\nall of it", HangsUp: true, Verdict: plain("all of it", http1test.Closed, "")},
		}},
		{"sizes of chunks are shown in the body (traefik#11507)", []http1test.Answer{
			{Raw: ok + chunked + "\r\na\r\n0123456789\r\n1;x\r\na\r\n0\r\n\r\n", Verdict: plain("0123456789a", http1test.Kept, "")},
		}},
		{"an answer has the length of the one before (traefik#11498)", []http1test.Answer{
			{Raw: ok + "Content-Length: 5\r\n\r\nhello", Verdict: plain("hello", http1test.Kept, "Content-Length: 5\r\n")},
			{Raw: ok + chunked + "\r\n2\r\nok\r\n0\r\n\r\n", Verdict: plain("ok", http1test.Kept, "")},
			{Raw: whole, Verdict: kept},
		}},
		{"a body behind a status that has none (traefik#11135)", []http1test.Answer{
			{Raw: "HTTP/1.1 204 No Content\r\n\r\n" + forged, Verdict: withStatus(204, plain("", http1test.Excess, ""))},
			{Raw: "HTTP/1.1 304 Not Modified\r\n" + two + "\r\nok", Verdict: withStatus(304, plain("", http1test.Excess, two))},
			{Method: "HEAD", Raw: ok + two + "\r\nok", Verdict: plain("", http1test.Excess, two)},
		}},
		{"a space before a colon (CVE-2019-16276, fasthttp#2187)", []http1test.Answer{
			{Raw: ok + "Content-Length : 2\r\n\r\nok", Verdict: http1test.Verdict{Refused: "name of a header is no token"}},
			{Raw: ok + "Transfer-Encoding : chunked\r\n" + two + "\r\nok", Verdict: http1test.Verdict{Refused: "name of a header is no token"}},
		}},
		{"a space before an extension (fasthttp#2193)", []http1test.Answer{
			{Raw: ok + chunked + "\r\n2 ;a\r\nok\r\n0\r\n\r\n", Verdict: breaks("size of a chunk")},
		}},
		{"the final line is missing (fasthttp#1899)", []http1test.Answer{
			{Raw: ok + chunked + "\r\n2\r\nok\r\n0\r\n", HangsUp: true, Verdict: breaks("unexpected EOF")},
		}},
		{"chunks in HTTP/1.0 (fasthttp#2330)", []http1test.Answer{
			{Raw: "HTTP/1.0 200 OK\r\n" + chunked + "\r\n2\r\nok\r\n0\r\n\r\n", Verdict: http1test.Verdict{Refused: "HTTP/1.0"}},
		}},
		{"chunks and a length (fasthttp#2190)", []http1test.Answer{
			{Raw: ok + two + chunked + "\r\n2\r\nok\r\n0\r\n\r\n", Verdict: plain("ok", http1test.Closed, "")},
			{Method: "HEAD", Raw: ok + two + chunked + "\r\n", Verdict: plain("", http1test.Closed, "")},
		}},
		{"trailers without a body (fasthttp#1825)", []http1test.Answer{
			{Raw: "HTTP/1.1 204 No Content\r\nTrailer: X-T\r\n" + chunked + "\r\n", Verdict: withStatus(204, plain("", http1test.Rests, ""))},
			{Method: "HEAD", Raw: ok + "Trailer: X-T\r\n" + chunked + "\r\n", Verdict: plain("", http1test.Rests, "")},
		}},
		{"bad trailers (fasthttp#2188, fasthttp#2301)", []http1test.Answer{
			{Raw: ok + chunked + "\r\n0\r\nX T: 1\r\n\r\n", Verdict: breaks("name of a header is no token")},
			{Raw: ok + chunked + "\r\n0\r\nX-T: 1\n\r\n", Verdict: breaks("ends without CR LF")},
		}},
		{"headers of an interim answer in the final one (caddy#5091, caddy#6656)", []http1test.Answer{
			{Raw: "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\nConnection: close\r\n\r\n" + whole, Verdict: kept},
		}},
		{"a connection is kept after a wrong length (nginx 1.21.4), and the excess passed on (1.19.1)", []http1test.Answer{
			{Raw: ok + two + "\r\nok, and more", Verdict: plain("ok", http1test.Excess, two)},
			{Raw: ok + "Content-Length: 3\r\n\r\nok", HangsUp: true, Verdict: http1test.Verdict{
				Status: 200, Header: http.Header{"Content-Length": {"3"}}, Broken: "unexpected EOF"}},
		}},
		{"an interim answer that nobody knows (nginx#1427)", []http1test.Answer{
			{Raw: "HTTP/1.1 150 Odd\r\n\r\nHTTP/1.1 199 Odder\r\n\r\n" + whole, Verdict: kept},
		}},
		{"two answers to one request (response queue poisoning)", []http1test.Answer{
			{Raw: whole + forged, Verdict: plain("ok", http1test.Excess, two)},
			{Raw: ok + chunked + "\r\n2\r\nok\r\n0\r\n\r\n" + forged, Verdict: plain("ok", http1test.Excess, "")},
			{Raw: ok + "Content-Length: 0\r\n\r\n" + forged, Verdict: plain("", http1test.Excess, "Content-Length: 0\r\n")},
		}},
		{"interim answers without end (Go's TestTransportLimits1xxResponses)", []http1test.Answer{
			{Raw: strings.Repeat("HTTP/1.1 103 Hints\r\n\r\n", 100_000), Verdict: http1test.Verdict{Refused: "more interim answers"}},
			{Raw: strings.Repeat("HTTP/1.1 103 Hints\r\nLink: "+strings.Repeat("x", 90<<10)+"\r\n\r\n", 5), Verdict: http1test.Verdict{Refused: "longer than 256 kB"}},
		}},
	} {
		up := newScripted(t)
		for _, way := range waysTo(t, up) {
			t.Run(trap.name+"/"+way.name, func(t *testing.T) {
				for i := range trap.asks {
					a := &trap.asks[i]
					up.plays(a.Raw, a.HangsUp)
					checkRelayed(t, a, way.ask(t, a.RequestMethod(), leavesOpen(a)))
				}
			})
		}
	}
}

// plain is the verdict on an answer of status 200 with that body, and one header line.
func plain(body string, end http1test.End, line string) http1test.Verdict {
	v := http1test.Verdict{Status: http.StatusOK, Header: http.Header{}, Body: body, End: end}
	if name, value, ok := strings.Cut(strings.TrimSpace(line), ": "); ok {
		v.Header[name] = []string{value}
	}
	return v
}

func withStatus(code int, v http1test.Verdict) http1test.Verdict { v.Status = code; return v }

// breaks is the verdict on an answer in chunks that breaks off.
func breaks(why string) http1test.Verdict {
	return http1test.Verdict{Status: http.StatusOK, Header: http.Header{}, Broken: why}
}

// Text about an error, behind a body that was cut, is taken for a part of it
// (traefik#13568).
func TestTraps_no_text_behind_a_cut_body(t *testing.T) {
	for _, standard := range []bool{false, true} {
		for name, script := range map[string]string{
			"length": "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf",
			"chunks": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\nhalf",
		} {
			f := newFront(t, proxy.Options{}, routing.Route{Path: "/", Upstreams: routing.To(rawUpstream(t, script)), StandardTransport: standard})
			answer := f.talk(t, request("/x"))
			_, body, _ := strings.Cut(answer, "\r\n\r\n")
			if body != "" && body != "half" && body != "4\r\nhalf\r\n" || strings.Count(answer, "HTTP/1.1") > 1 {
				t.Errorf("%s, standard %v: %q", name, standard, answer)
			}
		}
	}
}

// An empty header that the upstream never sent makes browsers refuse a WebSocket
// (traefik#11301).
func TestTraps_no_empty_protocol_of_a_websocket(t *testing.T) {
	up, requests := echoSocket(t)
	for _, standard := range []bool{false, true} {
		f := newFront(t, proxy.Options{}, routing.Route{Path: "/", Upstreams: routing.To(up), StandardTransport: standard})
		conn := f.dial(t)
		_, _ = io.WriteString(conn, handshake)
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		if res.StatusCode != http.StatusSwitchingProtocols || res.Header["Sec-Websocket-Protocol"] != nil {
			t.Errorf("standard %v: %v", standard, res)
		}
		_ = conn.Close()
		if asked := <-requests; asked.Header["Sec-Websocket-Protocol"] != nil {
			t.Errorf("standard %v: the upstream was asked %v", standard, asked.Header)
		}
	}
}

// What comes before a TLS handshake is anybody's (CVE-2026-1642 of nginx).
func TestTraps_nothing_is_read_before_a_TLS_handshake(t *testing.T) {
	const forged = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged"
	up := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "genuine") }))
	up.Config.ErrorLog = log.New(io.Discard, "", 0)
	first := &injecting{Listener: up.Listener}
	up.Listener = first
	up.StartTLS()
	t.Cleanup(up.Close)
	roots := up.Client().Transport.(*http.Transport).TLSClientConfig
	for _, standard := range []bool{false, true} {
		for _, text := range []string{forged, "\x00", ""} {
			first.text.Store(text)
			t.Run(fmt.Sprintf("%.4q, standard %v", text, standard), func(t *testing.T) {
				f := newFront(t, proxy.Options{}.WithUpstreamTLS(roots), routing.Route{Path: "/", Upstreams: routing.To(parse(t, up.URL)), StandardTransport: standard})
				want := map[bool]string{true: "200 OK", false: "502 Bad Gateway"}[text == ""]
				if answer := f.talk(t, request("/x")); status(t, answer) != want || strings.Contains(answer, "forged") {
					t.Errorf("%q", answer)
				}
			})
		}
	}
}

// injecting writes a text at the beginning of each connection.
type injecting struct {
	net.Listener
	text atomic.Value // a string
}

func (i *injecting) Accept() (net.Conn, error) {
	conn, err := i.Listener.Accept()
	if err == nil {
		_, _ = io.WriteString(conn, i.text.Load().(string))
	}
	return conn, err
}
