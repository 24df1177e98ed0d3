package proxy

import (
	"bufio"
	"crypto/sha1" //nolint:gosec // what RFC 6455 demands
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/http1"
)

// webSocketUpgrade reports whether the request is a WebSocket handshake that may
// be tunnelled: a GET over HTTP/1.1 without a body, with one key, that asks for
// websocket alone (RFC 6455 §4.1). No other protocol is let through.
func webSocketUpgrade(r *http.Request) bool {
	return webSocket(r.Header) && r.Method == http.MethodGet && r.ProtoMajor == 1 && r.ProtoMinor == 1 &&
		r.ContentLength == 0 && len(r.TransferEncoding) == 0 && len(r.Header[webSocketKey]) == 1
}

// As net/http spells them, not as RFC 6455 does.
const (
	webSocketKey    = "Sec-Websocket-Key"
	webSocketAccept = "Sec-Websocket-Accept"
)

// webSocketAnswer reports whether the upstream switches to WebSocket and answers
// this handshake's key (RFC 6455 §4.2.2). An upstream that does not might take the
// client's bytes for requests.
func webSocketAnswer(res *http.Response, asked *http.Request) bool {
	accept := res.Header[webSocketAccept]
	if !webSocket(res.Header) || len(accept) != 1 {
		return false
	}
	sum := sha1.Sum([]byte(asked.Header.Get(webSocketKey) + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")) //nolint:gosec // what the RFC demands; it guards nothing
	return accept[0] == base64.StdEncoding.EncodeToString(sum[:])
}

func webSocket(h http.Header) bool {
	upgrade := h["Upgrade"]
	return len(upgrade) == 1 && strings.EqualFold(upgrade[0], "websocket") && lists(h["Connection"], "upgrade")
}

const errUnasked = fault("it switches protocols without being asked, or without the right Sec-WebSocket-Accept")

// switchProtocols takes the connection away from the server and lets a tunnel
// carry it to its end.
func (t *trip) switchProtocols(res *http.Response) error {
	upstream, ok := res.Body.(io.ReadWriteCloser) // which is what a transport gives with a 101
	if !ok {
		_ = res.Body.Close()
		return t.classify(fault(fmt.Sprintf("switch protocols: the body is a %T", res.Body)))
	}
	defer func() { _ = upstream.Close() }()
	through, ok := t.reverse.tunnels.Open()
	switch {
	case !ok && t.reverse.tunnels.Full():
		return InstanceBusy(errors.New("as many WebSockets are open as may be"))
	case !ok:
		return stopping()
	}
	if t.d.Event == nil {
		defer through.Close()
	} else {
		t.d.Event.Recorded = through.Close // a stop waits for the log line too
	}
	client, buffered, err := http.NewResponseController(t.w).Hijack()
	if err != nil {
		return fmt.Errorf("switch protocols: %w", err)
	}
	defer func() { _ = client.Close() }()
	if guard, ok := client.(*http1.RequestGuard); ok {
		guard.Raw() // the client may send frames once it has the answer
	}
	// From here on an error cannot be answered.
	if t.d.Event != nil {
		// The ResponseWriter does not see this answer.
		t.d.Event.Status, t.d.Event.Stream = http.StatusSwitchingProtocols, true
	}
	if err := t.greet(buffered.Writer, res); err != nil {
		t.note(err)
		return nil
	}
	ended := through.Carry(t.in.Context(), client, t.fromClient(early(client, buffered.Reader)), t.fromUpstream(upstream))
	if ended && t.d.Event != nil {
		t.d.Event.AddNote("ended by the stop of the gateway")
	}
	return nil
}

// greet writes the answer to the handshake.
func (t *trip) greet(w *bufio.Writer, res *http.Response) error {
	upgrade := res.Header["Upgrade"]
	delete(res.Header, "Content-Length") // of which there is none (RFC 9110 §8.6)
	own := t.w.Header()
	t.reverse.headers.answer(own, res.Header, t.d)
	own["Connection"], own["Upgrade"] = t.d.values.one("Upgrade"), upgrade
	res.Header, res.Body = own, nil // only the head is to be written
	if err := res.Write(w); err != nil {
		return err
	}
	return w.Flush()
}

// fromClient returns what reads from the client, breaks its silence, and sets
// [Decision.ClientActive].
func (t *trip) fromClient(r io.Reader) io.Reader {
	if t.d.ClientActive == nil && t.silence == nil {
		return r
	}
	return &clientReader{r, t}
}

type clientReader struct {
	io.Reader
	t *trip
}

func (r *clientReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if n > 0 {
		r.t.silence.broken()
		if active := r.t.d.ClientActive; active != nil && !active.Load() { // a write would take the line from whoever looks
			active.Store(true)
		}
	}
	return n, err
}

// fromUpstream returns the upstream, whose bytes break the silence.
func (t *trip) fromUpstream(upstream io.ReadWriteCloser) io.ReadWriteCloser {
	if t.silence == nil {
		return upstream
	}
	return &upstreamReader{upstream, t.silence}
}

type upstreamReader struct {
	io.ReadWriteCloser
	silence *silence
}

func (r *upstreamReader) Read(p []byte) (int, error) {
	n, err := r.ReadWriteCloser.Read(p)
	if n > 0 {
		r.silence.broken()
	}
	return n, err
}

// CloseWrite ends the direction towards the upstream alone.
func (r *upstreamReader) CloseWrite() error {
	half, ok := r.ReadWriteCloser.(interface{ CloseWrite() error })
	if !ok {
		return errors.ErrUnsupported
	}
	return half.CloseWrite()
}

// early returns what reads from the client: first the bytes that the server has
// read ahead.
func early(client io.Reader, ahead *bufio.Reader) io.Reader {
	if ahead.Buffered() == 0 {
		return client
	}
	return io.MultiReader(io.LimitReader(ahead, int64(ahead.Buffered())), client)
}
