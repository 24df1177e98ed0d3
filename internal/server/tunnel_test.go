package server_test

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestStopEndsTunnels: a server's own shutdown forgets connections that have left
// HTTP. The stop ends a WebSocket with a close frame that says so, and waits for
// its log line, though it began under the routes of before a reload.
func TestStopEndsTunnels(t *testing.T) {
	upstreams := make(chan net.Conn, 1)
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
			"Sec-WebSocket-Accept: ICX+Yqv66kxgM0FcWaLWlFLwTAI=\r\n\r\n")
		upstreams <- conn
	}))
	defer upstream.Close()
	change := func(doc map[string]any) { toAPI(doc, upstream.URL, "1m") }
	r := newRig(t, change)
	b := r.browser()
	b.signIn("alice@example.com", "/auth/session")
	req := b.request("GET", r.url+"/api/socket", nil)
	for name, value := range map[string]string{"Connection": "Upgrade", "Upgrade": "websocket",
		"Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==", "Origin": r.url} {
		req.Header.Set(name, value)
	}
	b.metadata(req, "same-origin", "websocket", "websocket")
	res, err := b.http.Do(req)
	if err != nil || res.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("handshake: %v, %v", res, err)
	}
	client, behind := res.Body.(io.ReadWriteCloser), <-upstreams
	defer func() { _, _ = client.Close(), behind.Close() }()
	r.reload(r.server, change)

	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		r.stop()
	}()
	got := make([]byte, 4)
	if _, err := io.ReadFull(client, got); err != nil || !bytes.Equal(got, []byte{0x88, 2, 0x03, 0xe9}) {
		t.Errorf("the client gets %x, %v; want a close frame with 1001", got, err)
	}
	_, _ = behind.Close(), client.Close()
	<-stopped
	for line := range strings.Lines(r.logs.String()) {
		if strings.Contains(line, "/api/socket") && strings.Contains(line, "101") && strings.Contains(line, "ended by the stop") {
			return
		}
	}
	t.Error("the tunnel has left no log line")
}

// TestStreamsThatHaveLeft: an event stream goes on when its handler has returned. Until its
// end it counts among the requests of its route, and its log line is still to come; a stop
// of the gateway ends it, and waits for that line.
func TestStreamsThatHaveLeft(t *testing.T) {
	api := newEndlessAPI(t)
	change := limited(map[string]any{"concurrency": 1, "upstream": api.url})
	r, a := withAdmin(t, change)
	b := r.browser()
	ended, begun := make(chan error, 2), make(chan string, 2)
	open := func() {
		err := b.readUntilItEnds("/api/stream", 1, func() { begun <- "" })
		ended <- err
	}
	go open()
	<-begun
	a.wantMetric("gatehouse_upstream_event_streams", 1)
	a.wantMetric(`gatehouse_route_requests{route="/"}`, 1)
	r.reload(r.server, change)
	if res, _ := b.fetch("GET", "/x", ""); res.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("beside a stream on a route that has one at a time: %d", res.StatusCode)
	}
	if line := r.lineOf("/api/stream"); line != "" {
		t.Errorf("the log line of what goes on: %s", line)
	}
	r.stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if line := r.lineOf("/api/stream"); !strings.Contains(line, "ended by the stop of the gateway") || !strings.Contains(line, `"status":200`) {
		t.Errorf("its log line: %s", line)
	}
}

// lineOf is the log's line of a request for the path.
func (r *rig) lineOf(path string) string {
	for line := range strings.Lines(r.logs.String()) {
		if strings.Contains(line, `"path":"`+path+`"`) {
			return line
		}
	}
	return ""
}

// TestStopCutsWhatHasNoEnd: an answer that stays with its handler has until the stop's own
// end, and leaves its log line behind.
func TestStopCutsWhatHasNoEnd(t *testing.T) {
	t.Parallel() // it waits, for seven seconds
	api := newEndlessAPI(t)
	r := newRig(t, limited(map[string]any{"upstream": api.url}))
	b := r.browser()
	ended, begun := make(chan error, 1), make(chan struct{}, 1)
	go func() { ended <- b.readUntilItEnds("/api/download", 1, func() { begun <- struct{}{} }) }()
	select {
	case <-begun:
	case err := <-ended:
		t.Fatal(err)
	}
	r.stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if line := r.lineOf("/api/download"); !strings.Contains(line, "answer cut short") {
		t.Errorf("its log line: %s", line)
	}
}
