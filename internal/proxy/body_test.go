package proxy

import (
	"errors"
	"io"
	"strings"
	"testing"
)

// clientBody counts what is done to it.
type clientBody struct{ reads, closes int }

func (b *clientBody) Read(p []byte) (int, error) { b.reads++; return copy(p, "x"), nil }
func (b *clientBody) Close() error               { b.closes++; return nil }

// slowBody is at its end, but says so only when it may.
type slowBody struct{ entered, leave chan struct{} }

func (b *slowBody) Read([]byte) (int, error) {
	close(b.entered)
	<-b.leave
	return 0, io.EOF
}
func (b *slowBody) Close() error { return nil }

// When the handler has returned the body is the server's again, though a
// transport may still hold ours; and closing it was never the transport's.
func TestRequestBody_leaves_the_clients_alone_when_it_is_closed(t *testing.T) {
	for _, limit := range []int64{0, 10} {
		for name, end := range map[string]func(*requestBody){
			"by the trip":      (*requestBody).close,
			"by the transport": func(b *requestBody) { _ = b.first.Close() },
		} {
			client := &clientBody{}
			body := newRequestBody(client, limit)
			if n, err := body.first.Read(make([]byte, 1)); n != 1 || err != nil {
				t.Fatalf("%s: read: %d, %v", name, n, err)
			}
			end(body)
			if n, err := body.first.Read(make([]byte, 1)); n != 0 || !errors.Is(err, errBodyClosed) {
				t.Errorf("%s: read after the close: %d, %v", name, n, err)
			}
			if client.reads != 1 || client.closes != 0 || body.ended() {
				t.Errorf("%s: the client's body: %d reads, %d closes; ended: %v", name, client.reads, client.closes, body.ended())
			}
		}
	}
}

func TestRequestBody_can_be_sent_again_while_little_was_read(t *testing.T) {
	for name, test := range map[string]struct {
		length int // of the body
		read   int // before the second try
		again  bool
	}{
		"nothing read":            {100, 0, true},
		"some read":               {100, 10, true},
		"all read":                {100, 100, true},
		"as long as may be":       {replayBytes, replayBytes, true},
		"too long":                {replayBytes + 1, replayBytes + 1, false},
		"too long, not yet shown": {replayBytes + 1, replayBytes, true},
		"too long, begun":         {replayBytes + 1, 10, true},
	} {
		sent := strings.Repeat("0123456789", test.length/10+1)[:test.length]
		body := newRequestBody(io.NopCloser(strings.NewReader(sent)), 0)
		if _, err := io.ReadFull(&body.first, make([]byte, test.read)); err != nil {
			t.Fatal(err)
		}
		if test.read == test.length {
			_, _ = body.first.Read(make([]byte, 1)) // the end of it
		}
		second, err := body.again()
		if !test.again {
			if !errors.Is(err, errBodySpent) {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if n, err := body.first.Read(make([]byte, 1)); n != 0 || err == nil {
			t.Errorf("%s: the first try still reads: %d, %v", name, n, err)
		}
		if got, err := io.ReadAll(second); err != nil || string(got) != sent {
			t.Errorf("%s: the second try reads %d bytes, %v", name, len(got), err)
		}
		if !body.ended() {
			t.Errorf("%s: not ended", name)
		}
	}
}

func TestRequestBody_is_not_sent_again(t *testing.T) {
	t.Run("once_answered", func(t *testing.T) {
		body := newRequestBody(io.NopCloser(strings.NewReader("hello")), 0)
		_, _ = io.ReadFull(&body.first, make([]byte, 2))
		body.answered()
		if _, err := body.again(); !errors.Is(err, errBodySpent) || body.kept != nil {
			t.Errorf("%v, with %d bytes kept", err, len(body.kept))
		}
		if rest, err := io.ReadAll(&body.first); err != nil || string(rest) != "llo" {
			t.Errorf("the rest is %q, %v", rest, err)
		}
	})
	t.Run("while_it_is_read", func(t *testing.T) {
		client := &slowBody{entered: make(chan struct{}), leave: make(chan struct{})}
		body := newRequestBody(client, 0)
		read := make(chan error)
		go func() {
			_, err := body.first.Read(make([]byte, 1))
			read <- err
		}()
		<-client.entered
		if _, err := body.again(); !errors.Is(err, errBodySpent) {
			t.Errorf("%v", err)
		}
		close(client.leave)
		if err := <-read; !errors.Is(err, io.EOF) {
			t.Errorf("the first try ends with %v", err)
		}
	})
	t.Run("when_it_is_broken", func(t *testing.T) {
		client, server := io.Pipe()
		_ = server.CloseWithError(errors.New("malformed"))
		body := newRequestBody(client, 0)
		_, _ = body.first.Read(make([]byte, 1))
		if _, err := body.again(); !errors.Is(err, errBodySpent) {
			t.Errorf("%v", err)
		}
	})
	t.Run("in_part_when_the_answer_comes_early", func(t *testing.T) {
		body := newRequestBody(io.NopCloser(strings.NewReader("hello")), 0)
		_, _ = io.ReadFull(&body.first, make([]byte, 5))
		second, _ := body.again()
		_, _ = io.ReadFull(second, make([]byte, 1))
		body.answered()
		if rest, err := io.ReadAll(second); err != nil || string(rest) != "ello" {
			t.Errorf("the rest is %q, %v", rest, err)
		}
	})
}

// A client that announces a body and sends nothing must not be given the room for
// it: thousands of them cost it nothing.
func TestRequestBody_takes_room_for_what_has_come(t *testing.T) {
	body := newRequestBody(io.NopCloser(strings.NewReader(strings.Repeat("x", replayBytes))), 0)
	const atFirst = 4 << 10
	for came := 0; ; {
		if most := max(atFirst, 4*came); cap(body.kept) > most {
			t.Fatalf("room for %d bytes after %d, want %d at most", cap(body.kept), came, most)
		}
		n, err := body.first.Read(make([]byte, 1000))
		if came += n; err != nil {
			return
		}
	}
}
