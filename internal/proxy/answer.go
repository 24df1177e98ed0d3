package proxy

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
)

// answer passes the upstream's answer on. It panics with
// [http.ErrAbortHandler] if that breaks off, so that the half is not taken for
// the whole.
func (x *exchange) answer(res *http.Response) {
	announced := x.begin(res)
	err := x.copyBody(res)
	// Closed here, as only then the trailers are known.
	_ = res.Body.Close()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	x.end(res, announced)
}

// begin writes status and header, and returns the trailers it announced.
func (x *exchange) begin(res *http.Response) (announced []string) {
	own := x.w.Header()
	if x.unfinished() {
		own["Connection"] = x.d.values.one("close")
	}
	dropHopByHop(res.Header)
	x.reverse.headers.editResponse(res.Header, own, x.d)
	x.reverse.headers.filter(res.Trailer)
	if len(res.Trailer) > 0 {
		// HTTP/2 has length and trailers together; HTTP/1.1 needs chunks for them.
		delete(res.Header, "Content-Length")
		for name := range res.Trailer {
			if framing(name) {
				continue
			}
			announced = append(announced, name)
		}
		own["Trailer"] = x.d.values.one(strings.Join(announced, ", "))
	}
	add(own, res.Header)
	if _, typed := own["Content-Type"]; !typed {
		own["Content-Type"] = nil // net/http would guess one, and so overrule nosniff
	}
	x.w.WriteHeader(res.StatusCode)
	return announced
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
func (x *exchange) copyBody(res *http.Response) error {
	client := http.NewResponseController(x.w)
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
			if _, gone := x.w.Write(buffer[:n]); gone != nil {
				return gone
			}
			if stream || rest > 0 {
				_ = client.Flush()
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			x.note(err)
			return err
		}
	}
}

// bufferPool holds array pointers, because a slice would be allocated anew each
// time it is put back.
var bufferPool = sync.Pool{New: func() any { return new([bufferBytes]byte) }}

// framing reports whether a header is about the message's transfer, which no
// trailer may be: whoever merges trailers into the header would read the message
// otherwise (RFC 9110 §6.5.1).
func framing(name string) bool { return hopByHop(name) || name == "Content-Length" }

// end writes the trailers. Only what came without a length has any that were not
// announced, and that is in chunks already.
func (x *exchange) end(res *http.Response, announced []string) {
	x.reverse.headers.filter(res.Trailer)
	own := x.w.Header()
	for name, values := range res.Trailer {
		if framing(name) {
			continue
		}
		if !slices.Contains(announced, name) {
			name = http.TrailerPrefix + name
		}
		own[name] = values
	}
}
