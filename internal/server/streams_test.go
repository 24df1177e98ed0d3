package server_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestStreamsEndWithTheirSession: whatever is open at one gateway on the strength of a
// session ends when the session is ended at another. That it is within a second is
// tested under a clock of its own (package streams); how long it took is printed.
func TestStreamsEndWithTheirSession(t *testing.T) {
	api := newEndlessAPI(t)
	f := newFleet(t, func(doc map[string]any) { toAPI(doc, api.url, "1m") })
	for name, end := range map[string]func(b *browser){
		"logout": func(b *browser) { b.fetch("POST", "/auth/logout", "") },
		"global": func(b *browser) { b.fetch("POST", "/auth/logout", `{"global":true}`) },
		"another_browser": func(b *browser) {
			other := f.signedIn("bob@example.com")
			other.fetch("DELETE", "/auth/sessions/"+b.sessionID(), "")
		},
		"a_login_in_its_place": func(b *browser) { b.open(f.url + "/auth/login?return_to=/auth/session") },
	} {
		t.Run(name, func(t *testing.T) {
			b, bystander := f.signedIn("bob@example.com"), f.signedIn("alice@example.com")
			kept := api.openAll(t, f, bystander)
			all := api.openAll(t, f, b)
			start := time.Now()
			end(b)
			for _, o := range all {
				select {
				case end := <-o.ended:
					if end.wrong != nil {
						t.Errorf("%s: %v", o.kind, end.wrong)
					}
					t.Logf("%s ended after %v", o.kind, end.at.Sub(start).Round(time.Millisecond))
				case <-time.After(patience):
					t.Errorf("%s is still open", o.kind)
				}
			}
			for _, o := range kept {
				select {
				case end := <-o.ended:
					t.Errorf("%s of another session ended too: %v", o.kind, end.wrong)
				default:
				}
			}
			bystander.fetch("POST", "/auth/logout", "")
		})
	}
	until(t, "nothing to be open", func() bool { return f.there.OpenExchanges() == 0 })
	if !strings.Contains(f.logs.String(), "ended with its session") {
		t.Error("no log line says so")
	}
}

// endlessAPI answers with what lasts until somebody ends it.
type endlessAPI struct {
	url     string
	arrived chan string // the paths of requests that have no answer
}

func newEndlessAPI(t *testing.T) *endlessAPI {
	api := &endlessAPI{arrived: make(chan string, 100)}
	server := httptest.NewServer(http.HandlerFunc(api.serve))
	t.Cleanup(server.Close)
	api.url = server.URL
	return api
}

func (api *endlessAPI) serve(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/api/wait", "/api/upload":
		api.arrived <- r.URL.Path
	}
	switch r.URL.Path {
	case "/api/socket":
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		_, _ = io.WriteString(conn, switching)
		_, _ = io.Copy(io.Discard, conn)
		_ = conn.Close()
	case "/api/wait":
		<-r.Context().Done()
	case "/api/upload":
		_, _ = io.Copy(io.Discard, r.Body)
	case "/api/download":
		w.Header().Set("Content-Length", "1000000000000")
		drip(r.Context(), w, "x")
	case "/api/stream":
		w.Header().Set("Content-Type", "text/event-stream")
		drip(r.Context(), w, "data: x\n\n")
	}
}

const switching = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
	"Sec-WebSocket-Accept: ICX+Yqv66kxgM0FcWaLWlFLwTAI=\r\n\r\n"

// drip writes a text again and again.
func drip(ctx context.Context, w http.ResponseWriter, text string) {
	for ctx.Err() == nil {
		_, _ = io.WriteString(w, text)
		_ = http.NewResponseController(w).Flush()
		select {
		case <-ctx.Done():
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// opened is an exchange that is under way.
type opened struct {
	kind  string
	ended chan ending
}

type ending struct {
	at    time.Time
	wrong error // why it did not end as it should; nil if it did
}

// openAll opens one of each kind at the other gateway, and waits until all are under way.
func (api *endlessAPI) openAll(t *testing.T, f fleet, b *browser) (all []opened) {
	t.Helper()
	there := f.elsewhere(b)
	byH2 := *there
	byH2.http = &http.Client{Jar: b.http.Jar, Transport: f.h2(t)}
	underWay := make(chan string, 10)
	asked := func() { underWay <- <-api.arrived } // which alone are told of
	answers := func(path string) func() { return func() { underWay <- path } }
	for kind, open := range map[string]func() error{
		"a WebSocket":               func() error { return there.socketUntilItEnds(answers("socket")) },
		"an event stream":           func() error { return there.readUntilItEnds("/api/stream", 1, answers("stream")) },
		"an event stream by HTTP/2": func() error { return byH2.readUntilItEnds("/api/stream", 2, answers("stream")) },
		"a download":                func() error { return there.readUntilItEnds("/api/download", 1, answers("download")) },
		"a download by HTTP/2":      func() error { return byH2.readUntilItEnds("/api/download", 2, answers("download")) },
		"a call without an answer":  func() error { go asked(); return there.refusedInTheEnd("GET", "/api/wait", nil) },
		"one by HTTP/2":             func() error { go asked(); return byH2.refusedInTheEnd("GET", "/api/wait", nil) },
		"an upload":                 func() error { go asked(); return there.refusedInTheEnd("POST", "/api/upload", forever{}) },
	} {
		o := opened{kind, make(chan ending, 1)}
		go func() {
			wrong := open()
			o.ended <- ending{time.Now(), wrong}
		}()
		all = append(all, o)
	}
	for range all {
		select {
		case <-underWay:
		case <-time.After(patience):
			t.Fatal("not all are under way")
		}
	}
	return all
}

// h2 is a way to the other gateway by HTTP/2.
func (f fleet) h2(t *testing.T) *http.Transport {
	tr := &http.Transport{
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, f.there.address)
		},
		TLSClientConfig:   &tls.Config{RootCAs: f.roots, ServerName: "example.com"},
		ForceAttemptHTTP2: true,
	}
	t.Cleanup(tr.CloseIdleConnections)
	return tr
}

// forever is a body that never ends.
type forever struct{}

func (forever) Read(p []byte) (int, error) {
	time.Sleep(20 * time.Millisecond)
	return copy(p, "x"), nil
}

func (b *browser) call(method, path string, body io.Reader) (*http.Response, error) {
	req := b.request(method, b.rig.url+path, body)
	if method != http.MethodGet {
		req.Header.Set("Origin", b.rig.url)
	}
	b.metadata(req, "same-origin", "cors", "empty")
	return b.http.Do(req)
}

// readUntilItEnds reads an answer, which must break off; underWay is called when it has begun.
func (b *browser) readUntilItEnds(path string, major int, underWay func()) error {
	res, err := b.call("GET", path, nil)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK || res.ProtoMajor != major {
		return fmt.Errorf("status %d by %s", res.StatusCode, res.Proto)
	}
	underWay()
	if _, err := io.Copy(io.Discard, res.Body); err == nil {
		return errors.New("it ended as if it were whole")
	}
	return nil
}

// refusedInTheEnd makes a call that is to be answered as one without a session.
func (b *browser) refusedInTheEnd(method, path string, body io.Reader) error {
	res, err := b.call(method, path, body)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	text, _ := io.ReadAll(res.Body)
	if res.StatusCode != http.StatusUnauthorized || !strings.Contains(string(text), `"unauthenticated"`) {
		return fmt.Errorf("%d %s", res.StatusCode, text)
	}
	return nil
}

// socketUntilItEnds opens a WebSocket, which must end with its session.
func (b *browser) socketUntilItEnds(underWay func()) error {
	return b.socketUntil("the session has ended", underWay)
}

// socketUntil opens a WebSocket, which must end with a close frame that says why.
func (b *browser) socketUntil(reason string, underWay func(), headers ...string) error {
	req := b.request("GET", b.rig.url+"/api/socket", nil)
	for name, value := range map[string]string{"Connection": "Upgrade", "Upgrade": "websocket",
		"Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==", "Origin": b.rig.url} {
		req.Header.Set(name, value)
	}
	b.metadata(req, "same-origin", "websocket", "websocket")
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := b.http.Do(req)
	if err != nil {
		return err
	}
	conn, ok := res.Body.(io.ReadWriteCloser)
	if !ok {
		return fmt.Errorf("handshake: status %d", res.StatusCode)
	}
	defer func() { _ = conn.Close() }()
	underWay()
	want := "\x88" + string(rune(2+len(reason))) + "\x03\xf0" + reason
	got, err := io.ReadAll(bufio.NewReader(conn))
	if string(got) != want || err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("it ended with %q, %v", got, err)
	}
	return nil
}

// TestStreamsRaceWithTheEnd: a session that ends while requests come is served by none
// of them to the end, wherever they are on their way.
func TestStreamsRaceWithTheEnd(t *testing.T) {
	api := newEndlessAPI(t)
	f := newFleet(t, func(doc map[string]any) { toAPI(doc, api.url, "1m") })
	for range 20 {
		b := f.signedIn("bob@example.com")
		there := f.elsewhere(b)
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				res, err := there.call("GET", "/api/stream", nil)
				if err != nil {
					return
				}
				defer func() { _ = res.Body.Close() }()
				_, _ = io.Copy(io.Discard, res.Body)
			})
		}
		b.fetch("POST", "/auth/logout", "")
		ended := make(chan struct{})
		go func() { defer close(ended); all.Wait() }()
		select {
		case <-ended:
		case <-time.After(patience):
			t.Fatal("a stream outlasts its session")
		}
	}
}
