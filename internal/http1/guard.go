package http1

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/gatehouse-auth/gatehouse/internal/peek"
)

// Guard is a connection to an upstream for a client that reads answers less strictly,
// such as net/http's transport. It hands on one answer to each request. What is
// malformed is an error before anybody reads it. Behind an answer that more may follow
// the connection ends, as the client sees it.
//
// The client writes a request, and reads the answer to its end, before it writes the
// next. Behind the answer to a request with a body, or to one that was not written to
// its end, the connection ends too. After 101 (Switching Protocols) all bytes pass.
type Guard struct {
	net.Conn
	look   *peek.Peeker
	excess func()
	closed chan struct{}
	close  sync.Once

	mu    sync.Mutex
	asked asked
	busy  bool        // a request was begun, and its answer is not over
	last  bool        // no request may begin any more
	asks  chan string // the method of the request that was begun

	// What follows is the reader's.
	reader *Reader
	stage  stage
	head   Head
	body   Body
	ready  []byte // of a head: judged, and not handed on yet
	extra  bool   // bytes came behind the last chunk
	ended  error  // what reading ends with
}

// stage says what the reader of a guard reads next.
type stage int

const (
	aHead stage = iota
	aBody
	allThatComes
	noMore
)

// NewGuard returns a guard over a connection that has carried nothing yet. It calls
// excess where bytes follow that belong to no answer.
func NewGuard(conn net.Conn, excess func()) *Guard {
	return &Guard{
		Conn: conn, look: peek.New(conn), excess: excess, closed: make(chan struct{}),
		asks: make(chan string, 1), reader: NewReader(conn),
	}
}

// errUsed ends a connection on which no request may be written any more. As nothing of
// one was written, it may be sent over another.
const errUsed = Malformed("the connection to the upstream has ended, or bytes of no answer have come on it")

// Write implements [net.Conn]. With the first bytes of a request it looks whether the
// connection is silent, as nobody reads from it then.
func (g *Guard) Write(p []byte) (int, error) {
	if err := g.begin(p); err != nil {
		return 0, err
	}
	return g.Conn.Write(p)
}

// begin begins a request, unless one is under way.
func (g *Guard) begin(p []byte) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case !g.asked.over():
		g.asked.pass(p)
		return nil
	case g.busy:
		return nil
	case g.last:
		return errUsed
	case !g.silent():
		g.last = true
		return errUsed
	}
	g.busy = true
	g.asked.begin()
	g.asked.pass(p)
	method, _, _ := bytes.Cut(p[:min(len(p), 32)], []byte(" "))
	g.asks <- string(method)
	return nil
}

// Read implements [net.Conn].
func (g *Guard) Read(p []byte) (n int, err error) {
	if len(p) == 0 {
		return 0, nil
	}
	if g.stage == aHead {
		if err := g.readHead(); err != nil {
			g.end(err)
		}
	}
	switch {
	case len(g.ready) > 0:
		n = copy(p, g.ready)
		g.ready = g.ready[n:]
	case g.stage == aBody:
		n, err = g.readBody(p)
	case g.stage == allThatComes:
		return g.reader.read(p)
	default:
		return 0, g.ended
	}
	if err == nil && len(g.ready) == 0 && g.stage == aBody && g.body.ended {
		err = g.over()
	}
	if err != nil {
		g.stage, g.ended = noMore, err
	}
	return n, err
}

// end ends reading with an error in place of a head. If any of that came, the client
// gets a status line before the error: without a byte it would take it that the
// upstream never read the request, and send it again; over half a line it would
// forget the error.
func (g *Guard) end(err error) {
	g.stage, g.ended = noMore, err
	if g.reader.Begun() {
		g.ready = []byte("HTTP/1.1 502 Bad Gateway\r\n")
	}
}

// readHead waits for a request to begin, and reads the head of its answer. Interim
// answers are dropped.
func (g *Guard) readHead() error {
	g.reader.Begin() // what came before is none of what is waited for
	var method string
	select {
	case method = <-g.asks:
	case <-g.closed:
		return net.ErrClosed
	}
	head, block, err := g.reader.readHead(method, false)
	if err != nil {
		return err
	}
	g.head, g.ready, g.stage = head, []byte(block), aBody
	switch {
	case head.Status == http.StatusSwitchingProtocols:
		g.stage = allThatComes
	case head.Last:
		g.ready = []byte(withoutClose(block))
	}
	g.body = g.reader.Body(&g.head)
	return nil
}

// withoutClose takes close out of the Connection lines of a head. With it net/http
// would forget what else they name, which is not to be passed on (RFC 9110 §7.6.1);
// and it is the guard that ends the connection.
func withoutClose(head string) string {
	lines := strings.Split(head, "\r\n")
	for i, line := range lines {
		if name, value, _ := strings.Cut(line, ":"); equalFold(name, "Connection") {
			named := slices.DeleteFunc(strings.Split(value, ","), func(item string) bool {
				return equalFold(strings.Trim(item, " \t"), "close")
			})
			lines[i] = name + ":" + strings.Join(named, ",")
		}
	}
	return strings.Join(lines, "\r\n")
}

// readBody hands a piece of the body on as it came, chunks and all.
func (g *Guard) readBody(p []byte) (int, error) {
	b := &g.body
	if g.head.Ending != Chunked {
		n, err := b.Read(p)
		if b.ended && g.head.Ending == ByLength {
			err = nil // what follows is another question
		}
		return n, err
	}
	n, err := g.reader.read(p)
	for at := 0; at < n; {
		took, _, err := b.chunks.scan(p[at:n])
		if err != nil {
			return 0, err
		}
		if at += took; b.chunks.state == ended {
			b.ended = true
			g.extra = at < n
			return at, nil
		}
	}
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// over ends an answer, and says whether the connection ends with it: where more may
// follow, which is not seen if it comes later. An upstream that does not read the body
// of a request may take it for a request, and answer that too.
func (g *Guard) over() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.busy = false
	switch {
	case g.extra || g.reader.Buffered() > 0:
		g.excess()
	case g.head.Last || g.head.Bodiless() || g.asked.body || !g.asked.over():
	case g.silent():
		g.stage = aHead
		return nil
	}
	g.last = true
	return io.EOF
}

// silent reports whether the connection is open and nothing has come on it, and tells
// of what has. Nobody reads meanwhile.
func (g *Guard) silent() bool {
	if g.look.Quiet() {
		return true
	}
	if g.look.Excess() {
		g.excess()
	}
	return false
}

// CloseWrite says that no more will be written, which WebSockets do.
func (g *Guard) CloseWrite() error {
	half, ok := g.Conn.(interface{ CloseWrite() error })
	if !ok {
		return errors.ErrUnsupported
	}
	return half.CloseWrite()
}

// Close implements [net.Conn].
func (g *Guard) Close() error {
	g.close.Do(func() { close(g.closed) })
	return g.Conn.Close()
}
