package http1

import (
	"net/http"
	"strings"
	"testing"

	"golang.org/x/net/http/httpguts"
)

// A connection that one reader closes and another keeps is where answers are mixed up.
func FuzzListed(f *testing.F) {
	for _, line := range []string{"close", "Close", " close\t", "keep-alive, close", "close;x", "x close", "", ",", "clo\u017fe", "\"close\"", "close\x00"} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		if got, want := listed(line, "close"), httpguts.HeaderValuesContainsToken([]string{line}, "close"); got != want {
			t.Errorf("%q lists close: %v, and to net/http %v", line, got, want)
		}
		// What is hidden from net/http is close, and nothing else.
		if strings.ContainsAny(line, "\r\n") {
			return
		}
		hidden, ok := strings.CutPrefix(withoutClose("HTTP/1.1 200 OK\r\nconnection:"+line+"\r\n\r\n"), "HTTP/1.1 200 OK\r\nconnection:")
		hidden, end := strings.CutSuffix(hidden, "\r\n\r\n")
		if !ok || !end || httpguts.HeaderValuesContainsToken([]string{hidden}, "close") {
			t.Errorf("%q without close: %q", line, hidden)
		}
		for item := range strings.SplitSeq(line, ",") {
			if name := strings.Trim(item, " \t"); httpguts.ValidHeaderFieldName(name) && !strings.EqualFold(name, "close") && !listed(hidden, name) {
				t.Errorf("%q without close: %q does not name %s", line, hidden, name)
			}
		}
	})
}

// A request ends at the same byte, whatever pieces it is written in; and what is over
// stays so.
func FuzzAsked(f *testing.F) {
	for _, request := range []string{
		"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
	} {
		f.Add(request, 7)
	}
	f.Fuzz(func(t *testing.T, raw string, at int) {
		var whole, cut asked
		whole.begin()
		whole.pass([]byte(raw))
		at = max(0, min(at, len(raw)))
		cut.begin()
		cut.pass([]byte(raw[:at]))
		before := cut.over()
		cut.pass([]byte(raw[at:]))
		if whole.over() != cut.over() || before && !cut.over() {
			t.Errorf("%q, cut at %d: over is %v, %v and then %v", raw, at, whole.over(), before, cut.over())
		}
	})
}

func TestAsked_is_over_where_the_request_ends(t *testing.T) {
	for _, body := range []string{"", "abc", strings.Repeat("x", 10_000)} {
		for _, known := range []bool{true, false} {
			r, _ := http.NewRequest(http.MethodPost, "http://a/", struct{ *strings.Reader }{strings.NewReader(body)})
			if known {
				r.ContentLength = int64(len(body))
			}
			var raw strings.Builder
			if err := r.Write(&raw); err != nil {
				t.Fatal(err)
			}
			var a asked
			a.begin()
			for i := range raw.Len() {
				if a.over() {
					t.Fatalf("it is over after %d of %d bytes", i, raw.Len())
				}
				a.pass([]byte(raw.String()[i : i+1]))
			}
			if !a.over() {
				t.Errorf("it is not over behind %q", raw.String())
			}
		}
	}
}
