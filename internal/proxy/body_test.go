package proxy

import (
	"io"
	"testing"
)

// clientBody counts what is done to it.
type clientBody struct{ reads, closes int }

func (b *clientBody) Read(p []byte) (int, error) { b.reads++; return copy(p, "x"), nil }
func (b *clientBody) Close() error               { b.closes++; return nil }

// When the handler has returned the body is the server's again, though a
// transport may still hold ours; and closing it was never the transport's.
func TestRequestBody_leaves_the_clients_alone_when_it_is_closed(t *testing.T) {
	for _, limit := range []int64{0, 10} {
		client := &clientBody{}
		body := newRequestBody(client, limit)
		if n, err := body.Read(make([]byte, 1)); n != 1 || err != nil {
			t.Fatalf("read: %d, %v", n, err)
		}
		_ = body.Close()
		if n, err := body.Read(make([]byte, 1)); n != 0 || err == nil || err == io.EOF {
			t.Errorf("read after the close: %d, %v", n, err)
		}
		if client.reads != 1 || client.closes != 0 || body.ended() {
			t.Errorf("the client's body: %d reads, %d closes; ended: %v", client.reads, client.closes, body.ended())
		}
	}
}
