package http1test

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
)

// Generate makes answers that are right, or wrong in a place or two. The same seed
// makes the same ones. They have no verdict: whoever reads them compares readers.
func Generate(seed uint64, count int) []Answer {
	g := generator{rand.New(rand.NewPCG(seed, 0))} //nolint:gosec // guards nothing
	all := make([]Answer, count)
	for i := range all {
		a := &all[i]
		a.Name, a.Method = fmt.Sprint("generated ", i), g.pick("GET", "GET", "GET", "HEAD", "POST")
		a.Raw = g.answer()
		for g.one(3) {
			a.Raw = g.mutate(a.Raw)
		}
		a.HangsUp = g.one(4) || needsEnd(a.Method, a.Raw)
	}
	return all
}

// needsEnd reports whether net/http reads on for more than there is, or reads nothing
// of it: an upstream that sends no more must close the connection then.
func needsEnd(method, raw string) bool {
	from := &ending{Reader: strings.NewReader(raw)}
	br := bufio.NewReader(from)
	for {
		res, err := http.ReadResponse(br, &http.Request{Method: method})
		if err != nil {
			return true
		}
		_, err = io.Copy(io.Discard, res.Body)
		_ = res.Body.Close()
		if err != nil {
			return true
		}
		if res.StatusCode >= 200 {
			return from.reached
		}
	}
}

// ending tells whether its end was reached.
type ending struct {
	io.Reader
	reached bool
}

func (e *ending) Read(p []byte) (int, error) {
	n, err := e.Reader.Read(p)
	e.reached = e.reached || err != nil
	return n, err
}

type generator struct{ *rand.Rand }

func (g generator) pick(from ...string) string { return from[g.IntN(len(from))] }

// one is true once in n times.
func (g generator) one(n int) bool { return g.IntN(n) == 0 }

// answer makes one, with interim answers before it and something behind it at times.
func (g generator) answer() string {
	var b strings.Builder
	for g.one(8) {
		b.WriteString("HTTP/1.1 " + g.pick("100 Continue", "102 Processing", "103 Early Hints", "199 Odd") + "\r\n" +
			g.pick("", "", "Link: </a.css>\r\n", "Content-Length: 0\r\n", "Content-Length: 1\r\n", "Connection: close\r\n") + "\r\n")
	}
	b.WriteString(g.statusLine())
	framing, body := g.framed()
	fields := append(g.fields(), framing...)
	g.Shuffle(len(fields), func(i, j int) { fields[i], fields[j] = fields[j], fields[i] })
	for _, field := range fields {
		b.WriteString(field + "\r\n")
	}
	b.WriteString("\r\n" + body)
	if g.one(8) {
		b.WriteString(g.pick("x", "\r\n", "0\r\n\r\n", forged, "HTTP/1.1 100 Continue\r\n\r\n"))
	}
	return b.String()
}

func (g generator) statusLine() string {
	version := "HTTP/1.1"
	if g.one(12) {
		version = g.pick("HTTP/1.0", "HTTP/1.0", "HTTP/1.2", "HTTP/2.0", "http/1.1", "HTTP/1.01", " HTTP/1.1")
	}
	status := g.pick("200 OK", "200 OK", "200 OK", "200", "200 ", "404 Not Found", "204 No Content", "304 Not Modified", "205 Reset Content", "500 \xff")
	if g.one(20) {
		status = g.pick("999 Odd", "600 Odd", "099 Odd", "20 OK", "2000 OK", " 200 OK", "+20 OK", "101 Switching Protocols", "200\tOK", "200 O\x00K")
	}
	return version + " " + status + "\r\n"
}

// framed makes a body, and the lines that frame it.
func (g generator) framed() (lines []string, body string) {
	data := g.pick("", "x", "ok", "0\r\n\r\n", strings.Repeat("data", 10), strings.Repeat("much data ", 1000))
	length := fmt.Sprintf("Content-Length: %d", len(data))
	switch g.IntN(10) {
	case 0:
		return nil, data
	case 1:
		return []string{length, length}, data
	case 2:
		return []string{length, g.pick("Content-Length: 1", "Content-Length: 0"+length[len("Content-Length: "):], "content-length:"+length[len("Content-Length:"):])}, data
	case 3:
		return []string{g.pick("Content-Length: ", "Content-Length: +2", "Content-Length: 2, 2", "Content-Length: 0x2", "Content-Length: 99999999999999999999", "Content-Length: 3")}, data
	case 4:
		return []string{length, "Transfer-Encoding: chunked"}, g.inChunks(data)
	case 5:
		return []string{"Transfer-Encoding: " + g.pick("gzip, chunked", "identity", "", "xchunked", "chunked, chunked", "\tchunked ", "CHUNKED", "chun\u212aed")}, g.inChunks(data)
	case 6, 7:
		return []string{g.pick("Transfer-Encoding: chunked", "transfer-encoding:chunked")}, g.inChunks(data)
	}
	return []string{length}, data
}

func (g generator) inChunks(data string) string {
	var b strings.Builder
	for data != "" {
		n := 1 + g.IntN(len(data))
		fmt.Fprintf(&b, g.pick("%x", "%x", "%X", "%04x", "%x;a=b", "%x ; a", "%x;\"q\""), n)
		b.WriteString("\r\n" + data[:n] + "\r\n")
		data = data[n:]
	}
	b.WriteString(g.pick("0", "0", "0", "00", "0;a") + "\r\n")
	for g.one(4) {
		b.WriteString(g.pick("X-T: 1", "x-t: 2", "X-Sum: 3", "Content-Length: 9", "Connection: X-A", "Set-Cookie: a=b", "X :1", "X") + "\r\n")
	}
	return b.String() + "\r\n"
}

// fields makes lines that frame nothing.
func (g generator) fields() (lines []string) {
	for range g.IntN(4) {
		lines = append(lines, g.pick("X-A: 1", "x-a: 2", "X-B:", "X-B: \t b \t", "Content-Type: text/plain", "Set-Cookie: a=b", "Vary: Accept", "Etag: \"x\"",
			"Connection: keep-alive", "Connection: x-a", "Trailer: X-T", "Trailer: X-T, X-Sum", "Keep-Alive: timeout=5", "Content_Length: 7", "X-C: \xc3\xa4"))
	}
	if g.one(6) {
		lines = append(lines, g.pick("Connection: close", "Connection: close, x-a", "Connection: CLOSE", "Connection: closed", "Upgrade: h2c", "Pragma: no-cache",
			"Content-Length : 3", " folded", "X", ": 1", "X\x00: 1", "X: 1\x002", "X: 1\r2", "X: 1\n2", "Trailer: Content-Length", "Trailer: ,", "\xff: 1"))
	}
	return lines
}

// mutate changes a place or two.
func (g generator) mutate(raw string) string {
	if raw == "" {
		return raw
	}
	at := g.IntN(len(raw))
	if g.one(2) { // heads matter more than bodies
		at = g.IntN(min(len(raw), 120))
	}
	odd := g.pick("\r", "\n", "\r\n", "\r\n\r\n", " ", "\t", ":", ",", ";", "0", "1", "9", "a", "F", "x", "+", "-", "\x00", "\x7f", "\x80", "\xff", "\"", "\u212a", "HTTP/1.1 ")
	end := min(len(raw), at+1+g.IntN(4))
	switch g.IntN(6) {
	case 0:
		return raw[:at] + raw[end:]
	case 1:
		return raw[:at] + odd + raw[at:]
	case 2:
		return raw[:at] + odd + raw[at+1:]
	case 3:
		return raw[:end] + raw[at:]
	case 4:
		return raw[:at]
	}
	if i := strings.Index(raw[at:], "\r\n"); i >= 0 { // at a line's end faults hide best
		return raw[:at+i] + g.pick("\n", "\r", "\r\r\n", " \r\n", "\n\r", "") + raw[at+i+2:]
	}
	return raw + odd
}
