package handlers_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestALateLoginEndsAtItsAddress: a state is good for ten minutes,
// and people have lunch. The login starts over and still ends where it was to,
// however long that address is.
func TestALateLoginEndsAtItsAddress(t *testing.T) {
	if _, err := poolKeys(); err != nil {
		t.Fatal(err)
	}
	for name, address := range map[string]string{
		"short": "/orders/7", "long": "/orders?q=" + strings.Repeat("x", 1900),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFlow(t)
				back, cookies := f.comeBack(address)
				time.Sleep(40 * time.Minute)
				w, err := f.ask(t.Context(), f.flow.Callback, back, cookies)
				over := w.Header().Get("Location")
				if err != nil || !strings.HasPrefix(over, poolURL) {
					t.Fatalf("led to %q, error %v", over, err)
				}
				if set := w.Result().Cookies(); len(set) > 0 {
					cookies = set
				}
				if got := f.load(t.Context(), f.signIn(over), cookies); got.err != nil || got.to != address {
					t.Errorf("ended at %.60q, error %v", got.to, got.err)
				}
			})
		})
	}
}
