package fleet

import (
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/redistest"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// Logins and calls go on at all instances while the keys roll over: the new one
// last everywhere, then first everywhere, then the old one out.
func TestKeysRollOverAcrossProcesses(t *testing.T) {
	t.Parallel()
	old, key := secret.NewKey(), secret.NewKey()
	f := Start(t, Options{Pool: StartPool(t, PoolOptions{TokenTTL: 4 * time.Second, Rotate: true}),
		Store:    at(redistest.Start(t, redistest.Options{}).URL),
		Settings: map[string]map[string]any{"session": {"keys": []string{old}}}})
	oldest := f.SignIn(0)
	during(t, f, oldest, func() { f.useKeys(old, key); f.useKeys(key, old) })
	newest := f.SignIn(0)

	cookie := oldest.Cookie()
	f.useKeys(key)
	for i := range f.Gateways {
		if a := get(t, oldest, i); a.Status != http.StatusUnauthorized || a.Header.Values("Set-Cookie") != nil {
			t.Errorf("a cookie of the key that is out: %d, Set-Cookie %q; want 401", a.Status, a.Header.Values("Set-Cookie"))
		}
	}
	if oldest.Cookie() != cookie {
		t.Error("a cookie that does not open was touched")
	}
	warm(t, f, newest)
}

// useKeys goes round the instances one after another, as a roll-out does.
func (f *Fleet) useKeys(keys ...string) {
	for _, g := range f.Gateways {
		g.UseKeys(keys...)
		waitUntil(time.Now().Add(200 * time.Millisecond)) // calls meet every mixture
	}
}

// during lets tabs of a session call, and other browsers sign in at one instance
// and call at all, while something is done. Every one of them must succeed.
func during(t *testing.T, f *Fleet, b *Browser, do func()) {
	t.Helper()
	done := make(chan struct{})
	var running sync.WaitGroup
	calls := make([]int, 2*len(f.Gateways))
	for i := range calls {
		running.Go(func() {
			for alive := true; alive; calls[i]++ {
				tab, instance := b, i%len(f.Gateways)
				if i >= len(f.Gateways) {
					if tab = f.NewBrowser(); tab.SignIn(instance, "alice@example.com") != nil {
						t.Errorf("instance %d: a login fails while keys roll over", instance)
					}
					instance = (instance + calls[i]) % len(f.Gateways)
				}
				if a := get(t, tab, instance); a.Status != http.StatusOK {
					t.Errorf("instance %d answers %d: %s", instance, a.Status, a.Body)
				}
				select {
				case <-done:
					alive = false
				default:
				}
			}
		})
	}
	do()
	close(done)
	running.Wait()
	t.Logf("calls of one session at each instance, then logins: %v", calls)
}
