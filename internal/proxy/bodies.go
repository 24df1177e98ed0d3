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
	// bodiesBytes bounds the memory of all bodies that are being read so.
	bodiesBytes = 16 << 20
)

// wholeBuffer has a byte more, because some readers tell of the end only when they
// are asked for more.
type wholeBuffer [wholeBytes + 1]byte

// bodies are buffers for whole bodies. The zero value is ready.
type bodies struct {
	used atomic.Int64
	pool sync.Pool // of *wholeBuffer
}

// full reports whether no more bodies should be read at once.
func (b *bodies) full() bool { return b.used.Load() > bodiesBytes }

// get returns a buffer.
func (b *bodies) get() *wholeBuffer {
	b.used.Add(wholeBytes)
	if buffer, ok := b.pool.Get().(*wholeBuffer); ok {
		return buffer
	}
	return new(wholeBuffer)
}

// put takes a buffer back. One that somebody may still read serves nobody else.
func (b *bodies) put(buffer *wholeBuffer, unread bool) {
	b.used.Add(-wholeBytes)
	if !unread {
		b.pool.Put(buffer)
	}
}
