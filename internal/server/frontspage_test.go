package server_test

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
)

// TestDocumentedFronts carries what browsers do through real nginx and Caddy, with
// the configurations of docs/fronts.md.
func TestDocumentedFronts(t *testing.T) {
	for name, start := range map[string]func(t *testing.T) *fronted{
		"nginx":                            func(t *testing.T) *fronted { return behindNginx(t, "/", nil) },
		"nginx_with_the_gateway_at_a_path": func(t *testing.T) *fronted { return behindNginx(t, "/app/", nil) },
		"Caddy":                            func(t *testing.T) *fronted { return behindCaddy(t, nil) },
	} {
		t.Run(name, func(t *testing.T) {
			f := start(t)
			b := f.visitor()
			f.carriesALogin(t, b)
			f.carriesThePage(t, b)
			f.tellsWhereRequestsComeFrom(t, b)
			f.carriesAWebSocket(t, b)
			f.carriesAnUpload(t, b)
			f.carriesEvents(t, b)
			f.carriesAStream(t, b)
			f.carriesLargeHeaders(t, b)
			if strings.Contains(f.logs.String(), "misdirected") {
				t.Error("the gateway was asked for another host")
			}
		})
	}
}

// TestDocumentedMistakes makes those that docs/fronts.md describes. None of the lines
// that it changes is there for nothing.
func TestDocumentedMistakes(t *testing.T) {
	for name, c := range map[string]struct {
		base, path   string
		line, become string // of nginx's configuration
		cookie       int    // bytes
		body         int    // bytes
		status       int
		code         string // "": the answer is nginx's own
		log          string
	}{
		"the_port_is_left_out_of_Host": {
			path: "/auth/session", line: "Host $http_host;", become: "Host $host;",
			status: http.StatusMisdirectedRequest, code: "misdirected", log: "$http_host does not",
		},
		"Host_is_the_upstreams": {
			path: "/auth/session", line: "proxy_set_header Host $http_host;",
			status: http.StatusMisdirectedRequest, code: "misdirected", log: `header Host is \"gatehouse\"`,
		},
		"the_path_is_cut_off": {
			base: "/app/", path: "/app/auth/session", line: "proxy_pass http://gatehouse;", become: "proxy_pass http://gatehouse/;",
			status: http.StatusNotFound, code: "not_found",
		},
		"nobody_says_where_requests_come_from": {
			path: "/auth/session", line: "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;",
			status: http.StatusMethodNotAllowed, code: "method_not_allowed", log: `"client":"127.0.0.1"`,
		},
		"cookies_are_too_large_for_nginx": {
			path: "/auth/session", line: "large_client_header_buffers 4 32k;", cookie: 12_000, status: http.StatusBadRequest,
		},
		"an_upload_is_too_large_for_nginx": {
			path: "/open", line: "client_max_body_size 0;", body: 2 << 20, status: http.StatusRequestEntityTooLarge,
		},
		"an_answers_header_is_too_large_for_nginx": {
			path: "/large", line: "proxy_buffer_size 32k;", status: http.StatusBadGateway,
		},
	} {
		t.Run(name, func(t *testing.T) {
			if c.base == "" {
				c.base = "/"
			}
			f := behindNginx(t, c.base, func(conf string) string { return replaced(t, conf, c.line, c.become) })
			res, body := f.visitor().fetch("POST", c.path, strings.Repeat("0", c.body), "Cookie", "big="+strings.Repeat("0", c.cookie))
			if own := res.Header.Get("X-Gatehouse") == ""; res.StatusCode != c.status || own != (c.code == "") {
				t.Fatalf("answered %d by nginx %t: %.300s", res.StatusCode, own, body)
			}
			if c.code != "" && problemCode(t, res, body) != c.code {
				t.Errorf("answered %s, want %s", body, c.code)
			}
			until(t, "the log to say why", func() bool { return strings.Contains(f.logs.String(), c.log) })
		})
	}
}

// carriesALogin signs b in, from an address that needs a session and back to it.
func (f *fronted) carriesALogin(t *testing.T, b *browser) {
	t.Helper()
	orders := f.url + f.base + "api/orders?page=2"
	p := b.password(b.open(orders), "alice@example.com")
	if p.status != http.StatusOK || p.url.String() != orders {
		t.Fatalf("the login ended with %d at %s: %s", p.status, p.url, p.body)
	}
	if res, body := b.fetch("GET", f.base+"auth/session", ""); !strings.Contains(body, `"authenticated":true`) {
		t.Fatalf("session: %d %s", res.StatusCode, body)
	}
}

// thePage is the index.html of the site that is built for a path.
const thePage = "<title>orders</title>"

// carriesThePage loads the page of a site at a path, and an address within it.
func (f *fronted) carriesThePage(t *testing.T, b *browser) {
	t.Helper()
	if f.base == "/" {
		return // those chapters have no files
	}
	for _, path := range []string{"", "orders/7"} {
		if p := b.open(f.url + f.base + path); p.status != http.StatusOK || p.body != thePage {
			t.Errorf("%s%s answered %d: %.300s", f.base, path, p.status, p.body)
		}
	}
}

func (f *fronted) tellsWhereRequestsComeFrom(t *testing.T, b *browser) {
	t.Helper()
	b.fetch("GET", f.base+"api/origin", "", "X-Forwarded-For", "192.0.2.1", "X-Forwarded-Proto", "gopher",
		"X-Forwarded-Host", "evil.test", "X-Request-Id", "mine", "traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	seen := f.seen.last(t)
	h, host := seen.Header, strings.TrimPrefix(f.url, "https://")
	if seen.Host != host || h.Get("X-Forwarded-Host") != host || h.Get("X-Forwarded-Proto") != "https" {
		t.Errorf("the API is told the host %s, %s and the scheme %s", seen.Host, h["X-Forwarded-Host"], h["X-Forwarded-Proto"])
	}
	if id := h.Get("X-Request-Id"); id == "" || id == "mine" || strings.Contains(h.Get("Traceparent"), "b7ad6b7169203331") {
		t.Errorf("the API is told the client's own X-Request-Id %q, traceparent %q", id, h["Traceparent"])
	}
	until(t, "the log line", func() bool { return strings.Contains(f.logs.String(), "api/origin") })
	for line := range strings.Lines(f.logs.String()) {
		if strings.Contains(line, "api/origin") && !strings.Contains(line, `"client":"`+visitorAddress+`"`) {
			t.Errorf("the client's address is not in the log: %s", line)
		}
	}
}

func (f *fronted) carriesAWebSocket(t *testing.T, b *browser) {
	t.Helper()
	req := b.request("GET", f.url+f.base+"api/socket", nil)
	for name, value := range map[string]string{"Connection": "Upgrade", "Upgrade": "websocket",
		"Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Origin": f.url} {
		req.Header.Set(name, value)
	}
	b.metadata(req, "same-origin", "websocket", "websocket")
	res, err := b.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	conn, ok := res.Body.(io.ReadWriter)
	if res.StatusCode != http.StatusSwitchingProtocols || !ok {
		t.Fatalf("the handshake was answered %d", res.StatusCode)
	}
	for _, said := range []string{"one", "two"} { // a round trip each
		if _, err := io.WriteString(conn, said); err != nil {
			t.Fatal(err)
		}
		heard := make([]byte, len(said))
		if _, err := io.ReadFull(conn, heard); err != nil || string(heard) != said {
			t.Fatalf("the echo of %q is %q: %v", said, heard, err)
		}
	}
}

// carriesAnUpload sends more than fronts take by default. What follows the first part
// is sent only once the API has begun to read: a front that waits for all of it waits
// for ever.
func (f *fronted) carriesAnUpload(t *testing.T, b *browser) {
	t.Helper()
	const part, parts = 1 << 20, 4
	read, write := io.Pipe()
	go func() {
		for i := range parts {
			if i == 1 {
				f.await(t, f.reading, "the API to read an upload")
			}
			_, _ = write.Write(make([]byte, part))
		}
		_ = write.Close()
	}()
	req := b.request("POST", f.url+f.base+"api/upload", read)
	req.Header.Set("Origin", f.url)
	b.metadata(req, "same-origin", "cors", "empty")
	if res, body := b.do(req); res.StatusCode != http.StatusOK || body != "4194304" {
		t.Errorf("an upload of 4 MiB: %d %s", res.StatusCode, body)
	}
}

// carriesEvents reads one event before the next one happens.
func (f *fronted) carriesEvents(t *testing.T, b *browser) {
	t.Helper()
	events := f.open(t, b, "auth/events")
	events.expect("event: session")
	if res, body := b.fetch("POST", f.base+"auth/refresh", ""); res.StatusCode != http.StatusOK {
		t.Fatalf("refresh: %d %s", res.StatusCode, body)
	}
	events.expect("event: tokenRefresh")
	events.leave()
}

// carriesAStream reads each line of the API's before the next one is written, and
// leaves before the end, which the API must notice.
func (f *fronted) carriesAStream(t *testing.T, b *browser) {
	t.Helper()
	s := f.open(t, b, "api/stream")
	for range 3 {
		s.expect("line")
		f.received <- struct{}{}
	}
	s.expect("line")
	s.leave()
	f.await(t, f.gone, "the API to notice that the client left")
}

// carriesLargeHeaders sends and gets more than nginx takes by default, and more
// than the gateway takes, which is for the gateway to say.
func (f *fronted) carriesLargeHeaders(t *testing.T, b *browser) {
	t.Helper()
	res, _ := b.fetch("GET", f.base+"api/large", "", "Cookie", "big="+strings.Repeat("0", 12_000))
	if res.StatusCode != http.StatusOK || len(res.Header.Get("X-Large")) != largeHeader {
		t.Errorf("12 kB of cookies, and as much of an answer's header: %d, %d bytes", res.StatusCode, len(res.Header.Get("X-Large")))
	}
	res, body := b.fetch("GET", f.base+"api/large", "", "Cookie", "big="+strings.Repeat("0", 20_000))
	if res.StatusCode != http.StatusRequestHeaderFieldsTooLarge || problemCode(t, res, body) != "cookies_too_large" {
		t.Errorf("20 kB of cookies: %d", res.StatusCode)
	}
}

// lines is an answer that comes line by line.
type lines struct {
	t     *testing.T
	scan  *bufio.Scanner
	leave context.CancelFunc
}

func (f *fronted) open(t *testing.T, b *browser, path string) *lines {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	req := b.request("GET", f.url+f.base+path, nil).WithContext(ctx)
	req.Header.Set("Accept", "text/event-stream")
	b.metadata(req, "same-origin", "cors", "empty")
	res, err := b.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = res.Body.Close() })
	if res.StatusCode != http.StatusOK {
		t.Fatalf("%s answered %d", path, res.StatusCode)
	}
	return &lines{t, bufio.NewScanner(res.Body), cancel}
}

// expect reads up to a line.
func (l *lines) expect(line string) {
	l.t.Helper()
	for l.scan.Scan() {
		if l.scan.Text() == line {
			return
		}
	}
	l.t.Fatalf("the stream ended before %q: %v", line, l.scan.Err())
}
