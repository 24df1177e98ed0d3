// Package telemetry owns what an operator sees: the logger, the metrics, and
// the [Event], the one record of a request that others fill in. It leaves to
// its callers what is worth telling. The one invariant: nothing here takes a
// token, a cookie value or a query string.
package telemetry

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"
)

// NewLogger returns a logger of that level (debug, info, warn, error) and
// format (json, text).
func NewLogger(w io.Writer, level, format string) (*slog.Logger, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return nil, fmt.Errorf("log level %q: want debug, info, warn or error", level)
	}
	opts := &slog.HandlerOptions{Level: l}
	switch format {
	case "json":
		return slog.New(newJSONHandler(w, opts)), nil
	case "text":
		return slog.New(slog.NewTextHandler(w, opts)), nil
	default:
		return nil, fmt.Errorf("log format %q: want json or text", format)
	}
}

// Buffer collects log lines and writes them together: a system call a line
// would cost a tenth of the throughput. Lines are whole and in order. It starts
// nothing; whoever made it calls Run, and Flush at the end.
type Buffer struct {
	mu  sync.Mutex
	w   *bufio.Writer
	out io.Writer
}

// NewBuffer buffers up to 64 KiB in front of w.
func NewBuffer(w io.Writer) *Buffer {
	return &Buffer{w: bufio.NewWriterSize(w, 64<<10), out: w}
}

// Write implements io.Writer. It flushes before a line that does not fit, so that
// no line is torn.
func (b *Buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(p) > b.w.Available() {
		if err := b.outcome(b.w.Flush()); err != nil {
			return 0, err
		}
	}
	n, err := b.w.Write(p)
	return n, b.outcome(err)
}

// outcome drops what could not be written: a bufio.Writer that failed once
// takes nothing more, and a disk that was full for a moment would end the log.
func (b *Buffer) outcome(err error) error {
	if err != nil {
		b.w.Reset(b.out)
	}
	return err
}

// Flush writes out what is held.
func (b *Buffer) Flush() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.outcome(b.w.Flush())
}

// Run flushes every interval until done is closed, and once more then.
func (b *Buffer) Run(done <-chan struct{}, interval time.Duration) {
	t := time.NewTicker(interval)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			_ = b.Flush() // a log that cannot be written cannot be logged
		case <-done:
			_ = b.Flush()
			return
		}
	}
}
