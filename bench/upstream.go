package main

import (
	"io"
	"net/http"
	"strconv"
	"strings"

	"golang.org/x/net/websocket"
)

// What the upstream serves, and every party in front of it.
const (
	apiPath    = "/api/orders" // the small answer
	bytesPath  = "/api/bytes/" // an answer of as many bytes as the last segment says
	takePath   = "/api/take"   // reads a body, gives the small answer
	streamPath = "/api/stream" // an event, and then silence
	socketPath = "/api/socket" // a WebSocket that sends back what it gets
)

// answerSize is the size of the upstream's small answer in bytes: a JSON object, for
// which the work of a proxy outweighs the copying.
const answerSize = 600

var answerBody = answerText()

func answerText() string {
	const head, tail = `{"orders":[{"id":1,"note":"`, `"}]}`
	return head + strings.Repeat("x", answerSize-len(head)-len(tail)) + tail
}

func newUpstream() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+apiPath, answer)
	mux.HandleFunc("GET "+bytesPath+"{size}", answerBytes)
	mux.HandleFunc("POST "+takePath, take)
	mux.HandleFunc("GET "+streamPath, stream)
	mux.Handle("GET "+socketPath, websocket.Server{Handler: func(c *websocket.Conn) { _, _ = io.Copy(c, c) }})
	return mux
}

func answer(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, answerBody)
}

var filler = make([]byte, 64<<10)

func answerBytes(w http.ResponseWriter, r *http.Request) {
	size, err := strconv.Atoi(r.PathValue("size"))
	if err != nil {
		http.Error(w, "the size is no number", http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Length", strconv.Itoa(size))
	for size > 0 {
		n, err := w.Write(filler[:min(size, len(filler))])
		if err != nil {
			return
		}
		size -= n
	}
}

func take(w http.ResponseWriter, r *http.Request) {
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		http.Error(w, "the body did not come", http.StatusBadRequest)
		return
	}
	answer(w, r)
}

// firstEvent is what tells a client that its stream has come through.
const firstEvent = "data: here\n\n"

func stream(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no") // for nginx
	_, _ = io.WriteString(w, firstEvent)
	_ = http.NewResponseController(w).Flush()
	<-r.Context().Done()
}
