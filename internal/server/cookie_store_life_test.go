package server_test

import (
	"bufio"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/cognitoemu"
)

// TestCookieStoreAtExpiry: what parallel calls, slow answers and a pool that is
// away make of a handle that moves.
func TestCookieStoreAtExpiry(t *testing.T) {
	rotating := func(o *cognitoemu.Options) { o.Rotate = true }
	t.Run("150_parallel_calls_cost_one_token_call_and_all_bring_the_newest_cookie", func(t *testing.T) {
		t.Parallel()
		st := newStatelessBefore(t, rotating)
		b, _, end := st.signedInBriefly("alice@example.com")
		old := b.chunks()
		// Each has a connection by then: 150 handshakes at once take a busy machine
		// longer than a server waits for a request.
		callers := make([]*browser, 150)
		for i := range callers {
			callers[i] = st.holding(old)
			callers[i].fetch("GET", "/auth/healthz", "")
		}
		<-time.After(time.Until(end.Add(time.Second)))
		var mu sync.Mutex
		given := map[string]int{}
		var calls sync.WaitGroup
		for _, c := range callers {
			calls.Go(func() {
				res, body := c.fetch("GET", "/api/x", "")
				mu.Lock()
				defer mu.Unlock()
				if res.StatusCode != http.StatusOK {
					t.Errorf("%d %s", res.StatusCode, body)
				}
				given[c.chunks()[sessionCookie]]++
			})
		}
		calls.Wait()
		if n := st.calls.Load(); n != 1 || len(given) != 1 || given[old[sessionCookie]] > 0 {
			t.Errorf("%d token calls, %d different cookies", n, len(given))
		}
	})
	t.Run("a_pool_that_is_away_leaves_the_token_in_hand_and_then_503_without_a_cookie", func(t *testing.T) {
		t.Parallel()
		st := newStatelessBefore(t, rotating)
		b, _, end := st.signedInBriefly("alice@example.com")
		st.emu.Levers().Fail(cognitoemu.EndpointToken, cognitoemu.Fault{Kind: cognitoemu.Unavailable})
		for {
			asked := time.Now()
			res, body := b.fetch("GET", "/api/x", "")
			if res.StatusCode == http.StatusServiceUnavailable {
				break
			}
			if res.StatusCode != http.StatusOK || asked.After(end.Add(2*time.Second)) {
				t.Fatalf("%v after the end: %d %s", asked.Sub(end), res.StatusCode, body)
			}
			<-time.After(50 * time.Millisecond)
		}
		if early := time.Until(end); early > time.Second {
			t.Errorf("refused %v before the token ended", early)
		}
		if st.calls.Load() == 0 {
			t.Error("the pool was not asked while the token held")
		}
		res, body := b.fetch("GET", "/api/x", "")
		if problemCode(t, res, body) != "idp_unavailable" || res.Header.Get("Retry-After") == "" || len(res.Header["Set-Cookie"]) > 0 {
			t.Errorf("%d %s, %v", res.StatusCode, body, res.Header)
		}
		st.emu.Levers().Heal(cognitoemu.EndpointToken)
		until(t, "recovery", func() bool {
			res, _ := b.fetch("GET", "/api/x", "")
			return res.StatusCode == http.StatusOK
		})
	})
	t.Run("a_token_that_is_due_early_is_refreshed_before_the_answer", func(t *testing.T) {
		t.Parallel()
		st := newStatelessBefore(t, rotating)
		b, due, _ := st.signedInBriefly("alice@example.com")
		until(t, "the refresh", func() bool {
			asked := time.Now()
			res := b.wants(http.StatusOK, "/api/x")
			if st.calls.Load() == 0 {
				if asked.After(due.Add(time.Second)) {
					t.Fatalf("a call %v after it was due did not refresh it", asked.Sub(due))
				}
				return false
			}
			if len(setsChunks(res)) == 0 {
				t.Error("the call that refreshed did not bring the cookie")
			}
			return true
		})
	})
}

// slowly is a gateway whose API answers when it is told to.
func slowly(t *testing.T, change ...settings) (st *stateless, arrived chan struct{}, release chan struct{}) {
	t.Helper()
	arrived, release = make(chan struct{}, 10), make(chan struct{})
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/slow") {
			arrived <- struct{}{}
			<-release
		}
		w.Header().Set("Cache-Control", "public, max-age=600")
		w.Header().Set("Cdn-Cache-Control", "max-age=600")
		_, _ = io.WriteString(w, "done")
	}))
	t.Cleanup(api.Close)
	return newStateless(t, append(change, func(doc map[string]any) {
		doc["routes"] = []any{
			map[string]any{"path": "/api/", "upstream": api.URL, "cache": "upstream"},
			map[string]any{"path": "/", "upstream": api.URL, "auth": "none"},
		}
	})...), arrived, release
}

// TestCookieStoreLateAnswers: an answer that took its time must not undo what
// happened meanwhile.
func TestCookieStoreLateAnswers(t *testing.T) {
	// late sends a call with a handle of before, lets meanwhile happen while the
	// API works at it, and returns its answer.
	late := func(t *testing.T, st *stateless, arrived, release chan struct{}, b *browser, meanwhile func()) (*http.Response, *browser) {
		t.Helper()
		slow := b.copied()
		b.fetch("POST", "/auth/refresh", "") // so that the slow call has a cookie to bring
		answers := make(chan *http.Response, 1)
		go func() {
			res, _ := slow.fetch("GET", "/api/slow", "")
			answers <- res
		}()
		<-arrived
		meanwhile()
		close(release)
		return <-answers, slow
	}
	t.Run("an_answer_brings_the_handle_that_is_the_newest_when_it_begins", func(t *testing.T) {
		st, arrived, release := slowly(t)
		b := st.signedIn("alice@example.com")
		res, slow := late(t, st, arrived, release, b, func() { b.fetch("POST", "/auth/refresh", "") })
		if res.StatusCode != http.StatusOK || len(setsChunks(res)) != 2 || !maps.Equal(slow.chunks(), b.chunks()) {
			t.Errorf("%d, %d lines; the newest: %v", res.StatusCode, len(setsChunks(res)), maps.Equal(slow.chunks(), b.chunks()))
		}
	})
	t.Run("an_answer_does_not_sign_in_again_who_signed_out_meanwhile", func(t *testing.T) {
		st, arrived, release := slowly(t)
		b := st.signedIn("alice@example.com")
		res, _ := late(t, st, arrived, release, b, func() { b.fetch("POST", "/auth/logout", "") })
		// The end is told a moment later than the sign-out is answered, and the answer may have
		// begun by then. Either way it brings no cookie.
		if s := res.StatusCode; s != http.StatusUnauthorized && s != http.StatusOK || len(res.Header["Set-Cookie"]) > 0 {
			t.Errorf("%d, sets %.80q", s, res.Header["Set-Cookie"])
		}
	})
	t.Run("an_answer_with_a_cookie_is_kept_by_no_cache", func(t *testing.T) {
		st, _, _ := slowly(t)
		b := st.signedIn("alice@example.com")
		old := b.copied()
		b.fetch("POST", "/auth/refresh", "")
		for name, c := range map[string]struct {
			b    *browser
			want string
		}{"with": {old, "private, no-store"}, "without": {b, "public, max-age=600"}} {
			h := c.b.wants(http.StatusOK, "/api/x").Header
			if got := h.Get("Cache-Control"); got != c.want || (h.Get("Cdn-Cache-Control") == "") != (name == "with") {
				t.Errorf("%s a cookie: %q, %q", name, got, h.Get("Cdn-Cache-Control"))
			}
		}
	})
}

// TestCookieStoreStreams: what begins with a handle of before brings the newest
// in its header, for there is no later.
func TestCookieStoreStreams(t *testing.T) {
	t.Run("a_WebSocket_handshake", func(t *testing.T) {
		upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				return
			}
			_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
				"Sec-WebSocket-Accept: ICX+Yqv66kxgM0FcWaLWlFLwTAI=\r\n\r\n")
			_ = conn.Close()
		}))
		defer upstream.Close()
		st := newStateless(t, func(doc map[string]any) { toAPI(doc, upstream.URL, "1m") })
		b := st.signedIn("alice@example.com")
		late := b.copied()
		b.fetch("POST", "/auth/refresh", "")
		req := late.request("GET", st.url+"/api/socket", nil)
		for name, value := range map[string]string{"Connection": "Upgrade", "Upgrade": "websocket",
			"Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==", "Origin": st.url} {
			req.Header.Set(name, value)
		}
		late.metadata(req, "same-origin", "websocket", "websocket")
		res, err := late.http.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = res.Body.Close() }()
		if res.StatusCode != http.StatusSwitchingProtocols || len(setsChunks(res)) != 2 || !maps.Equal(late.chunks(), b.chunks()) {
			t.Errorf("%d, sets %d lines", res.StatusCode, len(setsChunks(res)))
		}
	})
	t.Run("a_stream_of_events_tells_of_a_refresh_and_of_the_end", func(t *testing.T) {
		st := newStateless(t)
		b := st.signedIn("alice@example.com")
		late := b.copied()
		b.fetch("POST", "/auth/refresh", "")
		req := late.request("GET", st.url+"/auth/events", nil)
		late.metadata(req, "same-origin", "cors", "empty")
		res, err := late.http.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = res.Body.Close() }()
		if len(setsChunks(res)) != 2 || !maps.Equal(late.chunks(), b.chunks()) {
			t.Error("the stream's header did not bring the newest cookie")
		}
		lines := bufio.NewScanner(res.Body)
		next := func(want string) {
			t.Helper()
			for lines.Scan() {
				if name, ok := strings.CutPrefix(lines.Text(), "event: "); ok {
					if name != want {
						t.Errorf("event %s, want %s", name, want)
					}
					return
				}
			}
			t.Errorf("the stream ended before %s", want)
		}
		next("session")
		b.fetch("POST", "/auth/refresh", "")
		next("tokenRefresh")
		b.fetch("POST", "/auth/logout", "")
		next("signedOut")
	})
}
