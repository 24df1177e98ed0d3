package http1_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-auth/gatehouse/internal/http1"
	"github.com/gatehouse-auth/gatehouse/internal/http1/http1test"
)

func TestReader_makes_of_each_answer_what_it_is(t *testing.T) {
	for _, a := range http1test.Answers() {
		t.Run(a.Name, func(t *testing.T) {
			check(t, &a, read(&a, strings.NewReader(a.Raw)))
		})
	}
}

// Where an answer is cut is up to the network.
func TestReader_reads_in_pieces_what_it_reads_at_once(t *testing.T) {
	for _, a := range http1test.Answers() {
		try := func(from io.Reader) {
			t.Helper()
			got := read(&a, from)
			if a.End == http1test.Excess && got.Broken == "" {
				got.End = http1test.Excess // it may not be read yet, and is for others to notice
			}
			check(t, &a, got)
		}
		try(iotest.OneByteReader(strings.NewReader(a.Raw)))
		for at := range a.Raw {
			if far(at, len(a.Raw)) {
				continue
			}
			try(io.MultiReader(strings.NewReader(a.Raw[:at]), strings.NewReader(a.Raw[at:])))
			if t.Failed() {
				t.Fatalf("%s, cut at %d", a.Name, at)
			}
		}
	}
}

// far reports whether a cut there shows nothing that others do not: long answers are
// all alike but at their ends, and where the reader's buffer is full, which doubles.
func far(at, length int) bool {
	full := func(n int) bool { return n >= 4096 && n&(n-1) == 0 }
	return at > 100 && at < length-100 && !full(at-1) && !full(at) && !full(at+1)
}

// read reads one answer.
func read(a *http1test.Answer, from io.Reader) (got http1test.Verdict) {
	r := http1.NewReader(from)
	head, err := r.ReadHead(a.RequestMethod())
	if err != nil {
		got.Refused = err.Error()
		return got
	}
	body := r.Body(&head)
	text, err := io.ReadAll(&body)
	got.Status, got.Header, got.Body, got.Trailer = head.Status, head.Header, string(text), came(head.Trailer)
	switch {
	case err != nil:
		got.Broken = err.Error()
	case r.Buffered() > 0:
		got.End = http1test.Excess
	case head.Last:
		got.End = http1test.Closed
	case head.Bodiless():
		got.End = http1test.Rests
	default:
		got.End = http1test.Kept
	}
	return got
}

// came returns the trailers that have a value; nil for none.
func came(announced http.Header) http.Header {
	var out http.Header
	for name, values := range announced {
		if values != nil {
			if out == nil {
				out = make(http.Header)
			}
			out[name] = values
		}
	}
	return out
}

// check fails unless the answer came to what it should. What was read of a broken body
// may be any beginning of it.
func check(t *testing.T, a *http1test.Answer, got http1test.Verdict) {
	t.Helper()
	want := a.Verdict
	if want.Refused != "" && strings.Contains(got.Refused, want.Refused) {
		got.Refused = want.Refused
	}
	if want.Broken != "" && strings.Contains(got.Broken, want.Broken) {
		got.Broken, got.Body = want.Broken, ""
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s: %.200q (-want +got):\n%.2000s", a.Name, a.Raw, diff)
	}
}

// A switch of protocols is an end of HTTP, and what that means is the caller's to say.
func TestReader_hands_on_a_switch_of_protocols(t *testing.T) {
	r := http1.NewReader(strings.NewReader("HTTP/1.1 103 Hints\r\n\r\nHTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\nhello"))
	head, err := r.ReadHead(http.MethodGet)
	if err != nil || head.Status != http.StatusSwitchingProtocols || head.Header.Get("Upgrade") != "x" || head.Ending != http1.NoBody {
		t.Errorf("%+v, %v", head, err)
	}
	if r.Buffered() != len("hello") {
		t.Errorf("%d bytes are left", r.Buffered())
	}
}

// TestReader_reads_one_answer_after_the_other: nothing of one is left in the next.
func TestReader_reads_one_answer_after_the_other(t *testing.T) {
	var answers []http1test.Answer
	var raw strings.Builder
	for _, a := range http1test.Answers() {
		if a.End == http1test.Kept {
			answers = append(answers, a)
			raw.WriteString(a.Raw)
		}
	}
	for name, from := range map[string]io.Reader{
		"at once":  strings.NewReader(raw.String()),
		"in bytes": iotest.OneByteReader(strings.NewReader(raw.String())),
		"in pairs": &inPieces{strings.NewReader(raw.String()), 2},
	} {
		r := http1.NewReader(from)
		for i := range answers {
			a := &answers[i]
			r.Begin()
			head, err := r.ReadHead(a.RequestMethod())
			if err != nil {
				t.Fatalf("%s: %s: %v", name, a.Name, err)
			}
			body := r.Body(&head)
			text, err := io.ReadAll(&body)
			check(t, a, http1test.Verdict{Status: head.Status, Header: head.Header, Body: string(text), Trailer: came(head.Trailer), End: http1test.Kept})
			if err != nil || !body.Ended() {
				t.Fatalf("%s: %s: ended is %v, %v", name, a.Name, body.Ended(), err)
			}
		}
		if _, err := r.ReadHead(http.MethodGet); !errors.Is(err, io.EOF) || r.Buffered() > 0 {
			t.Errorf("%s: behind them: %v, and %d bytes are left", name, err, r.Buffered())
		}
	}
}

// inPieces reads so many bytes at once at most.
type inPieces struct {
	io.Reader
	most int
}

func (p *inPieces) Read(b []byte) (int, error) { return p.Reader.Read(b[:min(len(b), p.most)]) }

// Of a piece of data that came, nothing is kept back until more comes.
func TestBody_waits_for_nothing_but_data(t *testing.T) {
	for name, sent := range map[string][]string{
		"length": {"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab", "cd"},
		"chunks": {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n", "2\r\ncd\r\n0\r\n\r\n"},
		"half":   {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nab", "cd\r\n0\r\n\r\n"},
		"close":  {"HTTP/1.1 200 OK\r\n\r\nab", "cd"},
	} {
		near, far := io.Pipe()
		r := http1.NewReader(near)
		go func() { _, _ = io.WriteString(far, sent[0]) }()
		head, err := r.ReadHead(http.MethodGet)
		if err != nil {
			t.Fatal(err)
		}
		body := r.Body(&head)
		buf := make([]byte, 100)
		if n, err := body.Read(buf); string(buf[:n]) != "ab" || err != nil {
			t.Errorf("%s: first %q, %v", name, buf[:n], err)
		}
		go func() { _, _ = io.WriteString(far, sent[1]); _ = far.Close() }()
		if rest, err := io.ReadAll(&body); string(rest) != "cd" || err != nil || !body.Ended() {
			t.Errorf("%s: then %q, %v", name, rest, err)
		}
	}
}

// A reader that waits may hold no buffer, and loses nothing.
func TestReader_releases_its_buffer(t *testing.T) {
	near, far := io.Pipe()
	r := http1.NewReader(near)
	r.Release() // there is none yet
	go func() {
		for _, piece := range []string{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\na", "b\r\n2\r\ncd\r\n0\r\n\r\n"} {
			_, _ = io.WriteString(far, piece)
		}
	}()
	head, err := r.ReadHead(http.MethodGet)
	if err != nil {
		t.Fatal(err)
	}
	r.Release() // what was read ahead stays
	body, got := r.Body(&head), ""
	for !body.Ended() {
		piece := make([]byte, 1)
		n, err := body.Read(piece)
		if got += string(piece[:n]); err != nil && !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
		r.Release()
	}
	if got != "abcd" {
		t.Errorf("read %q", got)
	}
}

func TestReader_tells_whether_a_byte_has_come(t *testing.T) {
	refused := errors.New("refused")
	for name, test := range map[string]struct {
		from  io.Reader
		begun bool
		err   error
	}{
		"nothing":        {strings.NewReader(""), false, io.EOF},
		"an error":       {iotest.ErrReader(refused), false, refused},
		"a byte":         {strings.NewReader("H"), true, io.ErrUnexpectedEOF},
		"one and others": {io.MultiReader(strings.NewReader("H"), iotest.ErrReader(refused)), true, refused},
	} {
		r := http1.NewReader(test.from)
		r.Begin()
		if _, err := r.ReadHead(http.MethodGet); !errors.Is(err, test.err) || r.Begun() != test.begun {
			t.Errorf("%s: begun is %v, %v", name, r.Begun(), err)
		}
	}
}

// A source that brings nothing, again and again, is not waited for.
func TestReader_does_not_spin(t *testing.T) {
	if _, err := http1.NewReader(blank{}).ReadHead(http.MethodGet); !errors.Is(err, io.ErrNoProgress) {
		t.Error(err)
	}
}

type blank struct{}

func (blank) Read([]byte) (int, error) { return 0, nil }

// TestReader_asks_for_no_more_than_it_needs: memory is bounded by what a head may be,
// and what reads on for ever is stopped there.
func TestReader_asks_for_no_more_than_it_needs(t *testing.T) {
	for name, endless := range map[string]string{
		"line":    "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 1<<16),
		"lines":   "HTTP/1.1 200 OK\r\n" + strings.Repeat("X: y\r\n", 1<<12),
		"hints":   strings.Repeat("HTTP/1.1 103 Hints\r\n\r\n", 1<<12),
		"trailer": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + strings.Repeat("X: y\r\n", 1<<12),
		"size":    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;" + strings.Repeat("x", 1<<12),
	} {
		from := &counted{Reader: io.MultiReader(strings.NewReader(endless), repeat(endless[len(endless)/2:]))}
		r := http1.NewReader(from)
		head, err := r.ReadHead(http.MethodGet)
		if err == nil {
			body := r.Body(&head)
			_, err = io.Copy(io.Discard, &body)
		}
		var malformed http1.Malformed
		if !errors.As(err, &malformed) || from.read > 2*http1.MaxHeadBytes {
			t.Errorf("%s: %d bytes were read: %v", name, from.read, err)
		}
	}
}

type counted struct {
	io.Reader
	read int
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.read += n
	return n, err
}

// repeat reads text for ever.
func repeat(text string) io.Reader { return &repeated{text: []byte(text)} }

type repeated struct {
	text []byte
	rest []byte
}

func (r *repeated) Read(p []byte) (int, error) {
	if len(r.rest) == 0 {
		r.rest = bytes.Clone(r.text)
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}
