package proxy

import (
	"sync"
	"sync/atomic"
	"time"
)

const (
	// wholeBytes is how long a body may be that is read to its end before the upstream
	// is asked, if it is there within gatherTime. Others are sent as they come.
	wholeBytes = 64 << 10
	gatherTime = 20 * time.Millisecond
	// littleBytes hold most bodies. Who sends slowly holds a buffer meanwhile.
	littleBytes = 4 << 10
	// bodiesBytes bounds the memory of all bodies that are being read so.
	bodiesBytes = 16 << 20
)

// bodyBuffer is a buffer for a whole body. It has a byte more, because some readers tell of
// the end only when they are asked for more.
type bodyBuffer struct{ bytes []byte }

func newBodyBuffer(size int) *bodyBuffer { return &bodyBuffer{make([]byte, size+1)} }

// size is how long a body it holds, in bytes.
func (b *bodyBuffer) size() int { return len(b.bytes) - 1 }

// bodies are buffers for whole bodies. The zero value is ready.
type bodies struct {
	used          atomic.Int64
	little, whole sync.Pool // of *bodyBuffer
}

// full reports whether no more bodies should be read at once.
func (b *bodies) full() bool { return b.used.Load() > bodiesBytes }

// get returns a buffer for a body of that length, of at most wholeBytes.
func (b *bodies) get(length int64) *bodyBuffer {
	pool, size := &b.whole, wholeBytes
	if length <= littleBytes {
		pool, size = &b.little, littleBytes
	}
	b.used.Add(int64(size))
	if buffer, ok := pool.Get().(*bodyBuffer); ok {
		return buffer
	}
	return newBodyBuffer(size)
}

// put takes a buffer back. One that somebody may still read serves nobody else.
func (b *bodies) put(buffer *bodyBuffer, unread bool) {
	b.used.Add(-int64(buffer.size()))
	switch {
	case unread:
	case buffer.size() == littleBytes:
		b.little.Put(buffer)
	default:
		b.whole.Put(buffer)
	}
}
