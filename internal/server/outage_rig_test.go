package server_test

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/freeport"
	"github.com/gatehouse-auth/gatehouse/internal/redistest"
)

// newOutage starts the gateway, its dependencies and the browsers.
func newOutage(t *testing.T, d dependency, f fault) *outage {
	t.Helper()
	o := &outage{dependency: d, fault: f, admin: freeport.Addr(t), browsers: map[string]*browser{}}
	change := []settings{
		section("refresh", map[string]any{"timeout": o.limit(theToken), "forced_per_minute": 1000}),
		func(doc map[string]any) { doc["admin_listen"] = o.admin },
	}
	if d == theStore {
		change = append(change, section("session", map[string]any{"store": o.redis(t)}))
	}
	o.rig = newRigBehind(t, func(r *rig) { change = append(change, o.stand(t, r)) }, func(doc map[string]any) {
		for _, c := range change {
			c(doc)
		}
	})
	// The way back ends at a route for all, so that no session was ever loaded:
	// what lies in the cache is served on for a moment, and rightly.
	for who, user := range map[string]string{
		"fresh": "alice", "expired": brief, "leaving": "alice", "leaving for good": "dave",
	} {
		o.browsers[who] = o.browser()
		o.browsers[who].signIn(user+"@example.com", "/x")
	}
	o.expired = time.Now().Add(time.Second)
	o.browsers["nobody"], o.browsers["admin"] = o.browser(), o.browser()
	o.arrive()
	if d == theKeys { // the key set is asked for only when a token has a new key
		begin := o.begin
		o.begin = func() {
			if err := o.emu.Levers().RotateKeys(); err != nil {
				t.Error(err)
			}
			begin()
		}
	}
	return o
}

// redis starts the store, and returns its address.
func (o *outage) redis(t *testing.T) string {
	t.Helper()
	server := redistest.Start(t, redistest.Options{})
	switch o.fault {
	case away:
		o.begin, o.end = server.Stop, server.Restart
	case slow:
		o.begin, o.end = server.Pause, server.Continue
	default:
		return "redis://" + o.newProxy(t, server.Addr, "$1024\r\nhalf an answ").address + "/0"
	}
	return server.URL
}

// newProxy stands before a dependency.
func (o *outage) newProxy(t *testing.T, target, begun string) *faultProxy {
	t.Helper()
	p := proxyTo(t, target, begun)
	o.proxy = p
	o.begin, o.end = func() { p.set(o.fault) }, func() { p.set(healthy) }
	return p
}

// stand puts a proxy before the part of the pool, or the API, that will fail.
func (o *outage) stand(t *testing.T, r *rig) settings {
	t.Helper()
	r.around = shortTokens
	const begun = "HTTP/1.1 200 OK\r\nContent-Ty"
	pool := strings.TrimPrefix(r.pool.URL, "http://")
	port := func(p *faultProxy) string { return p.address[strings.LastIndexByte(p.address, ':'):] }
	switch o.dependency {
	case theToken:
		r.domain = "http://" + o.newProxy(t, pool, begun).address
	case theRevoke: // Cognito has it on one host with the token endpoint
		p := o.newProxy(t, pool, begun)
		p.only, r.domain = "POST /oauth2/revoke", "http://"+p.address
	case theKeys:
		api := r.idp // stays away from the proxy
		r.idp = "http://localhost" + port(o.newProxy(t, pool, begun))
		return o.apart(r, api)
	case theSignOut:
		return o.apart(r, "http://localhost"+port(o.newProxy(t, pool, begun)))
	case theUpstream:
		api := "http://" + o.newProxy(t, strings.TrimPrefix(r.api.URL, "http://"), begun).address
		return func(doc map[string]any) { toAPI(doc, api, o.limit(theUpstream)) }
	}
	return func(map[string]any) {}
}

// limit is for calls of some dependencies: short where it is what ends a call that
// is to fail, and long where nothing but the machine could exceed it.
func (o *outage) limit(of ...dependency) string {
	if silent := o.fault == slow || o.fault == halfOpen; silent && slices.Contains(of, o.dependency) {
		return "2s"
	}
	return "1m"
}

// apart gives the pool's API an address other than the issuer's.
func (o *outage) apart(r *rig, api string) settings {
	alias, host := strings.TrimPrefix(api, "http://"), strings.TrimPrefix(r.idp, "http://")
	r.around = func(next http.Handler) http.Handler { return known(alias, host, shortTokens(next)) }
	return section("cognito", map[string]any{"api_endpoint": api})
}

// toAPI sends every route to an address, with a limit for its answers.
func toAPI(doc map[string]any, address, limit string) {
	for _, route := range doc["routes"].([]any) {
		maps.Copy(route.(map[string]any), map[string]any{"upstream": address, "timeout": limit})
	}
}

// known makes the pool answer to one more name.
func known(alias, host string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Host == alias {
			r.Host = host
		}
		next.ServeHTTP(w, r)
	})
}

// brief is the user whose tokens last a second.
const brief = "bob"

// shortTokens makes the token endpoint say of one user's tokens that they last a
// second; everyone else's last an hour.
func shortTokens(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/oauth2/token" {
			next.ServeHTTP(w, r)
			return
		}
		rec := httptest.NewRecorder()
		next.ServeHTTP(rec, r)
		body := rec.Body.String()
		var issued struct {
			ID string `json:"id_token"`
		}
		_ = json.Unmarshal(rec.Body.Bytes(), &issued)
		if parts := strings.Split(issued.ID, "."); len(parts) == 3 {
			claims, _ := base64.RawURLEncoding.DecodeString(parts[1])
			if strings.Contains(string(claims), `"`+brief+`@example.com"`) {
				body = strings.Replace(body, `"expires_in":3600`, `"expires_in":1`, 1)
			}
		}
		maps.Copy(w.Header(), rec.Header())
		w.Header().Del("Content-Length")
		w.WriteHeader(rec.Code)
		_, _ = io.WriteString(w, body)
	})
}

// arrive takes a browser through the hosted page, and stops before the callback.
func (o *outage) arrive() {
	o.t.Helper()
	b := o.browser()
	follow := b.http.Transport
	b.http.Transport = stopAt{follow, "/auth/callback"}
	p := b.signIn("carol@example.com", "/x")
	b.http.Transport = follow
	o.callback, o.browsers["arriving"] = strings.TrimPrefix(p.url.String(), o.url), b
}

// stopAt answers for one path itself.
type stopAt struct {
	next http.RoundTripper
	path string
}

func (s stopAt) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Path == s.path {
		return &http.Response{StatusCode: http.StatusNoContent, Header: http.Header{}, Body: http.NoBody, Request: r}, nil
	}
	return s.next.RoundTrip(r)
}
