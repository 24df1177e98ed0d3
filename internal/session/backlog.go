package session

import (
	"context"
	"time"
)

// backlog is background work of one kind, of which an observer is told: only so much
// at a time, and each once at a time, however often it is asked for.
type backlog struct {
	work    *background
	waiting *slots // by what tells one from another
	observe OutcomeFunc
}

func newBacklog(work *background, most int, observe OutcomeFunc) *backlog {
	return &backlog{work: work, waiting: newSlots(most), observe: observe}
}

// add starts the work that key names, unless it is under way. It reports true where
// the work is dropped, because too much is under way already.
func (b *backlog) add(ctx context.Context, key string, work func(context.Context) (outcome string)) (dropped bool) {
	got, full := b.waiting.take(key)
	if full {
		b.observe.tell(ctx, OutcomeDropped, time.Now())
	}
	if !got {
		return full
	}
	b.work.start(ctx, func(ctx context.Context) {
		defer b.waiting.free(key)
		began := time.Now()
		b.observe.tell(ctx, work(ctx), began)
	})
	return false
}
