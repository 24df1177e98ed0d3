package cookie_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/cookie"
	"github.com/gatehouse-auth/gatehouse/internal/oauth"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// TestHeader gives the jar Cookie headers as browsers, attackers and
// intermediaries make them.
func TestHeader(t *testing.T) {
	j := newJar(t, cookie.Options{Secure: true})
	name, value, _ := split(set(t, setSession(j, handle)))
	_, again, _ := split(set(t, setSession(j, handle))) // the same handle, sealed anew
	_, other, _ := split(set(t, setSession(j, secret.NewText("another session's handle"))))
	_, foreign, _ := split(set(t, setSession(newJar(t, cookie.Options{Secure: true}, key(9)), handle)))
	good := name + "=" + value

	for what, lines := range map[string][]string{
		"alone":                              {good},
		"between_others":                     {"a=b; " + good + "; c=d"},
		"without_spaces":                     {"a=b;" + good + ";c=d"},
		"with_too_many_spaces":               {"a=b;  \t " + good + "  ; c=d"},
		"behind_an_empty_pair":               {"; ;" + good + ";"},
		"in_a_second_line":                   {"a=b", good}, // HTTP/2 crumbles (RFC 9113 §8.2.3)
		"crumbled":                           {"a=b", "c=d", good, "e=f"},
		"beside_its_name_in_another_case":    {strings.ToLower(name) + "=x; " + good + "; " + strings.ToUpper(name) + "=x"},
		"beside_its_name_without_the_prefix": {"gatehouse=x; __Host-gatehouse=x; __Secure-gatehouse=x; " + good},
		"beside_a_longer_name":               {name + "x=x; " + name + "-login=x; " + name + "-1=x; x" + name + "=x; " + good},
		"beside_its_name_without_a_value":    {name + "; " + good},
		"beside_a_nameless_cookie":           {"=" + good + "; " + good}, // sent by old browsers for a cookie without a name
		"beside_a_version":                   {"$Version=1; " + good + "; $Path=/"},
		"beside_bytes_that_are_no_text":      {"a=\xff\xfe; \u2000=x; " + good},
		"twice":                              {good + "; " + good},
		"twice_in_two_lines":                 {good, good},
		"twice_sealed_anew":                  {good + "; " + name + "=" + again},
		"behind_another_gateways":            {name + "=" + foreign + "; " + good}, // of a parent domain, or planted
		"before_another_gateways":            {good + "; " + name + "=" + foreign},
		"among_sixty_planted":                {strings.Repeat(name+"=tossed; ", 30) + good + strings.Repeat("; "+name+"=tossed", 30)},
		"behind_an_empty_one":                {name + "=; " + good},
		"before_an_empty_one":                {good + "; " + name + "="},
		"beside_a_name_of_8_KiB":             {strings.Repeat("n", 8<<10) + "=x; " + good},
	} {
		t.Run(what+"_it_is_there", func(t *testing.T) {
			if got := j.Session(with(lines...)); !got.Equal(handle) {
				t.Errorf("absent in %.200q", lines)
			}
		})
	}

	for what, lines := range map[string][]string{
		"nothing":                       nil,
		"an_empty_header":               {""},
		"no_value":                      {name + "="},
		"a_name_only":                   {name},
		"with_another_sessions":         {good + "; " + name + "=" + other},
		"behind_another_sessions":       {name + "=" + other + "; " + good},
		"among_others_of_two_sessions":  {name + "=tossed; " + good + "; " + name + "=" + foreign + "; " + name + "=" + other},
		"with_another_in_a_second_line": {good, name + "=" + other},
		"another_gateways":              {name + "=" + foreign},
		"in_quotes":                     {name + `="` + value + `"`},
		"in_half_a_quote":               {name + `="` + value},
		"in_legacy_form":                {`$Version=1; ` + name + `="` + value + `"; $Path="/"`},
		"sandwiched":                    {`a="x; ` + name + `="; b=y"`},
		"in_another_case":               {strings.ToLower(name) + "=" + value},
		"without_the_prefix":            {"gatehouse=" + value, "__Host-gatehouse=" + value, "__Secure-gatehouse=" + value},
		"with_a_longer_name":            {name + "x=" + value},
		"as_a_chunk":                    {name + "-1=" + value},
		"behind_a_unicode_space":        {"\u2000" + good},
		"behind_a_no_break_space":       {"\u00a0" + good},
		"behind_a_byte_order_mark":      {"\ufeff" + good},
		"behind_a_vertical_tab":         {"\x0b" + good},
		"behind_a_form_feed":            {"\x0c" + good},
		"behind_a_nul":                  {"\x00" + good},
		"nameless":                      {"=" + good},
		"nameless_with_an_equals":       {"=" + good + "="},
		"with_a_space_before_the_sign":  {name + " =" + value},
		"with_a_tab_before_the_sign":    {name + "\t=" + value},
		"with_a_space_behind_the_sign":  {name + "= " + value},
		"joined_by_a_comma":             {"a=b, " + good},
		"with_a_comma_behind":           {good + ", a=b"},
		"percent_encoded":               {name + "=%" + fmt.Sprintf("%X", value[0]) + value[1:]},
		"with_its_name_percent_encoded": {"%5F" + name[1:] + "=" + value},
		"with_a_backslash":              {name + `=\` + value},
		"with_text_behind":              {good + "x"},
		"with_text_before":              {name + "=x" + value},
		"doubled":                       {good + value},
		"cut_short":                     {good[:len(good)-1]},
		"not_ascii":                     {name + "=\xff" + value},
		"not_ours":                      {name + "=" + base64.URLEncoding.EncodeToString([]byte("1795401232|handle|mac"))},
		"5_KiB":                         {name + "=" + strings.Repeat("A", 5<<10)},
		"1_MiB":                         {name + "=" + strings.Repeat("A", 1<<20)},
	} {
		t.Run(what+"_counts_as_absent", func(t *testing.T) {
			if got := j.Session(with(lines...)); !got.Empty() {
				t.Errorf("a handle comes of %.200q", lines)
			}
		})
	}

	t.Run("the_login_cookie_is_read_by_the_same_rules", func(t *testing.T) {
		good := pair(set(t, setLogin(j, login())))
		another := pair(set(t, setLogin(j, cookie.Login{Binding: oauth.NewBinding()})))
		foreign := pair(set(t, setLogin(newJar(t, cookie.Options{Secure: true}, key(9)), login())))
		for header, want := range map[string]bool{
			good: true, "a=b; " + good: true, good + "; " + good: true, foreign: false,
			foreign + "; " + good: true, good + "; " + foreign: true, good + "; " + another: false, another + "; " + good: false, "\u00a0" + good: false, good[:len(good)-4]: false, "": false,
		} {
			if _, ok := j.Login(with(header)); ok != want {
				t.Errorf("%.100q: there %v", header, ok)
			}
		}
	})
}

// TestTampering changes valid cookies. Base64 has spellings of the same bytes,
// so a changed cookie may open: to the same content, and no other.
func TestTampering(t *testing.T) {
	j := newJar(t, cookie.Options{Secure: true})
	want := login()
	name, value, _ := split(set(t, setSession(j, handle)))
	loginName, loginValue, _ := split(set(t, setLogin(j, want)))
	mutations := 0
	check := func(name, value string, same func(mutant string) bool) {
		for i := range len(value) {
			for _, c := range []byte("A0-_=+/|. \n\xff" + string(value[i]^1)) {
				for _, mutant := range []string{value[:i] + string(rune(c)) + value[i+1:], value[:i] + string(rune(c)) + value[i:], value[:i] + value[i+1:], value[i:] + value[:i]} {
					mutations++
					if !same(name + "=" + mutant) {
						t.Fatalf("a cookie changed at %d opens to other content", i)
					}
				}
			}
		}
	}
	check(name, value, func(m string) bool { got := j.Session(with(m)); return got.Empty() || got.Equal(handle) })
	check(loginName, loginValue, func(m string) bool { got, ok := j.Login(with(m)); return !ok || equal(got, want) })
	if mutations < 5000 {
		t.Errorf("only %d mutations tried", mutations)
	}
}

func FuzzSessionCookie(f *testing.F) {
	j := newJar(f, cookie.Options{Secure: true})
	name, value, _ := split(set(f, setSession(j, handle)))
	for _, header := range []string{
		name + "=" + value, "a=b; " + name + "=" + value, name + "=" + value + "; " + name + "=" + value, name + `="` + value + `"`,
		"", ";", "=", name, name + "=", "$Version=1; " + name + "=" + value, "\u00a0" + name + "=" + value, name + " =" + value,
	} {
		f.Add(header)
	}
	f.Fuzz(func(t *testing.T, header string) {
		// One of ours must be there, spelled exactly: the fuzzer knows no key, so the
		// handle is the only content.
		got := j.Session(with(header))
		if !got.Empty() && !got.Equal(handle) {
			t.Fatalf("a handle that was never set comes of %q", header)
		}
		n := 0
		for p := range strings.SplitSeq(header, ";") {
			if strings.HasPrefix(strings.TrimLeft(p, " \t"), name+"=") {
				n++
			}
		}
		if !got.Empty() && n < 1 {
			t.Fatalf("no cookie counts as one in %q", header)
		}
		if planted := j.Session(with(name+"=x", header)); planted.Empty() != got.Empty() || !got.Empty() && !planted.Equal(got) {
			t.Fatalf("a planted cookie changes what comes of %q", header)
		}
	})
}

// TestSeen is what a page about a login that goes round in circles is told.
func TestSeen(t *testing.T) {
	j := newJar(t, cookie.Options{Secure: true})
	good := pair(set(t, setSession(j, handle)))
	other := pair(set(t, setSession(j, secret.NewText("another session's handle"))))
	third := pair(set(t, setSession(j, secret.NewText("a third one's"))))
	foreign := pair(set(t, setSession(newJar(t, cookie.Options{Secure: true}, key(9)), handle)))
	for name, c := range map[string]struct {
		lines        []string
		came, opened int
	}{
		"nothing":               {nil, 0, 0},
		"another_cookie":        {[]string{"a=b"}, 0, 0},
		"one":                   {[]string{good}, 1, 1},
		"another_gateways":      {[]string{foreign}, 1, 0},
		"two_gateways":          {[]string{foreign + "; " + good}, 2, 1},
		"two_other_gateways":    {[]string{foreign + "; " + foreign}, 2, 0},
		"one_twice":             {[]string{good + "; " + good}, 2, 1},
		"two_sessions":          {[]string{good + "; " + other, foreign}, 3, 2},
		"no_more_than_two_told": {[]string{good + "; " + other + "; " + third}, 3, 2},
	} {
		t.Run(name, func(t *testing.T) {
			if came, opened := j.Seen(with(c.lines...)); came != c.came || opened != c.opened {
				t.Errorf("%d came and %d opened, want %d and %d", came, opened, c.came, c.opened)
			}
		})
	}
}

// TestSessionAllocatesNothing in the usual case: one cookie, which was opened
// moments ago.
func TestSessionAllocatesNothing(t *testing.T) {
	j := newJar(t, cookie.Options{Secure: true})
	r := with("theme=dark; " + pair(set(t, setSession(j, handle))) + "; lang=en")
	if n := testing.AllocsPerRun(100, func() {
		if j.Session(r).Empty() {
			t.Error("absent")
		}
	}); n > 0 {
		t.Errorf("%.0f allocations", n)
	}
}
