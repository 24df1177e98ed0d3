package http1

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// get is a request without a body, post one with three bytes, chunked one with three in
// two chunks.
const (
	get     = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n"
	post    = "POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"
	chunked = "POST /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n2;x=y\r\nbc\r\n0\r\nT: v\r\n\r\n"
)

// head is a request with these lines, all of which end as they say.
func head(lines string) string { return "POST / HTTP/1.1\r\nHost: x\r\n" + lines + "\r\n" }

// refusedRequests are requests that readers disagree about, with the bytes that may pass.
var refusedRequests = []struct {
	name, text string
	passes     string
	err        error
}{
	{"length, then chunks", head("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n"), "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding", errBoth},
	{"chunks, then length", head("Transfer-Encoding: chunked\r\nA: b\r\ncontent-LENGTH: 3\r\n"), "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nA: b\r\ncontent-LENGTH", errBoth},
	{"an empty length beside chunks", head("Transfer-Encoding: chunked\r\nContent-Length:\r\n"), "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length", errBoth},
	{"chunks in HTTP/1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", "POST / HTTP/1.0\r\nTransfer-Encoding", errOldChunks},
	{"a version of its own", "GET / HTTP/1.2\r\nHost: x\r\n\r\n", "GET / HTTP/1.2\r", errVersion},
	{"no version", "GET /\r\n\r\n", "GET /\r", errVersion},
	{"HTTP/2 in HTTP/1.1", "PRI * HTTP/2.0\r\nHost: x\r\nContent-Length: 3\r\n\r\n", "PRI * HTTP/2.0\r", errVersion},
	{"two lengths", head("Content-Length: 3\r\nContent-Length: 4\r\n"), "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r", errLengths},
	{"a length with a sign", head("Content-Length: +3\r\n"), "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: +3\r", errLength},
	{"a list of lengths", head("Content-Length: 3, 3\r\n"), "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3, 3\r", errLength},
	{"a length out of sight", head("Content-Length: " + strings.Repeat(" ", 80) + "3\r\n"), "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: " + strings.Repeat(" ", 80) + "3\r", errLength},
	{"a folded line", head("A: b\r\n c\r\n"), "POST / HTTP/1.1\r\nHost: x\r\nA: b\r\n", errFolded},
	{"a line folded by a tab", head("Transfer-Encoding:\r\n\tchunked\r\n"), "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding:\r\n", errFolded},
	{"LF behind the request line", "GET / HTTP/1.1\nHost: x\r\n\r\n", "GET / HTTP/1.1", errBareLF},
	{"LF behind a header", head("A: b\n"), "POST / HTTP/1.1\r\nHost: x\r\nA: b", errBareLF},
	{"LF at the end of the head", "GET / HTTP/1.1\r\nHost: x\r\n\n", "GET / HTTP/1.1\r\nHost: x\r\n", errBareLF},
	{"LF before a request", "\nGET / HTTP/1.1\r\nHost: x\r\n\r\n", "", errBareLF},
	{"CR in a header", head("A: b\rC: d\r\n"), "POST / HTTP/1.1\r\nHost: x\r\nA: b\r", errBareCR},
	{"CR twice", "GET / HTTP/1.1\r\r\nHost: x\r\n\r\n", "GET / HTTP/1.1\r", errBareCR},
	{"a size with a sign", head("Transfer-Encoding: chunked\r\n") + "+1\r\na\r\n0\r\n\r\n", head("Transfer-Encoding: chunked\r\n"), errChunkSize},
	{"a size in hexadecimal's other dress", head("Transfer-Encoding: chunked\r\n") + "0x1\r\na\r\n0\r\n\r\n", head("Transfer-Encoding: chunked\r\n") + "0", errChunkSize},
	{"a blank behind a size", head("Transfer-Encoding: chunked\r\n") + "1 \r\na\r\n0\r\n\r\n", head("Transfer-Encoding: chunked\r\n") + "1", errChunkSize},
	{"LF behind a size", head("Transfer-Encoding: chunked\r\n") + "1\na\r\n0\r\n\r\n", head("Transfer-Encoding: chunked\r\n") + "1", errChunkSize},
	{"LF in an extension", head("Transfer-Encoding: chunked\r\n") + "1;a\nb\r\na\r\n0\r\n\r\n", head("Transfer-Encoding: chunked\r\n") + "1;a", errChunkLine},
	{"no CR LF behind a chunk", head("Transfer-Encoding: chunked\r\n") + "1\r\nab\r\n0\r\n\r\n", head("Transfer-Encoding: chunked\r\n") + "1\r\na", errChunkEnd},
	{"a folded trailer", head("Transfer-Encoding: chunked\r\n") + "0\r\nA: b\r\n c\r\n\r\n", head("Transfer-Encoding: chunked\r\n") + "0\r\nA: b\r\n c\r\n\r", errFolded},
	{"LF behind a trailer", head("Transfer-Encoding: chunked\r\n") + "0\r\nA: b\n\r\n", head("Transfer-Encoding: chunked\r\n") + "0\r\nA: b", errLineEnd},
}

func TestRequests_refuses_what_readers_disagree_about(t *testing.T) {
	for _, before := range []string{"", get, post, chunked} {
		for _, test := range refusedRequests {
			t.Run(test.name, func(t *testing.T) {
				text := before + test.text + get
				for _, piece := range []int{len(text), 1, 2, 3, 7} {
					var r Requests
					passed, err := look(&r, text, piece)
					if passed != before+test.passes || err != test.err {
						t.Errorf("in pieces of %d: %q pass, and then %v; want %q, %v", piece, passed, err, before+test.passes, test.err)
					}
				}
			})
		}
	}
}

// look shows text to r in pieces, and returns what passes.
func look(r *Requests, text string, piece int) (passed string, err error) {
	for at := 0; at < len(text); at += piece {
		p := []byte(text[at:min(at+piece, len(text))])
		n, err := r.Look(p)
		if err != nil {
			return text[:at+n], err
		}
		if n != len(p) {
			return text[:at+n], io.ErrShortBuffer
		}
	}
	return text, nil
}

func TestRequests_lets_pass_what_is_well_formed(t *testing.T) {
	for _, text := range []string{
		get, post, chunked, get + post + chunked + get,
		"\r\n" + get,
		head("Content-Length: 0\r\n"), head("Content-Length:3\r\n") + "abc", head("Content-Length: \t003 \r\n") + "abc",
		head("Content-Length: 3\r\nContent-Length: 3\r\n") + "abc",
		head("transfer-encoding:CHUNKED\r\n") + "0\r\n\r\n",
		head("Cookie: "+strings.Repeat("c", 5000)+"\r\nTE: trailers\r\nContent-Type: a:b\r\n") + get,
		"GET /" + strings.Repeat("a", 5000) + " HTTP/1.1\r\nHost: x\r\n\r\n" + get,
		"GET / HTTP/1.0\r\n\r\n",
		head("Transfer-Encoding: chunked\r\n") + "\x41\r\n" + strings.Repeat("\n", 10) + "",
	} {
		for _, piece := range []int{len(text), 1, 2, 5, 80, 81} {
			var r Requests
			if passed, err := look(&r, text, piece); err != nil {
				t.Errorf("%.60q in pieces of %d: %v behind %d bytes", text, piece, err, len(passed))
			}
		}
	}
}

func TestRequests_looks_at_nothing_that_is_not_HTTP1(t *testing.T) {
	frames := "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\n \r"
	if _, err := look(&Requests{HTTP2: true}, frames, 3); err != nil {
		t.Errorf("HTTP/2 with prior knowledge: %v", err)
	}
	if _, err := look(&Requests{}, frames, 3); err == nil {
		t.Error("the frames of HTTP/2 pass where it is not spoken")
	}
	for _, none := range []string{"PRI * HTTP/2.0\r\nHost: x\r\n\r\n" + get, "PRI * HTTP/2.0\r\n\r\nSM\r\n\n"} {
		for _, piece := range []int{1, 3, 100} {
			if _, err := look(&Requests{HTTP2: true}, none, piece); err != errPreface {
				t.Errorf("%q: %v", none, err)
			}
		}
	}
	if _, err := look(&Requests{HTTP2: true}, get+frames, 3); err == nil {
		t.Error("the frames of HTTP/2 pass behind a request of HTTP/1.1")
	}
	var r Requests
	if _, err := look(&r, get, 9); err != nil {
		t.Fatal(err)
	}
	r.Raw()
	if _, err := look(&r, "\x81\n\n \r", 2); err != nil {
		t.Errorf("a WebSocket: %v", err)
	}
}

// net/http's reader must end where this one does: behind each request that both take, the
// next begins at the same byte.
func FuzzRequests(f *testing.F) {
	for _, seed := range []string{get, post, chunked, get + post + chunked} {
		f.Add([]byte(seed))
	}
	for _, test := range refusedRequests {
		f.Add([]byte(test.text + get))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		theirs := endsByNetHTTP(text)
		if ours := endsByRequests(text); !slices.Equal(theirs, ours[:min(len(ours), len(theirs))]) {
			t.Errorf("%q: net/http sees requests end at %v, and these are the ends here: %v", text, theirs, ours)
		}
	})
}

// endsByNetHTTP returns where requests end, up to the first that net/http or we refuse.
func endsByNetHTTP(text []byte) (ends []int) {
	var r Requests
	good, _ := r.Look(text)
	src := bytes.NewReader(text[:good])
	in := bufio.NewReader(src)
	for {
		req, err := http.ReadRequest(in)
		if err != nil {
			return ends
		}
		if _, err := io.Copy(io.Discard, req.Body); err != nil {
			return ends
		}
		ends = append(ends, good-src.Len()-in.Buffered())
	}
}

func endsByRequests(text []byte) (ends []int) {
	var r Requests
	for i := range text {
		before := r.state
		if _, err := r.Look(text[i : i+1]); err != nil {
			return ends
		}
		if r.begun && r.state == inHead && r.line == 0 && r.lines == 0 && (before != inHead || text[i] == '\n') {
			ends = append(ends, i+1)
		}
	}
	return ends
}

// A server of net/http's answers 400 to each, behind the answer to the request before it,
// closes the connection, and serves nothing that stands behind.
func TestRequestGuard_has_the_server_refuse(t *testing.T) {
	var served []string
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := io.Copy(io.Discard, r.Body)
		if err != nil {
			w.Header().Set("Connection", "close")
			http.Error(w, "", http.StatusBadRequest)
			return
		}
		served = append(served, r.URL.Path)
	})}
	for _, test := range refusedRequests {
		t.Run(test.name, func(t *testing.T) {
			client, conn := net.Pipe()
			served = nil
			var why error
			guard := NewRequestGuard(conn, false, func(err error) { why = err })
			done := make(chan struct{})
			closed := make(chan net.Conn, 1)
			server.ConnState = func(c net.Conn, s http.ConnState) {
				if s == http.StateClosed {
					closed <- c
					close(done)
				}
			}
			go func() { _ = server.Serve(&one{conn: guard, closed: closed}) }()
			go func() { _, _ = client.Write([]byte(get + test.text + get)) }()
			in := bufio.NewReader(client)
			first, err := http.ReadResponse(in, nil)
			if err != nil || first.StatusCode != http.StatusOK {
				t.Fatalf("the request before is answered by %v, %v", first, err)
			}
			second, err := http.ReadResponse(in, nil)
			if err != nil || second.StatusCode != http.StatusBadRequest || !second.Close {
				t.Fatalf("answered by %v, %v", second, err)
			}
			_ = client.Close()
			<-done
			if why != test.err || !slices.Equal(served, []string{"/a"}) {
				t.Errorf("served %v, refused for %v; want /a alone, and %v", served, why, test.err)
			}
		})
	}
}

// one is a listener to which one connection comes.
type one struct {
	conn   net.Conn
	closed chan net.Conn
}

func (l *one) Accept() (net.Conn, error) {
	if c := l.conn; c != nil {
		l.conn = nil
		return c, nil
	}
	<-l.closed
	return nil, net.ErrClosed
}
func (l *one) Close() error   { return nil }
func (l *one) Addr() net.Addr { return &net.TCPAddr{} }

func BenchmarkRequests(b *testing.B) {
	text := []byte("GET /api/orders?page=2 HTTP/1.1\r\nHost: app.example.com\r\n")
	for i := range 16 {
		text = append(text, "X-Header-"+strconv.Itoa(i)+": "+strings.Repeat("v", 30)+"\r\n"...)
	}
	text = append(text, "Cookie: __Host-Http-gatehouse="+strings.Repeat("c", 90)+"\r\n\r\n"...)
	var r Requests
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Look(text); err != nil {
			b.Fatal(err)
		}
	}
}
