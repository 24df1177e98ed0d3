package main

import (
	"bufio"
	"bytes"
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// call is the request that a measurement repeats, and the answer it must get.
type call struct {
	method  string
	url     *url.URL
	cookies []string // of one request after another, in turn
	headers [][2]string
	body    []byte
	answer  int // length of the answer in bytes; anySize: whatever it says
}

// anySize is the answer of which no length is known.
const anySize = -1

// get is a call of a page for the small answer.
func (p *party) get(path string) (call, error) { return p.call("GET", path, nil, answerSize) }

func (p *party) call(method, path string, body []byte, answer int) (call, error) {
	target, err := url.Parse(p.base + path)
	if err != nil {
		return call{}, err
	}
	c := call{method: method, url: target, cookies: []string{p.cookies}, headers: browserHeaders(), body: body, answer: answer}
	c.headers = append(c.headers, p.proof()...)
	if method != "GET" {
		c.headers = append(c.headers, [2]string{"Origin", p.base})
	}
	return c, nil
}

// proof is the header that shows an access token of the caller's own, if there is one.
func (p *party) proof() [][2]string {
	if p.bearer == "" {
		return nil
	}
	return [][2]string{{"Authorization", "Bearer " + p.bearer}}
}

// browserHeaders are what a browser sends with a call of a page, but for its cookies.
func browserHeaders() [][2]string {
	return [][2]string{
		{"User-Agent", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"},
		{"Accept", "application/json"},
		{"Accept-Language", "en-GB,en;q=0.9,de;q=0.8"},
		{"Accept-Encoding", "gzip, deflate, br, zstd"},
		{"Sec-Fetch-Site", "same-origin"},
		{"Sec-Fetch-Mode", "cors"},
		{"Sec-Fetch-Dest", "empty"},
		{"Sec-CH-UA", `"Chromium";v="140", "Not=A?Brand";v="24"`},
		{"Sec-CH-UA-Mobile", "?0"},
	}
}

// plainCookies stands in for the session where there is none, so that every variant
// gets a request of about the same size.
var plainCookies = "gatehouse=" + strings.Repeat("A", 180)

// cookieLine is the Cookie header's value: the session's amid others.
func cookieLine(cookies string) string {
	return "theme=dark; " + cookies + "; consent=necessary.statistics.2026"
}

// lines are the headers, one a line as wrk and h2load take them, the cookies included.
func (c call) lines() []string {
	lines := make([]string, 0, len(c.headers)+1)
	for _, h := range c.headers {
		lines = append(lines, h[0]+": "+h[1])
	}
	return append(lines, "Cookie: "+cookieLine(c.cookies[0]))
}

// message is the request by HTTP/1.1, split where the cookies stand.
type message struct{ before, after []byte }

func (c call) message() message {
	var before, after bytes.Buffer
	fmt.Fprintf(&before, "%s %s HTTP/1.1\r\nHost: %s\r\n", c.method, c.url.RequestURI(), c.url.Host)
	for _, h := range c.headers {
		fmt.Fprintf(&before, "%s: %s\r\n", h[0], h[1])
	}
	cut := strings.SplitN(cookieLine("|"), "|", 2)
	before.WriteString("Cookie: " + cut[0])
	after.WriteString(cut[1] + "\r\n")
	if c.body != nil {
		fmt.Fprintf(&after, "Content-Length: %d\r\n", len(c.body))
	}
	after.WriteString("\r\n")
	return message{before.Bytes(), after.Bytes()}
}

// append writes the head of a request with these cookies behind b.
func (m message) append(b []byte, cookies string) []byte {
	return append(append(append(b, m.before...), cookies...), m.after...)
}

// readAnswer takes one answer off the connection. It understands just what the
// upstream sends, and so costs far less than the proxies it measures. An answer that
// is not the upstream's is an error: a fast refusal must not count as speed.
func readAnswer(r *bufio.Reader, want int) error {
	length, err := readHead(r)
	if err != nil {
		return err
	}
	if length < 0 || want != anySize && length != want {
		return fmt.Errorf("the answer has a length of %d bytes and not of the upstream's %d", length, want)
	}
	_, err = r.Discard(length)
	return err
}

// readHead takes status line and headers off, and returns the body's length; -1 if
// the answer does not say it.
func readHead(r *bufio.Reader) (length int, err error) {
	status, err := r.ReadSlice('\n')
	if err != nil {
		return 0, fmt.Errorf("read the status line: %w", err)
	}
	if !bytes.HasPrefix(status, []byte("HTTP/1.1 200 ")) && !bytes.HasPrefix(status, []byte("HTTP/1.1 101 ")) {
		return 0, fmt.Errorf("the answer was %q and not 200", strings.TrimSpace(string(status)))
	}
	length = -1
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return 0, fmt.Errorf("read a header: %w", err)
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			return length, nil
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		if bytes.EqualFold(name, []byte("Content-Length")) {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return 0, fmt.Errorf("read Content-Length: %w", err)
			}
		}
	}
}
