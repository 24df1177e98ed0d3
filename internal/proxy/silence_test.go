package proxy_test

import (
	"bufio"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/proxy"
	"github.com/gatehouse-auth/gatehouse/internal/routing"
)

// A trip on which nothing comes ends by the route's limit, by either way: with an answer
// where there is none yet, and by breaking off where there is. When is a test of silence.
func TestReverse_ends_what_is_silent(t *testing.T) {
	left := make(chan string, 10)
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() { left <- r.URL.Path }()
		switch r.URL.Path {
		case "/stream":
			w.Header().Set("Content-Type", "text/event-stream")
		case "/download":
			w.Header().Set("Content-Length", "100")
		case "/upload":
			_, _ = io.Copy(io.Discard, r.Body)
			return
		}
		_, _ = io.WriteString(w, "first")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}))
	t.Cleanup(up.Close)
	for _, transport := range transports {
		route := routing.Route{Path: "/", Upstreams: routing.To(parse(t, up.URL)), IdleTimeout: 100 * time.Millisecond, StandardTransport: transport.standard()}
		for path, head := range map[string]string{
			"/stream": "", "/download": "", "/upload": "Content-Length: 100000\r\n", "/upload?chunks": "Transfer-Encoding: chunked\r\n",
		} {
			t.Run(string(transport)+path, func(t *testing.T) {
				f := newFront(t, proxy.Options{}, route)
				conn := f.dial(t)
				method := http.MethodGet
				if head != "" {
					method = http.MethodPost
				}
				_, _ = io.WriteString(conn, method+" "+path+" HTTP/1.1\r\nHost: app.example\r\n"+head+"\r\n")
				answer, err := io.ReadAll(conn) // until the connection ends
				switch text := string(answer); {
				case err != nil:
					t.Errorf("after %q: %v", text, err)
				case head != "" && (status(t, text) != "408 Request Timeout" || !strings.Contains(text, "X-Problem: body_timeout")):
					t.Errorf("answer %q", text)
				case head == "" && (!strings.Contains(text, "first") || strings.HasSuffix(text, "0\r\n\r\n")):
					t.Errorf("answer %q", text)
				}
				<-left // the upstream is not kept either
			})
		}
	}
	t.Run("a_WebSocket", func(t *testing.T) {
		echo, _ := echoSocket(t)
		f := newFront(t, proxy.Options{}, routing.Route{Path: "/", Upstreams: routing.To(echo), IdleTimeout: 100 * time.Millisecond})
		conn := f.dial(t)
		_, _ = io.WriteString(conn, handshake)
		in := bufio.NewReader(conn)
		if _, err := http.ReadResponse(in, nil); err != nil {
			t.Fatal(err)
		}
		if rest, err := io.ReadAll(in); err != nil || string(rest) != "\x88\x1f\x03\xe9nothing was sent for too long" {
			t.Errorf("it ends with %q, %v", rest, err)
		}
	})
}
