package handlers_test

import (
	"context"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/cognito"
	"github.com/gatehouse-auth/gatehouse/internal/cognitoemu"
	"github.com/gatehouse-auth/gatehouse/internal/cookie"
	"github.com/gatehouse-auth/gatehouse/internal/handlers"
	"github.com/gatehouse-auth/gatehouse/internal/middleware"
	"github.com/gatehouse-auth/gatehouse/internal/oauth"
	"github.com/gatehouse-auth/gatehouse/internal/returnto"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/sessionstore"
	"github.com/gatehouse-auth/gatehouse/internal/telemetry"
)

// poolKeys are made outside every bubble: making them takes a while.
var poolKeys = sync.OnceValues(cognitoemu.NewKeys)

// direct serves calls by a handler, without a network, so that testing/synctest
// can own the time.
type direct struct{ http.Handler }

func (d direct) RoundTrip(r *http.Request) (*http.Response, error) {
	served := r.Clone(r.Context())
	served.Host = r.URL.Host
	if r.Body == nil {
		served.Body = http.NoBody
	}
	w := httptest.NewRecorder()
	d.ServeHTTP(w, served)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	res := w.Result()
	res.Request = r
	return res, nil
}

// flow is a login flow in front of an emulated user pool.
type flow struct {
	t    *testing.T
	emu  *cognitoemu.Emulator
	flow *handlers.Flow
	jar  *cookie.Jar
	// made counts the sessions in the store.
	made func() int
}

const (
	ownURL  = "https://app.example.com"
	poolURL = "http://127.0.0.1:9229"
)

func newFlow(t *testing.T) *flow {
	t.Helper()
	keys, err := poolKeys()
	if err != nil {
		t.Fatal(err)
	}
	emu, err := cognitoemu.New(cognitoemu.Options{
		PagesURL: poolURL, APIURL: poolURL, Keys: keys,
		Seed: cognitoemu.DefaultSeed([]string{ownURL + "/auth/callback"}, []string{ownURL + "/auth/signed-out"}),
	})
	if err != nil {
		t.Fatal(err)
	}
	ring, err := secret.NewRing(make([]byte, secret.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	domain, _ := url.Parse(poolURL)
	at := cognito.NewEndpoints(domain, emu.Issuer())
	client, err := oauth.New(oauth.Options{
		ClientID: cognitoemu.DefaultClientID, AuthorizeURL: at.Authorize, TokenURL: at.Token, RevokeURL: at.Revoke,
		JWKSURL: at.JWKS, Issuer: emu.Issuer(), RedirectURL: ownURL + "/auth/callback", Scopes: []string{"openid"},
		Ring: ring, HTTP: &http.Client{Transport: direct{emu}},
	})
	if err != nil {
		t.Fatal(err)
	}
	jar, err := cookie.New(cookie.Options{Secure: true, MaxAge: 12 * time.Hour, Ring: ring})
	if err != nil {
		t.Fatal(err)
	}
	store := sessionstore.NewMemory(sessionstore.MemoryOptions{IdleTimeout: idle})
	m, err := session.NewManager(session.Options{
		Store: store, Provider: client, IdleTimeout: idle, AbsoluteTimeout: 12 * time.Hour,
		BeforeExpiry: time.Minute, RefreshTimeout: 10 * time.Second, ForcedPerMinute: 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	public, _ := url.Parse(ownURL)
	return &flow{t: t, emu: emu, jar: jar, flow: &handlers.Flow{
		OAuth: client, Sessions: &middleware.Sessions{Manager: m, Cookies: jar}, Cookies: jar, PublicURL: public, LoginPath: "/auth/login", DefaultReturnTo: "/",
		ReturnTo: returnto.Policy{}, Username: cognito.Username, Metrics: telemetry.NewMetrics("test", "c0ffee"),
	}, made: func() int {
		count, _ := store.Count(t.Context())
		return count.Sessions
	}}
}

// ask sends a navigation through a handler; cookies are what the browser has.
func (f *flow) ask(ctx context.Context, h middleware.Handler, address string, cookies []*http.Cookie) (*httptest.ResponseRecorder, error) {
	r := httptest.NewRequestWithContext(ctx, "GET", address, nil)
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	for _, c := range cookies {
		r.AddCookie(c)
	}
	x := &middleware.Exchange{}
	x.Decision.Host = r.Host
	x.Handle = f.jar.Session(r)
	w := httptest.NewRecorder()
	err := h(w, r, x)
	return w, err
}

// comeBack signs in at the user pool and returns the callback's address, and the
// cookies that the browser has by then.
func (f *flow) comeBack(returnTo string) (string, []*http.Cookie) {
	f.t.Helper()
	w, err := f.ask(f.t.Context(), f.flow.Login, ownURL+"/auth/login?return_to="+url.QueryEscape(returnTo), nil)
	if err != nil {
		f.t.Fatal(err)
	}
	return f.signIn(w.Header().Get("Location")), w.Result().Cookies()
}

var hidden = regexp.MustCompile(`<input[^>]*type="hidden"[^>]*name="([^"]*)"[^>]*value="([^"]*)"`)

// signIn fills in the user pool's form at address.
func (f *flow) signIn(address string) string {
	f.t.Helper()
	jar, _ := cookiejar.New(nil)
	back := ""
	browser := &http.Client{Transport: direct{f.emu}, Jar: jar, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if strings.HasPrefix(r.URL.String(), ownURL) {
			back = r.URL.String()
			return http.ErrUseLastResponse
		}
		return nil
	}}
	res, err := browser.Get(address)
	if err != nil {
		f.t.Fatal(err)
	}
	page := new(strings.Builder)
	_ = res.Write(page)
	form := url.Values{"username": {"alice@example.com"}, "password": {cognitoemu.DefaultPassword}}
	for _, field := range hidden.FindAllStringSubmatch(page.String(), -1) {
		form.Set(field[1], field[2])
	}
	if _, err := browser.PostForm(res.Request.URL.String(), form); err != nil {
		f.t.Fatal(err)
	}
	if back == "" {
		f.t.Fatal("the user pool did not send the browser back")
	}
	return back
}

func (f *flow) tokenCalls() int { return f.emu.Levers().TokenCalls("authorization_code") }

// load is the outcome of one load of a callback.
type load struct {
	to     string
	handle secret.Text
	err    error
}

func (f *flow) load(ctx context.Context, back string, cookies []*http.Cookie) load {
	w, err := f.ask(ctx, f.flow.Callback, back, cookies)
	l := load{to: w.Header().Get("Location"), err: err}
	r := httptest.NewRequest("GET", "/", nil)
	for _, c := range w.Result().Cookies() {
		r.AddCookie(c)
	}
	l.handle = f.jar.Session(r)
	return l
}

func TestACallbackLoadedFourTimesAtOnceSpendsItsCodeOnce(t *testing.T) {
	if _, err := poolKeys(); err != nil {
		t.Fatal(err)
	}
	for name, leaves := range map[string]bool{"all wait": false, "the first gives up": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFlow(t)
				back, cookies := f.comeBack("/here")
				f.emu.Levers().Fail(cognitoemu.EndpointToken, cognitoemu.Fault{Delay: time.Second, Times: 4})
				loads := make([]load, 4)
				ctx, leave := context.WithCancel(t.Context())
				var all sync.WaitGroup
				for i := range loads {
					ctx := ctx
					if i > 0 {
						ctx = t.Context()
					}
					all.Go(func() { loads[i] = f.load(ctx, back, cookies) })
					synctest.Wait() // it waits for the user pool by now
				}
				if leaves {
					leave()
				}
				all.Wait()
				leave()
				if n := f.tokenCalls(); n != 1 {
					t.Errorf("%d calls of the token endpoint", n)
				}
				for i, l := range loads {
					if l.err != nil || l.to != "/here" || l.handle.Empty() || !l.handle.Equal(loads[0].handle) {
						t.Errorf("load %d: to %q, the same session %v, error %v", i+1, l.to, l.handle.Equal(loads[0].handle), l.err)
					}
				}
				if n := f.made(); n != 1 {
					t.Errorf("%d sessions", n)
				}
			})
		})
	}
}

// TestAnotherBrowserGetsNothingOfALoginUnderWay: what is shared is shared with
// who has shown the binding.
func TestAnotherBrowserGetsNothingOfALoginUnderWay(t *testing.T) {
	if _, err := poolKeys(); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		f := newFlow(t)
		back, cookies := f.comeBack("/here")
		_, others := f.comeBack("/there")
		f.emu.Levers().Fail(cognitoemu.EndpointToken, cognitoemu.Fault{Delay: time.Second, Times: 1})
		var own load
		var all sync.WaitGroup
		all.Go(func() { own = f.load(t.Context(), back, cookies) })
		synctest.Wait()
		for who, cookies := range map[string][]*http.Cookie{"one with a login of its own": others, "one without cookies": nil} {
			if l := f.load(t.Context(), back, cookies); !l.handle.Empty() || !strings.HasPrefix(l.to, poolURL) {
				t.Errorf("%s: to %q with a session %v, error %v", who, l.to, !l.handle.Empty(), l.err)
			}
		}
		if l := f.load(t.Context(), back+"&iss=https%3A%2F%2Fevil.test", cookies); !l.handle.Empty() || l.err == nil {
			t.Errorf("an answer by another issuer: %+v", l)
		}
		all.Wait()
		if own.handle.Empty() || f.tokenCalls() != 1 {
			t.Errorf("signed in %v after %d calls", !own.handle.Empty(), f.tokenCalls())
		}
	})
}

func TestAReplayedCallbackCostsNoCall(t *testing.T) {
	if _, err := poolKeys(); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		f := newFlow(t)
		back, cookies := f.comeBack("/here")
		first, err := f.ask(t.Context(), f.flow.Callback, back, cookies)
		if err != nil {
			t.Fatal(err)
		}
		for _, after := range []time.Duration{0, 9 * time.Minute, time.Hour} {
			time.Sleep(after)
			if l := f.load(t.Context(), back, first.Result().Cookies()); after < time.Hour && (l.to != "/here" || l.err != nil) {
				t.Errorf("signed in, %v later: to %q, error %v", after, l.to, l.err)
			}
			if l := f.load(t.Context(), back, cookies); !strings.HasPrefix(l.to, poolURL) || !l.handle.Empty() {
				t.Errorf("signed out, %v later: to %q, a session %v, error %v", after, l.to, !l.handle.Empty(), l.err)
			}
		}
		if n := f.tokenCalls(); n != 1 {
			t.Errorf("%d calls of the token endpoint", n)
		}
	})
}

// TestACallbackThatFoundNobodyMayBeLoadedAgain: what was not answered is not
// remembered as used.
func TestACallbackThatFoundNobodyMayBeLoadedAgain(t *testing.T) {
	if _, err := poolKeys(); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		f := newFlow(t)
		back, cookies := f.comeBack("/here")
		f.emu.Levers().Fail(cognitoemu.EndpointToken, cognitoemu.Fault{Kind: cognitoemu.Unavailable, Times: 1})
		if l := f.load(t.Context(), back, cookies); l.err == nil || !l.handle.Empty() {
			t.Errorf("in an outage: %+v", l)
		}
		if l := f.load(t.Context(), back, cookies); l.err != nil || l.handle.Empty() {
			t.Errorf("after it: to %q, error %v", l.to, l.err)
		}
	})
}
