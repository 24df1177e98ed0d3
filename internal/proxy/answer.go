package proxy

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/pieces"
)

// answer passes the upstream's answer on. It panics with [http.ErrAbortHandler]
// if the answer breaks off, so that the client does not take a part for the whole.
func (t *trip) answer(res *http.Response) {
	leaves := t.mayLeave(res)
	announced := t.begin(res, leaves)
	if leaves && t.leaveHandler() {
		return
	}
	err := t.copyBody(res)
	// The trailers are known when the body is closed.
	_ = res.Body.Close()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	t.trailers(res, announced)
}

// begin writes status and header, and returns the trailers it announced. Last says that the
// client's connection ends with the answer.
func (t *trip) begin(res *http.Response, last bool) (announced []string) {
	own := t.w.Header()
	if last || t.unfinished() {
		own["Connection"] = t.d.values.one("close")
	}
	if t.d.Event != nil {
		t.d.Event.Stream = eventStream(res.Header)
	}
	t.reverse.headers.answer(own, res.Header, t.d)
	t.reverse.headers.trailer(res.Trailer)
	for name := range res.Trailer {
		announced = append(announced, name)
	}
	t.setLength(own, res, len(announced) > 0)
	if len(announced) > 0 {
		own["Trailer"] = t.d.values.one(strings.Join(announced, ", "))
	}
	if _, typed := own["Content-Type"]; !typed {
		own["Content-Type"] = nil // net/http would guess one, and so overrule nosniff
	}
	t.w.WriteHeader(res.StatusCode)
	return announced
}

// setLength sets Content-Length to the number that was parsed. Over HTTP/2 an
// upstream's header may hold several values, or no number, and net/http would
// write all of it to an HTTP/1 client.
func (t *trip) setLength(own http.Header, res *http.Response, trailers bool) {
	var digits [20]byte
	length := strconv.AppendInt(digits[:0], res.ContentLength, 10)
	switch values := own["Content-Length"]; {
	// HTTP/1.1 needs chunks for trailers. Beside chunks a length counts for nothing (RFC
	// 9112 §6.3), though net/http keeps it in the answer to a HEAD. A 204 has no length,
	// and a 304 would tell that of another answer (RFC 9110 §8.6).
	case trailers, res.ContentLength < 0, len(res.TransferEncoding) > 0,
		res.StatusCode == http.StatusNoContent, res.StatusCode == http.StatusNotModified:
		delete(own, "Content-Length")
	case len(values) != 1 || values[0] != string(length):
		own["Content-Length"] = t.d.values.one(string(length))
	}
}

// copyBody passes the body on as it comes, and flushes while more is to come. It
// flushes the header of a stream at once, because its first byte may take long.
func (t *trip) copyBody(res *http.Response) error {
	client := http.NewResponseController(t.w)
	stream := res.ContentLength < 0 || eventStream(res.Header)
	if stream {
		_ = client.Flush() // a writer that cannot is no reason to fail, here and below
	}
	in := pieces.Take(res.ContentLength > pieces.Little || stream && !eventStream(res.Header))
	defer in.Close()
	for rest := res.ContentLength; ; {
		piece, err := in.Next(res.Body)
		t.letGo(err)
		if len(piece) > 0 {
			t.silence.broken()
			rest -= int64(len(piece))
			if err := t.pass(client, piece, stream || rest > 0); err != nil {
				return err
			}
			t.silence.broken()
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

// clientTimeout is how long a client may take to read a piece of an answer, of at most
// [pieces.Most]. One that does not read holds memory, here and at the upstream.
const clientTimeout = time.Minute

// pass writes a piece of the body. Where more is to come it is sent at once, and waited
// for; the last piece, which mostly is the only one, is the server's to send.
func (t *trip) pass(client *http.ResponseController, piece []byte, more bool) error {
	if !more {
		if t.in.ProtoMajor == 2 { // of HTTP/1 the connection's own limit
			_ = client.SetWriteDeadline(time.Now().Add(t.reverse.clientTimeout))
		}
		_, err := t.w.Write(piece)
		return err
	}
	_ = client.SetWriteDeadline(time.Now().Add(t.reverse.clientTimeout))
	// Whoever has ended the trip by now has set an earlier one.
	if err := context.Cause(t.in.Context()); err != nil {
		return err
	}
	if _, err := t.w.Write(piece); err != nil {
		return err
	}
	_ = client.Flush()
	_ = client.SetWriteDeadline(time.Time{}) // the next piece may be long in coming
	return nil
}

// letGo leaves the upstream's connection to others as far as it can after a read that
// ended so, before the client is written to: that may read as slowly as it likes, or
// nothing at all.
func (t *trip) letGo(err error) {
	switch {
	case t.exchange == nil:
	case err == nil:
		t.exchange.Stream()
	case errors.Is(err, io.EOF):
		_ = t.exchange.Close()
	}
}

// trailers writes the trailers. Those that were not announced reach a client of HTTP/1.1
// if the answer came without a length, as it is written in chunks then. HTTP/2 alone
// can carry others.
func (t *trip) trailers(res *http.Response, announced []string) {
	if t.exchange != nil {
		res.Trailer = t.exchange.Trailer
	}
	t.reverse.headers.trailer(res.Trailer)
	own := t.w.Header()
	for name, values := range res.Trailer {
		if !slices.Contains(announced, name) {
			name = http.TrailerPrefix + name
		}
		own[name] = values
	}
}
