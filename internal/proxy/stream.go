package proxy

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/connpool"
	"github.com/gatehouse-auth/gatehouse/internal/hangup"
	"github.com/gatehouse-auth/gatehouse/internal/http1"
	"github.com/gatehouse-auth/gatehouse/internal/pieces"
	"github.com/gatehouse-auth/gatehouse/internal/telemetry"
	"github.com/gatehouse-auth/gatehouse/internal/tunnel"
)

// Stream is an answer that goes on when its handler has returned, without what net/http
// holds for a request: server-sent events or a WebSocket, which mostly wait. Its head is
// written, and its connections are its own.
type Stream interface {
	// Run carries the stream to its end, and closes what it has. The record of the request
	// tells of it then.
	Run()
	// End ends the stream, if nothing has before. It may be called at any time, and does
	// not wait.
	End(why error)
}

// events is a [Stream] of server-sent events, over a connection of the pool. It has one
// goroutine, and no buffer while nothing comes.
type events struct {
	client   net.Conn
	exchange *connpool.Exchange
	upstream string  // its name
	health   *health // where the stream counts; may be nil
	headers  *headerPolicy
	watcher  *hangup.Watcher
	event    *telemetry.Event // may be nil
	place    *tunnel.Tunnel

	// silence is how long nothing may come, 0 for as long as it takes, and patience how
	// long a client may take to take a piece.
	silence, patience time.Duration

	mu      sync.Mutex
	why     error // the stream was ended
	running bool  // there is an exchange to abort, and a client to hurry
}

// errClientLeft is why a stream ends whose client does.
const errClientLeft = fault("the client has left")

// mayLeave reports whether the answer may go on without its handler. A request of which
// a part may still be to come stays, and what the transport of net/http reads: that ends
// with the handler's context.
func (t *trip) mayLeave(res *http.Response) bool {
	return t.exchange != nil && t.in.ProtoMajor == 1 && t.in.ProtoMinor == 1 &&
		t.in.Method == http.MethodGet && t.in.ContentLength == 0 &&
		res.StatusCode == http.StatusOK && eventStream(res.Header) && res.ContentLength < 0 && len(res.Trailer) == 0
}

// leaveHandler lets the answer go on without its handler, once its head is written; false:
// it stays. The head has said that the connection ends with it, as its server has lost
// sight of it: what else the client may have sent on it is no request any more.
func (t *trip) leaveHandler() bool {
	s := &events{
		exchange: t.exchange, upstream: t.up.name, health: t.counted(), headers: t.reverse.headers,
		watcher: &t.reverse.known.clients, event: t.d.Event,
		silence: t.d.Route.IdleTimeout, patience: t.reverse.clientTimeout,
	}
	var ok bool
	if s.place, ok = t.reverse.streams.Open(func() { s.End(errStopped) }); !ok {
		return false // the gateway stops, and waits for handlers
	}
	server := http.NewResponseController(t.w)
	if server.Flush() != nil {
		s.place.Close()
		return false
	}
	client, _, err := server.Hijack()
	if err != nil {
		s.place.Close()
		return false
	}
	if guard, ok := client.(*http1.RequestGuard); ok {
		client = guard.NetConn()
	}
	s.client = client
	if s.event != nil {
		s.event.Recorded = s.place.Close // a stop waits for the log line too
	}
	s.exchange.Detach()
	if why := context.Cause(t.in.Context()); why != nil {
		s.End(why) // the exchange has ended with it: the client left with the head, say
	}
	t.d.Stream = s
	return true
}

const errStopped = fault("the gateway stops")

// End implements [Stream].
func (s *events) End(why error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.why != nil {
		return
	}
	if s.why = why; s.running {
		s.hurry()
	}
}

// hurry ends the reading of more, and leaves the client a moment to take the rest. The
// caller holds the lock.
func (s *events) hurry() {
	s.exchange.Abort()
	_ = s.client.SetWriteDeadline(time.Now().Add(partingTime))
}

// ended is why the stream was ended; nil if it was not.
func (s *events) ended() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.why
}

// Run implements [Stream].
func (s *events) Run() {
	defer s.close()
	if s.relay() == nil {
		s.part()
	}
}

// relay passes the answer on to its end, and leaves the upstream then: a client takes a
// moment to part, and that it does ends nothing any more.
func (s *events) relay() error {
	forget := s.watchClient()
	defer s.leave()
	defer forget()
	s.start()
	err := s.carry()
	s.tell(err)
	return err
}

func (s *events) start() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running = true; s.why != nil {
		s.hurry()
	}
}

// leave gives the upstream's connection back, which may be another's from then on.
func (s *events) leave() {
	s.mu.Lock()
	s.running = false
	s.mu.Unlock()
	_ = s.exchange.Close()
	s.health.left()
}

func (s *events) close() {
	_ = s.client.Close()
	if s.event == nil {
		s.place.Close()
	}
}

// part waits a moment for the client to end the connection: closing one on which something
// unread has come would take back what was written (RFC 9112 §9.6).
func (s *events) part() {
	half, ok := s.client.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		return
	}
	_ = s.client.SetReadDeadline(time.Now().Add(partingTime))
	_, _ = io.Copy(io.Discard, s.client)
}

// tell notes how the stream has ended.
func (s *events) tell(err error) {
	var late net.Error
	why := s.ended()
	switch {
	case err == nil || s.event == nil:
		return
	case errors.Is(why, errStopped):
		s.event.AddNote(noteStopped)
	case why == nil && s.silence > 0 && errors.As(err, &late) && late.Timeout():
		s.event.AddNote(noteSilent)
	case why == nil:
		s.event.Err = relayed(s.upstream, err)
	}
	s.event.AddNote("answer cut short")
}

// watchClient ends the stream when its client leaves, until forget is called.
func (s *events) watchClient() (forget func()) {
	left := func() { s.End(errClientLeft) }
	if watched, ok := s.watcher.Watch(s.client, left); ok {
		return watched.Forget
	}
	go func() {
		_, _ = io.Copy(io.Discard, s.client) // nothing, until it leaves or is closed
		left()
	}()
	return func() {}
}

// carry passes the events on as they come. It returns nil at the end of the answer.
func (s *events) carry() error {
	for large, over := false, false; !over; {
		s.exchange.Await(s.silence)
		var err error
		if large, over, err = s.pass(large); err != nil {
			return err
		}
	}
	return nil
}

// pass passes one piece on, and reports whether the next may be a large one and whether
// it was the last.
func (s *events) pass(large bool) (more, last bool, err error) {
	in := pieces.Take(large)
	defer in.Close()
	piece, err := in.Next(s.exchange)
	last = errors.Is(err, io.EOF)
	if len(piece) > 0 || last {
		if err := s.write(piece, last); err != nil {
			return false, false, err
		}
	}
	if last {
		err = nil
	}
	return len(piece) >= pieces.Little, last, err
}

// framed are what is written at once: pieces with their framing.
var framed = sync.Pool{New: func() any { return new(frame) }}

type frame struct{ bytes []byte }

// write writes a piece as a chunk, with the last chunk behind it where it is the last
// (RFC 9112 §7.1).
func (s *events) write(piece []byte, last bool) error {
	f := framed.Get().(*frame)
	defer framed.Put(f)
	b := f.bytes[:0]
	if len(piece) > 0 {
		b = strconv.AppendInt(b, int64(len(piece)), 16)
		b = append(b, "\r\n"...)
		b = append(b, piece...)
		b = append(b, "\r\n"...)
	}
	if last {
		b = append(b, "0\r\n"...)
		b = s.appendTrailers(b)
		b = append(b, "\r\n"...)
	}
	f.bytes = b
	_ = s.client.SetWriteDeadline(time.Now().Add(s.patience))
	// Whoever has ended the stream by now has set an earlier one.
	if err := s.ended(); err != nil {
		return err
	}
	if _, err := s.client.Write(b); err != nil {
		s.End(errClientLeft)
		return err
	}
	if s.event != nil {
		s.event.Bytes += int64(len(piece))
	}
	return nil
}

// appendTrailers appends those that a client may get.
func (s *events) appendTrailers(b []byte) []byte {
	trailers := s.exchange.Trailer
	if len(trailers) == 0 {
		return b
	}
	s.headers.trailer(trailers)
	lines := appender{b}
	_ = trailers.Write(&lines) // which cannot fail
	return lines.bytes
}

// appender is a writer to a slice.
type appender struct{ bytes []byte }

// Write implements [io.Writer].
func (a *appender) Write(p []byte) (int, error) {
	a.bytes = append(a.bytes, p...)
	return len(p), nil
}
