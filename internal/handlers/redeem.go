package handlers

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/gatehouse-auth/gatehouse/internal/middleware"
	"github.com/gatehouse-auth/gatehouse/internal/oauth"
	"github.com/gatehouse-auth/gatehouse/internal/session"
)

// redemptions sees to it that this process redeems a state once, however often
// its callback is loaded. The zero value is ready.
type redemptions struct {
	flights singleflight.Group // by the login's key
	used    usedStates
}

var errRedeemed = fmt.Errorf("the state was redeemed before: %w", oauth.ErrGrantRevoked)

// redeem makes the session of a login that came back. Loads of its callback at
// the same time share one call of the token endpoint and one session: they come from
// one browser, as each has shown the binding. A later one makes no call and gets
// errRedeemed. The work goes on if the load that began it is given up, as its code is
// spent and other loads may wait for it.
//
// Errors: as [oauth.Client.Exchange] and [session.Manager.Create].
func (f *Flow) redeem(r *http.Request, x *middleware.Exchange, cb oauth.Callback, p oauth.Pending, binding oauth.Binding) (*session.Session, error) {
	// Judged for each load, as it is not a matter of the state.
	if err := f.OAuth.MayExchange(cb, p); err != nil {
		return nil, err
	}
	made, err, _ := f.redeemed.flights.Do(p.Key, func() (any, error) {
		if f.redeemed.used.has(p.Key) {
			return nil, errRedeemed
		}
		ctx := context.WithoutCancel(r.Context())
		tokens, err := f.OAuth.Exchange(ctx, cb, p, binding)
		if err == nil || errors.Is(err, oauth.ErrGrantRevoked) || errors.Is(err, oauth.ErrInvalidToken) {
			f.redeemed.used.add(p.Key)
		}
		if err != nil {
			return nil, err
		}
		return f.Admit(r.WithContext(ctx), x, tokens, session.SignIn{})
	})
	if err != nil {
		return nil, err
	}
	return made.(*session.Session), nil
}

// Admit makes the session of a user who has just signed in, in whichever way, and
// ends the one that the browser had. The cookie and the answer are the caller's.
// Errors: as [session.Manager.Create].
func (f *Flow) Admit(r *http.Request, x *middleware.Exchange, t oauth.Tokens, s session.SignIn) (*session.Session, error) {
	made, err := f.Sessions.Manager.Create(r.Context(), session.New{
		Tokens: t, Username: f.Username(t.Identity()), UserAgent: r.UserAgent(), Address: x.Decision.Client, SignIn: s,
	}, x.Handle)
	if err == nil {
		f.Metrics.Count(logins, "done")
	}
	return made, err
}

// maxUsedStates bounds each of the two generations of [usedStates], some 80 bytes
// an entry. What does not fit costs a call of the token endpoint, which refuses it.
const maxUsedStates = 8192

// usedStates remembers which logins have been redeemed, for as long as their
// states open. Two generations make forgetting a swap.
type usedStates struct {
	mu         sync.Mutex
	young, old map[string]struct{}
	since      time.Time // when young began
}

func (u *usedStates) has(key string) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	_, young := u.young[key]
	_, old := u.old[key]
	return young || old
}

func (u *usedStates) add(key string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if now := time.Now(); len(u.young) >= maxUsedStates || now.Sub(u.since) > oauth.StateLifetime {
		u.old, u.young, u.since = u.young, make(map[string]struct{}), now
	}
	u.young[key] = struct{}{}
}
