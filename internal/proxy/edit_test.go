package proxy_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/headers"
	"github.com/gatehouse-auth/gatehouse/internal/proxy"
	"github.com/gatehouse-auth/gatehouse/internal/routing"
)

// One row in the table is all that it takes to keep a header from upstreams and
// browsers: in requests and the handshakes of tunnels, in answers, in trailers
// that are announced or not, and in what is answered to a handshake.
func TestTable_one_row_takes_effect_everywhere(t *testing.T) {
	const name = "X-Added-Thing"
	up, seen := recorder(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(name, "evil")
		if r.Header.Get("Upgrade") != "" {
			acceptSocket(t, w)
			return
		}
		w.Header().Set("Trailer", name)
		_, _ = io.WriteString(w, "body")
		w.Header().Set(http.TrailerPrefix+"X-Added-Else", "evil")
	})
	messages := map[string]string{
		"a request":   request("/x", "TE: trailers", "x-ADDED-thing: evil"),
		"a handshake": strings.Replace(handshake, "\r\n\r\n", "\r\nx-added-THING: evil\r\n\r\n", 1),
	}
	for _, test := range []struct {
		rule     headers.Rule
		up, down bool
	}{
		{0, true, true},
		{headers.NeverUpstream, false, true},
		{headers.OfProxies, false, true},
		{headers.NeverDownstream, true, false},
		{headers.HopByHop, false, false},
	} {
		f := newFront(t, proxy.Options{}, routing.Route{Path: "/", Upstreams: routing.To(up)})
		f.relay.(*proxy.Dispatcher).SetHeaders(headers.NewTable(headers.Row{Name: "x-added-*", Rule: test.rule},
			headers.Row{Name: "Connection", Rule: headers.HopByHop}, headers.Row{Name: "Upgrade", Rule: headers.HopByHop},
			headers.Row{Name: "Transfer-Encoding", Rule: headers.HopByHop}, headers.Row{Name: "Trailer", Rule: headers.HopByHop}))
		for what, message := range messages {
			answer := f.talk(t, message)
			if _, arrives := seen.last(t).Header[name]; arrives != test.up {
				t.Errorf("rule %b, %s: arrives upstream is %v", test.rule, what, arrives)
			}
			head, body, _ := strings.Cut(answer, "\r\n\r\n")
			if strings.Contains(head, name+": evil") != test.down || what == "a request" && strings.Contains(body, "X-Added-Else") != test.down {
				t.Errorf("rule %b, %s: the answer is %q", test.rule, what, answer)
			}
		}
	}
}

// acceptSocket answers the handshake with the headers of w, and ends the tunnel.
func acceptSocket(t testing.TB, w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		t.Error(err)
		return
	}
	defer func() { _ = conn.Close() }()
	_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Accept: "+accepted+"\r\n")
	_ = w.Header().Write(conn)
	_, _ = io.WriteString(conn, "\r\n")
}
