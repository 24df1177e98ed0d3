package server_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/cognito"
)

// dependency is what a gateway cannot do without, for some requests.
type dependency string

const (
	theStore    dependency = "store"
	theToken    dependency = "token_endpoint"
	theKeys     dependency = "key_set"
	theRevoke   dependency = "revoke_endpoint"
	theSignOut  dependency = "global_sign_out"
	theUpstream dependency = "upstream"
)

var dependencies = []dependency{theStore, theToken, theKeys, theRevoke, theSignOut, theUpstream}

// expected is the answer to one request.
type expected struct {
	status int
	code   string // of the problem; empty: none, or it is told on a page
	says   string // what the body must hold
}

var (
	storeAway    = expected{503, "store_unavailable", ""}
	poolAway     = expected{503, "idp_unavailable", ""}
	upstreamAway = expected{502, "upstream_unavailable", ""}
	upstreamLate = expected{504, "upstream_timeout", ""}
	pageOf503    = expected{503, "", "Signing in did not work"}
)

// cell is an endpoint: who asks for what, the answer while all is well, and the
// answers that differ while a dependency is out. The words are the contract's,
// §2 for the gateway's own endpoints and the end of §3 for the rest. The key set
// proves who signs in; a refresh that the token endpoint answered needs none.
type cell struct {
	name, who, method, path, body string

	well expected
	out  map[dependency]expected
	// final requests change what later ones would find, so recovery asks others.
	final bool
	// ends: a sign-out, the one answer that clears the session cookie.
	ends bool
}

// upstreamOut stands for the answers of a route whose API is out: 502 where it
// is refused, 504 where it does not answer in time.
var upstreamOut = expected{}

var cells = []cell{
	{name: "anonymous_call", who: "nobody", method: "GET", path: "/api/x", well: expected{401, "unauthenticated", ""}},
	{name: "session_route_with_a_fresh_token", who: "fresh", method: "GET", path: "/api/x", well: expected{200, "", `"authorized":true`},
		out: map[dependency]expected{theStore: storeAway, theUpstream: upstreamOut}},
	{name: "session_route_with_an_expired_token", who: "expired", method: "GET", path: "/api/x", well: expected{200, "", `"authorized":true`},
		out: map[dependency]expected{theStore: storeAway, theToken: poolAway, theUpstream: upstreamOut}},
	{name: "optional_route_with_a_fresh_token", who: "fresh", method: "GET", path: "/maybe/x", well: expected{200, "", `"authorized":true`},
		out: map[dependency]expected{theStore: storeAway, theUpstream: upstreamOut}},
	{name: "optional_route_with_an_expired_token", who: "expired", method: "GET", path: "/maybe/x", well: expected{200, "", `"authorized":true`},
		out: map[dependency]expected{theStore: storeAway, theToken: poolAway, theUpstream: upstreamOut}},
	{name: "route_for_all", who: "fresh", method: "GET", path: "/x", well: expected{200, "", `"authorized":false`},
		out: map[dependency]expected{theUpstream: upstreamOut}},
	{name: "session", who: "expired", method: "GET", path: "/auth/session", well: expected{200, "", `"authenticated":true`},
		out: map[dependency]expected{theStore: storeAway}},
	{name: "user", who: "expired", method: "GET", path: "/auth/user", well: expected{200, "", `"userId":`},
		out: map[dependency]expected{theStore: storeAway}},
	{name: "refresh", who: "fresh", method: "POST", path: "/auth/refresh", well: expected{200, "", `"authenticated":true`},
		out: map[dependency]expected{theStore: storeAway, theToken: poolAway}},
	{name: "logout", who: "leaving", method: "POST", path: "/auth/logout", well: expected{200, "", `"logoutUrl":`},
		out: map[dependency]expected{theStore: {200, "", `"pending":true`}}, final: true, ends: true},
	{name: "global_logout", who: "leaving for good", method: "POST", path: "/auth/logout", body: `{"global":true}`,
		well: expected{200, "", `"globalSignOut":"done"`},
		out: map[dependency]expected{
			theStore:   {200, "", `"globalSignOut":"failed","pending":true`},
			theSignOut: {200, "", `"globalSignOut":"failed"`},
		}, final: true, ends: true},
	{name: "login", who: "nobody", method: "NAVIGATE", path: "/auth/login?return_to=/x", well: expected{302, "", ""}},
	{name: "callback", who: "arriving", method: "NAVIGATE", well: expected{302, "", ""},
		out: map[dependency]expected{theStore: pageOf503, theToken: pageOf503, theKeys: pageOf503}, final: true},
	{name: "healthz", who: "nobody", method: "GET", path: "/auth/healthz", well: expected{200, "", ""}},
	{name: "readyz", who: "admin", method: "GET", path: "/readyz", well: expected{200, "", "ready"},
		out: map[dependency]expected{theStore: {503, "", "store unavailable: it does not answer"}}},
}

// during is what a cell answers while d has the fault f.
func (c cell) during(d dependency, f fault) expected {
	want, differs := c.out[d]
	switch {
	case !differs:
		return c.well
	case want != upstreamOut:
		return want
	case f == slow || f == halfOpen:
		return upstreamLate
	}
	return upstreamAway
}

// outage is a gateway one of whose dependencies will fail in one way.
type outage struct {
	*rig
	dependency dependency
	fault      fault
	begin, end func()
	admin      string // the admin listener's address
	proxy      *faultProxy
	browsers   map[string]*browser
	callback   string    // where the arriving browser is about to go
	expired    time.Time // when brief's token is past its end

	during map[string]answer
	after  map[string]answer
}

// answer is what came for a request.
type answer struct {
	status int
	header http.Header
	body   string
	took   time.Duration
	err    error
}

// TestOutages is every cell of dependency, fault and endpoint: its answer while
// the fault lasts, and that it is well again after its end.
//
// How long a gateway may take for either is not measured here, where thirty of
// them share what the machine has to spare: internal/session and
// internal/sessionstore hold their parts to it in a time of their own.
func TestOutages(t *testing.T) {
	var all []*outage
	for _, d := range dependencies {
		for _, f := range faults {
			all = append(all, newOutage(t, d, f))
		}
	}
	var running sync.WaitGroup
	turn := make(chan struct{}, 6) // a processor's share of the recovery must not be the others' noise
	for _, o := range all {
		running.Go(func() {
			turn <- struct{}{}
			defer func() { <-turn }()
			o.run()
		})
	}
	running.Wait()
	for _, o := range all {
		if o.dependency == theRevoke && !o.proxy.struck.Load() { // no answer waits for it
			t.Errorf("no revocation met the fault %s", o.fault)
		}
		for _, c := range cells {
			t.Run(fmt.Sprintf("%s/%s/%s", o.dependency, o.fault, c.name), func(t *testing.T) { o.judge(t, c) })
		}
	}
}

// run asks everything while the fault lasts, and then until all is well.
func (o *outage) run() {
	o.during, o.after = map[string]answer{}, map[string]answer{}
	<-time.After(time.Until(o.expired))
	o.begin()
	o.each(o.during, o.ask)
	// Revocations run behind the answers.
	for end := time.Now().Add(patience); o.dependency == theRevoke && !o.proxy.struck.Load() && time.Now().Before(end); {
		time.Sleep(10 * time.Millisecond)
	}
	o.end()
	o.each(o.after, o.askUntilWell)
}

// mostTries is how often a gateway may be asked before it is well again, a tenth of
// a second apart: a multiple of the two seconds that are promised. Tries take as
// long as the machine lets them, as recovering does.
const mostTries = 100

func (o *outage) askUntilWell(c cell) (a answer) {
	if c.final {
		return answer{}
	}
	for range mostTries {
		if a = o.ask(c); c.well.differs(a) == "" {
			return a
		}
		time.Sleep(100 * time.Millisecond) // a poll: recovery has no other sign
	}
	return a
}

// each asks for all cells at once.
func (o *outage) each(into map[string]answer, ask func(cell) answer) {
	var mu sync.Mutex
	var asking sync.WaitGroup
	for _, c := range cells {
		asking.Go(func() {
			a := ask(c)
			mu.Lock()
			defer mu.Unlock()
			into[c.name] = a
		})
	}
	asking.Wait()
}

// ask makes a cell's request.
func (o *outage) ask(c cell) answer {
	b, base, path, method := o.browsers[c.who], o.url, c.path, c.method
	if c.who == "admin" {
		base = "http://" + o.admin
	}
	if c.name == "callback" {
		path = o.callback
	}
	mode, dest, site := "cors", "empty", "same-origin"
	if method == "NAVIGATE" {
		method, mode, dest, site = http.MethodGet, "navigate", "document", "none"
	}
	req, err := http.NewRequest(method, base+path, strings.NewReader(c.body))
	if err != nil {
		return answer{err: err}
	}
	if c.body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if method == http.MethodPost {
		req.Header.Set("Origin", o.url)
	}
	if mode == "navigate" {
		req.Header.Set("Accept", "text/html")
	}
	if c.who != "admin" {
		b.metadata(req, site, mode, dest)
	}
	began := time.Now()
	res, err := b.http.Do(req)
	if err != nil {
		return answer{err: err}
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	return answer{res.StatusCode, res.Header, string(body), time.Since(began), err}
}

// differs says in what an answer is not as expected; empty: in nothing.
func (e expected) differs(a answer) string {
	var problem struct {
		Code string `json:"code"`
	}
	if strings.HasPrefix(a.header.Get("Content-Type"), "application/problem+json") {
		_ = json.Unmarshal([]byte(a.body), &problem)
	}
	switch {
	case a.err != nil:
		return a.err.Error()
	case a.status != e.status, problem.Code != e.code, !strings.Contains(a.body, e.says):
		return fmt.Sprintf("answered %d %s after %v, want %d %s %s: %.300s", a.status, problem.Code, a.took, e.status, e.code, e.says, a.body)
	}
	return ""
}

// judge tells whether a cell was answered as the contract says.
func (o *outage) judge(t *testing.T, c cell) {
	want, got := c.during(o.dependency, o.fault), o.during[c.name]
	if c.name == "global_logout" && want == c.well && got.took > cognito.DefaultAPITimeout {
		want.says = `"globalSignOut":` // the machine is so busy that the pool's API may seem to be away
	}
	if d := want.differs(got); d != "" {
		t.Errorf("during the fault: %s", d)
		return
	}
	if own := c.who != "admin"; own && (got.header.Get("Retry-After") != "") != (want.status == 503) {
		t.Errorf("status %d with Retry-After %q", got.status, got.header.Get("Retry-After"))
	}
	touched := touchesSession(got.header)
	if arrived := c.name == "callback" && want.status == 302; touched != (c.ends || arrived) {
		t.Errorf("session cookie set: %v", got.header.Values("Set-Cookie"))
	}
	if c.ends && !strings.Contains(strings.Join(got.header.Values("Set-Cookie"), "\n"), "Max-Age=0") {
		t.Errorf("signed out, and the cookie is not cleared: %v", got.header.Values("Set-Cookie"))
	}
	if c.final {
		return
	}
	if d := c.well.differs(o.after[c.name]); d != "" {
		t.Errorf("after the fault, tried %d times: %s", mostTries, d)
	}
	if touchesSession(o.after[c.name].header) {
		t.Error("recovery touched the session cookie")
	}
}

func touchesSession(h http.Header) bool {
	for _, line := range h.Values("Set-Cookie") {
		if strings.HasPrefix(line, "__Host-Http-gatehouse=") {
			return true
		}
	}
	return false
}
