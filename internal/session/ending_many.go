package session

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"
)

const (
	// endBatch is how many sessions are listed and ended before the next are: what
	// a subject with any number of them holds in memory.
	endBatch = 100
	// endBatchTime bounds one batch. All of them together take what they take.
	endBatchTime = 5 * time.Second

	// endAtOnce is how many sessions of a batch are ended at a time. A store that
	// waits for its replicas, with one that lags, takes half a second for each.
	endAtOnce = 8
)

// endMany ends the chosen sessions of a subject, newest first, and returns how many.
// It goes on while a batch gets anywhere: a session that cannot be ended does not
// save the others. What has ended stays ended, so that a repetition finds the rest.
// It stops with ctx; a caller that must not leave it half done detaches its context.
//
// Errors: the first that kept a session alive: [ErrUnavailable], [ErrNoRegistry],
// the context's.
func (e *endings) endMany(ctx context.Context, subject string, why Reason, chosen func(Listing) bool) (n int, first error) {
	for after := (Position{}); ; {
		page, err := e.store.List(ctx, subject, after, endBatch)
		if err != nil {
			return n, cmp.Or(first, err)
		}
		page.Sessions = slices.DeleteFunc(page.Sessions, func(l Listing) bool { return !chosen(l) })
		ended, err := e.endListed(ctx, page.Sessions, why)
		n, first = n+ended, cmp.Or(first, err)
		if page.Next.IsZero() || err != nil && ended == 0 {
			return n, first
		}
		after = page.Next
	}
}

// endListed ends the sessions of a batch and returns how many, and the first error.
// Once ctx has ended it begins no more of them; one under way takes the store's own
// time, because its answer is what is reported.
func (e *endings) endListed(ctx context.Context, list []Listing, why Reason) (n int, first error) {
	ctx, cancel := context.WithTimeout(ctx, endBatchTime)
	defer cancel()
	var (
		ending sync.WaitGroup
		places = make(chan struct{}, endAtOnce)
		mu     sync.Mutex // of what is returned
		tried  int
	)
	for _, l := range list {
		if ctx.Err() != nil {
			break
		}
		places <- struct{}{}
		tried++
		ending.Go(func() {
			defer func() { <-places }()
			err := e.deleteID(context.WithoutCancel(ctx), l.ID, why)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				first = cmp.Or(first, err)
				return
			}
			n++
		})
	}
	ending.Wait()
	if tried < len(list) {
		first = cmp.Or(first, ctx.Err())
	}
	return n, first
}
