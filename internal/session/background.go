package session

import (
	"context"
	"log/slog"
	"runtime/debug"
	"sync"

	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// background is the work that outlives the request that caused it: refreshes,
// revocations, deletions put off. It does not end with that request's context,
// because that ends when the browser goes away; it carries its values, so that a
// trace goes on. It is counted, so that a process can wait for it before it stops.
type background struct {
	base    context.Context
	abandon context.CancelFunc
	log     *slog.Logger

	mu      sync.Mutex
	running int
	idle    chan struct{} // made by drain, closed when nothing runs
}

func newBackground(log *slog.Logger) *background {
	base, abandon := context.WithCancel(context.Background())
	return &background{base: base, abandon: abandon, log: log}
}

// start runs work under a context with the values of ctx that ends when the
// background work is abandoned.
func (b *background) start(ctx context.Context, work func(ctx context.Context)) {
	b.mu.Lock()
	b.running++
	b.mu.Unlock()
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	detach := context.AfterFunc(b.base, cancel)
	go func() {
		defer b.finish()
		defer cancel()
		defer detach()
		work(ctx)
	}()
}

// finish also stops a panic: it would take the process and every other session
// with it, where in a handler it costs one request.
func (b *background) finish() {
	if v := recover(); v != nil {
		b.log.Error("background work panicked", "panic", secret.OfPanic(v), "stack", string(debug.Stack()))
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.running--; b.running == 0 && b.idle != nil {
		close(b.idle)
		b.idle = nil
	}
}

// drain waits until nothing runs. When ctx ends first it cancels what runs and
// returns the context's error.
func (b *background) drain(ctx context.Context) error {
	defer b.abandon()
	select {
	case <-b.quiet():
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// quiet returns what is closed once nothing runs.
func (b *background) quiet() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.running == 0 {
		now := make(chan struct{})
		close(now)
		return now
	}
	if b.idle == nil {
		b.idle = make(chan struct{})
	}
	return b.idle
}
