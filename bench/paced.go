package main

import (
	"context"
	"errors"
	"sync"
	"time"
)

// errBehind ends a measurement whose party is slower than the rate.
var errBehind = errors.New("requests come faster than they are answered")

// loadAt asks at a fixed rate a second, however long the answers take, and counts each
// from the moment at which it was due: a request that had to wait because earlier ones
// were slow was slow itself. A client that asks only when it has its answer leaves those
// out ("coordinated omission").
func loadAt(ctx context.Context, c call, connections int, rate float64, duration time.Duration) (result, error) {
	due := make(chan time.Time, int(rate*duration.Seconds())+1) // room for all: pacing never waits
	var pace sync.WaitGroup
	defer pace.Wait()
	begin := time.Now()
	pace.Go(func() { paceAt(due, begin, rate, duration) })
	times, err := everywhere(ctx, connections, func(ctx context.Context, i int) ([]time.Duration, error) {
		line, err := dial(ctx, c, begin.Add(duration+patience))
		if err != nil {
			return nil, err
		}
		defer line.close()
		return line.askWhenDue(ctx, due, i)
	})
	if err != nil {
		return result{}, err
	}
	return resultOf(times, duration)
}

// paceAt sends the moment of each request when it has come.
func paceAt(due chan<- time.Time, begin time.Time, rate float64, duration time.Duration) {
	defer close(due)
	for i := range int(rate * duration.Seconds()) {
		at := begin.Add(time.Duration(float64(i) / rate * float64(time.Second)))
		if wait := time.Until(at); wait > 0 {
			pause(wait)
		}
		due <- at
	}
}

// tooLate is how long a request may wait for a connection before the party counts
// as too slow for the rate.
const tooLate = 3 * time.Second

func (l *line) askWhenDue(ctx context.Context, due <-chan time.Time, turn int) ([]time.Duration, error) {
	var times []time.Duration
	for at := range due {
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case time.Since(at) > tooLate:
			return nil, errBehind
		}
		if err := l.ask(turn); err != nil {
			return nil, err
		}
		times = append(times, time.Since(at))
	}
	return times, nil
}
