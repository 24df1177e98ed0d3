package cookie_test

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/cookie"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// seal makes a sealed handle of n bytes, as a store would.
func seal(t testing.TB, ring *secret.Ring, n int) secret.Text {
	t.Helper()
	plain := make([]byte, n-secret.Overhead)
	_, _ = rand.Read(plain)
	return secret.NewText(string(ring.Seal("test", plain, nil)))
}

// cookieBytes is what a request may carry of cookies, unless a test says otherwise.
const cookieBytes = 16 << 10

// sealedJar builds a jar for handles that are sealed already.
func sealedJar(t testing.TB, o cookie.Options) (*cookie.Jar, *secret.Ring) {
	t.Helper()
	ring, err := secret.NewRing(key(1))
	if err != nil {
		t.Fatal(err)
	}
	o.Opens = func(h secret.Text) bool {
		_, err := ring.Open("test", []byte(h.Reveal()), nil)
		return err == nil
	}
	o.Bytes = cmp.Or(o.Bytes, cookieBytes)
	return newJar(t, o), ring
}

// chunksOf returns the Set-Cookie lines of a handle.
func chunksOf(t testing.TB, j *cookie.Jar, h secret.Text) []string {
	t.Helper()
	w := httptest.NewRecorder()
	if err := j.SetSession(w, h); err != nil {
		t.Fatal(err)
	}
	return w.Header()["Set-Cookie"]
}

func pairs(lines []string) string {
	sent := make([]string, len(lines))
	for i, line := range lines {
		sent[i] = pair(line)
	}
	return strings.Join(sent, "; ")
}

func TestChunks(t *testing.T) {
	for name, o := range map[string]cookie.Options{
		"http":                          {},
		"https":                         {Secure: true},
		"a_long_name_and_domain":        {Secure: true, Name: strings.Repeat("n", 64), Domain: strings.Repeat("d23456789.", 20) + "example.com", SameSite: "strict"},
		"a_cookie_that_outlives":        {Secure: true, Persistent: true},
		"room_for_many":                 {Secure: true, Bytes: 1 << 20},
		"room_for_two":                  {Secure: true, Bytes: 12 << 10},
		"limits_that_leave_room_for_no": {Secure: true, Bytes: 4 << 10}, // the configuration refuses them
	} {
		t.Run(name+"_keep_every_length_that_fits", func(t *testing.T) {
			o.Bytes, o.MaxAge = cmp.Or(o.Bytes, cookieBytes), maxAge
			j, ring := sealedJar(t, o)
			most := o.Capacity()
			for _, n := range []int{100, 2000, 2900, 2950, 2980, 3000, 3030, 3060, 3100, 3750, 5900, 5980, 6100, most - 1, most} {
				if n > most {
					continue
				}
				h := seal(t, ring, n)
				lines := chunksOf(t, j, h)
				for _, line := range lines {
					if len(line) > 4096 {
						t.Errorf("%d bytes: a line of %d", n, len(line))
					}
				}
				if got := j.Session(with(pairs(lines))); !got.Equal(h) {
					t.Errorf("%d bytes in %d chunks do not come back", n, len(lines))
				}
			}
			w := httptest.NewRecorder()
			if err := j.SetSession(w, seal(t, ring, most+1)); err == nil || len(w.Header()) > 0 {
				t.Errorf("%d bytes fit, though %d are the most; headers %d", most+1, most, len(w.Header()))
			}
			if o.Bytes > 8<<10 && len(pairs(chunksOf(t, j, seal(t, ring, most)))) > o.Bytes-4096 {
				t.Error("the longest handle leaves no room for the login cookie")
			}
		})
	}
	t.Run("show_the_attributes_of_the_session_cookie", func(t *testing.T) {
		j, ring := sealedJar(t, cookie.Options{Secure: true, Domain: "example.com", SameSite: "none", Persistent: true})
		for i, line := range chunksOf(t, j, seal(t, ring, 4000)) {
			name, _, attributes := split(line)
			want := "__Secure-gatehouse"
			if i > 0 {
				want += fmt.Sprint("-", i)
			}
			if name != want || attributes != "Path=/; Domain=example.com; Max-Age=43200; HttpOnly; Secure; SameSite=None" {
				t.Errorf("%s; %s", name, attributes)
			}
		}
	})
	t.Run("are_all_cleared", func(t *testing.T) {
		j, _ := sealedJar(t, cookie.Options{Secure: true})
		w := httptest.NewRecorder()
		j.ClearSession(w)
		var got []string
		for _, c := range w.Result().Cookies() {
			if c.MaxAge >= 0 || c.Value != "" || c.Path != "/" || !c.Secure || !c.HttpOnly {
				t.Errorf("cleared by %s", c)
			}
			got = append(got, c.Name)
		}
		if names := strings.Join(got, " "); names != "__Host-Http-gatehouse __Host-Http-gatehouse-1 __Host-Http-gatehouse-2" {
			t.Errorf("cleared: %s", names)
		}
	})
	t.Run("are_taken_back_from_an_answer_that_has_not_begun", func(t *testing.T) {
		j, ring := sealedJar(t, cookie.Options{Secure: true})
		w := httptest.NewRecorder()
		others := []string{"theme=dark", "__Host-Http-gatehouse-login=x", "__Host-Http-gatehouse-11=x", "__Host-Http-gatehousex=x"}
		w.Header()["Set-Cookie"] = append(append(others[:2:2], chunksOf(t, j, seal(t, ring, 4000))...), others[2:]...)
		j.UnsetSession(w.Header())
		if got := w.Header()["Set-Cookie"]; strings.Join(got, "\n") != strings.Join(others, "\n") {
			t.Errorf("left: %q", got)
		}
		only := http.Header{"Set-Cookie": chunksOf(t, j, seal(t, ring, 4000))}
		if j.UnsetSession(only); len(only) > 0 {
			t.Errorf("left: %q", only)
		}
	})
	t.Run("are_no_cookie_of_another_store", func(t *testing.T) {
		j, ring := sealedJar(t, cookie.Options{Secure: true})
		plain := newJar(t, cookie.Options{Secure: true})
		if got := plain.Session(with(pairs(chunksOf(t, j, seal(t, ring, 64))))); !got.Empty() {
			t.Error("a chunk opens as a cookie")
		}
		if got := j.Session(with(pair(set(t, setSession(plain, handle))))); !got.Empty() {
			t.Error("a cookie opens as a chunk")
		}
	})
}

// FuzzChunks: whatever comes, it is the handle that was set or nothing.
func FuzzChunks(f *testing.F) {
	j, ring := sealedJar(f, cookie.Options{Secure: true})
	// The same text in each of the fuzzer's processes; sealed anew in each.
	text := bytes.Repeat([]byte("session "), 500)
	h := secret.NewText(string(ring.Seal("test", text, nil)))
	lines := chunksOf(f, j, h)
	whole := pairs(lines)
	name, value, _ := split(lines[0])
	for _, header := range []string{
		whole, pairs([]string{lines[1], lines[0]}), pair(lines[0]), pair(lines[1]), whole + "; " + pair(lines[1]), whole + "; " + name + "-2=x",
		name + "=", name + "=.", name + "=0." + value, name + "=-1." + value, name + "=+2" + value[1:], name + "=999999999999999999999." + value,
		name + "=1", name + "=1.", name + "=2.; " + name + "-1=", "",
	} {
		f.Add(header)
	}
	f.Fuzz(func(t *testing.T, header string) {
		if got := j.Session(with(header)); !got.Empty() {
			if opened, err := ring.Open("test", []byte(got.Reveal()), nil); err != nil || !bytes.Equal(opened, text) {
				t.Fatalf("a handle that was never set comes of %q", header)
			}
		}
		if got := j.Session(with(header, name+"=x", name+"-1=x")); !got.Empty() {
			if opened, err := ring.Open("test", []byte(got.Reveal()), nil); err != nil || !bytes.Equal(opened, text) {
				t.Fatalf("planted chunks make a handle of %q", header)
			}
		}
	})
}

// nextDigit is the base64 digit after the last of s, which in a text that does
// not fill its last byte stands for the same.
func nextDigit(s string) string {
	const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return string(digits[strings.IndexByte(digits, s[len(s)-1])+1])
}

func TestChunksRefuse(t *testing.T) {
	j, ring := sealedJar(t, cookie.Options{Secure: true})
	a, b := chunksOf(t, j, seal(t, ring, 4000)), chunksOf(t, j, seal(t, ring, 4000))
	name, value, _ := split(a[0])
	for what, header := range map[string]string{
		"a_first_chunk_alone":   pair(a[0]),
		"a_second_chunk_alone":  pair(a[1]),
		"chunks_of_two_handles": pair(a[0]) + "; " + pair(b[1]),
		"two_handles":           pairs(a) + "; " + pairs(b),
		"a_count_with_a_sign":   strings.Replace(pairs(a), "=2.", "=+2.", 1),
		"a_count_of_none":       name + "=0." + value[2:],
		"a_count_above_all":     strings.Replace(pairs(a), "=2.", "=4.", 1),
		"padding":               pairs(a) + "=",
		"bytes_behind":          pairs(a) + "AAAA",
		"another_spelling":      pairs(a)[:len(pairs(a))-1] + nextDigit(pairs(a)),
		"the_other_alphabet":    strings.NewReplacer("-", "+", "_", "/").Replace(value) + pair(a[1]),
	} {
		t.Run(what, func(t *testing.T) {
			if got := j.Session(with(header)); !got.Empty() {
				t.Errorf("%d bytes come of it", len(got.Reveal()))
			}
		})
	}
	foreign := chunksOf(t, j, secret.NewText(strings.Repeat("sealed with other keys ", 200)))
	for what, header := range map[string]string{
		"a_chunk_twice":           pairs(a) + "; " + pair(a[1]),
		"all_twice":               pairs(a) + "; " + pairs(a),
		"behind_another_gateways": pairs(foreign) + "; " + pairs(a),
		"before_another_gateways": pairs(a) + "; " + pairs(foreign),
		"in_another_order":        pair(foreign[0]) + "; " + pairs(a) + "; " + pair(foreign[1]),
		"crosswise":               pair(foreign[0]) + "; " + pair(a[0]) + "; " + pair(a[1]) + "; " + pair(foreign[1]),
		"among_planted_ones":      strings.Repeat(name+"=2.tossed; ", 20) + pairs(a) + strings.Repeat("; "+name+"-1=tossed", 5),
	} {
		t.Run("but_not_"+what, func(t *testing.T) {
			if got := j.Session(with(header)); got.Empty() {
				t.Error("it counts as absent")
			}
		})
	}
	t.Run("what_would_take_for_ever", func(t *testing.T) {
		var planted strings.Builder
		for i := range 60 {
			fmt.Fprintf(&planted, "%s=2.%d; %s-1=%d; ", name, i, name, i)
		}
		opens := 0
		j := newJar(t, cookie.Options{Secure: true, Bytes: 16 << 10, Opens: func(secret.Text) bool { opens++; return false }})
		if j.Session(with(planted.String())); opens == 0 || opens > 256 {
			t.Errorf("%d handles tried", opens)
		}
	})
	t.Run("a_handle_that_does_not_open", func(t *testing.T) {
		forged := secret.NewText(string(bytes.Repeat([]byte("x"), 4000)))
		if got := j.Session(with(pairs(chunksOf(t, j, forged)))); !got.Empty() {
			t.Error("it was taken")
		}
	})
}
