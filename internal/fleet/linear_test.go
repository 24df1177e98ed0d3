package fleet

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
)

// TestHistories: what clients of three gateways see, while processes are killed
// and stopped and connections break, is what sessions may do (linear_model_test.go).
//
// FLEET_SEED gives a run the faults of an earlier one, in their order; what happens
// between them is the machine's. -artifacts keeps the drawings of wrong histories.
func TestHistories(t *testing.T) {
	for name, start := range map[string]func(testing.TB) topology{
		"standalone": standalone,
		"sentinel":   sentinel,
		"cluster":    cluster,
	} {
		t.Run(name, func(t *testing.T) { testHistories(t, start(t)) })
	}
}

func testHistories(t *testing.T, top topology) {
	seed := seed(t)
	p := StartPool(t, PoolOptions{TokenTTL: 5 * time.Second, Rotate: true, Grace: time.Minute})
	f := Start(t, Options{Pool: p, Store: top.store, Settings: map[string]map[string]any{
		"cognito": {"rotation_grace": "60s"},
		"refresh": {"timeout": refreshTimeout.String(), "forced_per_minute": 1000},
		"session": top.settings,
		"log":     {"level": "warn"},
	}})
	l := newLoad(t, f, seed)
	n := newNemesis(t, l, p, seed)
	func() {
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		defer func() { stop(); <-done }()
		go func() { defer close(done); l.run(ctx) }()
		n.run(underLoad(t), top.faults(n))
	}()
	stopAll(f) // which writes the ends of their logs
	t.Logf("FLEET_SEED=%d%s", seed, n.schedule())
	v := verdict{t: t, load: l, pool: p, nemesis: n, topology: top, seed: seed}
	v.histories()
	v.uses()
	for _, odd := range l.odd {
		t.Errorf("not to be explained: %s", odd)
	}
}

func stopAll(f *Fleet) {
	var wg sync.WaitGroup
	defer wg.Wait()
	for _, g := range f.Gateways {
		wg.Go(g.Stop)
	}
}

// seed is FLEET_SEED, or one that has not been yet.
func seed(t *testing.T) uint64 {
	text := os.Getenv("FLEET_SEED")
	if text == "" {
		return rand.Uint64()
	}
	seed, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("FLEET_SEED: %v", err)
	}
	return seed
}

// verdict judges a run.
type verdict struct {
	t *testing.T
	*load
	pool     *Pool
	nemesis  *nemesis
	topology topology
	seed     uint64
}

func (v verdict) histories() {
	operations, answered, tooFew, undone := 0, 0, 0, 0
	warned := v.warned()
	for _, s := range v.all {
		h := v.history(s)
		if h.First == nil {
			v.t.Errorf("session %d began with a token that the pool never issued", s.number)
			continue
		}
		if strings.Contains(warned, s.id) {
			tooFew++
			if result, _ := h.check(); result != porcupine.Ok {
				undone++
				v.t.Logf("session %d came back after a warning; %s", s.number, h.core())
				h.excuseEnds()
			}
		}
		for _, op := range h.Operations {
			operations++
			if op.Outcome != doubt {
				answered++
			}
		}
		v.judge(s, h)
	}
	v.t.Logf("%d sessions, %d operations, %d of them answered", len(v.all), operations, answered)
	v.t.Logf("%d sessions of whose end a gateway warned that too few replicas have it, %d of them came back", tooFew, undone)
}

// history is what is known of a session.
func (v verdict) history(s *life) *history {
	h := &history{Session: s.id, First: v.pool.Token(s.first), Created: s.created, Operations: s.history,
		Kept: v.topology.kept, Token: v.pool.Token}
	for h.First != nil && h.First.Parent != nil {
		h.First = h.First.Parent
	}
	if v.topology.lapses != nil {
		h.Lapses = v.topology.lapses(s.id)
	}
	return h
}

// excuseEnds takes the ends for such as may have happened or not.
func (h *history) excuseEnds() {
	for i := range h.Operations {
		if op := &h.Operations[i]; op.Outcome == ended {
			op.Outcome, op.Note = doubt, "ended, not kept"
		}
	}
}

// warned is what the gateways logged of ends that a failover may undo.
func (v verdict) warned() string {
	var out strings.Builder
	for _, g := range v.fleet.Gateways {
		for line := range strings.Lines(g.process.logs.since(0)) {
			if strings.Contains(line, "replicas have the end of a session") {
				out.WriteString(line)
			}
		}
	}
	return out.String()
}

func (v verdict) judge(s *life, h *history) {
	result, info := h.check()
	if result == porcupine.Ok {
		return
	}
	// Kept with go test -artifacts.
	path := filepath.Join(v.t.ArtifactDir(), fmt.Sprintf("session-%d.html", s.number))
	if err := porcupine.VisualizePath(h.model(), info, path); err != nil {
		v.t.Errorf("draw the history: %v", err)
	}
	v.t.Errorf("session %d (%s) is %s, see %s; FLEET_SEED=%d\n%s", s.number, s.id, result, path, v.seed, h.core())
}

// core is the part of a history that is wrong by itself: without any one of its
// operations it would be right.
func (h *history) core() string {
	all := h.operations()
	for i := 0; i < len(all); {
		rest := slices.Delete(slices.Clone(all), i, i+1)
		if porcupine.CheckOperationsTimeout(h.model(), rest, 10*time.Second) == porcupine.Illegal {
			all = rest
		} else {
			i++
		}
	}
	var out strings.Builder
	for _, op := range all {
		fmt.Fprintf(&out, "\n  %s", h.model().DescribeOperation(op.Input, nil))
	}
	return "these cannot be:" + out.String()
}

// uses: no two callers that are both still there have a session's refresh token
// redeemed at a time. It takes a lease lost to bring that about: an owner, or its
// way to the store, held up for too long, or a failover that forgot the lease. Then
// the record's compare-and-swap decides, as the histories show. A call whose caller
// went away (killed, timed out, cut off) may still be at work at the pool: nobody
// can stop that.
func (v verdict) uses() {
	uses := v.pool.Uses()
	overlaps, wrong := overlapping(uses, func(from, to time.Time) bool {
		return v.nemesis.costsLease(from.Sub(v.began), to.Sub(v.began))
	})
	for _, w := range wrong {
		v.t.Errorf("two at a time used the refresh token of sign-in %d: from %v to %v, and from %v; FLEET_SEED=%d",
			w[0].SignIn, w[0].Begin.Sub(v.began), w[0].End.Sub(v.began), w[1].Begin.Sub(v.began), v.seed)
	}
	v.t.Logf("%d uses of refresh tokens, %d overlaps, %d of them of callers that had left or may have lost their lease",
		len(uses), overlaps, overlaps-len(wrong))
}

// overlapping counts the uses, in the order they began, that began while another
// one of the same sign-in was under way, and returns those where that one's caller
// was there and nothing that happened between allows for it.
func overlapping(uses []Use, excused func(from, to time.Time) bool) (n int, wrong [][2]Use) {
	for i, a := range uses {
		for _, b := range uses[i+1:] {
			if a.SignIn != b.SignIn || !a.End.IsZero() && !b.Begin.Before(a.End) {
				continue
			}
			n++
			left := !a.Left.IsZero() && !a.Left.After(b.Begin)
			if !left && !excused(a.Begin, b.Begin) {
				wrong = append(wrong, [2]Use{a, b})
			}
		}
	}
	return n, wrong
}
