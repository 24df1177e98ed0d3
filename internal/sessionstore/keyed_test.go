package sessionstore_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"math"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/sessionstore"
	"github.com/gatehouse-auth/gatehouse/internal/sessionstore/entrytest"
	"github.com/gatehouse-auth/gatehouse/internal/sessionstore/storetest"
)

// keyed returns a store over e, an instance of its own.
func keyed(t testing.TB, e sessionstore.Entries, idle time.Duration) *sessionstore.Keyed {
	t.Helper()
	st, err := sessionstore.NewKeyed(sessionstore.KeyedOptions{
		Entries: e, Ring: newRing(t, 1), Audience: storetest.Audience, IdleTimeout: idle, Timeout: ample,
	})
	if err != nil {
		t.Fatal(err)
	}
	return st
}

func TestKeyed(t *testing.T) {
	keys := regexp.MustCompile(`^[a-z0-9/]{1,160}$`)
	storetest.Run(t, func(t *testing.T, idle time.Duration) session.Store {
		e := entrytest.New()
		e.Before = func(op, key string) error {
			if !keys.MatchString(key) {
				t.Errorf("%s of %q", op, key)
			}
			return nil
		}
		return keyed(t, e, idle)
	})
}

// twice carries out every write twice, as what lies between does that has lost an
// answer, and gives the second answer.
type twice struct{ *entrytest.Entries }

func (e twice) Swap(ctx context.Context, key string, old, value []byte, expires time.Time) (bool, error) {
	_, _ = e.Entries.Swap(ctx, key, old, value, expires)
	return e.Entries.Swap(ctx, key, old, value, expires)
}

func TestKeyed_whose_writes_are_sent_again(t *testing.T) {
	storetest.Run(t, func(t *testing.T, idle time.Duration) session.Store { return keyed(t, twice{entrytest.New()}, idle) })
}

func TestKeyed_tells_other_instances(t *testing.T) {
	e := entrytest.New()
	storetest.TellsOthers(t, keyed(t, e, time.Hour), keyed(t, e, time.Hour))
}

// TestKeyedWatch: a watch is down while it cannot look, and after it did not look for
// longer than changes are looked for.
func TestKeyedWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := entrytest.New()
		var fails, hangs atomic.Bool
		e.Before = func(op, _ string) error {
			switch {
			case op == "keys" && fails.Load():
				return errors.New("away")
			case op == "keys" && hangs.Load():
				time.Sleep(time.Minute) // as if the process were stopped: no context is looked at
			}
			return nil
		}
		var up atomic.Bool
		downs := 0
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			_ = keyed(t, e, time.Hour).Watch(ctx, func(session.Change) {}, func(now bool) {
				if up.Swap(now) && !now {
					downs++
				}
			})
		}()
		for _, step := range []struct {
			name        string
			fails, hang bool
			want        bool
		}{{"at first", false, false, true}, {"away", true, false, false}, {"back", false, false, true}, {"stopped", false, true, false}, {"going on", false, false, true}} {
			fails.Store(step.fails)
			hangs.Store(step.hang)
			time.Sleep(2 * time.Minute)
			if step.name == "stopped" {
				continue // nobody is told anything then
			}
			if up.Load() != step.want {
				t.Errorf("%s: up %v", step.name, up.Load())
			}
		}
		if downs < 2 {
			t.Errorf("down %d times, want once for each time without a look", downs)
		}
		cancel()
		synctest.Wait()
	})
}

// TestKeyed_takes_no_failure_for_absence, whichever call fails.
func TestKeyed_takes_no_failure_for_absence(t *testing.T) {
	for name, fault := range map[string]error{
		"an_error":                       errors.New("away"),
		"an_answer_that_is_for_Get_only": sessionstore.ErrNoEntry,
	} {
		for _, failing := range []string{"get", "swap", "keys"} {
			if failing == "get" && errors.Is(fault, sessionstore.ErrNoEntry) {
				continue // is what absence is
			}
			t.Run(failing+"_fails_with_"+name, func(t *testing.T) {
				e := entrytest.New()
				st := keyed(t, e, time.Hour)
				s, err := st.Create(t.Context(), storetest.Sample("sub-1"))
				if err != nil {
					t.Fatal(err)
				}
				e.Before = func(op, _ string) error {
					if op == failing {
						return fault
					}
					return nil
				}
				next := *s
				next.Generation++
				for op, err := range map[string]error{
					"Create":   second(st.Create(t.Context(), storetest.Sample("sub-1"))),
					"Load":     second(st.Load(t.Context(), s.Handle)),
					"Replace":  second(st.Replace(t.Context(), &next)),
					"Touch":    second(st.Touch(t.Context(), s.Handle, s.LastSeen.Add(30*time.Minute))),
					"List":     second(st.List(t.Context(), "sub-1", session.Position{}, 10)),
					"Find":     second(st.Find(t.Context(), s.ID)),
					"Count":    second(st.Count(t.Context())),
					"Acquire":  second(st.Acquire(t.Context(), s.ID, "a", time.Minute)),
					"Ping":     st.Ping(t.Context()),
					"Delete":   second(st.Delete(t.Context(), s.Handle, session.ReasonLogout)),
					"DeleteID": st.DeleteID(t.Context(), s.ID, session.ReasonAdmin),
				} {
					if err != nil && !errors.Is(err, session.ErrUnavailable) {
						t.Errorf("%s: %v, want ErrUnavailable", op, err)
					}
				}
				e.Before = nil
				if failing != "keys" {
					if _, err := st.Load(t.Context(), s.Handle); err != nil {
						t.Errorf("afterwards: %v", err)
					}
				}
			})
		}
	}
}

// TestKeyed_takes_an_empty_answer_for_a_failure: a store that forgets to say
// ErrNoEntry signs nobody out.
func TestKeyed_takes_an_empty_answer_for_a_failure(t *testing.T) {
	st := keyed(t, wordless{entrytest.New()}, time.Hour)
	if _, err := st.Load(t.Context(), session.NewHandle()); !errors.Is(err, session.ErrUnavailable) {
		t.Errorf("Load: %v, want ErrUnavailable", err)
	}
}

type wordless struct{ *entrytest.Entries }

func (wordless) Get(context.Context, string) ([]byte, error) { return nil, nil }

// stuck has everything, and swaps nothing.
type stuck struct{ *entrytest.Entries }

func (stuck) Swap(context.Context, string, []byte, []byte, time.Time) (bool, error) {
	return false, nil
}

func TestKeyed_ends_where_nothing_can_be_written(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := entrytest.New()
		s, err := keyed(t, e, time.Hour).Create(t.Context(), storetest.Sample("sub-1"))
		if err != nil {
			t.Fatal(err)
		}
		e.Before = func(string, string) error {
			time.Sleep(time.Millisecond)
			return nil
		}
		began := time.Now()
		_, err = keyed(t, stuck{e}, time.Hour).Delete(t.Context(), s.Handle, session.ReasonLogout)
		if took := time.Since(began); !errors.Is(err, session.ErrUnavailable) || took > ample+time.Second {
			t.Errorf("Delete: %v after %v, want ErrUnavailable", err, took)
		}
	})
}

// TestKeyedCount: above some thousand records the count is an estimate, within four
// standard errors of the number.
func TestKeyedCount(t *testing.T) {
	const many = 40_000
	e := entrytest.New()
	for i := range many {
		sum := sha256.Sum256([]byte(strconv.Itoa(i)))
		e.Values["s/"+hex.EncodeToString(sum[:])] = []byte{1}
	}
	n, err := keyed(t, e, time.Hour).Count(t.Context())
	if err != nil || math.Abs(float64(n.Sessions-many)) > many*4*0.0142 {
		t.Errorf("counted %d of %d, %v", n.Sessions, many, err)
	}
}

func TestKeyed_lists_nothing_that_has_no_record(t *testing.T) {
	e := entrytest.New()
	st := keyed(t, e, time.Hour)
	in := storetest.Sample("sub-1")
	in.CreatedAt = in.CreatedAt.Add(-2 * time.Minute)
	for range 3 {
		if _, err := st.Create(t.Context(), in); err != nil {
			t.Fatal(err)
		}
	}
	young, err := st.Create(t.Context(), storetest.Sample("sub-1"))
	if err != nil {
		t.Fatal(err)
	}
	for key := range e.Values {
		if strings.HasPrefix(key, "s/") {
			delete(e.Values, key)
		}
	}
	page, err := st.List(t.Context(), "sub-1", session.Position{}, 10)
	if err != nil || len(page.Sessions) != 0 {
		t.Errorf("List = %+v, %v", page, err)
	}
	if len(e.Values) != 1 { // the young one's record may be on its way
		t.Errorf("%d entries are left, want that of %s", len(e.Values), young.ID)
	}
}

func second[T any](_ T, err error) error { return err }
