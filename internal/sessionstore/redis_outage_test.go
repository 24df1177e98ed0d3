package sessionstore_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"github.com/gatehouse-auth/gatehouse/internal/redistest"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/sessionstore"
	"github.com/gatehouse-auth/gatehouse/internal/sessionstore/storetest"
)

// createIn creates a session. A store with a brief limit may take several tries on a
// busy machine.
func createIn(t testing.TB, st session.Store, s *session.Session) *session.Session {
	t.Helper()
	for began := time.Now(); ; {
		created, err := st.Create(t.Context(), s)
		if err == nil {
			return created
		}
		if !errors.Is(err, session.ErrUnavailable) || time.Since(began) > patience {
			t.Fatalf("Create: %v", err)
		}
	}
}

// every calls each method of st with s, and reports the errors by name.
func every(ctx context.Context, st session.Store, s *session.Session) map[string]error {
	next := *s
	next.Generation++
	_, created := st.Create(ctx, storetest.Sample("sub-1"))
	_, loaded := st.Load(ctx, s.Handle)
	_, replaced := st.Replace(ctx, &next)
	_, deleted := st.Delete(ctx, s.Handle, session.ReasonLogout)
	_, listed := st.List(ctx, s.Subject, session.Position{}, 10)
	_, found := st.Find(ctx, s.ID)
	_, acquired := st.Acquire(ctx, s.ID, "owner", time.Minute)
	_, touched := st.Touch(ctx, s.Handle, s.LastSeen.Add(time.Hour))
	_, renewed := st.Renew(ctx, s.ID, "owner", time.Minute)
	return map[string]error{
		"Create": created, "Load": loaded, "Replace": replaced, "Delete": deleted, "List": listed, "Find": found,
		"Acquire": acquired, "Renew": renewed, "Release": st.Release(ctx, s.ID, "owner"),
		"Touch":    touched,
		"DeleteID": st.DeleteID(ctx, s.ID, session.ReasonAdmin),
		"Ping":     st.Ping(ctx),
	}
}

func TestRedisOutage(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Options{Password: "password"})
	for name, outage := range map[string]struct{ begin, end func() }{
		"stopped": {server.Stop, server.Restart},
		"paused":  {server.Pause, server.Continue},
	} {
		t.Run(name+"_is_told_and_recovers", func(t *testing.T) {
			st := openBrief(t, server)
			s := createIn(t, st, storetest.Sample("sub-1"))
			outage.begin()
			_, err := st.Load(t.Context(), s.Handle)
			if !errors.Is(err, session.ErrUnavailable) || errors.Is(err, session.ErrNotFound) {
				t.Errorf("Load: err = %v, want ErrUnavailable", err)
			}
			if strings.Contains(fmt.Sprint(err), "password") {
				t.Errorf("the error shows the password: %v", err)
			}
			outage.end()
			recovers(t, st, s)
		})
	}
	t.Run("every_method_tells_it", func(t *testing.T) {
		st := openBrief(t, server)
		s := createIn(t, st, storetest.Sample("sub-1"))
		server.Stop()
		defer server.Restart()
		for method, err := range every(t.Context(), st, s) {
			if !errors.Is(err, session.ErrUnavailable) {
				t.Errorf("%s: err = %v, want ErrUnavailable", method, err)
			}
		}
	})
	t.Run("a_caller_that_leaves_is_not_an_outage", func(t *testing.T) {
		st := openRedis(t, server, 30*time.Minute)
		s := createIn(t, st, storetest.Sample("sub-1"))
		server.Pause()
		defer server.Continue()
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(20*time.Millisecond, cancel)
		_, err := st.Load(ctx, s.Handle)
		if !errors.Is(err, context.Canceled) || errors.Is(err, session.ErrUnavailable) {
			t.Errorf("err = %v, want context.Canceled alone", err)
		}
	})
}

func TestRedisAnswers(t *testing.T) {
	server := redistest.Start(t, redistest.Options{User: "gateway", Password: "password", Rules: leastRules})
	st := openRedis(t, server, 30*time.Minute)
	admin := server.Client()
	key := func(s *session.Session) string { return "gatehouse:s:{" + s.ID + "}" }
	run := func(t *testing.T, args ...any) {
		t.Helper()
		ctx := context.WithoutCancel(t.Context()) // also when cleaning up
		if err := admin.Do(ctx, args...).Err(); err != nil {
			t.Fatalf("%v: %v", args, err)
		}
	}
	for name, c := range map[string]struct {
		spoil func(t *testing.T, s *session.Session)
		want  error
	}{
		"garbage":       {func(t *testing.T, s *session.Session) { run(t, "SET", key(s), "garbage") }, session.ErrNotFound},
		"an_empty_text": {func(t *testing.T, s *session.Session) { run(t, "SET", key(s), "") }, session.ErrNotFound},
		"10_MB":         {func(t *testing.T, s *session.Session) { run(t, "SETRANGE", key(s), 10<<20, "x") }, session.ErrNotFound},
		"another_type": {func(t *testing.T, s *session.Session) {
			run(t, "DEL", key(s))
			run(t, "RPUSH", key(s), "x")
		}, session.ErrUnavailable},
		"another_sessions_record": {func(t *testing.T, s *session.Session) {
			run(t, "COPY", key(createIn(t, st, storetest.Sample("sub-1"))), key(s), "REPLACE")
		}, session.ErrNotFound},
		"a_revoked_permission": {func(t *testing.T, _ *session.Session) {
			run(t, "ACL", "SETUSER", "gateway", "-get")
			t.Cleanup(func() { run(t, "ACL", "SETUSER", "gateway", "+get") })
		}, session.ErrUnavailable},
	} {
		t.Run(name+"_is_sorted", func(t *testing.T) {
			s := createIn(t, st, storetest.Sample("sub-1"))
			c.spoil(t, s)
			if got, err := st.Load(t.Context(), s.Handle); !errors.Is(err, c.want) {
				t.Errorf("Load = %v, %v; want %v", got, err, c.want)
			}
		})
	}
	t.Run("a_wrong_password_is_an_outage_and_shows_nothing", func(t *testing.T) {
		wrong, err := sessionstore.NewRedis(sessionstore.RedisOptions{
			Address: as(t, server.URL, "", "canary-password"), Ring: newRing(t, 1), Audience: storetest.Audience, IdleTimeout: time.Minute,
		})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = wrong.Close() }()
		err = wrong.Ping(t.Context())
		if !errors.Is(err, session.ErrUnavailable) || strings.Contains(fmt.Sprint(err), "canary") {
			t.Errorf("Ping: %v", err)
		}
	})
	t.Run("a_record_of_another_type_can_still_be_ended", func(t *testing.T) {
		s := createIn(t, st, storetest.Sample("sub-1"))
		run(t, "DEL", key(s))
		run(t, "RPUSH", key(s), "x")
		if _, err := st.Delete(t.Context(), s.Handle, session.ReasonLogout); err != nil {
			t.Error(err)
		}
		if n := admin.Exists(t.Context(), key(s)).Val(); n != 0 {
			t.Error("the key is still there")
		}
	})
	t.Run("a_use_of_an_ended_session_leaves_no_key", func(t *testing.T) {
		s := createIn(t, st, storetest.Sample("sub-1"))
		if _, err := st.Delete(t.Context(), s.Handle, session.ReasonLogout); err != nil {
			t.Fatal(err)
		}
		if _, err := st.Touch(t.Context(), s.Handle, time.Now().Add(time.Hour)); err != nil {
			t.Error(err)
		}
		if n := admin.Exists(t.Context(), key(s)).Val(); n != 0 {
			t.Error("the key is there")
		}
	})
	t.Run("a_use_sets_the_time_to_live_within_the_absolute_limit", func(t *testing.T) {
		in := storetest.Sample("sub-1")
		in.ExpiresAt = in.CreatedAt.Add(time.Minute + 30*time.Minute/2)
		s := createIn(t, st, in)
		if _, err := st.Touch(t.Context(), s.Handle, s.LastSeen.Add(30*time.Minute/2)); err != nil {
			t.Fatal(err)
		}
		if ttl := admin.PTTL(t.Context(), key(s)).Val(); ttl <= 0 || ttl > time.Minute {
			t.Errorf("time to live %v, want up to a minute", ttl)
		}
	})
	t.Run("a_refresh_whose_answer_was_lost_can_be_written_again", func(t *testing.T) {
		s := createIn(t, st, storetest.Sample("sub-1"))
		next := *s
		next.Generation++
		record, err := session.NewCodec(newRing(t, 1), storetest.Audience).Seal(&next)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := sessionstore.ReplaceRecord(t.Context(), st, s.ID, 0, record); err != nil {
				t.Error(err)
			}
		}
	})
}

func TestNewRedis(t *testing.T) {
	ring := newRing(t, 1)
	for name, o := range map[string]sessionstore.RedisOptions{
		"no_address":      {Ring: ring, Audience: storetest.Audience, IdleTimeout: 1},
		"another_store":   {Address: at(t, "memory:"), Ring: ring, Audience: storetest.Audience, IdleTimeout: 1},
		"a_missing_file":  {Address: at(t, "rediss://u:canary@h?tls_ca_file=/none"), Ring: ring, Audience: storetest.Audience, IdleTimeout: 1},
		"no_ring":         {Address: at(t, "redis://localhost"), Audience: storetest.Audience, IdleTimeout: 1},
		"no_audience":     {Address: at(t, "redis://localhost"), Ring: ring, IdleTimeout: 1},
		"no_idle_timeout": {Address: at(t, "redis://localhost"), Ring: ring, Audience: storetest.Audience},
	} {
		t.Run("refuses_"+name+"_and_shows_nothing_of_it", func(t *testing.T) {
			st, err := sessionstore.NewRedis(o)
			if err == nil || st != nil || strings.Contains(err.Error(), "canary") {
				t.Errorf("NewRedis = %v, %v", st, err)
			}
		})
	}
	t.Run("connects_to_nothing", func(t *testing.T) {
		st, err := sessionstore.NewRedis(sessionstore.RedisOptions{Address: at(t, "redis://127.0.0.1:1"), Ring: ring, Audience: storetest.Audience, IdleTimeout: 1})
		if err != nil {
			t.Fatal(err)
		}
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
}

// TestRedisDump: whoever takes a Redis home takes no tokens with it.
func TestRedisDump(t *testing.T) {
	server := redistest.Start(t, redistest.Options{})
	st := openRedis(t, server, 30*time.Minute)
	s := storetest.Sample("canary-subject")
	s.Username, s.UserAgent = "canary-username", "canary-agent"
	s = createIn(t, st, s)
	next := *s
	next.Generation++
	storetest.SetTokens(&next, time.Now().Add(time.Hour))
	if _, err := st.Replace(t.Context(), &next); err != nil {
		t.Fatal(err)
	}
	if err := server.Client().Set(t.Context(), "control", "canary-control "+s.Bearer.Reveal(), 0).Err(); err != nil {
		t.Fatal(err)
	}
	dump := server.Dump()
	count := func(text string) int { return bytes.Count(dump, []byte(text)) }
	if count("canary-control") < 2 || count(s.Tokens.Access.Reveal()) < 2 {
		t.Fatal("positive control: the dump does not show what lies in the clear")
	}
	if n := count("canary"); n != count("canary-control") {
		t.Errorf("%d canaries beside the control", n-count("canary-control"))
	}
	access := count(s.Tokens.Access.Reveal())
	for name, secretText := range map[string]string{
		"ID token": s.Tokens.ID.Reveal(), "refresh token": s.Tokens.Refresh.Reveal(),
		"new access token": next.Tokens.Access.Reveal(), "new refresh token": next.Tokens.Refresh.Reveal(),
		"handle": s.Handle.Reveal(), "half the handle": s.Handle.Reveal()[:32], "its key": s.Handle.Reveal()[32:],
		"signature": lastSegment(s.Tokens.ID.Reveal()), "claims": string(s.IDClaims()),
	} {
		if count(secretText) != 0 {
			t.Errorf("the dump shows the %s", name)
		}
	}
	if control := count("canary-control"); access != control {
		t.Errorf("the access token shows %d times beside the control", access-control)
	}
}

func lastSegment(token string) string { return token[strings.LastIndexByte(token, '.')+1:] }

// TestRedisMemory is the figure of docs/scaling: bytes of a session in Redis
// over the bytes of its tokens.
func TestRedisMemory(t *testing.T) {
	server := redistest.Start(t, redistest.Options{})
	st := openRedis(t, server, 30*time.Minute)
	s := createIn(t, st, storetest.Sample("0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9"))
	admin := server.Client()
	used := 0
	keys := admin.Keys(t.Context(), "*").Val()
	for _, k := range keys {
		used += int(admin.MemoryUsage(t.Context(), k).Val())
	}
	tokens := len(s.Tokens.Access.Reveal() + s.Tokens.ID.Reveal() + s.Tokens.Refresh.Reveal())
	t.Logf("%d keys, %d bytes in Redis, %d bytes of tokens: %.2f", len(keys), used, tokens, float64(used)/float64(tokens))
	if len(keys) != 2 || float64(used) > 1.25*float64(tokens) {
		t.Errorf("%d keys of %d bytes for %d bytes of tokens, want 2 and at most 1.25 times as much", len(keys), used, tokens)
	}
}

func TestRedisIndex(t *testing.T) {
	server := redistest.Start(t, redistest.Options{})
	admin := server.Client()
	st := openRedis(t, server, 30*time.Minute)
	entries := func(t *testing.T) int {
		t.Helper()
		keys := admin.Keys(t.Context(), "gatehouse:u:*").Val()
		n := 0
		for _, k := range keys {
			n += int(admin.ZCard(t.Context(), k).Val())
		}
		return n
	}
	vanish := func(t *testing.T, s *session.Session) { // as an idle session does
		t.Helper()
		if err := admin.Del(t.Context(), "gatehouse:s:{"+s.ID+"}").Err(); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("an_entry_without_a_record_means_nothing_and_is_pruned_in_time", func(t *testing.T) {
		old := storetest.Sample("sub-1")
		old.CreatedAt = old.CreatedAt.Add(-2 * time.Minute)
		vanish(t, createIn(t, st, old))
		vanish(t, createIn(t, st, storetest.Sample("sub-1"))) // could be a login on its way
		kept := createIn(t, st, storetest.Sample("sub-1"))
		list, err := listOf(t, st, "sub-1")
		if d := cmp.Diff([]session.Listing{kept.Listing()}, list); d != "" || err != nil {
			t.Error(d, err)
		}
		if n := entries(t); n != 2 {
			t.Errorf("%d entries, want 2", n)
		}
	})
	t.Run("garbage_hides_no_session_and_what_is_no_entry_is_pruned", func(t *testing.T) {
		var spoilt []*session.Session
		for range 3 {
			spoilt = append(spoilt, createIn(t, st, storetest.Sample("sub-3")))
		}
		kept := createIn(t, st, storetest.Sample("sub-3"))
		key := func(s *session.Session) string { return "gatehouse:s:{" + s.ID + "}" }
		before := entries(t)
		vanish(t, spoilt[0])
		for _, err := range []error{
			admin.RPush(t.Context(), key(spoilt[0]), "x").Err(),
			admin.Set(t.Context(), key(spoilt[1]), "garbage", 0).Err(),
			admin.Set(t.Context(), key(spoilt[2]), strings.Repeat("x", 5000), 0).Err(),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
		index := ""
		for _, k := range admin.Keys(t.Context(), "gatehouse:u:*").Val() {
			if admin.ZCard(t.Context(), k).Val() == 4 {
				index = k
			}
		}
		for _, entry := range []string{"", "x", strings.Repeat("é", 30)} {
			if err := admin.ZAdd(t.Context(), index, redis.Z{Score: 1e15, Member: entry}).Err(); err != nil {
				t.Fatal(err)
			}
		}
		list, err := listOf(t, st, "sub-3")
		if d := cmp.Diff([]session.Listing{kept.Listing()}, list); d != "" || err != nil {
			t.Error(d, err)
		}
		if n := entries(t); n != before {
			t.Errorf("%d entries, want %d", n, before)
		}
		for _, s := range spoilt {
			if err := st.DeleteID(t.Context(), s.ID, session.ReasonAdmin); err != nil {
				t.Errorf("DeleteID: %v", err)
			}
		}
	})
	t.Run("a_login_drops_entries_past_their_absolute_limit", func(t *testing.T) {
		before := entries(t)
		brief := storetest.Sample("sub-1")
		brief.ExpiresAt = time.Now().Add(50 * time.Millisecond)
		s := createIn(t, st, brief)
		<-time.After(time.Until(s.ExpiresAt) + time.Millisecond)
		createIn(t, st, storetest.Sample("sub-1"))
		if n := entries(t); n != before+1 {
			t.Errorf("%d entries, want %d", n, before+1)
		}
	})
	t.Run("expires_with_its_longest_session", func(t *testing.T) {
		createIn(t, st, storetest.Sample("sub-2"))
		brief := storetest.Sample("sub-2")
		brief.ExpiresAt = time.Now().Add(time.Minute)
		createIn(t, st, brief)
		for _, k := range admin.Keys(t.Context(), "*").Val() {
			if ttl := admin.PTTL(t.Context(), k).Val(); ttl <= 0 {
				t.Errorf("%s never expires", k)
			} else if strings.HasPrefix(k, "gatehouse:u:") && ttl < 11*time.Hour {
				t.Errorf("%s expires in %v", k, ttl)
			}
		}
	})
	t.Run("shows_no_subject", func(t *testing.T) {
		for _, k := range admin.Keys(t.Context(), "*").Val() {
			if strings.Contains(k, "sub-") {
				t.Errorf("key %q", k)
			}
		}
	})
}
