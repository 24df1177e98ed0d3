package returnto_test

import (
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/returnto"
)

// own is the gateway's origin in these tests, app a configured one.
const (
	own = "https://own.example"
	app = "https://app.example"
)

var policy = returnto.Policy{
	Own:     own,
	Origins: []string{app, "http://localhost:5173"},
	Refused: []string{"/auth/login", "/auth/callback"},
}

// hostile are addresses that leave the origin in some browser, or in some
// reader behind it, or that mean nothing. None may be accepted.
var hostile = []string{
	// Authorities in disguise.
	"//e", "///e", "////e", `/\e`, `\/e`, `\\e`, `/\/e`, `/\\e`, `//\e`,
	"/\t/e", "/\n/e", "/\r/e", "\t//e", " //e", "//\te", "/\t\\e", "/\x00/e", "\x00//e", "/\x1f/e", "/\x7f/e",
	"/%09/e", "/%0a/e", "/%5ce", "/%5Ce", "/%2fe", "/%2Fe", "%2f%2fe", "/%252fe", "/%255ce", "/%25252fe", "/%2%66e",
	"//e/%2e%2e", "/.//e", "/..//e", "/a/..//e", "/%2e//e", "/a/%2E%2e//e", `/.\\e`, ";//e", "//[::1]", "//0x7f.1", "//2130706433", "//127.1",
	"//e%E3%80%82com", "//ⓔ", "／／e", "//own.example/x", `\\own.example/x`,
	// Schemes and user information.
	"https://e", "HTTPS://e", "https:e", "https:/e", "https:///e", `http:\\e`, "htt\tps://e", "https:/a", "https:a", "http://own.example/",
	"https://app.example@e", "https://app.example%40e", "https://app.example:443@e", "https://e#@app.example",
	"https://e?@app.example", `https://e\@app.example`, "https://app.example.e", "https://app.examplee",
	"https://e/https://app.example", "https://e%00.app.example", "https://app.example。e", "https://app.example\u3002e",
	"https://user@own.example/x", "https://:@own.example/x", "https://own.example:8443/x", "https://own.example./x", "https://:443/x", "https://",
	"javascript:x", "java\tscript:x", "data:text/html,x", "vbscript:x", "blob:x", "blob:https://own.example/x", "about:blank", "file:///etc/passwd",
	"ws://own.example/x", "view-source:https://own.example/x",
	// No path at all, or one that depends on the page.
	"?next=//e", "#//e", "", " ", "\x00", "null", "undefined", "e", ".e", "@e", "a/b", "./a", "../a", "*", "%2f", "\ufeff/a",
	// The login itself would loop, however it is spelled.
	"/auth/login", "/auth/login/", "/auth/login?return_to=/auth/login", "/auth/callback", "/auth/callback?code=x&state=y",
	"/AUTH/Login", "/auth/%6cogin", "/%61uth/login?x", "/auth/login%2f", "/auth/login#x", "/a/../auth/login", "/auth/./login", `\auth\login`,
	"/auth%2Flogin", "/auth//login", "/auth/login;x", "/auth;x/login", "/auth/login.", "/auth/login%20", "/auth/%256cogin", "/auth/lo\ngin",
	own + "/auth/login", "HTTPS://OWN.example:443/auth/login",
}

// harmless are addresses as browsers write them, which come back byte for byte.
var harmless = []string{
	"/", "/a", "/a/", "/a/b.html", "/a?b=c", "/?", "/a?b=c&d=e;f", "/a?next=//e", "/a?next=https://e", `/a?next=%5C%5Ce`,
	"/a?x=%0d%0a", "/a?x=%2e%2e", "/a?x=../..", "/a?x=%00", "/a?x=?y", "/;@e", "/@e", "/a:b", "/a;v=1/b", "/a,b", "/a'b", "/a(b)*!$&+=~_-.",
	"/%61", "/a%20b", "/a%C3%A9", "/a%22b", "/a%3Fb", "/a%23b", "/.well-known/x", "/..a", "/...", "/a..", "/%2e%2ea", "/auth", "/auth/loginx",
	"/auth/logout", "/x/auth/login", "/100%25", "/100%25%20off", "/auth/login/more", "/a//e", "/a/%2fb", "/%0d%0aSet-Cookie:x=y",
	"/orders?filter[status]=open", "/app/#/orders/5", "/app/#/orders/5?tab=[a]|b", "/route/?param=https://sub-host.example/sub-route|12345",
	"/a/[id]/b", "/a|b^c", "/api/repos/group%2Fproject?x=1", `/a?x={y}|^` + "`" + `\z`, `/a#b\c|^{}'`, "/100%?off=100%", "/a?off=%zz%4",
	"/%252e%252e/e", "/..;/e", "/a#//e", "/a#", "/a?#",
	"/" + strings.Repeat("a", returnto.MaxLength-1),
}

// spelled are other spellings, and the address that each is normalised to.
var spelled = map[string]string{
	"/a b":                   "/a%20b",
	"/a?x=a b":               "/a?x=a%20b",
	"/a#x y":                 "/a#x%20y",
	"/é?ž#ü":                 "/%C3%A9?%C5%BE#%C3%BC",
	"/a\u2028b":              "/a%E2%80%A8b",
	"/a\u202eb":              "/a%E2%80%AEb",
	"/／e":                    "/%EF%BC%8Fe",
	"/\ufeff/a":              "/%EF%BB%BF/a",
	"/a\xff":                 "/a%FF", // no text of a page's, and harmless
	"/a{b}`c<d>\"e?f=\"<g>'": "/a%7Bb%7D%60c%3Cd%3E%22e?f=%22%3Cg%3E%27",
	"/a#\"<b>`'":             "/a#%22%3Cb%3E%60'",
	`/a\b?c\d#e\f`:           `/a/b?c\d#e\f`,
	"/.":                     "/",
	"/..":                    "/",
	"/../..":                 "/",
	"/./e":                   "/e",
	"/../e":                  "/e",
	"/a/..":                  "/",
	"/a/.":                   "/a/",
	"/a/b/..":                "/a/",
	"/a/../e":                "/e",
	"/a/%2e%2E/.%2e/%2E/e":   "/e",
	"/a//../e":               "/a/e",
	"  /a\t\n\r ":            "/a",
	"/\ta\n?\rb#\tc":         "/a?b#c",
	"/a\x00":                 "/a", // at the end, where the standard strips it
	"/a\x01b":                "/a%01b",
	own:                      "/",
	own + "/":                "/",
	own + "?x":               "/?x",
	own + "#x":               "/#x",
	own + "/a?b#c":           "/a?b#c",
	own + ":443/a":           "/a",
	"HTTPS://OWN.example/A":  "/A",
	`https:\\own.example\a`:  "/a",
	"ht\ttps://own.example/": "/",
	app:                      app + "/",
	app + "?x":               app + "/?x",
	app + "#/x":              app + "/#/x",
	app + "\\@evil.example":  app + "/@evil.example",
	app + ":443/":            app + "/",
	app + "/../x":            app + "/x",
	app + "/x y":             app + "/x%20y",
	"HTTPS://APP.example/x":  app + "/x",
	"HTTP://localhost:5173":  "http://localhost:5173/",
}

var spellings = func() (all []string) {
	for raw := range spelled {
		all = append(all, raw)
	}
	return all
}()

func TestParse(t *testing.T) {
	for _, raw := range hostile {
		t.Run("refuses_"+name(raw), func(t *testing.T) {
			a, err := policy.Parse(raw)
			if !errors.Is(err, returnto.ErrUnsafe) || !a.IsZero() || a.String() != "" {
				t.Errorf("%q: got %q, error %v", raw, a, err)
			}
		})
	}
	for _, raw := range harmless {
		t.Run("accepts_"+name(raw), func(t *testing.T) {
			a, err := policy.Parse(raw)
			if err != nil || a.String() != raw || a.IsZero() || a.Truncated() {
				t.Errorf("%q: got %q, error %v, want it byte for byte", raw, a, err)
			}
		})
	}
	for raw, want := range spelled {
		t.Run("normalises_"+name(raw), func(t *testing.T) {
			a, err := policy.Parse(raw)
			if err != nil || a.String() != want || a.Truncated() {
				t.Errorf("%q: got %q, error %v, want %q", raw, a, err, want)
			}
		})
	}
	t.Run("a_hostile_address_is_not_made_safe_by_escaping_it_once_or_twice", func(t *testing.T) {
		for _, raw := range hostile {
			once := url.QueryEscape(raw)
			for _, escaped := range []string{once, url.QueryEscape(once), url.PathEscape(raw), url.PathEscape(url.PathEscape(raw))} {
				if raw == escaped {
					continue
				}
				if a, err := policy.Parse(escaped); err == nil {
					t.Errorf("%q as %q is accepted", raw, a)
				}
				// Behind a slash it is a path; what must not get in are escapes that a
				// later hop might decode to an authority.
				a, err := policy.Parse("/" + escaped)
				if decoded := decodeFully("/" + escaped); err == nil && (strings.HasPrefix(decoded, "//") || strings.HasPrefix(decoded, `/\`)) {
					t.Errorf("%q is accepted and reads as %q once decoded", a, decoded)
				}
			}
		}
	})
	t.Run("without_origins_no_absolute_address_is_accepted", func(t *testing.T) {
		for _, raw := range []string{app, app + "/x", own, "http://localhost:5173/x", "https://", "https:///x", "http:///"} {
			if a, err := (returnto.Policy{}).Parse(raw); err == nil {
				t.Errorf("%q is accepted", a)
			}
		}
	})
}

// TestParseCutsWhatIsTooLong: a long address is no dead end.
func TestParseCutsWhatIsTooLong(t *testing.T) {
	long := strings.Repeat("x", returnto.MaxLength)
	for raw, want := range map[string]string{
		"/a/b?q=" + long:                   "/a/b",
		"/a/b#" + long:                     "/a/b",
		"/a?b#" + long:                     "/a",
		own + "/a?" + long:                 "/a",
		app + "/a?" + long:                 app + "/a",
		"/a?" + strings.Repeat("ž", 500):   "/a", // its escapes are over the limit
		"/a b/?" + long:                    "/a%20b/",
		"/" + long:                         "",
		app + "/" + long[len(app):]:        "",
		"/" + strings.Repeat("é", 500):     "",
		"/" + long + "?" + long:            "",
		"/" + strings.Repeat("a", 100<<10): "",
	} {
		t.Run(name(raw), func(t *testing.T) {
			a, err := policy.Parse(raw)
			if a.String() != want || (want == "") != errors.Is(err, returnto.ErrTooLong) || a.Truncated() != (want != "") {
				t.Errorf("got %q, cut %v, error %v, want %q", a, a.Truncated(), err, want)
			}
		})
	}
	t.Run("but_not_what_leads_elsewhere", func(t *testing.T) {
		for _, raw := range []string{"//e/" + long, "https://e/?" + long, "/auth/login?" + long, "javascript:" + long} {
			if a, err := policy.Parse(raw); !errors.Is(err, returnto.ErrUnsafe) {
				t.Errorf("got %q, error %v", a, err)
			}
		}
	})
}

func TestParseConfiguredOrigin(t *testing.T) {
	for raw, want := range map[string]bool{
		app + "/":                      true,
		app + "/x":                     true,
		app + "/x?y=//e":               true,
		app + "/x#y":                   true,
		app + "/auth/logout":           true,
		app + "//x":                    false, // reads as an authority where somebody cuts the origin off
		app + "/%2fx":                  false,
		app + "/\\x":                   false,
		app + "/auth/login":            false,
		"http://localhost:5173/x":      true,
		"http://localhost/x":           false,
		"http://localhost:51730/x":     false,
		"http://localhost:5173@evil/x": false,
		"http://localhost:5173.evil/x": false,
		"https://localhost:5173/x":     false,
		"http://app.example/x":         false,
		app + "@evil.example":          false,
		app + "@evil.example/":         false,
		app + ":x@evil.example/":       false,
		app + ".evil":                  false,
		app + ".evil/x":                false,
		app + "./x":                    false,
		app + "x/":                     false,
		app + ":444/":                  false,
		app + ":/":                     false,
		app + "\n.evil/x":              false,
		app + "%2fx":                   false,
		app + app:                      false,
		"//app.example/x":              false,
		"app.example/x":                false,
		"https:app.example/x":          false,
		"https:/app.example/x":         false,
		"https:///app.example/x":       false,
		"https://user@app.example/x":   false,
		"https://app.example%2e/x":     false,
		"https://sub.app.example/x":    false,
	} {
		t.Run(name(raw), func(t *testing.T) {
			a, err := policy.Parse(raw)
			if got := err == nil; got != want || want != (a.String() == raw) {
				t.Errorf("%q: got %q, error %v, want accepted %v", raw, a, err, want)
			}
		})
	}
}

// TestParseAt: a path leads to where its page is, an absolute address to where it says.
func TestParseAt(t *testing.T) {
	for _, tt := range []struct{ origin, raw, want string }{
		{own, "/x", "/x"},
		{app, "/x", app + "/x"},
		{app, own + "/x", "/x"},
		{own, app + "/x", app + "/x"},
		{app, "//e", ""},
		{"https://evil.example", "/x", ""},
		{"", "/x", ""},
	} {
		if a, err := policy.ParseAt(tt.origin, tt.raw); a.String() != tt.want || (err != nil) != (tt.want == "") {
			t.Errorf("%q at %q: got %q, error %v, want %q", tt.raw, tt.origin, a, err, tt.want)
		}
	}
}

func TestPath(t *testing.T) {
	for beginning, want := range map[string]string{
		"/a?b": "/a", "/a#b": "/a", "/a#b?c": "/a", "/a?b#c": "/a", "/a?": "/a", app + "/a?": app + "/a",
		"/a": "", "/a%3F": "", "": "",
	} {
		if got := returnto.Path(beginning); got != want {
			t.Errorf("%q: got %q, want %q", beginning, got, want)
		}
	}
}

func TestRequest(t *testing.T) {
	for target, want := range map[string]string{
		"/":                                   "/",
		"/a?b=c":                              "/a?b=c",
		"/a?b=c&d=e%20f+g;h":                  "/a?b=c&d=e%20f+g;h",
		"/a[1]?b[]=c":                         "/a[1]?b[]=c",
		`/a"b?c="d"`:                          "/a%22b?c=%22d%22",
		"/a b":                                "/a%20b", // never sent so, but a router may have decoded it
		"/a%20b?c=d%20e":                      "/a%20b?c=d%20e",
		"/naïve?q=žluťoučký":                  "/na%C3%AFve?q=%C5%BElu%C5%A5ou%C4%8Dk%C3%BD",
		"/na%C3%AFve":                         "/na%C3%AFve",
		"/100%25?off=100%25":                  "/100%25?off=100%25",
		"/a?off=100%":                         "/a?off=100%", // browsers send a lone % as it is
		"/a?x={y}|^`<>\\":                     "/a?x={y}|^`%3C%3E\\",
		"/a?next=//e":                         "/a?next=//e",
		"/a%2Fb?x=1":                          "/a%2Fb?x=1",
		"/a%23b?c":                            "/a%23b?c",
		"/auth/login?x":                       "",
		"/auth/%6Cogin":                       "",
		"//e":                                 "",
		`/\e`:                                 "",
		"/%09/e":                              "",
		"*":                                   "",
		"/" + strings.Repeat("a", 2048):       "",
		"/a?" + strings.Repeat("b", 2048):     "/a",
		"/a?" + strings.Repeat("ž", 500):      "/a",
		"/a?b=" + strings.Repeat("[", 2000):   "/a?b=" + strings.Repeat("[", 2000),
		"/a?b=c#" + strings.Repeat("d", 2000): "/a?b=c%23" + strings.Repeat("d", 2000), // a "#" is no delimiter there
	} {
		t.Run(name(target), func(t *testing.T) {
			path, query, _ := strings.Cut(target, "?")
			if u, err := url.ParseRequestURI(target); err == nil { // else a router may still hand it down
				path, query = u.EscapedPath(), u.RawQuery
			}
			if a := policy.Request(path, query); a.String() != want || a.IsZero() != (want == "") {
				t.Errorf("%q: got %q, want %q", target, a, want)
			}
		})
	}
}

// name makes a subtest's name of an address.
func name(raw string) string {
	if raw == "" {
		return "nothing"
	}
	if len(raw) > 60 {
		raw = raw[:60] + "…"
	}
	return strings.ReplaceAll(raw, "/", "∕")
}

// decodeFully takes escapes away until none is left.
func decodeFully(s string) string {
	for strings.Contains(s, "%") {
		var b strings.Builder
		for i := 0; i < len(s); i++ {
			if i+2 < len(s) {
				if one, err := url.PathUnescape(s[i : i+3]); err == nil && s[i] == '%' {
					b.WriteString(one)
					i += 2
					continue
				}
			}
			b.WriteByte(s[i])
		}
		if b.Len() == len(s) {
			break
		}
		s = b.String()
	}
	return s
}
