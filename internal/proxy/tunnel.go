package proxy

import (
	"bufio"
	"context"
	"crypto/sha1" //nolint:gosec // what RFC 6455 demands
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"

	"github.com/gatehouse-auth/gatehouse/internal/http1"
	"github.com/gatehouse-auth/gatehouse/internal/telemetry"
	"github.com/gatehouse-auth/gatehouse/internal/tunnel"
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

// switchProtocols takes the connection away from the server, and leaves it to a tunnel.
func (t *trip) switchProtocols(res *http.Response) error {
	upstream, ok := res.Body.(io.ReadWriteCloser) // which is what a transport gives with a 101
	if !ok {
		_ = res.Body.Close()
		return t.classify(fault(fmt.Sprintf("switch protocols: the body is a %T", res.Body)))
	}
	through, ok := t.reverse.tunnels.Open(nil)
	if !ok {
		_ = upstream.Close()
		if t.reverse.tunnels.Full() {
			return InstanceBusy(errors.New("as many WebSockets are open as may be"))
		}
		return stopping()
	}
	client, buffered, err := http.NewResponseController(t.w).Hijack()
	if err != nil {
		_ = upstream.Close()
		through.Close()
		return fmt.Errorf("switch protocols: %w", err)
	}
	if guard, ok := client.(*http1.RequestGuard); ok {
		client = guard.NetConn() // the client may send frames once it has the answer
	}
	// From here on an error cannot be answered.
	ws := t.socket(through, client, buffered.Reader, upstream)
	t.d.Stream = ws
	if err := t.greet(client, res); err != nil {
		t.note(err)
		ws.End(err)
	}
	return nil
}

// socket is a [Stream] of frames both ways.
type socket struct {
	through  *tunnel.Tunnel
	client   net.Conn
	ahead    io.Reader // of the client: first what the server has read already
	upstream io.ReadWriteCloser
	silence  *silence         // may be nil
	health   *health          // may be nil
	event    *telemetry.Event // may be nil

	ctx context.Context //nolint:containedctx // no handler's: it is how the stream is ended
	end context.CancelCauseFunc
}

func (t *trip) socket(through *tunnel.Tunnel, client net.Conn, ahead *bufio.Reader, upstream io.ReadWriteCloser) *socket {
	ws := &socket{
		through: through, client: client, silence: t.silence, health: t.counted(), event: t.d.Event,
		ahead: fromClient(early(client, ahead), t.silence, t.d.ClientActive), upstream: fromUpstream(upstream, t.silence),
	}
	ws.ctx, ws.end = context.WithCancelCause(context.Background())
	if t.silence != nil {
		t.silence.outlive(ws.end)
		t.silence = nil
	}
	if ws.event != nil {
		// The ResponseWriter does not see this answer.
		ws.event.Status, ws.event.Stream = http.StatusSwitchingProtocols, true
		ws.event.Recorded = through.Close // a stop waits for the log line too
	}
	return ws
}

// End implements [Stream].
func (ws *socket) End(why error) { ws.end(why) }

// Run implements [Stream].
func (ws *socket) Run() {
	defer ws.health.left()
	defer ws.silence.stop()
	defer ws.end(nil)
	stopped := ws.through.Carry(ws.ctx, ws.client, ws.ahead, ws.upstream)
	switch {
	case ws.event == nil:
		ws.through.Close()
	case stopped:
		ws.event.AddNote(noteStopped)
	case errors.Is(context.Cause(ws.ctx), errSilent):
		ws.event.AddNote(noteSilent)
	}
}

// greet writes the answer to the handshake.
func (t *trip) greet(client io.Writer, res *http.Response) error {
	upgrade := res.Header["Upgrade"]
	delete(res.Header, "Content-Length") // of which there is none (RFC 9110 §8.6)
	own := t.w.Header()
	t.reverse.headers.answer(own, res.Header, t.d)
	own["Connection"], own["Upgrade"] = t.d.values.one("Upgrade"), upgrade
	res.Header, res.Body = own, nil // only the head is to be written
	w := bufio.NewWriter(client)
	if err := res.Write(w); err != nil {
		return err
	}
	return w.Flush()
}

// fromClient returns what reads from the client, breaks its silence, and sets active as
// [Decision.ClientActive] is set.
func fromClient(r io.Reader, s *silence, active *atomic.Bool) io.Reader {
	if active == nil && s == nil {
		return r
	}
	return &clientReader{r, s, active}
}

type clientReader struct {
	io.Reader
	silence *silence
	active  *atomic.Bool
}

func (r *clientReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if n > 0 {
		r.silence.broken()
		if r.active != nil && !r.active.Load() { // a write would take the line from whoever looks
			r.active.Store(true)
		}
	}
	return n, err
}

// fromUpstream returns the upstream, whose bytes break the silence.
func fromUpstream(upstream io.ReadWriteCloser, s *silence) io.ReadWriteCloser {
	if s == nil {
		return upstream
	}
	return &upstreamReader{upstream, s}
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
