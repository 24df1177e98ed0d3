package fleet

import (
	"encoding/base64"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/cookie"
	"github.com/gatehouse-auth/gatehouse/internal/redistest"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/session"
)

// aboutSessions begins the keys of sessions' records, which no command of theirs
// does without. What a fleet asks of Redis by itself (signs of life, the count of
// sessions) does not say it.
const aboutSessions = "gatehouse:s:{"

func TestForgedCookiesReachNoStore(t *testing.T) {
	store := redistest.StartProxy(t, redistest.Start(t, redistest.Options{}))
	store.Count(aboutSessions)
	old, key := secret.NewKey(), secret.NewKey()
	f := Start(t, Options{Pool: StartPool(t, PoolOptions{}), Store: at(store.URL),
		Settings: map[string]map[string]any{"session": {"keys": []string{old}}}})
	before := f.SignIn(0)
	retired := before.Cookie()
	for _, g := range f.Gateways {
		g.UseKeys(key)
	}
	b := f.SignIn(0)
	forge := newForger(t, newSeed(t), b, retired)
	if store.Counted() == 0 {
		t.Fatal("sign-ins count no command: the measure is blind")
	}

	store.Count(aboutSessions)
	var anonymous atomic.Int64
	inParallel(32, func(worker int) {
		for i := worker; i < forgeries; i += 32 {
			forged := forge(i)
			a, err := present(t, f.With(forged), i)
			switch {
			case a.Status == http.StatusUnauthorized, a.Status == http.StatusOK && !strings.Contains(a.Body, `"authenticated":true`):
				anonymous.Add(1)
			case err != nil || a.Status != http.StatusBadRequest && a.Status != http.StatusRequestHeaderFieldsTooLarge:
				t.Errorf("%q is answered %d %.200s, %v", forged, a.Status, a.Body, err)
			}
		}
	})
	t.Logf("%d forgeries, %d of them read as no cookie and the rest refused", forgeries, anonymous.Load())
	if n := store.Counted(); n != 0 {
		t.Errorf("%d forgeries cause %d commands at Redis", forgeries, n)
	}
	warm(t, f, b)
}

// present takes a cookie to one of the places where it would count.
func present(t *testing.T, b *Browser, i int) (Answer, error) {
	instance := i % len(b.fleet.Gateways)
	switch i / len(b.fleet.Gateways) % 4 {
	case 0:
		return b.Get(t.Context(), instance, "/auth/session")
	case 1:
		return b.Get(t.Context(), instance, "/auth/sessions")
	case 2:
		return b.Post(t.Context(), instance, "/auth/logout", "{}")
	}
	return b.Get(t.Context(), instance, "/api/")
}

// newForger returns forgeries by number, of all kinds in turn. They are made of
// a real session's cookie and login cookie, and of a cookie of a key that is out.
func newForger(t *testing.T, seed uint64, b *Browser, retired string) func(i int) string {
	t.Helper()
	name, value, _ := strings.Cut(b.Cookie(), "=")
	real, err := base64.URLEncoding.DecodeString(value)
	if err != nil {
		t.Fatal(err)
	}
	login := loginCookie(t, b.fleet)
	foreign := foreignCookie(t, name)
	return func(i int) string {
		r := rand.New(rand.NewPCG(seed, uint64(i)))
		switch i % 9 {
		case 0: // of a real one's length
			return name + "=" + base64.URLEncoding.EncodeToString(randomBytes(r, len(real)))
		case 1:
			return name + "=" + base64.RawURLEncoding.EncodeToString(randomBytes(r, r.IntN(200)))
		case 2, 3: // one bit, in each place in turn
			bit := (i / 9) % (8 * len(real))
			flipped := append([]byte(nil), real...)
			flipped[bit/8] ^= 1 << (bit % 8)
			return name + "=" + base64.URLEncoding.EncodeToString(flipped)
		case 4: // cut, at either end
			n := 1 + r.IntN(len(value)-1)
			return name + "=" + []string{value[:n], value[n:]}[r.IntN(2)]
		case 5: // as long as a request's cookies may be, and longer
			return name + "=" + value + strings.Repeat("A", 1+r.IntN(24<<10))
		case 6:
			return foreign
		case 7:
			return name + "=" + login
		}
		return retired
	}
}

// loginCookie is the value of the other cookie that gateways seal.
func loginCookie(t *testing.T, f *Fleet) string {
	t.Helper()
	b := f.NewBrowser()
	if _, _, err := b.navigate(0, http.MethodGet, PublicURL+"/auth/login", nil); err != nil {
		t.Fatal(err)
	}
	u, _ := url.Parse(PublicURL + "/auth/callback")
	for _, c := range b.jar.Cookies(u) {
		if strings.HasSuffix(c.Name, "-login") {
			return c.Value
		}
	}
	t.Fatal("a login that was started leaves no login cookie")
	return ""
}

// foreignCookie is right in every way, but sealed by another gateway.
func foreignCookie(t *testing.T, name string) string {
	t.Helper()
	key, err := base64.StdEncoding.DecodeString(secret.NewKey())
	if err != nil {
		t.Fatal(err)
	}
	ring, err := secret.NewRing(key)
	if err != nil {
		t.Fatal(err)
	}
	jar, err := cookie.New(cookie.Options{Name: name, MaxAge: 12 * time.Hour, Ring: ring})
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	if err := jar.SetSession(w, session.NewHandle()); err != nil {
		t.Fatal(err)
	}
	pair, _, _ := strings.Cut(w.Header().Get("Set-Cookie"), ";")
	return pair
}

func randomBytes(r *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}
