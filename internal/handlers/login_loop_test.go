package handlers_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/cookie"
	"github.com/gatehouse-auth/gatehouse/internal/middleware"
	"github.com/gatehouse-auth/gatehouse/internal/oauth"
	"github.com/gatehouse-auth/gatehouse/internal/problem"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/sessionstore"
)

// away is a store that does not say whether there is a session.
type away struct{ session.Store }

func (away) Load(context.Context, session.Handle) (*session.Session, error) {
	return nil, session.ErrUnavailable
}

// TestAStoreThatIsAwayMakesNoLoop: three logins in half a minute, as after
// changing accounts, and then an outage, are no browser without a session.
func TestAStoreThatIsAwayMakesNoLoop(t *testing.T) {
	f := newFlow(t)
	m, err := session.NewManager(session.Options{
		Store:    away{sessionstore.NewMemory(sessionstore.MemoryOptions{IdleTimeout: idle})},
		Provider: f.flow.OAuth, IdleTimeout: idle, AbsoluteTimeout: 12 * time.Hour,
		BeforeExpiry: time.Minute, RefreshTimeout: 10 * time.Second, ForcedPerMinute: 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	f.flow.Sessions = &middleware.Sessions{Manager: m, Cookies: f.jar}
	browser, now := httptest.NewRecorder(), time.Now().Unix()
	if err := f.jar.SetSession(browser, session.NewHandle()); err != nil {
		t.Fatal(err)
	}
	if err := f.jar.SetLogin(browser, cookie.Login{Binding: oauth.NewBinding(), Returns: []int64{now, now, now}}); err != nil {
		t.Fatal(err)
	}
	w, err := f.ask(t.Context(), f.flow.Login, ownURL+"/auth/login", browser.Result().Cookies())
	if to := w.Header().Get("Location"); err != nil || !strings.HasPrefix(to, poolURL) {
		t.Errorf("led to %q, error %v", to, err)
	}
}

// visitor is a browser whose page begins silent logins; nobody is signed in.
type visitor struct {
	*flow
	cookies []*http.Cookie
}

func (v *visitor) open(h middleware.Handler, address string) (*url.URL, error) {
	v.t.Helper()
	w, err := v.ask(v.t.Context(), h, ownURL+address, v.cookies)
	if set := w.Result().Cookies(); len(set) > 0 {
		v.cookies = set
	}
	to, invalid := url.Parse(w.Header().Get("Location"))
	if invalid != nil {
		v.t.Fatal(invalid)
	}
	return to, err
}

// tryOnce begins a silent login, for which the user pool would have to ask.
func (v *visitor) tryOnce() error {
	v.t.Helper()
	to, err := v.open(v.flow.flow.Login, "/auth/login?prompt=none&return_to=/x")
	if err != nil {
		return err
	}
	refusal := url.Values{"error": {"login_required"}, "state": {to.Query().Get("state")}}
	if to, err = v.open(v.flow.flow.Callback, "/auth/callback?"+refusal.Encode()); err != nil || to.String() != "/x" {
		v.t.Fatalf("came back to %q, %v", to, err)
	}
	return nil
}

// TestSilentLoginsInALoopEnd, for a page that begins one on every load. A browser
// that restores its tabs is none, and a login that asks goes on as ever.
func TestSilentLoginsInALoopEnd(t *testing.T) {
	const tabs = 12
	synctest.Test(t, func(t *testing.T) {
		v := &visitor{flow: newFlow(t)}
		for range 2 { // the page about a loop lets the count begin anew
			for i := range tabs {
				if err := v.tryOnce(); err != nil {
					t.Fatalf("tab %d: %v", i+1, err)
				}
				time.Sleep(2 * time.Second)
			}
			if to, err := v.open(v.flow.flow.Login, "/auth/login?return_to=/x"); err != nil || !strings.HasPrefix(to.String(), poolURL) {
				t.Errorf("a login that asks led to %q, %v", to, err)
			}
			var e *problem.Error
			if err := v.tryOnce(); !errors.As(err, &e) || e.Code != "login_loop" || e.WayOn.Href != "/auth/login?return_to=%2Fx" {
				t.Errorf("the next one answered %v", err)
			}
		}
		for i := range 3 * tabs {
			if err := v.tryOnce(); err != nil {
				t.Fatalf("the %dth of those that come every three seconds: %v", i+1, err)
			}
			time.Sleep(3 * time.Second)
		}
	})
}
