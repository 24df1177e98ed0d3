package fleet

import (
	"bufio"
	"context"
	"crypto/sha1" //nolint:gosec // what RFC 6455 demands
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// What of the API lasts until somebody ends it.
const (
	eventsPath   = "/api/events"
	downloadPath = "/api/download"
	socketPath   = "/api/socket"
)

// stream answers a request for one of these, and reports whether it was for one.
func stream(w http.ResponseWriter, r *http.Request) bool {
	switch r.URL.Path {
	case eventsPath:
		w.Header().Set("Content-Type", "text/event-stream")
		drip(r.Context(), w, "data: tick\n\n")
	case downloadPath:
		w.Header().Set("Content-Length", "1000000000000")
		drip(r.Context(), w, "x")
	case socketPath:
		takeSocket(w, r)
	default:
		return false
	}
	return true
}

func drip(ctx context.Context, w http.ResponseWriter, text string) {
	for ctx.Err() == nil {
		_, _ = io.WriteString(w, text)
		_ = http.NewResponseController(w).Flush()
		select {
		case <-ctx.Done():
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// takeSocket takes a WebSocket's handshake (RFC 6455 §4.2.2) and sends nothing on it.
func takeSocket(w http.ResponseWriter, r *http.Request) {
	sum := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")) //nolint:gosec // it guards nothing
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer func() { _ = conn.Close() }()
	_, _ = fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: %s\r\n\r\n",
		base64.StdEncoding.EncodeToString(sum[:]))
	_, _ = io.Copy(io.Discard, conn)
}

// Stream is an answer that lasts.
type Stream struct {
	body io.ReadCloser
}

// Open opens a stream at an instance. It returns once the first of it has come, or of a
// WebSocket the handshake's answer.
func (b *Browser) Open(ctx context.Context, instance int, path string) (*Stream, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, PublicURL+path, nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	want := http.StatusOK
	if path == socketPath {
		want = http.StatusSwitchingProtocols
		for name, value := range map[string]string{"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
			"Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==", "Origin": PublicURL} {
			r.Header.Set(name, value)
		}
	}
	res, err := b.at(instance).Do(r)
	if err != nil {
		return nil, err
	}
	if res.StatusCode != want {
		_ = res.Body.Close()
		return nil, fmt.Errorf("GET %s: status %d", path, res.StatusCode)
	}
	s := &Stream{res.Body}
	if path != socketPath {
		if _, err := io.ReadFull(res.Body, make([]byte, 1)); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// Rest reads the stream until it ends. The error says that its end is one that a client
// takes for the whole.
func (s *Stream) Rest() (string, error) {
	defer func() { _ = s.body.Close() }()
	text, err := io.ReadAll(bufio.NewReader(s.body))
	if _, socket := s.body.(io.Writer); err == nil && !socket {
		return string(text), errors.New("the answer is whole")
	}
	return string(text), nil
}

// Close leaves the stream.
func (s *Stream) Close() { _ = s.body.Close() }
