package fleet

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/anishathalye/porcupine"
)

// What a session may do, as the sequential thing that a history of one session
// is compared with. A session has a token in force. It is either there or gone.
//
//   - Whoever is served is served with the token in force, or with one that the
//     pool issued for it: a refresh takes effect at some moment between the pool's
//     answer and whenever its writer reaches the store, or never, so it is no
//     operation of its own but seen by what is served next. The token in force
//     thus never goes back, and of two tokens had for the same refresh token one
//     is ever served. The generation shown is how many refreshes led to the token.
//   - Once an end was answered nobody is served. One that was answered "pending",
//     or not at all, may take effect at any time from its beginning, or never.
//   - Nobody is told that the session is gone before someone began to end it.
//
// Two bounds belong to it.
//
// A gateway serves from its cache, and hears of what others did by message: what
// it serves is true of some moment up to [staleness] before the request. So an
// operation that was served counts from that much before its call. Not so behind
// an end at the same gateway, which holds there at once; and "gone" comes from the
// store, without a bound.
//
// Replication of Redis is asynchronous: a failover can take back what was written
// shortly before it, and while it lasts two servers may answer. An operation that
// touches such a time (a [lapse]) must be right about the session (its tokens, its
// generation, no end that holds), but says nothing of the order. Behind it
// the session goes on from a token that was in force [settled] before, or from a
// later one. An end survives it unless the gateway warned that too few replicas
// have it (session.wait_replicas); in a Cluster, which cannot wait for them, unless
// it was answered within the lapse or shortly before. A login that a lapse touches
// may be lost.

// settled is how long after a write every replica has it, while all are well.
const settled = time.Second

// Outcome is what an operation's answer says.
type outcome int

const (
	doubt  outcome = iota // no answer, or one that says nothing of the session
	served                // with token
	gone                  // there is no such session
	ended                 // it was ended, and is
)

// operation is one request of a client, times since the beginning of the run.
type operation struct {
	Client, Instance int
	What             string
	Ends             bool // it was meant to end the session
	Call, Return     time.Duration

	Outcome    outcome
	Token      string // jti
	Generation int    // -1: not told
	Note       string
}

func (o operation) String() string {
	says := o.Note
	switch o.Outcome {
	case served:
		says = "served with " + short(o.Token)
		if o.Generation >= 0 {
			says += fmt.Sprintf(", generation %d", o.Generation)
		}
	case gone:
		says = "no such session"
	case ended:
		says = "ended"
	}
	return fmt.Sprintf("%v–%v %s at %d: %s", round(o.Call), round(o.Return), o.What, o.Instance, says)
}

func round(d time.Duration) time.Duration { return d.Round(100 * time.Microsecond) }

func short(id string) string { return id[:min(8, len(id))] }

// lapse is a time in which the store may take back what was written, see above.
type lapse struct{ From, To time.Duration }

// history is all that is known of one session.
type history struct {
	Session    string
	First      *Token
	Created    time.Duration // when its login was answered
	Operations []operation
	Lapses     []lapse // in order
	// Kept: ends that were answered within a lapse hold all the same.
	Kept bool
	// Token finds what the pool issued under a jti, nil if nothing.
	Token func(id string) *Token
}

// step is an operation as the model takes it.
type step struct {
	operation
	token   *Token
	lax     bool   // within a lapse
	excused bool   // "gone" has a cause
	floor   *Token // set on a lapse: what it cannot take back
}

// state of a session.
type state struct {
	token *Token
	gone  bool
	held  bool // gone for good
}

func (h *history) model() porcupine.Model {
	return porcupine.Model{
		Init: func() any { return state{token: h.First} },
		Step: func(s, input, _ any) (bool, any) { return s.(state).next(input.(step)) },
		DescribeOperation: func(input, _ any) string {
			switch s := input.(step); {
			case s.floor != nil:
				return "failover"
			case s.token != nil && s.Generation < 0:
				return fmt.Sprintf("%v, of generation %d", s.operation, s.token.Depth)
			default:
				return s.operation.String()
			}
		},
		DescribeState: func(s any) string {
			if s := s.(state); !s.gone {
				return fmt.Sprintf("%s, generation %d", short(s.token.ID), s.token.Depth)
			}
			return "gone"
		},
	}
}

func (s state) next(op step) (ok bool, next state) {
	switch {
	case op.floor != nil:
		return true, state{token: op.floor, gone: s.held, held: s.held}
	case op.Outcome == ended:
		return true, state{token: s.token, gone: true, held: true}
	case op.Outcome == gone && op.lax:
		return op.excused, s
	case op.Outcome == gone:
		return op.excused, state{token: s.token, gone: true, held: s.held}
	case op.token == nil, op.Generation >= 0 && op.Generation != op.token.Depth:
		return false, s
	case op.lax:
		return !s.held && op.token.From(s.token), s
	}
	return !s.gone && op.token.From(s.token), state{token: op.token}
}

// operations returns the history as the checker takes it.
func (h *history) operations() []porcupine.Operation {
	return append(h.thin(h.steps()), h.failovers()...)
}

// steps are what was answered.
func (h *history) steps() []porcupine.Operation {
	var steps []porcupine.Operation
	for _, op := range h.Operations {
		if op.Outcome == doubt || op.Outcome == ended && !h.holds(op) {
			continue
		}
		s := step{operation: op}
		call := op.Call
		switch op.Outcome {
		case served:
			s.token = h.Token(op.Token)
			call = h.earliest(op)
		case gone:
			s.excused = h.cause(op)
		}
		s.lax = op.Outcome != ended && h.lapsed(call, op.Return)
		steps = append(steps, porcupine.Operation{ClientId: op.Client, Input: s, Call: int64(call), Return: int64(op.Return)})
	}
	return steps
}

// failovers are one operation for each lapse.
func (h *history) failovers() []porcupine.Operation {
	var steps []porcupine.Operation
	floor, from := h.First, time.Duration(math.MinInt64)
	for _, l := range h.Lapses {
		floor = h.floor(floor, from, l)
		steps = append(steps, porcupine.Operation{Input: step{floor: floor}, Call: int64(l.From), Return: int64(l.To)})
		from = l.To
	}
	return steps
}

// earliest is the first moment that what op was served with may be true of.
func (h *history) earliest(op operation) time.Duration {
	call := op.Call - staleness
	for _, e := range h.Operations {
		if e.Outcome == ended && e.Instance == op.Instance && e.Return < op.Call && h.holds(e) {
			call = max(call, e.Return+1) // the checker takes moments that touch for concurrent
		}
	}
	return call
}

// holds reports whether an end that was answered so is promised to hold.
func (h *history) holds(end operation) bool { return h.Kept || !h.lapsed(end.Call, end.Return+settled) }

// lapsed reports whether a lapse touches the time between.
func (h *history) lapsed(from, to time.Duration) bool {
	return slices.ContainsFunc(h.Lapses, func(l lapse) bool { return from <= l.To && l.From <= to })
}

// cause reports whether the session can be gone for op: someone has begun to end
// it, or a failover took the login back.
func (h *history) cause(op operation) bool {
	return h.lapsed(h.Created-settled, h.Created+settled) ||
		slices.ContainsFunc(h.Operations, func(e operation) bool { return e.Ends && e.Call <= op.Return })
}

// floor is what a lapse cannot take back: the newest token that was seen long
// enough before it, and behind the lapse before it.
func (h *history) floor(floor *Token, from time.Duration, l lapse) *Token {
	for _, op := range h.Operations {
		if op.Outcome != served || op.Call-staleness <= from || op.Return >= l.From-settled {
			continue
		}
		if t := h.Token(op.Token); t != nil && t.Depth > floor.Depth {
			floor = t
		}
	}
	return floor
}

// thin leaves out what cannot change the verdict. Of operations that say the same
// between the same lapses two count: the one that must have happened first, which
// no older state may follow, and the one that cannot have happened before the
// last, which no newer state may precede. An undecided checker would be no
// checker, and this keeps its work small whatever the load was.
func (h *history) thin(steps []porcupine.Operation) []porcupine.Operation {
	type class struct {
		outcome outcome
		token   string
		lax     bool
		excused bool
		right   bool // the generation is the token's
		lapse   int
	}
	first, last := map[class]int{}, map[class]int{}
	for i, op := range steps {
		s := op.Input.(step)
		c := class{outcome: s.Outcome, token: s.Token, lax: s.lax, excused: s.excused, lapse: h.between(op),
			right: s.token != nil && (s.Generation < 0 || s.Generation == s.token.Depth)}
		if at, ok := first[c]; !ok || op.Return < steps[at].Return {
			first[c] = i
		}
		if at, ok := last[c]; !ok || op.Call > steps[at].Call {
			last[c] = i
		}
	}
	keep := map[int]bool{}
	for c, i := range first {
		keep[i], keep[last[c]] = true, true
	}
	var out []porcupine.Operation
	for i, op := range steps {
		if keep[i] {
			out = append(out, op)
		}
	}
	return out
}

// between counts the lapses that began before an operation's end.
func (h *history) between(op porcupine.Operation) int {
	n := 0
	for _, l := range h.Lapses {
		if int64(l.From) <= op.Return {
			n++
		}
	}
	return n
}

// check reports whether the history is one of a session.
func (h *history) check() (porcupine.CheckResult, porcupine.LinearizationInfo) {
	return porcupine.CheckOperationsVerbose(h.model(), h.operations(), time.Minute)
}
