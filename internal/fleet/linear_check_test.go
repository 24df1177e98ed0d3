package fleet

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
)

// chain is what a pool issued: each token for the one before, and twin for the
// first one too, whose first answer was lost.
func chain() (tokens []*Token, find func(string) *Token) {
	all := map[string]*Token{}
	issue := func(id string, parent *Token) *Token {
		t := &Token{ID: id, Parent: parent}
		if parent != nil {
			t.Depth = parent.Depth + 1
		}
		all[id] = t
		return t
	}
	tokens = []*Token{issue("a", nil)}
	for _, id := range []string{"b", "c", "d"} {
		tokens = append(tokens, issue(id, tokens[len(tokens)-1]))
	}
	issue("twin", tokens[0])
	issue("stranger", nil)
	return tokens, func(id string) *Token { return all[id] }
}

// when gives an operation its time, in milliseconds, and its instance.
func when(instance, call, answer int, op operation) operation {
	op.Instance, op.Call, op.Return = instance, time.Duration(call)*time.Millisecond, time.Duration(answer)*time.Millisecond
	return op
}

func use(token string) operation { return operation{Outcome: served, Token: token, Generation: -1} }

func shows(token string, generation int) operation {
	return operation{Outcome: served, Token: token, Generation: generation}
}

var (
	absent    = operation{Outcome: gone}
	end       = operation{Outcome: ended, Ends: true}
	perhaps   = operation{Outcome: doubt, Ends: true}
	noAnswer  = operation{Outcome: doubt}
	failsOver = []lapse{{From: 10 * time.Second, To: 12 * time.Second}}
)

// TestModel: the checker tells histories of sessions from those that are none.
func TestModel(t *testing.T) {
	for name, c := range map[string]struct {
		operations []operation
		lapses     []lapse
		kept       bool
		created    time.Duration
		want       porcupine.CheckResult
	}{
		"one_token_until_the_end": {want: porcupine.Ok, operations: []operation{
			when(0, 0, 5, use("a")), when(1, 10, 20, shows("a", 0)), when(0, 30, 40, end), when(0, 50, 60, absent)}},
		"tokens_follow_one_another": {want: porcupine.Ok, operations: []operation{
			when(0, 0, 5, use("a")), when(1, 10, 20, shows("b", 1)), when(2, 30, 40, shows("d", 3))}},
		"another_instance_is_late_to_hear_of_a_refresh": {want: porcupine.Ok, operations: []operation{
			when(0, 0, 5, use("b")), when(1, 1000, 1004, use("a"))}},
		"another_instance_is_late_to_hear_of_an_end": {want: porcupine.Ok, operations: []operation{
			when(0, 0, 5, end), when(1, 1000, 1004, use("a"))}},
		"use_while_it_ends": {want: porcupine.Ok, operations: []operation{
			when(0, 0, 50, end), when(0, 10, 30, absent), when(0, 20, 60, use("a"))}},
		"an_end_in_doubt_that_was_none": {want: porcupine.Ok, operations: []operation{
			when(0, 0, 5, perhaps), when(0, 60000, 60001, use("a"))}},
		"an_end_in_doubt_that_comes_late": {want: porcupine.Ok, operations: []operation{
			when(0, 0, 5, perhaps), when(0, 60000, 60001, use("a")), when(0, 60002, 60003, absent)}},
		"no_answer_says_nothing": {want: porcupine.Ok, operations: []operation{
			when(0, 0, 5, use("a")), when(0, 10, 20, noAnswer), when(0, 30, 40, use("a"))}},
		"a_failover_takes_a_refresh_back": {want: porcupine.Ok, lapses: failsOver, operations: []operation{
			when(0, 100, 105, use("a")), when(0, 9800, 9801, use("b")), when(0, 14000, 14001, use("a")), when(0, 15500, 15501, use("twin"))}},
		"a_failover_takes_a_login_back": {want: porcupine.Ok, lapses: failsOver, created: 9500 * time.Millisecond, operations: []operation{
			when(0, 9600, 9601, use("a")), when(0, 14000, 14001, absent)}},
		"a_failover_takes_back_an_end_that_was_not_waited_for": {want: porcupine.Ok, lapses: failsOver, operations: []operation{
			when(0, 9990, 9995, end), when(0, 9996, 9998, absent), when(0, 14000, 14001, use("a"))}},
		"two_servers_answer_while_it_fails_over": {want: porcupine.Ok, lapses: failsOver, operations: []operation{
			when(0, 100, 105, use("a")), when(0, 10100, 10110, use("b")), when(1, 10120, 10130, use("twin")),
			when(0, 10140, 10150, use("b")), when(0, 14000, 14001, use("twin"))}},

		"served_after_its_end": {want: porcupine.Illegal, operations: []operation{
			when(0, 0, 5, end), when(1, 1006, 1007, use("a"))}},
		"served_after_its_end_where_it_was_ended": {want: porcupine.Illegal, operations: []operation{
			when(0, 0, 5, end), when(0, 6, 7, use("a"))}},
		"served_after_it_was_gone": {want: porcupine.Illegal, operations: []operation{
			when(0, 0, 5, perhaps), when(0, 10, 15, absent), when(1, 2000, 2001, use("a"))}},
		"gone_without_cause": {want: porcupine.Illegal, operations: []operation{
			when(0, 0, 5, use("a")), when(0, 10, 15, absent)}},
		"gone_before_its_end_began": {want: porcupine.Illegal, operations: []operation{
			when(0, 10, 15, absent), when(0, 20, 25, end)}},
		"back_to_an_older_token": {want: porcupine.Illegal, operations: []operation{
			when(0, 0, 5, use("b")), when(1, 1006, 1007, use("a"))}},
		"both_tokens_of_one_refresh": {want: porcupine.Illegal, operations: []operation{
			when(0, 0, 5, use("b")), when(1, 2000, 2001, use("twin"))}},
		"both_tokens_of_one_refresh_at_once": {want: porcupine.Illegal, operations: []operation{
			when(0, 0, 50, use("b")), when(1, 0, 50, use("twin"))}},
		"a_token_of_another_session":          {want: porcupine.Illegal, operations: []operation{when(0, 0, 5, use("stranger"))}},
		"a_token_that_was_never_issued":       {want: porcupine.Illegal, operations: []operation{when(0, 0, 5, use("forged"))}},
		"a_generation_that_is_not_its_tokens": {want: porcupine.Illegal, operations: []operation{when(0, 0, 5, shows("b", 2))}},
		"a_failover_takes_back_what_was_settled": {want: porcupine.Illegal, lapses: failsOver, operations: []operation{
			when(0, 100, 105, use("b")), when(0, 14000, 14001, use("a"))}},
		"a_failover_takes_an_old_login_back": {want: porcupine.Illegal, lapses: failsOver, operations: []operation{
			when(0, 100, 105, use("a")), when(0, 14000, 14001, absent)}},
		"an_old_end_undone_by_a_failover": {want: porcupine.Illegal, lapses: failsOver, operations: []operation{
			when(0, 100, 105, end), when(0, 14000, 14001, use("a"))}},
		"an_old_end_undone_while_it_fails_over": {want: porcupine.Illegal, lapses: failsOver, operations: []operation{
			when(0, 100, 105, end), when(0, 10100, 10101, use("a"))}},
		"an_end_undone_that_was_waited_for": {want: porcupine.Illegal, lapses: failsOver, kept: true, operations: []operation{
			when(0, 9990, 9995, end), when(0, 14000, 14001, use("a"))}},
	} {
		t.Run(name, func(t *testing.T) {
			tokens, find := chain()
			h := &history{First: tokens[0], Operations: c.operations, Lapses: c.lapses, Kept: c.kept, Created: c.created, Token: find}
			if got, _ := h.check(); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}

// TestThinningChangesNoVerdict compares what is left with the whole.
func TestThinningChangesNoVerdict(t *testing.T) {
	tokens, find := chain()
	verdicts := map[porcupine.CheckResult]int{}
	for seed := range uint64(3000) {
		r := rand.New(rand.NewPCG(seed, 3))
		h := &history{First: tokens[0], Token: find, Kept: r.IntN(2) == 0, Created: time.Duration(r.IntN(4000)) * time.Millisecond}
		if r.IntN(2) == 0 {
			h.Lapses = []lapse{{From: 4 * time.Second, To: 5 * time.Second}}
		}
		for range 1 + r.IntN(9) {
			h.Operations = append(h.Operations, anyOperation(r))
		}
		whole := porcupine.CheckOperations(h.model(), append(h.steps(), h.failovers()...))
		got, _ := h.check()
		verdicts[got]++
		if whole != (got == porcupine.Ok) {
			t.Fatalf("seed %d: %s, but the whole is %v:\n%s", seed, got, whole, fmt.Sprint(h.Operations))
		}
	}
	if verdicts[porcupine.Ok] < 300 || verdicts[porcupine.Illegal] < 300 {
		t.Errorf("too few of a kind: %v", verdicts)
	}
}

// anyOperation is what may well be one of a session in the next ten seconds.
func anyOperation(r *rand.Rand) operation {
	call := r.IntN(10_000)
	var op operation
	switch n := r.IntN(10); {
	case n < 7:
		op = use([]string{"a", "a", "b", "b", "c", "d", "twin"}[min(6, max(0, call/1500+r.IntN(3)-1))])
	case n < 8:
		op = absent
	case n < 9:
		op = perhaps
	default:
		op = end
	}
	return when(r.IntN(3), call, call+1+r.IntN(2000), op)
}

// TestOverlapping: a second use is wrong while the first one's caller is there.
func TestOverlapping(t *testing.T) {
	began := time.Now()
	during := func(signIn, from, to, left int) Use {
		u := Use{SignIn: signIn, Begin: began.Add(time.Duration(from) * time.Second), End: began.Add(time.Duration(to) * time.Second)}
		if left > 0 {
			u.Left = began.Add(time.Duration(left) * time.Second)
		}
		return u
	}
	for name, c := range map[string]struct {
		uses     []Use
		excused  bool
		n, wrong int
	}{
		"one_after_the_other":          {uses: []Use{during(1, 0, 1, 0), during(1, 1, 2, 0)}},
		"two_sessions":                 {uses: []Use{during(1, 0, 5, 0), during(2, 1, 2, 0)}},
		"at_once":                      {uses: []Use{during(1, 0, 5, 0), during(1, 1, 2, 0)}, n: 1, wrong: 1},
		"at_once_under_trouble":        {uses: []Use{during(1, 0, 5, 0), during(1, 1, 2, 0)}, excused: true, n: 1},
		"whose_caller_had_left":        {uses: []Use{during(1, 0, 5, 1), during(1, 2, 3, 0)}, n: 1},
		"whose_caller_left_too_late":   {uses: []Use{during(1, 0, 5, 3), during(1, 2, 3, 0)}, n: 1, wrong: 1},
		"across_another_session's_use": {uses: []Use{during(1, 0, 9, 0), during(2, 1, 2, 0), during(1, 3, 4, 0)}, n: 1, wrong: 1},
	} {
		t.Run(name, func(t *testing.T) {
			n, wrong := overlapping(c.uses, func(time.Time, time.Time) bool { return c.excused })
			if n != c.n || len(wrong) != c.wrong {
				t.Errorf("%d overlaps, %d of them wrong; want %d and %d", n, len(wrong), c.n, c.wrong)
			}
		})
	}
}
