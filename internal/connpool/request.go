package connpool

import (
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/net/http/httpguts"
)

// Request is what to ask. It has no framing of its own: that is made from Body.
type Request struct {
	Method string
	// Target is the path and the query as they are sent; Host is the authority.
	Target string
	Host   string
	// Header are all others, spelled as they are sent. It is not changed, and not read
	// any more when [Pool.Do] has returned.
	Header http.Header
	// Body is all of the body. It must be left alone until [Pool.Do] has returned.
	Body []byte
	// Timeout runs from when there is a connection to the answer's head, over both tries
	// together; 0 is none.
	Timeout time.Duration
}

// MaxHeadBytes is how long the head of a request may be, but for a few bytes that frame
// it; longer ones are not for a pool.
const MaxHeadBytes = 64 << 10

// Unsendable is a request of which nothing was sent. Its text quotes nothing of it.
type Unsendable string

func (u Unsendable) Error() string { return string(u) }

// ErrHeadBytes says that the head is longer than [MaxHeadBytes].
const ErrHeadBytes = Unsendable("the request's head is longer than 64 kB")

const (
	errMethod     = Unsendable("the request's method is no token")
	errTarget     = Unsendable("the request's target holds blanks or control characters")
	errHost       = Unsendable("the request's host is none")
	errFieldName  = Unsendable("the name of a request's header is no token")
	errFieldValue = Unsendable("the value of a request's header holds control characters")
)

// Idempotent reports whether a request of that method may be sent twice (RFC 9110
// §9.2.2).
func Idempotent(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodPut, http.MethodDelete:
		return true
	}
	return false
}

// check says why the request cannot be sent. What a client sent was judged before,
// but one byte more would make two requests of one.
func (r *Request) check() error {
	switch {
	case !httpguts.ValidHeaderFieldName(r.Method):
		return errMethod
	case r.Target == "" || strings.ContainsFunc(r.Target, func(c rune) bool { return c <= ' ' || c == 0x7f }):
		return errTarget
	case r.Host == "" || !httpguts.ValidHostHeader(r.Host):
		return errHost
	}
	length := len(r.Method) + len(r.Target) + len(r.Host)
	for name, values := range r.Header {
		if !httpguts.ValidHeaderFieldName(name) {
			return errFieldName
		}
		for _, value := range values {
			if !httpguts.ValidHeaderFieldValue(value) {
				return errFieldValue
			}
			length += len(name) + len(": \r\n") + len(value)
		}
	}
	if length > MaxHeadBytes {
		return ErrHeadBytes
	}
	return nil
}

// head appends the head, in the order that net/http's transport has: line, host,
// framing, and the rest. An empty User-Agent is none.
func (r *Request) head(b []byte, last bool) []byte {
	b = append(append(append(b, r.Method...), ' '), r.Target...)
	b = append(append(append(b, " HTTP/1.1\r\nHost: "...), r.Host...), "\r\n"...)
	if len(r.Body) > 0 || r.Method == http.MethodPost || r.Method == http.MethodPut || r.Method == http.MethodPatch {
		b = append(strconv.AppendInt(append(b, "Content-Length: "...), int64(len(r.Body)), 10), "\r\n"...)
	}
	if last {
		b = append(b, "Connection: close\r\n"...)
	}
	for name, values := range r.Header {
		if framing[http.CanonicalHeaderKey(name)] {
			continue
		}
		for _, value := range values {
			if name == "User-Agent" && value == "" {
				continue
			}
			b = append(append(append(append(b, name...), ": "...), value...), "\r\n"...)
		}
	}
	return append(b, "\r\n"...)
}

// framing are the headers that say how the message is framed, in whatever case, and
// nobody's to pass on.
var framing = map[string]bool{
	"Connection": true, "Content-Length": true, "Host": true, "Keep-Alive": true, "Te": true,
	"Trailer": true, "Transfer-Encoding": true, "Upgrade": true, "Expect": true, "Proxy-Connection": true,
}

// joined is the length of a body that is copied behind the head rather than written
// from where it is.
const joined = 2 << 10

// heads holds pointers: putting a slice back would allocate.
var heads = sync.Pool{New: func() any { b := make([]byte, 0, 4<<10); return &b }}

// write sends the request in one system call, and returns how much of it was sent.
func (r *Request) write(c *conn, last bool) (int64, error) {
	buffer := heads.Get().(*[]byte)
	defer heads.Put(buffer)
	head := r.head((*buffer)[:0], last)
	*buffer = head
	if _, socket := c.Conn.(syscall.Conn); !socket || len(r.Body) <= joined { // TLS has none to show, and takes one piece
		head = append(head, r.Body...)
		*buffer = head
		n, err := c.Write(head)
		return int64(n), err
	}
	pieces := net.Buffers{head, r.Body}
	return pieces.WriteTo(c.Conn)
}
