// Package ratelimit says how often something may be done, by whoever does it. What is
// counted, and what is answered above the limit, is for its callers to say.
//
// It counts as the generic cell rate algorithm does (ITU-T I.371, annex A): of each key it
// keeps one number, how far what has passed is ahead of what the rate gives back. That is
// a bucket of tokens without a clock of its own, and without windows at whose border
// twice the limit could pass.
//
// The one invariant: what is refused is not counted, so that whoever keeps asking is not
// kept out for longer.
package ratelimit

import "time"

// Limit is a rate, and how much of it may come at once.
type Limit struct {
	// Requests pass in each Per, in the long run.
	Requests int
	Per      time.Duration
	// Burst is how many pass at once after a rest; 0: as many as Requests.
	Burst int
}

// PerMinute is a limit of n a minute, which may come at once.
func PerMinute(n int) Limit { return Limit{Requests: n, Per: time.Minute} }

// Verdict is what became of one request.
type Verdict struct {
	// Wait is 0 where it passes and has been counted; else when it would.
	Wait time.Duration
	// Left is how many more would pass at once.
	Left int
}

// Interval is how long it takes the rate to give one request back.
func (l Limit) Interval() time.Duration { return l.Per / time.Duration(l.Requests) }

// depth is how far a count may be ahead of the rate.
func (l Limit) depth() time.Duration {
	burst := l.Burst
	if burst == 0 {
		burst = l.Requests
	}
	return l.Interval() * time.Duration(burst)
}

// judge counts one more on top of what is ahead of the rate already, or refuses it, and
// returns what is ahead then.
func (l Limit) judge(ahead time.Duration) (Verdict, time.Duration) {
	after := ahead + l.Interval()
	if over := after - l.depth(); over > 0 {
		return Verdict{Wait: over}, ahead
	}
	return Verdict{Left: int((l.depth() - after) / l.Interval())}, after
}
