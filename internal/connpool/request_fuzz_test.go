package connpool

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What is sent is one request to whoever reads it, and the one that was meant.
func FuzzRequest(f *testing.F) {
	f.Add("GET", "/a?b", "a.example", "X-A", "1", "x-a", "2", []byte(nil))
	f.Add("POST", "/", "a", "Content-Length", "3", "Transfer-Encoding", "chunked", []byte("abc"))
	f.Add("PUT", "/", "[::1]:80", "content-length", "0", "transfer-encoding", "chunked", []byte("0\r\n\r\nGET / HTTP/1.1\r\n\r\n"))
	f.Add("GET", "/ HTTP/1.1\r\nX: ", "a\r\nX: ", "X\r\n", "1\r\nX: 2", "Host", "b", []byte(nil))
	f.Add("GET", "/", "a", "content-length", "3", "transfer-Encoding", "chunked", []byte(nil))
	f.Add("GET", "/", "a", "content-length", "3", "X", "1", []byte(nil))
	f.Add("PATCH", "*", "a", "Connection", "X-A", "", "", []byte{})
	f.Fuzz(func(t *testing.T, method, target, host, name1, value1, name2, value2 string, body []byte) {
		r := Request{Method: method, Target: target, Host: host, Header: http.Header{name1: {value1}}, Body: body}
		r.Header[name2] = append(r.Header[name2], value2)
		if r.check() != nil {
			return
		}
		head := r.head(nil, false)
		if end := bytes.Index(head, []byte("\r\n\r\n")); end != len(head)-4 || bytes.Count(head, []byte("\n")) != bytes.Count(head, []byte("\r\n")) ||
			bytes.Count(head, []byte("\r")) != bytes.Count(head, []byte("\n")) {
			t.Fatalf("it is no single head: %q", head)
		}
		raw := bufio.NewReader(io.MultiReader(bytes.NewReader(head), bytes.NewReader(body)))
		got, err := http.ReadRequest(raw)
		if err != nil {
			return // it is refused as a whole
		}
		text, err := io.ReadAll(got.Body)
		if rest, _ := io.ReadAll(raw); err != nil || len(rest) > 0 || !bytes.Equal(text, body) {
			t.Errorf("body %q: %q, %v, and behind it %q", body, text, err, rest)
		}
		if got.Method != method || got.RequestURI != target || got.Host != host {
			t.Errorf("%s %q of %q became %s %q of %q", method, target, host, got.Method, got.RequestURI, got.Host)
		}
		if diff := cmp.Diff(canonical(r.Header), canonical(got.Header)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", head, diff)
		}
	})
}

// canonical are the headers but those that frame, as they arrive. Readers make a
// Cache-Control of Pragma.
func canonical(h http.Header) http.Header {
	out := http.Header{}
	for name, values := range h {
		if name = http.CanonicalHeaderKey(name); framing[name] || name == "Cache-Control" {
			continue
		}
		for _, value := range values {
			if name != "User-Agent" || value != "" {
				out[name] = append(out[name], strings.Trim(value, " \t"))
			}
		}
		slices.Sort(out[name])
	}
	return out
}
