// Package pieces reads what comes in pieces of which some are long in coming, and holds
// little memory meanwhile: an event stream or a WebSocket mostly waits.
//
// The one invariant: no read waits with a large buffer after one that brought little.
package pieces

import (
	"io"
	"sync"
)

const (
	// Little is what is held while nothing comes, in bytes: most events and messages fit.
	Little = 2 << 10
	// Most is how long a piece can be, in bytes.
	Most = 32 << 10
)

// Reader reads one source. It is for one goroutine.
type Reader struct {
	little [Little]byte
	large  *[Most]byte // nil while little comes
	next   bool        // the next piece may be large
}

// Both pools hold pointers to arrays: putting a slice back would allocate.
var (
	readers = sync.Pool{New: func() any { return new(Reader) }}
	larges  = sync.Pool{New: func() any { return new([Most]byte) }}
)

// Take returns a reader, which goes back by [Reader.Close]. Large says that the first
// piece is likely to be more than [Little], and not long in coming.
func Take(large bool) *Reader {
	r := readers.Get().(*Reader)
	r.next = large
	return r
}

// Close gives up the reader, and the piece that it returned last.
func (r *Reader) Close() {
	r.shrink()
	readers.Put(r)
}

// Next reads the next piece, which is the caller's until the next call. Both a piece and
// an error may be returned, as by [io.Reader].
func (r *Reader) Next(src io.Reader) ([]byte, error) {
	buffer := r.little[:]
	if r.next {
		if r.large == nil {
			r.large = larges.Get().(*[Most]byte)
		}
		buffer = r.large[:]
	} else {
		r.shrink()
	}
	n, err := src.Read(buffer)
	// What has filled the small one was cut; what would not have needed the large one is
	// followed by a wait more often than not.
	r.next = n == Little && len(buffer) == Little || n > Little
	return buffer[:n], err
}

func (r *Reader) shrink() {
	if r.large != nil {
		larges.Put(r.large)
		r.large = nil
	}
}
