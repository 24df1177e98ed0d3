package sessionstore_test

import (
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/gatehouse-auth/gatehouse/internal/redistest"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/sessionstore"
	"github.com/gatehouse-auth/gatehouse/internal/sessionstore/storetest"
)

// crowd makes so many sessions of one subject, of which every third has ended by
// itself, as idle ones do. They have no tokens, for that is what takes the time.
func crowd(t *testing.T, st *sessionstore.Redis, admin *redis.Client, subject string, n int) {
	t.Helper()
	now := time.Now().Round(0).Truncate(time.Millisecond)
	var working sync.WaitGroup
	for worker := range 8 {
		working.Go(func() {
			for i := worker; i < n; i += 8 {
				s, err := st.Create(t.Context(), &session.Session{
					Issuer: storetest.Audience.Issuer, Subject: subject, UserAgent: storetest.Sample(subject).UserAgent,
					CreatedAt: now.Add(-time.Hour - time.Duration(i)*time.Millisecond), LastSeen: now, ExpiresAt: now.Add(time.Hour),
				})
				if err == nil && i%3 == 2 {
					err = admin.Del(t.Context(), keyOf(s)).Err()
				}
				if err != nil {
					t.Errorf("Create: %v", err)
					return
				}
			}
		})
	}
	working.Wait()
}

// cost is what Redis was asked and answered since the last call.
func cost(t *testing.T, admin *redis.Client) (commands map[string]int, answered int) {
	t.Helper()
	commands = map[string]int{}
	for line := range strings.Lines(admin.Info(t.Context(), "commandstats").Val()) {
		name, rest, found := strings.Cut(strings.TrimPrefix(line, "cmdstat_"), ":calls=")
		if count, _, ok := strings.Cut(rest, ","); found && ok {
			commands[name], _ = strconv.Atoi(count)
		}
	}
	for line := range strings.Lines(admin.Info(t.Context(), "stats").Val()) {
		if bytes, found := strings.CutPrefix(strings.TrimSpace(line), "total_net_output_bytes:"); found {
			answered, _ = strconv.Atoi(bytes)
		}
	}
	if err := admin.ConfigResetStat(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	return commands, answered
}

// TestRedisCrowd: a subject with 5,000 sessions costs no more a page than one with
// a hundred, in commands, bytes and memory, and each session is listed once.
func TestRedisCrowd(t *testing.T) {
	const sessions = 5_000
	server := redistest.Start(t, redistest.Options{User: "gateway", Password: "password", Rules: leastRules})
	st, admin := openRedis(t, server, 30*time.Minute), server.Client()
	crowd(t, st, admin, "sub-1", sessions)
	cost(t, admin)

	seen, pages := map[string]bool{}, 0
	var last session.Position
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for next := (session.Position{}); ; pages++ {
		page, err := st.List(t.Context(), "sub-1", next, 100)
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range page.Sessions {
			if at := l.Position(); seen[l.ID] || pages > 0 && at.Compare(last) >= 0 {
				t.Fatalf("page %d: %s again, or newer than the one before", pages, l.ID)
			}
			seen[l.ID], last = true, l.Position()
		}
		if pages == sessions/200 { // somewhere in the middle
			runtime.ReadMemStats(&after)
			commands, bytes := cost(t, admin)
			perPage := func(n int) string { return fmt.Sprintf("%.1f", float64(n)/float64(pages+1)) }
			t.Logf("a page: %v bytes of answers, %d allocated, %v", perPage(bytes), (after.TotalAlloc-before.TotalAlloc)/uint64(pages+1), commands)
			if commands["zrevrangebylex"] != pages+1 || commands["getrange"] > 100*(pages+1) || commands["zrem"] > pages+1 ||
				bytes > 100*600*(pages+1) {
				t.Errorf("%d pages: %d bytes, %v", pages+1, bytes, commands)
			}
		}
		if next = page.Next; next.IsZero() {
			break
		}
	}
	if want := sessions - sessions/3; len(seen) != want {
		t.Errorf("%d sessions listed, want %d", len(seen), want)
	}
	if page, err := st.List(t.Context(), "sub-1", session.Position{}, 100); err != nil || len(page.Sessions) != 100 {
		t.Errorf("with the ended ones pruned, a page has %d, %v", len(page.Sessions), err)
	}
	endsCrowd(t, st, admin, "sub-1", len(seen))
}

// nobody is a user pool that is not asked.
type nobody struct{ session.Provider }

// endsCrowd ends all sessions of a subject in one call.
func endsCrowd(t *testing.T, st *sessionstore.Redis, admin *redis.Client, subject string, want int) {
	t.Helper()
	m, err := session.NewManager(session.Options{
		Store: st, Provider: nobody{}, IdleTimeout: 30 * time.Minute, AbsoluteTimeout: time.Hour,
		BeforeExpiry: time.Minute, RefreshTimeout: time.Second, ForcedPerMinute: 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	if n, err := m.EndAll(t.Context(), subject, session.ReasonAdmin); n != want || err != nil {
		t.Errorf("EndAll = %d, %v; want %d", n, err, want)
	}
	if keys := admin.DBSize(t.Context()).Val(); keys != 0 {
		t.Errorf("%d keys are left", keys)
	}
}

// TestRedisIndexOfAnotherType: what lies under an index's name and is none hides
// the sessions from lists, and keeps nobody from signing in.
func TestRedisIndexOfAnotherType(t *testing.T) {
	server := redistest.Start(t, redistest.Options{})
	st, admin := openRedis(t, server, 30*time.Minute), server.Client()
	createIn(t, st, storetest.Sample("sub-1"))
	index := admin.Keys(t.Context(), "gatehouse:u:*").Val()[0]
	if err := admin.Set(t.Context(), index, "x", 0).Err(); err != nil {
		t.Fatal(err)
	}
	if list, err := listOf(t, st, "sub-1"); err != nil || len(list) != 0 {
		t.Errorf("List = %v, %v", list, err)
	}
	s := createIn(t, st, storetest.Sample("sub-1"))
	if list, err := listOf(t, st, "sub-1"); err != nil || len(list) != 1 || list[0].ID != s.ID {
		t.Errorf("after a login: List = %v, %v", list, err)
	}
	if ttl := admin.PTTL(t.Context(), index).Val(); ttl <= 0 {
		t.Errorf("time to live %v", ttl)
	}
}
