package cookie_test

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-auth/gatehouse/internal/cookie"
	"github.com/gatehouse-auth/gatehouse/internal/oauth"
)

// binding is a fixed one, so that what comes back can be compared.
var binding = func() (b oauth.Binding) { copy(b[:], "a binding of thirty-two bytes, so"); return b }()

func login() cookie.Login {
	return cookie.Login{Binding: binding, Returns: []int64{1795401232, 1795401240}, ReturnKey: "attempt", ReturnTo: "/a?b=c&d=e"}
}

func equal(a, b cookie.Login) bool { return cmp.Equal(a, b) }

func TestLogin(t *testing.T) {
	j := newJar(t, cookie.Options{Secure: true})
	for name, c := range map[string]struct{ give, want cookie.Login }{
		"a_binding_alone":    {cookie.Login{Binding: binding}, cookie.Login{Binding: binding}},
		"all_of_a_login":     {login(), login()},
		"a_sign_out":         {cookie.Login{Binding: binding, SignedOutTo: "/bye", SignedOutAt: 1795401232}, cookie.Login{Binding: binding, SignedOutTo: "/bye", SignedOutAt: 1795401232}},
		"text_of_all_kinds":  {cookie.Login{Binding: binding, ReturnKey: "k", ReturnTo: `/<>&"\ ` + "\u2028é"}, cookie.Login{Binding: binding, ReturnKey: "k", ReturnTo: `/<>&"\ ` + "\u2028é"}},
		"the_sign_out_stays": {cookie.Login{Binding: binding, ReturnKey: "k", ReturnTo: "/a", SignedOutTo: "/bye"}, cookie.Login{Binding: binding, SignedOutTo: "/bye"}},
	} {
		t.Run(name+"_comes_back", func(t *testing.T) {
			got, ok := j.Login(with(pair(set(t, setLogin(j, c.give)))))
			if diff := cmp.Diff(c.want, got); !ok || diff != "" {
				t.Errorf("there %v (-want +got):\n%s", ok, diff)
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
		got, ok := j.Login(with(pair(set(t, setLogin(j, cookie.Login{Binding: binding})))))
		if !ok || got.Binding != binding {
			t.Error("another binding comes back: no login would ever end")
		}
	})
}

// TestLoginSize: browsers drop what is over 4096 bytes without a word, and the
// login would never end.
func TestLoginSize(t *testing.T) {
	for _, fill := range []string{"&", "a", "<", "%26"} {
		to := "/" + strings.Repeat(fill, 2047/len(fill))
		times := []int64{1795401232, 1795401233, 1795401234}
		for what, l := range map[string]cookie.Login{
			"login":    {Binding: binding, Returns: times, ReturnKey: strings.Repeat("k", 24), ReturnTo: to},
			"sign_out": {Binding: binding, Returns: times, ReturnKey: "k", ReturnTo: to, SignedOutTo: to, SignedOutAt: 1795401232},
		} {
			for _, o := range []cookie.Options{{}, {Secure: true}, {Secure: true, Name: strings.Repeat("n", 64)}} {
				t.Run(fmt.Sprintf("the_longest_address_of_%s_fits_a_%s_under_a_name_of_%d", fill, what, len(o.Name)), func(t *testing.T) {
					j := newJar(t, o)
					p := pair(set(t, setLogin(j, l)))
					if size := len(p) - 1; size > 4096 {
						t.Errorf("name and value have %d bytes", size)
					}
					if got, ok := j.Login(with(p)); !ok || got.ReturnTo+got.SignedOutTo != to {
						t.Error("it does not come back")
					}
				})
			}
		}
	}
	t.Run("what_would_not_fit_is_an_error_and_no_cookie", func(t *testing.T) {
		j := newJar(t, cookie.Options{Secure: true})
		for n := 2048; n < 2600; n++ {
			w := httptest.NewRecorder()
			err := j.SetLogin(w, cookie.Login{Binding: binding, ReturnTo: strings.Repeat("a", n)})
			if line := w.Header().Get("Set-Cookie"); (err == nil) != (line != "") || len(pair(line))-1 > 4096 {
				t.Fatalf("%d bytes: a cookie of %d, error %v", n, len(pair(line)), err)
			}
		}
	})
}
