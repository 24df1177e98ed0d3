package http1_test

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"net/http/httputil"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-auth/gatehouse/internal/http1"
	"github.com/gatehouse-auth/gatehouse/internal/http1/http1test"
)

// What a reader accepts net/http accepts too, and understands alike: the same status,
// headers, body and trailers, and the same bytes behind it. In pieces it is the same.
func FuzzReader(f *testing.F) {
	for _, a := range http1test.Answers() {
		if len(a.Raw) < 8<<10 {
			f.Add(a.Raw, a.RequestMethod() == http.MethodHead, len(a.Raw)/2)
		}
	}
	for _, a := range http1test.Generate(1, 200) {
		f.Add(a.Raw, a.Method == http.MethodHead, len(a.Raw)/3)
	}
	f.Fuzz(func(t *testing.T, raw string, head bool, at int) {
		method := http.MethodGet
		if head {
			method = http.MethodHead
		}
		ours, rest := readOne(method, strings.NewReader(raw))
		if ours.Refused == "" && ours.Broken == "" && ours.Status != http.StatusSwitchingProtocols {
			theirs, restOfTheirs := theirReading(method, raw)
			for _, name := range []string{"Connection", "Trailer", "Cache-Control"} {
				delete(ours.Header, name)
				delete(theirs.Header, name)
			}
			if ours.Body == "" && ours.Header["Content-Length"] == nil {
				delete(theirs.Header, "Content-Length") // which they keep beside chunks where there is no body
			}
			if len(ours.Header["Content-Length"]) == 1 && len(theirs.Header["Content-Length"]) > 1 {
				theirs.Header["Content-Length"] = theirs.Header["Content-Length"][:1] // as they do, but where there is no body
			}
			if diff := cmp.Diff(theirs, ours); diff != "" || rest != restOfTheirs {
				t.Errorf("%q: %d bytes are left of theirs, and %d of ours (-theirs +ours):\n%s", raw, restOfTheirs, rest, diff)
			}
		}
		at = max(0, min(at, len(raw)))
		again, _ := readOne(method, io.MultiReader(strings.NewReader(raw[:at]), strings.NewReader(raw[at:])))
		if ours.Broken != "" {
			again.Body = ours.Body
		}
		again.Header, ours.Header = nil, nil // ours was changed
		if diff := cmp.Diff(ours, again); diff != "" {
			t.Errorf("%q, cut at %d (-whole +cut):\n%s", raw, at, diff)
		}
	})
}

// readOne reads one answer, and returns how many bytes are behind it.
func readOne(method string, from io.Reader) (got http1test.Verdict, rest int) {
	r := http1.NewReader(from)
	head, err := r.ReadHead(method)
	if err != nil {
		return http1test.Verdict{Refused: err.Error()}, 0
	}
	body := r.Body(&head)
	text, err := io.ReadAll(&body)
	got = http1test.Verdict{Status: head.Status, Header: head.Header, Body: string(text), Trailer: came(head.Trailer)}
	if err != nil {
		got.Broken = err.Error()
	}
	unread, _ := io.ReadAll(from)
	return got, r.Buffered() + len(unread)
}

// theirReading is how net/http reads it.
func theirReading(method, raw string) (got http1test.Verdict, rest int) {
	br := bufio.NewReader(strings.NewReader(raw))
	for {
		res, err := http.ReadResponse(br, &http.Request{Method: method})
		if err != nil {
			return http1test.Verdict{Refused: err.Error()}, 0
		}
		text, err := io.ReadAll(res.Body)
		got = http1test.Verdict{Status: res.StatusCode, Header: res.Header, Body: string(text), Trailer: came(res.Trailer)}
		if err != nil {
			got.Broken = err.Error()
		}
		if res.StatusCode >= 200 {
			unread, _ := io.ReadAll(br)
			return got, len(unread)
		}
	}
}

// Of chunks, a reader accepts what Go's own reader accepts, or less, and finds the
// same data in them, whatever pieces they come in.
func FuzzChunks(f *testing.F) {
	const head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	for _, a := range http1test.Answers() {
		if chunks, ok := strings.CutPrefix(a.Raw, head); ok && len(chunks) < 8<<10 {
			f.Add([]byte(chunks), uint8(len(chunks)))
		}
	}
	f.Fuzz(func(t *testing.T, chunks []byte, most uint8) {
		ours, _ := readOne(http.MethodGet, io.MultiReader(strings.NewReader(head), bytes.NewReader(chunks)))
		theirs, err := io.ReadAll(httputil.NewChunkedReader(bytes.NewReader(chunks)))
		switch {
		case ours.Broken == "" && (err != nil || ours.Body != string(theirs)):
			t.Errorf("%q: %q, where Go reads %q, %v", chunks, ours.Body, theirs, err)
		case !strings.HasPrefix(string(theirs), ours.Body):
			t.Errorf("%q: %q before %s, where Go reads %q", chunks, ours.Body, ours.Broken, theirs)
		}
		slow, _ := readOne(http.MethodGet, io.MultiReader(strings.NewReader(head), &inPieces{bytes.NewReader(chunks), 1 + int(most)}))
		if diff := cmp.Diff(ours, slow); diff != "" {
			t.Errorf("%q in pieces of %d (-whole +pieces):\n%s", chunks, 1+int(most), diff)
		}
	})
}
