// Package http1test has answers of upstreams, good and bad, and says what a gateway
// is to make of each. It serves the tests of whatever reads answers: they all must
// come to the same.
//
// The one invariant: an answer that readers may understand differently is refused, or
// is the last of its connection.
package http1test

import (
	"net/http"
	"strconv"
	"strings"
)

// Answer is what an upstream sends when it is asked, and what it comes to.
type Answer struct {
	Name string
	// Method is the request's. Default: GET.
	Method string
	// Raw are the bytes; the upstream closes the connection behind them if it HangsUp.
	Raw     string
	HangsUp bool
	Verdict
}

// Verdict is what an answer comes to.
type Verdict struct {
	// Refused is why there is no answer at all: a part of the error's text.
	Refused string
	// Broken is why the body ends before its end.
	Broken string

	Status int
	// Header has no framing but Content-Length.
	Header http.Header
	Body   string
	// Trailer is nil if none came.
	Trailer http.Header
	End     End
}

// End is what becomes of the connection.
type End int

const (
	Closed End = iota
	// Kept connections carry the next request.
	Kept
	// Rests says that no bytes tell where the answer ends: the connection is kept at
	// most by somebody who waits whether more comes.
	Rests
	// Excess says that bytes have come that belong to no answer.
	Excess
)

// RequestMethod is the request's method.
func (a *Answer) RequestMethod() string {
	if a.Method == "" {
		return http.MethodGet
	}
	return a.Method
}

// Answers returns all of them, by subject in the order of RFC 9112.
func Answers() []Answer {
	var all []Answer
	for _, some := range [][]Answer{statusLines(), lines(), lengths(), codings(), chunks(), trailers(), interims(), bodiless(), ends()} {
		all = append(all, some...)
	}
	return all
}

const (
	ok      = "HTTP/1.1 200 OK\r\n"
	two     = "Content-Length: 2\r\n"
	chunked = "Transfer-Encoding: chunked\r\n"

	whole  = ok + two + "\r\nok"       // an answer and nothing else
	pieces = ok + chunked + "\r\n"     // the head of one in chunks
	forged = ok + two + "\r\nno"       // what nobody has asked for
	inTwo  = "1\r\no\r\n1\r\nk\r\n"    // a body without its end
	last   = "0\r\n\r\n"               // the end of chunks
	full   = "2\r\nok\r\n0\r\n\r\n"    // a body in chunks
	tail   = "2\r\nok\r\n0\r\nX-T: 1"  // one with a trailer that goes on
	cut    = "unexpected EOF"          // the text of io.ErrUnexpectedEOF
	maxima = 256<<10 - len(ok+two) - 4 // what a head has room for beside these
)

// header makes a header of names and values in turn.
func header(pairs ...string) http.Header {
	h := make(http.Header)
	for i := 0; i < len(pairs); i += 2 {
		h[pairs[i]] = append(h[pairs[i]], pairs[i+1])
	}
	return h
}

// passed is the verdict on an answer with the body "ok" and its length.
func passed(pairs ...string) Verdict {
	return Verdict{Status: 200, Header: header(append(pairs, "Content-Length", "2")...), Body: "ok", End: Kept}
}

// inChunks is the verdict on one in chunks.
func inChunks(pairs ...string) Verdict {
	return Verdict{Status: 200, Header: header(pairs...), Body: "ok", End: Kept}
}

// closed is the verdict with another end.
func (v Verdict) closed() Verdict { return v.with(Closed) }

func (v Verdict) with(end End) Verdict { v.End = end; return v }

func (v Verdict) status(code int) Verdict { v.Status = code; return v }

func (v Verdict) body(text string) Verdict { v.Body = text; return v }

func (v Verdict) trailer(pairs ...string) Verdict { v.Trailer = header(pairs...); return v }

func refused(why string) Verdict { return Verdict{Refused: why} }

// broken is the verdict on an answer in chunks of which "ok" may have come.
func broken(why string) Verdict {
	return Verdict{Status: 200, Header: header(), Broken: why}
}

const (
	notHTTP  = "does not begin with HTTP/1.0"
	lineEnd  = "ends without CR LF"
	badName  = "name of a header is no token"
	badValue = "value of a header holds control characters"
	folded   = "begins with a blank"
)

// statusLines are answers by their first line (RFC 9112 §4).
func statusLines() []Answer {
	rest := "\r\n" + two + "\r\nok"
	all := []Answer{
		{Name: "an answer", Raw: whole, Verdict: passed()},
		{Name: "no reason phrase", Raw: "HTTP/1.1 200" + rest, Verdict: passed()},
		{Name: "an empty reason phrase", Raw: "HTTP/1.1 200 " + rest, Verdict: passed()},
		{Name: "a reason phrase beyond ASCII", Raw: "HTTP/1.1 200 \xc4rger" + rest, Verdict: passed()},
		{Name: "a status that nobody knows", Raw: "HTTP/1.1 299 Odd" + rest, Verdict: passed().status(299)},
		{Name: "a status of 600", Raw: "HTTP/1.1 600 Odd" + rest, Verdict: passed().status(600)},
		{Name: "a status of 999", Raw: "HTTP/1.1 999 Odd" + rest, Verdict: passed().status(999)},
		{Name: "HTTP/1.0", Raw: "HTTP/1.0 200 OK" + rest, Verdict: passed().closed()},
		{
			Name: "HTTP/1.0 that would stay", Raw: "HTTP/1.0 200 OK\r\nConnection: keep-alive" + rest,
			Verdict: passed("Connection", "keep-alive").closed(),
		},
		{Name: "a control character in the reason phrase", Raw: "HTTP/1.1 200 O\x1bK" + rest, Verdict: refused("reason phrase holds control characters")},
		{Name: "CR in the reason phrase", Raw: "HTTP/1.1 200 O\rK" + rest, Verdict: refused("reason phrase holds control characters")},
		{Name: "nothing", Raw: "", HangsUp: true, Verdict: refused("EOF")},
		{Name: "half a status line", Raw: "HTTP/1.1 2", HangsUp: true, Verdict: refused(cut)},
		{Name: "half a version", Raw: "HTT", HangsUp: true, Verdict: refused(cut)},
		{Name: "half a header", Raw: ok + "X: ", HangsUp: true, Verdict: refused(cut)},
		{Name: "a head without its end", Raw: ok + two + "\r", HangsUp: true, Verdict: refused(cut)},
	}
	for _, line := range []string{
		"HTTP/2.0 200 OK", "HTTP/0.9 200 OK", "HTTP/1.2 200 OK", "HTTP/1.10 200 OK", "HTTP/1. 200 OK", "HTTP/11 200 OK", "HTTP/1.1200 OK",
		"http/1.1 200 OK", "HTTPS/1.1 200 OK", "ICY 200 OK", " HTTP/1.1 200 OK", "\tHTTP/1.1 200 OK", "200 OK", "<html>", "SSH-2.0-OpenSSH",
		"HTTP/1.1", "HTTP/1.1 ", "HTTP/1.1  200 OK", "HTTP/1.1\t200 OK", "HTTP/1.1 200\tOK", "HTTP/1.1 200OK", "HTTP/1.1 200,OK",
		"HTTP/1.1 20 OK", "HTTP/1.1 2000 OK", "HTTP/1.1 +20 OK", "HTTP/1.1 -20 OK", "HTTP/1.1 2x0 OK", "HTTP/1.1 2 0 OK", "HTTP/1.1 0x1 OK", "HTTP/1.1 OK",
		"HTTP/1.1 000 Odd", "HTTP/1.1 099 Odd", "\r\nHTTP/1.1 200 OK", "\nHTTP/1.1 200 OK", "0\r\n\r\nHTTP/1.1 200 OK", "\x00HTTP/1.1 200 OK", "\xef\xbb\xbfHTTP/1.1 200 OK",
	} {
		all = append(all, Answer{Name: "first line " + strconv.Quote(line), Raw: line + rest, Verdict: refused(notHTTP)})
	}
	return all
}

// lines are answers by the lines of their heads (§2.2, §5).
func lines() []Answer {
	all := []Answer{
		{Name: "names in any case", Raw: ok + "x-ONE: 1\r\ncontent-LENGTH: 2\r\n\r\nok", Verdict: passed("X-One", "1")},
		{Name: "the same name again", Raw: ok + "X: 1\r\nY: a\r\nx: 2\r\n" + two + "\r\nok", Verdict: passed("X", "1", "X", "2", "Y", "a")},
		{Name: "no value", Raw: ok + "X:\r\n" + two + "\r\nok", Verdict: passed("X", "")},
		{Name: "blanks around a value", Raw: ok + "X: \t 1 2 \t \r\n" + two + "\r\nok", Verdict: passed("X", "1 2")},
		{Name: "a tab in a value", Raw: ok + "X: 1\t2\r\n" + two + "\r\nok", Verdict: passed("X", "1\t2")},
		{Name: "a colon in a value", Raw: ok + "X:: 1:\r\n" + two + "\r\nok", Verdict: passed("X", ": 1:")},
		{Name: "a value beyond ASCII", Raw: ok + "X: \xc3\xa4\xff\x80\r\n" + two + "\r\nok", Verdict: passed("X", "\xc3\xa4\xff\x80")},
		{Name: "odd names that are tokens", Raw: ok + "!#$%&'*+-.^_`|~9: 1\r\n" + two + "\r\nok", Verdict: passed("!#$%&'*+-.^_`|~9", "1")},
		{Name: "names like those that frame", Raw: ok + "Content_Length: 9\r\nTransfer_Encoding: chunked\r\nContent-Lengths: 9\r\n" + two + "\r\nok", Verdict: passed(
			"Content_length", "9", "Transfer_encoding", "chunked", "Content-Lengths", "9")},
		{Name: "a head of 1000 lines", Raw: ok + two + strings.Repeat("X: 1\r\n", 999) + "\r\nok", Verdict: passed(repeated("X", "1", 999)...)},
		{Name: "a head of 1001 lines", Raw: ok + two + strings.Repeat("X: 1\r\n", 1000) + "\r\nok", Verdict: refused("more than 1000 lines")},
		{
			Name: "a head of 256 kB", Raw: ok + two + "X:" + strings.Repeat("x", maxima-2) + "\r\n\r\nok",
			Verdict: passed("X", strings.Repeat("x", maxima-2)),
		},
		{Name: "a head of a byte more", Raw: ok + two + "X:" + strings.Repeat("x", maxima-1) + "\r\n\r\nok", Verdict: refused("longer than 256 kB")},
		{Name: "a line without an end", Raw: ok + "X: " + strings.Repeat("x", 300<<10), Verdict: refused("longer than 256 kB")},
		{Name: "bare LF behind the status line", Raw: "HTTP/1.1 200 OK\n" + two + "\r\nok", Verdict: refused(lineEnd)},
		{Name: "bare LF behind a header", Raw: ok + "Content-Length: 2\n\r\nok", Verdict: refused(lineEnd)},
		{Name: "bare LF behind the head", Raw: ok + two + "\nok", Verdict: refused(lineEnd)},
		{Name: "bare LF behind all lines", Raw: "HTTP/1.1 200 OK\nContent-Length: 2\n\nok", Verdict: refused(lineEnd)},
		{Name: "LF CR", Raw: ok + "X: 1\n\r" + two + "\r\nok", Verdict: refused(lineEnd)},
		{Name: "CR before CR LF", Raw: ok + "X: 1\r\r\n" + two + "\r\nok", Verdict: refused(badValue)},
		{Name: "CR for a head's end", Raw: ok + two + "\r\r\n\r\nok", Verdict: refused(badName)},
		{Name: "CR for a line's end", Raw: ok + "X: 1\rY: 2\r\n" + two + "\r\nok", Verdict: refused(badValue)},
		{Name: "a line folded by a space", Raw: ok + "X: 1\r\n 2\r\n" + two + "\r\nok", Verdict: refused(folded)},
		{Name: "a line folded by a tab", Raw: ok + "X: 1\r\n\t2\r\n" + two + "\r\nok", Verdict: refused(folded)},
		{Name: "a length that is folded", Raw: ok + "Content-Length:\r\n 2\r\n\r\nok", Verdict: refused("Content-Length is no number")},
		{Name: "a line of a blank", Raw: ok + " \r\n" + two + "\r\nok", Verdict: refused(folded)},
		{Name: "a first line that is folded", Raw: ok + " Content-Length: 9\r\n" + two + "\r\nok", Verdict: refused(folded)},
	}
	for _, c := range []string{"\x00", "\x01", "\x08", "\x0b", "\x0c", "\x1b", "\x7f"} {
		all = append(all, Answer{Name: strconv.Quote(c) + " in a value", Raw: ok + "X: 1" + c + "2\r\n" + two + "\r\nok", Verdict: refused(badValue)})
	}
	for _, name := range []string{
		"", "X ", "X\t", "Content-Length ", "Transfer-Encoding\t", "X Y", "(X", "X\x00", "X\r", "\x7f", "\xc3\xa4", "X\xa0", "X@", "\"X\"", "X/Y", "{X}", "Content-Length=",
	} {
		all = append(all, Answer{Name: "the name " + strconv.Quote(name), Raw: ok + name + ": 2\r\n" + two + "\r\nok", Verdict: refused(badName)})
	}
	for _, line := range []string{"X", "X 1", "Content-Length 2", "HTTP/1.1 200 OK", "\x00"} {
		all = append(all, Answer{Name: "the line " + strconv.Quote(line), Raw: ok + line + "\r\n" + two + "\r\nok", Verdict: refused(badName)})
	}
	return all
}

func repeated(name, value string, n int) (pairs []string) {
	for range n {
		pairs = append(pairs, name, value)
	}
	return pairs
}
