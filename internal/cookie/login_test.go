package cookie_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-auth/gatehouse/internal/cookie"
	"github.com/gatehouse-auth/gatehouse/internal/oauth"
)

// binding is a fixed one, so that what comes back can be compared.
var binding = func() (b oauth.Binding) { copy(b[:], "a binding of thirty-two bytes, so"); return b }()

func login() cookie.Login {
	l := cookie.Login{Binding: binding, Returns: []int64{1795401232, 1795401240}}
	l.Keep("attempt", "/a?b=c&d=e", time.Hour)
	l.Keep("signed-out", "/bye", time.Hour)
	return l
}

func equal(a, b cookie.Login) bool { return cmp.Equal(a, b) }

// back is what the browser's cookie holds after l was set.
func back(t testing.TB, j *cookie.Jar, l cookie.Login) cookie.Login {
	t.Helper()
	p := pair(set(t, setLogin(j, l)))
	if size := len(p) - len("="); size > 4096 {
		t.Fatalf("name and value have %d bytes", size)
	}
	got, ok := j.Login(with(p))
	if !ok {
		t.Fatal("the cookie does not open")
	}
	return got
}

func TestLogin(t *testing.T) {
	j := newJar(t, cookie.Options{Secure: true})
	odd := cookie.Login{Binding: binding}
	odd.Keep("k", `/<>&"\ `+"\u2028é", time.Hour)
	for name, l := range map[string]cookie.Login{
		"a_binding_alone": {Binding: binding}, "all_of_a_login": login(), "text_of_all_kinds": odd,
	} {
		t.Run(name+"_comes_back", func(t *testing.T) {
			if diff := cmp.Diff(l, back(t, j, l)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	t.Run("shows_nothing_of_its_content", func(t *testing.T) {
		line := set(t, setLogin(j, login()))
		for _, s := range []string{"binding", "attempt", "/a?b"} {
			if strings.Contains(line, s) {
				t.Errorf("%q in %q", s, line)
			}
		}
	})
	t.Run("keeps_the_binding_although_bindings_do_not_encode", func(t *testing.T) {
		if got := back(t, j, cookie.Login{Binding: binding}); got.Binding != binding {
			t.Error("another binding comes back: no login would ever end")
		}
	})
	t.Run("of_another_name_or_key_does_not_open", func(t *testing.T) {
		_, value, _ := split(set(t, setLogin(j, login())))
		for _, other := range []*cookie.Jar{newJar(t, cookie.Options{Secure: true, Name: "other"}), newJar(t, cookie.Options{Secure: true}, key(9))} {
			if _, ok := other.Login(with(other.Names()[1] + "=" + value)); ok {
				t.Error("it opens")
			}
		}
	})
}

func TestLoginKeeps(t *testing.T) {
	t.Run("texts_under_their_keys", func(t *testing.T) {
		l := login()
		l.Keep("attempt", "/new", time.Hour)
		for _, step := range []struct{ key, want string }{{"other", ""}, {"attempt", "/new"}, {"attempt", ""}, {"signed-out", "/bye"}, {"", ""}} {
			if got := l.Take(step.key); got != step.want {
				t.Errorf("%q gives %q, want %q", step.key, got, step.want)
			}
		}
		if len(l.Kept) != 0 {
			t.Errorf("%v is left", l.Kept)
		}
	})
	t.Run("its_copies_apart", func(t *testing.T) {
		a := login()
		b := a
		b.Keep("attempt", "/new", time.Hour)
		if got := a.Take("attempt"); got != "/a?b=c&d=e" {
			t.Errorf("another tab's text is now %q", got)
		}
	})
	t.Run("texts_for_their_time", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			j := newJar(t, cookie.Options{Secure: true})
			l := cookie.Login{Binding: binding}
			l.Keep("short", "/s", time.Minute)
			l.Keep("long", "/l", time.Hour)
			time.Sleep(time.Minute)
			if got := back(t, j, l); len(got.Kept) != 1 || got.Take("long") != "/l" {
				t.Errorf("the cookie holds %v", got.Kept)
			}
			if got := l.Take("short"); got != "" {
				t.Errorf("past its time there is %q", got)
			}
		})
	})
	t.Run("the_newest_texts_where_there_is_no_room_for_all", func(t *testing.T) {
		j := newJar(t, cookie.Options{Secure: true})
		l := cookie.Login{Binding: binding, Returns: []int64{1795401232, 1795401233, 1795401234}}
		for i := range 40 {
			l.Keep(fmt.Sprint("login ", i), strings.Repeat("x", 500), time.Hour)
			l = back(t, j, l)
		}
		if len(l.Kept) < 4 || l.Kept[len(l.Kept)-1].Key != "login 39" || l.Kept[0].Key != fmt.Sprint("login ", 40-len(l.Kept)) {
			t.Errorf("of forty logins %d are left, from %q", len(l.Kept), l.Kept[0].Key)
		}
		if l.Binding != binding || len(l.Returns) != 3 {
			t.Error("the binding or the returns went with them")
		}
	})
	t.Run("the_texts_that_expired_no_longer_than_it_must", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			j := newJar(t, cookie.Options{Secure: true})
			l := cookie.Login{Binding: binding}
			l.Keep("old", strings.Repeat("x", 1200), 2*time.Hour)
			l.Keep("expired", strings.Repeat("x", 1200), time.Minute)
			time.Sleep(time.Hour)
			l.Keep("new", strings.Repeat("x", 1200), time.Hour)
			if got := back(t, j, l); got.Take("old") == "" || got.Take("new") == "" {
				t.Error("a text went although an expired one was there")
			}
		})
	})
}

// TestLoginSize: browsers drop what is over 4096 bytes without a word, and the
// login would never end.
func TestLoginSize(t *testing.T) {
	for _, o := range []cookie.Options{{}, {Secure: true}, {Secure: true, Name: strings.Repeat("n", 64)}} {
		j := newJar(t, o)
		t.Run(fmt.Sprintf("the_longest_address_of_a_sign_out_fits_under_a_name_of_%d", len(o.Name)), func(t *testing.T) {
			l := cookie.Login{Binding: binding, Returns: []int64{1795401232, 1795401233, 1795401234}}
			l.Keep("signed-out", "/"+strings.Repeat("&", 2047), time.Minute)
			if got := back(t, j, l); len(got.Take("signed-out")) != 2048 {
				t.Error("it does not come back")
			}
		})
		t.Run(fmt.Sprintf("whatever_it_is_to_hold_it_fits_under_a_name_of_%d", len(o.Name)), func(t *testing.T) {
			r := rand.New(rand.NewPCG(5, 6))
			l := cookie.Login{Binding: binding, Returns: []int64{1795401232, 1795401233, 1795401234}}
			for i := range 500 {
				fill := []string{"a", "&", `\`, `"`, "\u2028", "\x00"}[r.IntN(6)]
				l.Keep(fmt.Sprint(i), strings.Repeat(fill, r.IntN(4000)), time.Hour)
				l = back(t, j, l) // fails where it is too large
			}
			if l.Binding != binding {
				t.Error("another binding comes back")
			}
		})
	}
}

// FuzzLogin feeds the jar with cookies that it did not set.
func FuzzLogin(f *testing.F) {
	j := newJar(f, cookie.Options{Secure: true})
	_, value, _ := split(set(f, setLogin(j, login())))
	f.Add(value)
	f.Add("")
	f.Add(value[:len(value)-1] + "=")
	f.Fuzz(func(t *testing.T, other string) {
		got, ok := j.Login(with(j.Names()[1] + "=" + other))
		if ok && got.Binding != binding || !ok && (got.Kept != nil || !got.Binding.IsZero()) {
			t.Errorf("%q opens, %v, as %v", other, ok, got.Kept)
		}
	})
}
