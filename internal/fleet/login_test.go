package fleet

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/redistest"
)

func TestStartedLoginsLeaveNothing(t *testing.T) {
	server := redistest.Start(t, redistest.Options{})
	client, store := server.Client(), redistest.StartProxy(t, server)
	store.Count(aboutSessions)
	f := Start(t, Options{Pool: StartPool(t, PoolOptions{}), Store: at(store.URL)})
	f.SignIn(0) // so that the measures have something to show
	sessions := func() int { return len(client.Keys(t.Context(), "gatehouse:[su]:*").Val()) }
	keys := sessions()
	if keys == 0 || store.Counted() == 0 {
		t.Fatal("a sign-in leaves no key and counts no command: the measures are blind")
	}
	store.Count(aboutSessions)
	startLogins(t, f, logins/2)
	half := memory(f)
	startLogins(t, f, logins/2)
	all := memory(f)
	t.Logf("%d logins started; resident memory of the gateways after half of them %d MB, after all %d MB",
		logins, half>>20, all>>20)
	if n := sessions() - keys; n != 0 {
		t.Errorf("%d logins leave %d keys in Redis", logins, n)
	}
	if n := store.Counted(); n != 0 {
		t.Errorf("%d logins cause %d commands at Redis", logins, n)
	}
	if all > 2*half {
		t.Errorf("the gateways' memory grew from %d to %d MB in the second half of the logins", half>>20, all>>20)
	}
}

// startLogins begins logins, each in a browser of its own.
func startLogins(t *testing.T, f *Fleet, n int) {
	t.Helper()
	var started atomic.Int64
	inParallel(32, func(worker int) {
		for started.Add(1) <= int64(n) {
			startLogin(t, f, worker%len(f.Gateways))
		}
	})
}

func startLogin(t *testing.T, f *Fleet, instance int) {
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, PublicURL+"/auth/login?return_to=%2Fapi%2F", nil)
	if err != nil {
		t.Error(err)
		return
	}
	r.Header.Set("Accept", "text/html")
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	r.Header.Set("Sec-Fetch-Dest", "document")
	r.Header.Set("Sec-Fetch-Site", "none")
	a, err := f.NewBrowser().do(instance, r)
	if err != nil || a.Status != http.StatusFound || !strings.Contains(a.Header.Get("Location"), "/oauth2/authorize") {
		t.Errorf("a login is answered %d %s, %v", a.Status, a.Header.Get("Location"), err)
	}
}

// memory is the resident memory of all instances, in bytes.
func memory(f *Fleet) (sum int64) {
	for _, g := range f.Gateways {
		sum += int64(g.Metric("process_resident_memory_bytes"))
	}
	return sum
}
