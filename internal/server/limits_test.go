package server_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/freeport"
	"github.com/gatehouse-auth/gatehouse/internal/redistest"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// behindProxies believes whoever asks about addresses.
func behindProxies(doc map[string]any) { doc["trusted_proxies"] = []string{"127.0.0.0/8"} }

// navigateFrom is one step of a navigation, by a client of that address.
func (b *browser) navigateFrom(address, path string) (*http.Response, string) {
	b.t.Helper()
	req := b.request("GET", b.rig.url+path, nil)
	req.Header.Set("Accept", "text/html")
	req.Header.Set("X-Forwarded-For", address)
	b.metadata(req, "none", "navigate", "document")
	return b.do(req)
}

// oneLogin is a limit that one login is under, and the second within a minute is above.
var oneLogin = section("rate_limit", map[string]any{"login_per_minute": 1})

func TestLoginRate(t *testing.T) {
	r, a := withAdmin(t, behindProxies, oneLogin)
	b := r.browser()
	if res, body := b.navigateFrom("203.0.113.1", "/auth/login?return_to=https://evil.test"); res.StatusCode != http.StatusBadRequest {
		t.Fatalf("%d %s", res.StatusCode, body)
	}
	for network, addresses := range map[string]func(i int) string{
		"an address": func(int) string { return "203.0.113.1" },
		"a network":  func(i int) string { return fmt.Sprintf("2001:db8::%x", i) },
	} {
		if res, body := b.navigateFrom(addresses(1), "/auth/login"); res.StatusCode != http.StatusFound {
			t.Errorf("%s: the first login, and one before that was none: %d %s", network, res.StatusCode, body)
		}
		i := 1
		until(t, "the limit of "+network, func() bool {
			i++
			res, body := b.navigateFrom(addresses(i), "/auth/login?return_to=/x")
			if res.StatusCode == http.StatusFound {
				return false // within a minute of the first, were the machine fast enough
			}
			h := res.Header
			if res.StatusCode != http.StatusTooManyRequests || !strings.Contains(body, "rate_limited") || !strings.Contains(h.Get("Content-Type"), "text/html") {
				t.Errorf("%d %s", res.StatusCode, body)
			}
			if h.Get("Ratelimit-Policy") != `"address";q=1;w=60` || h.Get("Ratelimit") != `"address";r=0;t=`+h.Get("Retry-After") || h.Get("Set-Cookie") != "" {
				t.Errorf("%v", h)
			}
			return true
		})
	}
	if res, body := b.navigateFrom("203.0.113.2", "/auth/login"); res.StatusCode != http.StatusFound {
		t.Errorf("another address: %d %s", res.StatusCode, body)
	}
	a.wantMetric(`gatehouse_rate_limited_total{limit="login"}`, 2)
	if _, body := b.navigateFrom("203.0.113.1", "/x"); strings.Contains(body, "rate_limited") {
		t.Error("the limit of logins holds for routes")
	}
}

func TestLoginRateCountsSignInsByPassword(t *testing.T) {
	r := newRig(t, passwords, oneLogin)
	b := r.browser()
	b.does("InitiateAuth", passwordSignIn("alice@example.com", "Passw0rd!"))
	until(t, "the limit", func() bool {
		before := r.emu.Levers().Calls("InitiateAuth")
		res, body := b.operation("InitiateAuth", passwordSignIn("alice@example.com", "Passw0rd!"))
		if res.StatusCode == http.StatusOK {
			return false
		}
		if got := exception(t, res, body); got != "TooManyRequestsException" || res.Header.Get("Retry-After") == "" || r.emu.Levers().Calls("InitiateAuth") != before {
			t.Errorf("%s, %v", got, res.Header)
		}
		return true
	})
}

// limited has one route, to the API, with settings of its own.
func limited(keys map[string]any) settings {
	return func(doc map[string]any) {
		route := map[string]any{"path": "/", "upstream": doc["routes"].([]any)[0].(map[string]any)["upstream"], "auth": "none"}
		for k, v := range keys {
			route[k] = v
		}
		doc["routes"] = []any{route}
	}
}

// daily is a rate of which nothing is given back while a test runs.
func daily(requests int, by string) map[string]any {
	return map[string]any{"rate_limit": map[string]any{"requests": requests, "per": "24h", "by": by}}
}

func TestRouteRate(t *testing.T) {
	for by, keys := range map[string]map[string]any{
		"address": daily(2, "address"), "route": daily(2, "route"),
		"user": {"rate_limit": daily(2, "user")["rate_limit"], "auth": "session"},
	} {
		t.Run(by, func(t *testing.T) {
			sealed := section("session", map[string]any{"keys": []string{secret.NewKey()}})
			r := newRig(t, sealed, limited(keys))
			b := r.browser()
			want := 2
			if by == "user" {
				b.signIn("alice@example.com", "/x")
				want = 1 // the login ended there
			}
			for range want {
				if res, body := b.fetch("GET", "/x", ""); res.StatusCode != http.StatusOK {
					t.Fatalf("%d %s", res.StatusCode, body)
				}
			}
			reached := r.seen.count()
			res, body := b.fetch("GET", "/x", "")
			if code := problemCode(t, res, body); res.StatusCode != http.StatusTooManyRequests || code != "rate_limited" {
				t.Errorf("%d %s", res.StatusCode, code)
			}
			if res.Header.Get("Ratelimit-Policy") != fmt.Sprintf("%q;q=2;w=86400", by) {
				t.Errorf("%v", res.Header)
			}
			if r.seen.count() != reached {
				t.Error("what is refused reached the API")
			}
			if res, _ := b.fetch("GET", "/auth/session", ""); res.StatusCode != http.StatusOK {
				t.Errorf("the gateway's own endpoint: %d", res.StatusCode)
			}
			r.reload(r.server, sealed, limited(keys))
			if res, _ := b.fetch("GET", "/x", ""); res.StatusCode != http.StatusTooManyRequests {
				t.Errorf("after a reload: %d", res.StatusCode)
			}
		})
	}
}

// A flood that is counted by address asks nothing of the store, which may be away.
func TestRouteRateBeforeTheStore(t *testing.T) {
	redis := redistest.Start(t, redistest.Options{})
	keys := daily(2, "address")
	keys["auth"] = "session"
	r := newRig(t, section("session", map[string]any{"store": redis.URL, "cache_bytes": "0"}), limited(keys))
	b := r.browser()
	b.signIn("alice@example.com", "/x")
	redis.Stop()
	res, body := b.fetch("GET", "/x", "")
	if code := problemCode(t, res, body); code != "store_unavailable" {
		t.Errorf("within the limit: %d %s", res.StatusCode, code)
	}
	res, body = b.fetch("GET", "/x", "")
	if code := problemCode(t, res, body); code != "rate_limited" {
		t.Errorf("above: %d %s", res.StatusCode, code)
	}
}

// lost is how many counts of a rate limit the store did not take.
func (a admin) lost() int {
	n, _ := a.metric(`gatehouse_rate_limit_store_failures_total{limit="/"}`)
	return int(n)
}

// TestRouteRateIsShared counts at two gateways together. Once Redis has not taken a count in
// time, each counts for itself for a second.
func TestRouteRateIsShared(t *testing.T) {
	for name, url := range map[string]func(t *testing.T) string{
		"one_server": func(t *testing.T) string { return redistest.Start(t, redistest.Options{}).URL },
		"sentinel":   func(t *testing.T) string { return redistest.StartSentinel(t, redistest.Options{}).URL },
		"cluster":    func(t *testing.T) string { return redistest.StartCluster(t, redistest.Options{}, false).URL },
	} {
		t.Run(name, func(t *testing.T) {
			store := section("session", map[string]any{"store": url(t), "keys": []string{secret.NewKey()}})
			r, a := withAdmin(t, store, limited(daily(4, "route")))
			there := admin{t: t, base: "http://" + freeport.Addr(t)}
			other := r.instance(store, limited(daily(4, "route")), func(doc map[string]any) { doc["admin_listen"] = strings.TrimPrefix(there.base, "http://") })
			b := r.balanced([]instance{{r.server, strings.Replace(r.url, "https://example.com", "127.0.0.1", 1)}, other})
			passed := 0
			for range 10 {
				if res, _ := b.fetch("GET", "/x", ""); res.StatusCode == http.StatusOK {
					passed++
				}
			}
			lost := a.lost() + there.lost()
			if most := 4 * min(1+lost, 2); passed < 4 || passed > most {
				t.Errorf("%d of 10 passed, want 4; %d were not counted", passed, lost)
			}
		})
	}
}

func TestRouteRateWithoutItsStore(t *testing.T) {
	for name, take := range map[string]func(*redistest.Server){"stopped": (*redistest.Server).Stop, "hung": (*redistest.Server).Pause} {
		t.Run(name, func(t *testing.T) {
			redis := redistest.Start(t, redistest.Options{})
			r, a := withAdmin(t, section("session", map[string]any{"store": redis.URL}), limited(daily(3, "address")))
			take(redis)
			b := r.browser()
			for i := range 3 {
				if res, body := b.fetch("GET", "/x", ""); res.StatusCode != http.StatusOK {
					t.Errorf("request %d: %d %s", i, res.StatusCode, body)
				}
			}
			if res, _ := b.fetch("GET", "/x", ""); res.StatusCode != http.StatusTooManyRequests {
				t.Errorf("the instance's own count does not hold: %d", res.StatusCode)
			}
			if a.lost() == 0 {
				t.Error("no metric tells that the store is not counting")
			}
		})
	}
}

func TestRouteConcurrency(t *testing.T) {
	inside, leave := make(chan struct{}, 2), make(chan struct{})
	api := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/wait" {
			inside <- struct{}{}
			<-leave
		}
	}))
	t.Cleanup(api.Close)
	two := limited(map[string]any{"concurrency": 2, "upstream": api.URL})
	r, a := withAdmin(t, two)
	b := r.browser()
	answers := make(chan int, 2)
	for range 2 {
		go func() {
			res, err := b.call("GET", "/wait", nil)
			if err != nil {
				answers <- 0
				return
			}
			_ = res.Body.Close()
			answers <- res.StatusCode
		}()
		<-inside
	}
	busy := func(when string) {
		t.Helper()
		res, body := b.fetch("GET", "/x", "")
		if code := problemCode(t, res, body); res.StatusCode != http.StatusServiceUnavailable || code != "route_busy" || res.Header.Get("Retry-After") != "1" {
			t.Errorf("%s: %d %s", when, res.StatusCode, body)
		}
	}
	busy("while two are under way")
	a.wantMetric(`gatehouse_route_requests{route="/"}`, 2)
	r.reload(r.server, two)
	busy("after a reload")
	a.wantMetric(`gatehouse_route_busy_total{route="/"}`, 2)
	close(leave)
	for range 2 {
		if status := <-answers; status != http.StatusOK {
			t.Errorf("one of the two: %d", status)
		}
	}
	until(t, "a place", func() bool { res, _ := b.fetch("GET", "/x", ""); return res.StatusCode == http.StatusOK })
}

// TestStreamLimits: what is open on the strength of a session is counted, and WebSockets
// of whomever.
func TestStreamLimits(t *testing.T) {
	for name, c := range map[string]struct {
		limits map[string]any
		status int
		code   string
		other  int // what another user is answered meanwhile
	}{
		"of_a_session":    {map[string]any{"streams_per_session": 2}, http.StatusTooManyRequests, "too_many_streams", http.StatusOK},
		"of_the_instance": {map[string]any{"streams": 2}, http.StatusServiceUnavailable, "instance_busy", http.StatusServiceUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			api := newEndlessAPI(t)
			r := newRig(t, section("limits", c.limits), func(doc map[string]any) { toAPI(doc, api.url, "1m") })
			alice, bob := r.browser(), r.browser()
			alice.signIn("alice@example.com", "/auth/session")
			bob.signIn("bob@example.com", "/auth/session")
			waiting, left := context.WithCancel(t.Context())
			defer left()
			for range 2 {
				go func() {
					req := alice.request("GET", r.url+"/api/wait", nil).WithContext(waiting)
					alice.metadata(req, "same-origin", "cors", "empty")
					if res, err := alice.http.Do(req); err == nil {
						_ = res.Body.Close()
					}
				}()
				<-api.arrived
			}
			for _, path := range []string{"/api/x", "/auth/events"} {
				res, body := alice.fetch("GET", path, "")
				if code := problemCode(t, res, body); res.StatusCode != c.status || code != c.code || res.Header.Get("Retry-After") == "" {
					t.Errorf("%s: %d %s", path, res.StatusCode, code)
				}
			}
			if res, body := bob.fetch("GET", "/api/x", ""); res.StatusCode != c.other {
				t.Errorf("another user: %d %s", res.StatusCode, body)
			}
			left()
			until(t, "a place", func() bool { res, _ := alice.fetch("GET", "/api/x", ""); return res.StatusCode == http.StatusOK })
		})
	}
	t.Run("of_WebSockets", func(t *testing.T) {
		site := newSlowSite(t)
		r := newRig(t, site.routes(map[string]any{"streams": 1}))
		handshake := func() (*http.Response, error) {
			req := r.browser().request("GET", r.url+"/socket", nil)
			for _, line := range webSocketHead {
				name, value, _ := strings.Cut(line, ": ")
				req.Header.Set(name, value)
			}
			return r.browser().http.Do(req)
		}
		first, err := handshake()
		if err != nil || first.StatusCode != http.StatusSwitchingProtocols {
			t.Fatalf("%v, %v", first, err)
		}
		second, err := handshake()
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(second.Body)
		if code := problemCode(t, second, string(body)); second.StatusCode != http.StatusServiceUnavailable || code != "instance_busy" {
			t.Errorf("the second: %d %s", second.StatusCode, code)
		}
		_ = first.Body.Close()
		until(t, "a place", func() bool {
			res, err := handshake()
			if err == nil {
				_ = res.Body.Close()
			}
			return err == nil && res.StatusCode == http.StatusSwitchingProtocols
		})
	})
}
