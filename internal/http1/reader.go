package http1

import (
	"errors"
	"io"
	"net/http"
	"sync"
)

const (
	readAhead = 4 << 10 // holds most heads, and many a body
	maxBlank  = 100     // reads in a row that bring nothing
	// keptBuffer is how large a buffer may have become to be kept for another answer.
	keptBuffer = 16 << 10
)

// Reader reads answers from a connection, one after the other.
type Reader struct {
	src  io.Reader
	buf  []byte
	r, w int // what is read ahead lies between
	any  bool
}

// NewReader returns a reader of src.
func NewReader(src io.Reader) *Reader { return &Reader{src: src} }

// Buffered returns how many bytes were read and belong to no answer yet.
func (r *Reader) Buffered() int { return r.w - r.r }

// Release gives up the buffer where nothing is read ahead: what comes next may be long in
// coming. The next read takes another.
func (r *Reader) Release() {
	if r.r < r.w || r.buf == nil {
		return
	}
	if len(r.buf) == readAhead {
		buffers.Put((*[readAhead]byte)(r.buf))
	}
	r.buf, r.r, r.w = nil, 0, 0
}

// buffers are those of readers that wait.
var buffers = sync.Pool{New: func() any { return new([readAhead]byte) }}

// Begun reports whether a byte has come since Begin: whether the request may have
// been read.
func (r *Reader) Begun() bool { return r.any }

// Begin is called before a request is written.
func (r *Reader) Begin() { r.any = false }

// ReadHead reads the head of the answer to a request of that method. Interim answers
// before it (RFC 9110 §15.2) are dropped, but for 101 (Switching Protocols), which is
// an end of HTTP.
//
// Errors: [io.EOF] if the connection ends before a head, [io.ErrUnexpectedEOF] in the
// middle of one, [Malformed], or the source's own.
func (r *Reader) ReadHead(method string) (Head, error) {
	h, _, err := r.readHead(method, true)
	return h, err
}

// readHead is ReadHead, and returns the head as it came too. The header is left nil
// unless it is wanted.
func (r *Reader) readHead(method string, wanted bool) (h Head, block string, err error) {
	for interims, total := 0, 0; ; interims++ {
		block, err = r.block(MaxHeadBytes - total)
		if errors.Is(err, io.EOF) && interims > 0 {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return Head{}, "", err
		}
		h = Head{}
		if err := h.parse(block, method, wanted); err != nil {
			return Head{}, "", err
		}
		if h.Status >= 200 || h.Status == http.StatusSwitchingProtocols {
			return h, block, nil
		}
		if total += len(block); interims == maxInterims {
			return Head{}, "", errInterims
		}
	}
}

// block takes the next head, of at most limit bytes.
func (r *Reader) block(limit int) (string, error) {
	for looked := 0; ; {
		ahead := r.buf[r.r:r.w]
		if len(ahead) > 0 {
			end, err := headEnd(ahead, looked)
			switch {
			case err != nil:
				return "", err
			case end > limit || end == 0 && len(ahead) > limit:
				return "", errHeadBytes
			case end > 0:
				r.r += end
				return string(ahead[:end]), nil
			}
		}
		looked = len(ahead)
		if err := r.fill(); err != nil {
			if errors.Is(err, io.EOF) && len(ahead) > 0 {
				err = io.ErrUnexpectedEOF
			}
			return "", err
		}
	}
}

// fill reads some more ahead, and makes room for it.
func (r *Reader) fill() error {
	switch {
	case r.buf == nil:
		r.buf = buffers.Get().(*[readAhead]byte)[:]
	case r.r == r.w:
		r.r, r.w = 0, 0
		if len(r.buf) > keptBuffer {
			r.buf = make([]byte, readAhead) // it was for one long head
		}
	case r.w == len(r.buf) && r.r > 0:
		r.w = copy(r.buf, r.buf[r.r:r.w])
		r.r = 0
	case r.w == len(r.buf):
		r.buf = append(r.buf, make([]byte, len(r.buf))...)
	}
	for range maxBlank {
		n, err := r.src.Read(r.buf[r.w:])
		r.w += n
		r.any = r.any || n > 0
		if n > 0 || err != nil {
			if n > 0 {
				err = nil // it comes again
			}
			return err
		}
	}
	return io.ErrNoProgress
}

// Body is the body of an answer. It ends where the answer's head says, and never
// reads what is behind that from the reader's buffer.
type Body struct {
	r      *Reader
	head   *Head
	left   int64 // of a body with a length
	chunks chunks
	ended  bool
}

// Body returns the body that follows the head, which the caller leaves alone while it
// reads.
func (r *Reader) Body(h *Head) Body {
	b := Body{r: r, head: h, left: h.Length}
	b.ended = h.Ending == NoBody || h.Ending == ByLength && h.Length == 0
	return b
}

// Ended reports whether the body was read to its framed end.
func (b *Body) Ended() bool { return b.ended }

// Read implements [io.Reader]. The head's trailers are set with io.EOF. It returns
// [io.ErrUnexpectedEOF] if the connection ends before the body does, and [Malformed].
func (b *Body) Read(p []byte) (n int, err error) {
	switch {
	case b.ended:
		return 0, io.EOF
	case len(p) == 0:
		return 0, nil
	}
	switch b.head.Ending {
	case ByLength:
		n, err = b.r.read(p[:min(int64(len(p)), b.left)])
		b.left -= int64(n)
		b.ended = b.left == 0
	case Chunked:
		n, err = b.readChunks(p)
		b.ended = b.chunks.state == ended
	default:
		n, err = b.r.read(p)
		b.ended = errors.Is(err, io.EOF)
	}
	switch {
	case b.ended:
		return n, io.EOF
	case errors.Is(err, io.EOF):
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// read reads what is there: first from what was read ahead.
func (r *Reader) read(p []byte) (int, error) {
	if r.r < r.w {
		n := copy(p, r.buf[r.r:r.w])
		r.r += n
		return n, nil
	}
	return r.src.Read(p)
}

// readChunks reads data of chunks, and waits for more only if it has none.
func (b *Body) readChunks(p []byte) (n int, err error) {
	for n < len(p) && b.chunks.state != ended {
		if b.r.Buffered() == 0 {
			if n > 0 {
				return n, nil
			}
			if b.chunks.state == inData && b.chunks.left >= int64(len(p)) {
				// Nothing but data is due, so it need not be read ahead.
				read, err := b.r.src.Read(p)
				_, _, _ = b.chunks.scan(p[:read])
				return read, err
			}
			if err := b.r.fill(); err != nil {
				return 0, err
			}
		}
		ahead := b.r.buf[b.r.r:b.r.w]
		if b.chunks.state == inData {
			ahead = ahead[:min(len(ahead), len(p)-n)]
		}
		took, data, err := b.chunks.scan(ahead)
		if err != nil {
			return n, err
		}
		if data {
			n += copy(p[n:], ahead[:took])
		}
		b.r.r += took
	}
	if b.chunks.state == ended && len(b.chunks.trailers) > len("\r\n") {
		if b.head.Trailer == nil {
			b.head.Trailer = make(http.Header)
		}
		b.chunks.addTrailers(b.head.Trailer)
	}
	return n, nil
}
