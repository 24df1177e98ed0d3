package cookie_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-auth/gatehouse/internal/cookie"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

const maxAge = 12 * time.Hour

// handle is as long as a real one, and holds bytes that no cookie may hold bare.
var handle = secret.NewText("\x00;,\" =\r\n" + strings.Repeat("h", 56))

func key(b byte) []byte { return bytes.Repeat([]byte{b}, secret.KeySize) }

// newJar builds a jar of the options, over a ring of the keys; key(1) if none is given.
func newJar(t testing.TB, o cookie.Options, keys ...[]byte) *cookie.Jar {
	t.Helper()
	if len(keys) == 0 {
		keys = [][]byte{key(1)}
	}
	ring, err := secret.NewRing(keys...)
	if err != nil {
		t.Fatal(err)
	}
	o.Ring = ring
	if o.MaxAge == 0 {
		o.MaxAge = maxAge
	}
	j, err := cookie.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// set returns the one Set-Cookie line that do writes.
func set(t testing.TB, do func(http.ResponseWriter) error) string {
	t.Helper()
	w := httptest.NewRecorder()
	if err := do(w); err != nil {
		t.Fatal(err)
	}
	lines := w.Header()["Set-Cookie"]
	if len(lines) != 1 {
		t.Fatalf("%d cookies set: %q", len(lines), lines)
	}
	return lines[0]
}

func setSession(j *cookie.Jar, h secret.Text) func(http.ResponseWriter) error {
	return func(w http.ResponseWriter) error { return j.SetSession(w, h) }
}

func setLogin(j *cookie.Jar, l cookie.Login) func(http.ResponseWriter) error {
	return func(w http.ResponseWriter) error { return j.SetLogin(w, l) }
}

func clearSession(j *cookie.Jar) func(http.ResponseWriter) error {
	return func(w http.ResponseWriter) error { j.ClearSession(w); return nil }
}

// split takes a Set-Cookie line apart.
func split(line string) (name, value, attributes string) {
	pair, attributes, _ := strings.Cut(line, "; ")
	name, value, _ = strings.Cut(pair, "=")
	return name, value, attributes
}

// pair is what the browser sends back of a Set-Cookie line.
func pair(line string) string {
	p, _, _ := strings.Cut(line, ";")
	return p
}

// with makes a request with the Cookie header lines given.
func with(lines ...string) *http.Request {
	r := httptest.NewRequest("GET", "/", nil)
	r.Header["Cookie"] = lines
	return r
}

func TestAttributes(t *testing.T) {
	https := cookie.Options{Secure: true}
	for name, c := range map[string]struct {
		o                       cookie.Options
		session, login, cleared string // name, then attributes
	}{
		"https": {https,
			"__Host-Http-gatehouse=V; Path=/; HttpOnly; Secure; SameSite=Lax",
			"__Host-Http-gatehouse-login=V; Path=/; HttpOnly; Secure; SameSite=Lax",
			"__Host-Http-gatehouse=V; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax"},
		"https_with_a_name": {cookie.Options{Secure: true, Name: "portal"},
			"__Host-Http-portal=V; Path=/; HttpOnly; Secure; SameSite=Lax",
			"__Host-Http-portal-login=V; Path=/; HttpOnly; Secure; SameSite=Lax",
			"__Host-Http-portal=V; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax"},
		"https_with_a_domain": {cookie.Options{Secure: true, Domain: "example.com"},
			"__Secure-gatehouse=V; Path=/; Domain=example.com; HttpOnly; Secure; SameSite=Lax",
			"__Host-Http-gatehouse-login=V; Path=/; HttpOnly; Secure; SameSite=Lax", // always host-only, so it needs no weaker name
			"__Secure-gatehouse=V; Path=/; Domain=example.com; Max-Age=0; HttpOnly; Secure; SameSite=Lax"},
		"http_on_loopback": {cookie.Options{},
			"gatehouse=V; Path=/; HttpOnly; SameSite=Lax",
			"gatehouse-login=V; Path=/; HttpOnly; SameSite=Lax",
			"gatehouse=V; Path=/; Max-Age=0; HttpOnly; SameSite=Lax"},
		"strict": {cookie.Options{Secure: true, SameSite: "strict"},
			"__Host-Http-gatehouse=V; Path=/; HttpOnly; Secure; SameSite=Strict",
			"__Host-Http-gatehouse-login=V; Path=/; HttpOnly; Secure; SameSite=Lax", // the way back is cross-site
			"__Host-Http-gatehouse=V; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Strict"},
		"none": {cookie.Options{Secure: true, SameSite: "none"},
			"__Host-Http-gatehouse=V; Path=/; HttpOnly; Secure; SameSite=None",
			"__Host-Http-gatehouse-login=V; Path=/; HttpOnly; Secure; SameSite=Lax",
			"__Host-Http-gatehouse=V; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=None"},
		"persistent": {cookie.Options{Secure: true, Persistent: true},
			"__Host-Http-gatehouse=V; Path=/; Max-Age=43200; HttpOnly; Secure; SameSite=Lax",
			"__Host-Http-gatehouse-login=V; Path=/; HttpOnly; Secure; SameSite=Lax", // never outlives the browser
			"__Host-Http-gatehouse=V; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax"},
	} {
		t.Run(name, func(t *testing.T) {
			j := newJar(t, c.o)
			for what, s := range map[string]struct {
				line, want string
				empty      bool
			}{
				"session": {set(t, setSession(j, handle)), c.session, false},
				"login":   {set(t, setLogin(j, login())), c.login, false},
				"cleared": {set(t, clearSession(j)), c.cleared, true},
			} {
				name, value, attributes := split(s.line)
				if diff := cmp.Diff(s.want, name+"=V; "+attributes); diff != "" {
					t.Errorf("%s (-want +got):\n%s", what, diff)
				}
				if (value == "") != s.empty {
					t.Errorf("%s has the value %q", what, value)
				}
				if strings.ContainsFunc(value, func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune(`",;\`, r) }) {
					t.Errorf("%s: %q holds what a cookie's value may not (RFC 6265 §4.1.1)", what, value)
				}
			}
			if diff := cmp.Diff([]string{first(c.session), first(c.login)}, j.Names()); diff != "" {
				t.Errorf("Names (-want +got):\n%s", diff)
			}
			if j.Strict() != (c.o.SameSite == "strict") {
				t.Errorf("Strict = %v", j.Strict())
			}
		})
	}
	t.Run("a_jar_needs_a_ring", func(t *testing.T) {
		if _, err := cookie.New(https); err == nil {
			t.Error("no error")
		}
	})
}

func first(line string) string { name, _, _ := strings.Cut(line, "="); return name }

func TestSession(t *testing.T) {
	j := newJar(t, cookie.Options{Secure: true})
	line := set(t, setSession(j, handle))

	t.Run("comes_back_as_it_was_given", func(t *testing.T) {
		if got := j.Session(with(pair(line))); !got.Equal(handle) {
			t.Errorf("got %d bytes", len(got.Reveal()))
		}
	})
	t.Run("shows_nothing_of_the_handle_and_never_looks_the_same", func(t *testing.T) {
		if strings.Contains(line, "hhh") || line == set(t, setSession(j, handle)) {
			t.Error("the handle is not sealed")
		}
	})
	t.Run("is_no_login_cookie_nor_the_other_way_round", func(t *testing.T) {
		_, value, _ := split(line)
		if _, ok := j.Login(with(j.Names()[1] + "=" + value)); ok {
			t.Error("a session cookie's value opens as a login cookie")
		}
		_, value, _ = split(set(t, setLogin(j, login())))
		if got := j.Session(with(j.Names()[0] + "=" + value)); !got.Empty() {
			t.Error("a login cookie's value opens as a session cookie")
		}
	})
	t.Run("is_bound_to_its_name", func(t *testing.T) {
		other := newJar(t, cookie.Options{Secure: true, Name: "other"})
		_, value, _ := split(line)
		if got := other.Session(with(other.Names()[0] + "=" + value)); !got.Empty() {
			t.Error("it opens under another name")
		}
	})
	t.Run("that_browsers_would_drop_for_its_size_is_not_set", func(t *testing.T) {
		long := newJar(t, cookie.Options{Secure: true, Name: strings.Repeat("n", 64)})
		refused := 0
		for n := 1900; n < 2400; n++ {
			w := httptest.NewRecorder()
			if err := long.SetSession(w, secret.NewText(strings.Repeat("h", n))); err != nil {
				refused++
				if len(w.Header()) != 0 {
					t.Fatalf("an error and yet headers: %v", w.Header())
				}
				continue
			}
			if size := len(pair(w.Header().Get("Set-Cookie"))) - 1; size > 4096 {
				t.Fatalf("a handle of %d bytes makes a cookie of %d", n, size)
			}
		}
		if refused == 0 || refused == 500 {
			t.Errorf("%d of 500 refused: the limit was not met", refused)
		}
	})
}

func TestExpiry(t *testing.T) {
	for _, persistent := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			j := newJar(t, cookie.Options{Secure: true, Persistent: persistent})
			session := pair(set(t, setSession(j, handle)))
			l := pair(set(t, setLogin(j, login())))
			time.Sleep(maxAge)
			if got := j.Session(with(session)); !got.Equal(handle) {
				t.Error("gone within its time")
			}
			time.Sleep(time.Second)
			if got := j.Session(with(session)); !got.Empty() {
				t.Error("still there after its time: a copy would be good for ever")
			}
			time.Sleep(1000 * time.Hour)
			if _, ok := j.Login(with(l)); !ok {
				t.Error("the login cookie has an end of its own: it lasts as long as the browser")
			}
		})
	}
}

func TestRotation(t *testing.T) {
	old, current := key(1), key(2)
	o := cookie.Options{Secure: true}
	before, middle := newJar(t, o, old), newJar(t, o, old, current)
	after, end := newJar(t, o, current, old), newJar(t, o, current)
	for _, c := range []struct {
		name         string
		sets, reads  *cookie.Jar
		there, login bool
	}{
		{"the_new_key_is_known_before_it_seals", before, middle, true, true},
		{"what_the_old_key_sealed_opens_after", middle, after, true, true},
		{"instances_that_lag_behind_read_the_new_ones", after, middle, true, true},
		{"the_end_reads_what_the_new_key_sealed", after, end, true, true},
		{"a_key_that_is_out_opens_nothing", middle, end, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.reads.Session(with(pair(set(t, setSession(c.sets, handle))))); got.Equal(handle) != c.there {
				t.Errorf("session there: %v", !c.there)
			}
			if _, ok := c.reads.Login(with(pair(set(t, setLogin(c.sets, login()))))); ok != c.login {
				t.Errorf("login there: %v", !c.login)
			}
		})
	}
}
