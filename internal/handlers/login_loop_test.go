package handlers_test

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/cookie"
	"github.com/gatehouse-auth/gatehouse/internal/middleware"
	"github.com/gatehouse-auth/gatehouse/internal/oauth"
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
