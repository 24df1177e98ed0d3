package server_test

import (
	"bufio"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/redistest"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// event is one server-sent event; events end with a zero one.
type event struct {
	id, name, data string
}

// eventStream is an open answer of /auth/events.
type eventStream struct {
	t      *testing.T
	header http.Header
	events chan event
	close  func()
}

// events opens the stream, as a page's EventSource does.
func (b *browser) events(t *testing.T, lastID string) *eventStream {
	t.Helper()
	req := b.request("GET", b.rig.url+"/auth/events", nil)
	req.Header.Set("Accept", "text/event-stream")
	if lastID != "" {
		req.Header.Set("Last-Event-ID", lastID)
	}
	b.metadata(req, "same-origin", "cors", "empty")
	res, err := b.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = res.Body.Close() })
	if res.StatusCode != http.StatusOK {
		t.Fatalf("/auth/events answered %d", res.StatusCode)
	}
	s := &eventStream{t: t, header: res.Header, events: make(chan event, 16), close: func() { _ = res.Body.Close() }}
	go s.read(bufio.NewScanner(res.Body))
	return s
}

func (s *eventStream) read(lines *bufio.Scanner) {
	defer close(s.events)
	lines.Buffer(nil, 1<<20)
	var e event
	for lines.Scan() {
		field, value, _ := strings.Cut(lines.Text(), ": ")
		switch {
		case field == "id":
			e.id = value
		case field == "event":
			e.name = value
		case field == "data":
			e.data = value
		case field == "" && e != event{}:
			s.events <- e
			e = event{}
		}
	}
}

// next returns the next event, which must be called name ("" is the end).
func (s *eventStream) next(name string) event {
	s.t.Helper()
	select {
	case e := <-s.events:
		if e.name != name {
			s.t.Fatalf("event %q %s, want %q", e.name, e.data, name)
		}
		return e
	case <-time.After(patience):
		s.t.Fatalf("no event %q within %v", name, patience)
		panic("unreachable")
	}
}

// signedOut expects the stream's end for a reason.
func (s *eventStream) signedOut(reason string) {
	s.t.Helper()
	if e := s.next("signedOut"); e.data != `{"reason":"`+reason+`"}` {
		s.t.Errorf("signed out with %s, want %s", e.data, reason)
	}
	s.next("")
}

// fleet is two gateways on one Redis, and their browsers: what is done at one
// must be told at the other.
type fleet struct {
	*rig
	there instance
	redis *redistest.Server // nil on another store
}

func newFleet(t *testing.T, change ...settings) fleet {
	t.Helper()
	redis := redistest.Start(t, redistest.Options{})
	f := fleetOn(t, redis.URL, change...)
	f.redis = redis
	return f
}

// fleetOn is a fleet on another store than a Redis.
func fleetOn(t *testing.T, store string, change ...settings) fleet {
	t.Helper()
	shared := append(change, section("session", map[string]any{"store": store, "keys": []string{secret.NewKey()}}))
	r := newRig(t, shared...)
	return fleet{rig: r, there: r.instance(shared...)}
}

// elsewhere is the same browser, connected to the other gateway.
func (f fleet) elsewhere(b *browser) *browser {
	other := f.balanced([]instance{f.there})
	other.http.Jar = b.http.Jar
	return other
}

func TestEventsCrossInstances(t *testing.T) {
	t.Run("redis", func(t *testing.T) { eventsCrossInstances(t, newFleet(t)) })
	t.Run("own", func(t *testing.T) { eventsCrossInstances(t, fleetOn(t, ownStore())) })
}

func eventsCrossInstances(t *testing.T, f fleet) {
	for reason, end := range map[string]func(b *browser){
		"logout": func(b *browser) { b.fetch("POST", "/auth/logout", "") },
		"global": func(b *browser) { b.fetch("POST", "/auth/logout", `{"global":true}`) },
	} {
		t.Run("the_end_by_"+reason, func(t *testing.T) {
			b := f.signedIn("alice@example.com")
			here, there := b.events(t, ""), f.elsewhere(b).events(t, "")
			here.next("session")
			there.next("session")
			end(b)
			here.signedOut(reason)
			there.signedOut(reason)
		})
	}
	t.Run("an_end_from_another_browser_of_the_user", func(t *testing.T) {
		laptop, phone := f.signedIn("alice@example.com"), f.signedIn("alice@example.com")
		s, own := f.elsewhere(phone).events(t, ""), f.elsewhere(laptop).events(t, "")
		s.next("session")
		own.next("session")
		laptop.fetch("DELETE", "/auth/sessions/"+phone.sessionID(), "")
		s.signedOut("revoked")
		select {
		case e := <-own.events:
			t.Errorf("the other session was told %+v", e)
		default:
		}
	})
	t.Run("a_login_that_takes_its_place", func(t *testing.T) {
		b := f.signedIn("alice@example.com")
		s := f.elsewhere(b).events(t, "")
		s.next("session")
		b.open(f.url + "/auth/login?return_to=/api/x") // the pool knows the browser
		s.signedOut("revoked")
	})
	t.Run("a_refresh", func(t *testing.T) {
		b := f.signedIn("alice@example.com")
		s := f.elsewhere(b).events(t, "")
		first := decode[sessionAnswer](t, s.next("session").data)
		if res, body := b.fetch("POST", "/auth/refresh", ""); res.StatusCode != http.StatusOK {
			t.Fatalf("refresh: %d %s", res.StatusCode, body)
		}
		e := s.next("tokenRefresh")
		if got := decode[sessionAnswer](t, e.data); got.Generation != first.Generation+1 || got.UserSub != first.UserSub {
			t.Errorf("told %s", e.data)
		}
	})
}

// TestEventsMissed: a stream at an instance that is deaf when its session ends learns of
// it all the same, and no other one does. How soon is a test of package streams.
func TestEventsMissed(t *testing.T) {
	redis := redistest.Start(t, redistest.Options{})
	proxy, key := redistest.StartProxy(t, redis), secret.NewKey()
	at := func(store string) settings {
		return section("session", map[string]any{"store": store, "keys": []string{key}})
	}
	r := newRig(t, at(redis.URL))
	f := fleet{r, r.instance(at(proxy.URL)), redis}
	ended, kept := f.signedIn("alice@example.com"), f.signedIn("bob@example.com")
	s, other := f.elsewhere(ended).events(t, ""), f.elsewhere(kept).events(t, "")
	s.next("session")
	other.next("session")
	proxy.Deafen(true)
	ended.fetch("POST", "/auth/logout", "")
	until(t, "the instance to notice that it is deaf", func() bool {
		return strings.Contains(r.logs.String(), "changes of sessions are not heard")
	})
	if e := s.next("signedOut"); e.data != `{"reason":"revoked"}` {
		t.Errorf("signed out with %s", e.data)
	}
	proxy.Deafen(false)
	select {
	case e := <-other.events:
		t.Errorf("the other session was told %+v", e)
	default:
	}
}

func TestEventsTellTheStateFirst(t *testing.T) {
	r := newRig(t)
	b := r.signedIn("alice@example.com")
	s := b.events(t, "")
	for name, want := range map[string]string{
		"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no", "X-Gatehouse": "1",
	} {
		if got := s.header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	state := s.next("session")
	_, body := b.fetch("GET", "/auth/session?touch=false", "")
	want, got := decode[map[string]any](t, body), decode[map[string]any](t, state.data)
	for key := range want {
		if _, ok := got[key]; !ok || key == "generation" && got[key] != want[key] {
			t.Errorf("%s is %v, in /auth/session %v", key, got[key], want[key])
		}
	}
	s.close()
	if res, body := b.fetch("POST", "/auth/refresh", ""); res.StatusCode != http.StatusOK {
		t.Fatalf("refresh: %d %s", res.StatusCode, body)
	}
	t.Run("and_after_a_gap_what_happened_in_it", func(t *testing.T) {
		again := b.events(t, state.id)
		again.next("session")
		again.next("tokenRefresh")
	})
	t.Run("and_nothing_more_for_an_id_of_nobodys", func(t *testing.T) {
		again := b.events(t, "someone.0")
		again.next("session")
		b.fetch("POST", "/auth/logout", "")
		again.signedOut("logout")
	})
}

func TestEventsRefuse(t *testing.T) {
	r := newRig(t)
	res, body := r.browser().fetch("GET", "/auth/events", "")
	if code := problemCode(t, res, body); res.StatusCode != http.StatusUnauthorized || code != "unauthenticated" {
		t.Errorf("signed out: %d %s", res.StatusCode, code)
	}
	b := r.signedIn("alice@example.com")
	res, body = b.fetchFrom("cross-site", "GET", "/auth/events", "")
	if code := problemCode(t, res, body); res.StatusCode == http.StatusOK {
		t.Errorf("cross-site: %d %s", res.StatusCode, code)
	}
	if res, body := b.fetch("HEAD", "/auth/events", ""); res.StatusCode != http.StatusOK || body != "" {
		t.Errorf("HEAD: %d %s", res.StatusCode, body)
	}
}

func TestEventsTellOfALimit(t *testing.T) {
	onStores := map[string]map[string]any{
		"memory": {"idle_timeout": "8s", "absolute_timeout": "8s"},
		"redis":  {"idle_timeout": "8s", "absolute_timeout": "8s", "store": redistest.Start(t, redistest.Options{}).URL},
	}
	for name, store := range onStores {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, section("session", store))
			s := r.signedIn("alice@example.com").events(t, "")
			s.next("session")
			e := s.next("sessionExpiring")
			at := decode[struct{ ServerTime, IdleExpiresAt, SessionExpiresAt int64 }](t, e.data)
			if at.SessionExpiresAt < at.ServerTime || at.IdleExpiresAt != at.SessionExpiresAt {
				t.Errorf("told %s", e.data)
			}
			if e := s.next("signedOut"); e.data != `{"reason":"expired"}` {
				t.Errorf("signed out with %s", e.data)
			}
			s.next("")
		})
	}
}

func TestEventsEndWhenTheGatewayStops(t *testing.T) {
	var s *eventStream
	var log *logs
	t.Run("running", func(running *testing.T) {
		r := newRig(running)
		log = r.logs
		b := r.signedIn("alice@example.com")
		s = b.events(t, "") // outlives the rig: the gateway must end it, not the test
		s.next("session")
	})
	if strings.Contains(log.String(), "cut short") { // what it says of requests that it had to wait for
		t.Errorf("the stop waited for the stream; log:\n%s", log)
	}
	s.next("")
}

func TestEventsAreCounted(t *testing.T) {
	r, a := withAdmin(t)
	b := r.signedIn("alice@example.com")
	metric := func(line string) func() bool {
		return func() bool {
			_, body := a.call("GET", "/metrics")
			return strings.Contains(body, "\n"+line+"\n")
		}
	}
	s := b.events(t, "")
	s.next("session")
	until(t, "the open stream in the metrics", metric("gatehouse_event_streams 1"))
	until(t, "the changes heard in the metrics", metric("gatehouse_session_changes_heard 1"))
	s.close()
	until(t, "the stream's end in the metrics", metric("gatehouse_event_streams 0"))

	s = b.events(t, "")
	s.next("session")
	a.call("DELETE", "/admin/sessions/"+b.sessionID())
	s.signedOut("admin")
}

func TestEventsAreLimitedBySession(t *testing.T) {
	r := newRig(t)
	b, other := r.signedIn("alice@example.com"), r.signedIn("alice@example.com")
	var streams []*eventStream
	for range 16 {
		s := b.events(t, "")
		s.next("session")
		streams = append(streams, s)
	}
	if res, _ := b.fetch("HEAD", "/auth/events", ""); res.StatusCode != http.StatusTooManyRequests {
		t.Fatalf("the 17th: %d", res.StatusCode) // a stream would be read for ever
	}
	res, body := b.fetch("GET", "/auth/events", "")
	if code := problemCode(t, res, body); res.StatusCode != http.StatusTooManyRequests || code != "too_many_streams" ||
		res.Header.Get("Retry-After") == "" {
		t.Errorf("the 17th: %d %s, Retry-After %q", res.StatusCode, code, res.Header.Get("Retry-After"))
	}
	other.events(t, "").next("session")
	streams[3].close()
	until(t, "room for another", func() bool {
		res, _ := b.fetch("HEAD", "/auth/events", "")
		return res.StatusCode == http.StatusOK
	})
	b.fetch("POST", "/auth/logout", "")
	streams[0].signedOut("logout")
}
