package proxy

import (
	"errors"
	"math/bits"
	"net/http"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/connpool"
)

// mostTries is how many upstreams are asked for one request at most.
const mostTries = 3

// choose chooses the upstream that is asked first.
func (t *trip) choose() {
	at := 0
	if t.among.several() {
		at, _ = t.among.choose(0)
		t.among.budget.count(time.Now())
	}
	t.enter(at)
}

// enter goes to the upstream at that place.
func (t *trip) enter(at int) {
	t.up = t.among.all[at]
	if t.among.several() {
		t.tried |= 1 << at
		t.up.ways.health.pending.Add(1)
	}
	if t.d.Event != nil {
		t.d.Event.Upstream = t.up.name
	}
}

// leave leaves the upstream for others to count on.
func (t *trip) leave() { t.counted().left() }

// counted is where the trip counts among what an upstream has to do; nil: nowhere, as there
// is nothing to choose.
func (t *trip) counted() *health {
	if t.among.several() {
		return t.up.ways.health
	}
	return nil
}

// sendAmong asks the upstream that was chosen, and others of the route's after it as far
// as that is allowed.
func (t *trip) sendAmong() (*http.Response, error) {
	for {
		res, err := t.send()
		if !t.among.several() {
			return res, err
		}
		t.judge(err)
		if err == nil || !t.another(err) {
			return res, err
		}
	}
}

// judge tells the upstream's health what came of a try. That the client left or sent
// nonsense, or that the gateway sent nothing, says nothing about the upstream.
func (t *trip) judge(err error) {
	health := t.up.ways.health
	var asked connpool.Unsendable
	switch {
	case err == nil:
		health.succeeded()
	case t.in.Context().Err() != nil || t.bodyBroken() || errors.Is(err, connpool.ErrBusy) || errors.Is(err, errCrowded) || errors.As(err, &asked):
	default:
		health.failed(err)
	}
}

// bodyBroken reports whether the client's body ended before its end.
func (t *trip) bodyBroken() bool { return t.body.outcome() != nil && !t.body.ended() }

// another goes to another upstream, if the one before said nothing at all, and what it
// got may be sent twice: nothing, or a request that is idempotent (RFC 9110 §9.2.2).
func (t *trip) another(err error) bool {
	var failed *connpool.Unanswered
	switch tries := bits.OnesCount64(uint64(t.tried)); {
	case !errors.As(err, &failed) || failed.Sent && !connpool.Idempotent(t.in.Method):
		return false
	case tries == mostTries || tries == len(t.among.all):
		return false
	case t.in.Context().Err() != nil || t.bodyBroken() || errors.Is(err, errCrowded) || !t.rewound():
		return false
	case !t.among.budget.spend(time.Now()):
		t.up.ways.figures.unmoved.Add(1)
		return false
	}
	at, _ := t.among.choose(t.tried)
	t.up.ways.figures.moved.Add(1)
	if t.d.Event != nil {
		t.d.Event.AddNote("sent to another upstream, as " + t.up.name + " did not answer: " + words(err))
	}
	t.leave()
	t.enter(at)
	if t.way == direct && !t.up.ways.direct() {
		t.way = ofUpstream
	}
	return true
}

// rewound makes the body begin anew, where a transport may have read of it, and reports
// whether it can.
func (t *trip) rewound() bool {
	if t.body == nil || t.way == direct {
		return true
	}
	_, err := t.body.again()
	return err == nil
}
