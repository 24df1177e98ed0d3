package proxy

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// answer passes the upstream's answer on. It panics with
// [http.ErrAbortHandler] if that breaks off, so that the half is not taken for
// the whole.
func (t *trip) answer(res *http.Response) {
	announced := t.begin(res)
	err := t.copyBody(res)
	// Closed here, as only then the trailers are known.
	_ = res.Body.Close()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	t.end(res, announced)
}

// begin writes status and header, and returns the trailers it announced.
func (t *trip) begin(res *http.Response) (announced []string) {
	own := t.w.Header()
	if t.unfinished() {
		own["Connection"] = t.d.values.one("close")
	}
	if t.d.Event != nil {
		t.d.Event.Stream = eventStream(res.Header)
	}
	t.reverse.headers.answer(res.Header, own, t.d)
	t.reverse.headers.trailer(res.Trailer)
	for name := range res.Trailer {
		announced = append(announced, name)
	}
	t.setLength(res, len(announced) > 0)
	if len(announced) > 0 {
		own["Trailer"] = t.d.values.one(strings.Join(announced, ", "))
	}
	add(own, res.Header)
	if _, typed := own["Content-Type"]; !typed {
		own["Content-Type"] = nil // net/http would guess one, and so overrule nosniff
	}
	t.w.WriteHeader(res.StatusCode)
	return announced
}

// setLength sets Content-Length from what was parsed, and from nothing else: an
// upstream's header may hold several values over HTTP/2, or what is no number,
// and net/http would write all of it to an HTTP/1 client.
func (t *trip) setLength(res *http.Response, trailers bool) {
	var digits [20]byte
	length := strconv.AppendInt(digits[:0], res.ContentLength, 10)
	switch values := res.Header["Content-Length"]; {
	// Together with trailers HTTP/1.1 needs chunks. A 204 has no length, and that
	// of a 304 is another answer's (RFC 9110 §8.6).
	case trailers, res.ContentLength < 0, res.StatusCode == http.StatusNoContent, res.StatusCode == http.StatusNotModified:
		delete(res.Header, "Content-Length")
	case len(values) != 1 || values[0] != string(length):
		res.Header["Content-Length"] = t.d.values.one(string(length))
	}
}

// add gives h the headers of from, which nobody else uses any more.
func add(h, from http.Header) {
	for name, values := range from {
		if before := h[name]; len(before) > 0 {
			values = append(slices.Clip(before), values...)
		}
		h[name] = values
	}
}

// copyBody passes the body on as it comes, and holds nothing back while there is
// more to come. What has no length, or is a stream of events, has its header
// flushed at once: the first byte may be long in coming.
func (t *trip) copyBody(res *http.Response) error {
	client := http.NewResponseController(t.w)
	stream := res.ContentLength < 0 || eventStream(res.Header)
	if stream {
		_ = client.Flush() // a writer that cannot is no reason to fail, here and below
	}
	buffer := bufferPool.Get().(*[bufferBytes]byte)
	defer bufferPool.Put(buffer)
	for rest := res.ContentLength; ; {
		n, err := res.Body.Read(buffer[:])
		if n > 0 {
			rest -= int64(n)
			if _, err := t.w.Write(buffer[:n]); err != nil {
				return err
			}
			if stream || rest > 0 {
				_ = client.Flush()
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			t.note(err)
			return err
		}
	}
}

// bufferPool holds array pointers, because a slice would be allocated anew each
// time it is put back.
var bufferPool = sync.Pool{New: func() any { return new([bufferBytes]byte) }}

// end writes the trailers. Only what came without a length has any that were not
// announced, and that is in chunks already.
func (t *trip) end(res *http.Response, announced []string) {
	t.reverse.headers.trailer(res.Trailer)
	own := t.w.Header()
	for name, values := range res.Trailer {
		if !slices.Contains(announced, name) {
			name = http.TrailerPrefix + name
		}
		own[name] = values
	}
}
