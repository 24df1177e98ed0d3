package server_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// tabOf is an address of n bytes that no coding makes shorter.
func tabOf(n, tab int) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789[]{}|^~!$&*()+,;=:@/?-._%"
	r := rand.New(rand.NewPCG(uint64(n), uint64(tab)))
	b := fmt.Appendf(nil, "/api/list/%d?q=", tab)
	for len(b) < n {
		b = append(b, alphabet[r.IntN(len(alphabet))])
	}
	return string(b)
}

// tabsOf are addresses for count tabs.
func tabsOf(n, count int) (all []string) {
	for i := range count {
		all = append(all, tabOf(n, i))
	}
	return all
}

// end brings a login to its end and returns where that is: a state of another
// cookie takes it round by the pool once more.
func (b *browser) end(authorize url.Values) string {
	b.t.Helper()
	for range 2 {
		to := b.back(authorize)
		b.checkCookies()
		if !strings.HasPrefix(to, b.rig.pool.URL) {
			return to
		}
		again, err := url.Parse(to)
		if err != nil {
			b.t.Fatal(err)
		}
		authorize = again.Query()
	}
	b.t.Error("the login goes round in circles")
	return ""
}

// checkCookies holds the cookies that the browser has to their bounds.
func (b *browser) checkCookies() {
	b.t.Helper()
	u, err := url.Parse(b.rig.url)
	if err != nil {
		b.t.Fatal(err)
	}
	cookies := b.http.Jar.Cookies(u)
	if len(cookies) > 2 {
		b.t.Errorf("the browser holds %d cookies of ours", len(cookies))
	}
	for _, c := range cookies {
		if n := len(c.Name) + len(c.Value); n > 4096 {
			b.t.Errorf("the cookie %s has %d bytes", c.Name, n)
		}
	}
}

// atOnce starts a login for each address before any answer has come, so that
// every tab of a fresh browser gets a cookie of its own, of which the last stays.
func (b *browser) atOnce(addresses []string) (begun []url.Values) {
	b.t.Helper()
	jar := b.http.Jar
	var set []*http.Cookie
	for _, address := range addresses {
		b.http.Jar = nil
		req := b.request("GET", b.rig.url+"/auth/login?return_to="+url.QueryEscape(address), nil)
		b.metadata(req, "none", "navigate", "document")
		res, body := b.do(req)
		to, err := url.Parse(res.Header.Get("Location"))
		if err != nil || res.StatusCode != http.StatusFound {
			b.t.Fatalf("login answered %d: %s", res.StatusCode, body)
		}
		set, begun = append(set, res.Cookies()...), append(begun, to.Query())
	}
	b.http.Jar = jar
	u, _ := url.Parse(b.rig.url)
	jar.SetCookies(u, set)
	return begun
}

// TestEachTabReturnsToItsOwnAddress, whatever the order in which people get
// round to signing in.
func TestEachTabReturnsToItsOwnAddress(t *testing.T) {
	r := newRig(t)
	orders := map[string]func([]int){
		"in the order they began": func([]int) {},
		"the last one first":      slices.Reverse[[]int],
		"in any order": func(order []int) {
			rand.New(rand.NewPCG(7, 8)).Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		},
	}
	check := func(t *testing.T, addresses []string, begin func(*browser) []url.Values) {
		for name, reorder := range orders {
			t.Run(name, func(t *testing.T) {
				b := r.browser()
				b.t = t
				begun := begin(b)
				b.checkCookies()
				order := make([]int, len(begun))
				for i := range order {
					order[i] = i
				}
				reorder(order)
				for _, i := range order {
					if state := begun[i].Get("state"); len(state) > 512 {
						t.Errorf("a state of %d characters", len(state))
					}
					if got := b.end(begun[i]); got != addresses[i] {
						t.Errorf("tab %d, of %d bytes: ended at %.60q, %d bytes", i, len(addresses[i]), got, len(got))
					}
				}
			})
		}
	}
	for name, addresses := range map[string][]string{
		"eight of 300 bytes": tabsOf(300, 8),
		"five of 420":        tabsOf(420, 5),
		"one of 2000":        tabsOf(2000, 1),
		"all of these":       slices.Concat(tabsOf(300, 8), tabsOf(2000, 1), tabsOf(420, 5)),
	} {
		t.Run(name+", one after another", func(t *testing.T) {
			check(t, addresses, func(b *browser) (begun []url.Values) {
				for _, a := range addresses {
					begun = append(begun, b.pending(a))
				}
				return begun
			})
		})
	}
	for name, addresses := range map[string][]string{
		"eight of 300 bytes":          tabsOf(300, 8),
		"five of 420":                 tabsOf(420, 5),
		"one of 2000 that comes last": slices.Concat(tabsOf(300, 3), tabsOf(2000, 1)),
	} {
		t.Run(name+", at once in a fresh browser", func(t *testing.T) {
			check(t, addresses, func(b *browser) []url.Values { return b.atOnce(addresses) })
		})
	}
}

// TestATabWhoseAddressCannotBeKept returns to its path, never silently to the
// default.
func TestATabWhoseAddressCannotBeKept(t *testing.T) {
	r := newRig(t, section("login", map[string]any{"default_return_to": "/home"}))
	const lost = "the login cookie has lost the end of the return address"
	t.Run("because another tab's cookie came later", func(t *testing.T) {
		b := r.browser()
		b.t = t
		begun := b.atOnce([]string{tabOf(2000, 0), tabOf(2000, 1)})
		if got := b.end(begun[0]); got != "/api/list/0" {
			t.Errorf("ended at %.60q", got)
		}
		if got := b.end(begun[1]); got != tabOf(2000, 1) {
			t.Errorf("the other one ended at %.60q", got)
		}
	})
	t.Run("because newer ones took the room", func(t *testing.T) {
		b := r.browser()
		b.t = t
		var begun []url.Values
		for i := range 4 {
			begun = append(begun, b.pending(tabOf(2000, i)))
		}
		for i, want := range []string{"/api/list/0", "/api/list/1", "/api/list/2", tabOf(2000, 3)} {
			if got := b.end(begun[i]); got != want {
				t.Errorf("tab %d ended at %.60q", i, got)
			}
		}
	})
	t.Run("not even its path", func(t *testing.T) {
		b := r.browser()
		b.t = t
		begun := b.atOnce([]string{"/api/" + strings.Repeat("x", 1000) + "?q", "/api/"})
		if got := b.end(begun[0]); got != "/home" {
			t.Errorf("ended at %.60q", got)
		}
	})
	until(t, "the note in the log", func() bool { return strings.Contains(r.logs.String(), lost) })
}

// TestSigningOutAndInAtOnce: what the login cookie holds for the one does not
// take away what it holds for the other.
func TestSigningOutAndInAtOnce(t *testing.T) {
	r := newRig(t)
	b := r.browser()
	b.signIn("alice@example.com", "/api/x")
	login := b.pending(tabOf(1500, 1))
	_, body := b.fetch("POST", "/auth/logout", `{"returnTo":"/bye?`+strings.Repeat("x", 1500)+`"}`)
	if p := b.open(decode[map[string]string](t, body)["logoutUrl"]); p.url.Path != "/bye" || len(p.url.RawQuery) != 1500 {
		t.Errorf("the sign-out ended at %.60s", p.url)
	}
	if got := b.end(login); got != tabOf(1500, 1) {
		t.Errorf("the login ended at %.60q", got)
	}
}
