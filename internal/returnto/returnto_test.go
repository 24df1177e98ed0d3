package returnto_test

import (
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
	Origins: []string{app, "http://localhost:5173"},
	Refused: []string{"/auth/login", "/auth/callback"},
}

// hostile are addresses that leave the origin in some browser, or in some
// reader behind it, or that mean nothing. None may be accepted as it stands.
var hostile = []string{
	// Authorities in disguise.
	"//e", "///e", "////e", `/\e`, `\/e`, `\\e`, `/\/e`, `/\\e`, `//\e`,
	"/\t/e", "/\n/e", "/\r/e", "\t//e", " //e", "//\te", "/\t\\e", "/\x00/e", "\x00//e", "/\x1f/e", "/\x7f/e",
	"/%09/e", "/%0a/e", "/%0d%0aSet-Cookie:x=y", "/%5ce", "/%5Ce", "/%2fe", "/%2Fe", "%2f%2fe", "/%252fe", "/%255ce",
	"//e/%2e%2e", "/.//e", "/..//e", "/a/..//e", "/a//e", ";//e", "//[::1]", "//0x7f.1", "//2130706433", "//127.1",
	"//e%E3%80%82com", "//ⓔ", "／／e", "/／e",
	// Dot segments in any spelling: what stands behind them is not what was judged.
	"/.", "/..", "/./e", "/../e", "/a/..", "/a/../e", "/%2e/e", "/%2e%2e/e", "/%2E./e", "/.%2e/e", "/..;/e", "/..;v=1/e",
	"/%2e%2e;x/e", "/%252e%252e/e", "/..%3b/e",
	// Schemes and user information.
	"https://e", "HTTPS://e", "https:e", "https:/e", "https:///e", `http:\\e`, "htt\tps://e",
	"https://app.example@e", "https://app.example%40e", "https://app.example:443@e", "https://e#@app.example",
	"https://e?@app.example", `https://e\@app.example`, "https://app.example.e", "https://app.examplee",
	"https://e/https://app.example", "https://e%00.app.example", "https://app.example。e", "https://app.example\u3002e",
	"javascript:x", "java\tscript:x", "data:text/html,x", "vbscript:x", "blob:x", "about:blank", "file:///etc/passwd",
	// No local path at all.
	"?next=//e", "#//e", "", "null", "undefined", "e", ".e", "@e", "a/b", "./a", "*", "%2f",
	// Text that a browser drops or a terminal turns around.
	"/a\u2028b", "/a\u202eb", "\ufeff/a", "/\ufeff/a", "/é", "/a b", "/a\"b", "/a<b", "/a>b", "/a`b", "/a{b", "/a|b", "/a^b", "/[::1]",
	"/a#b", "/a#//e", "/\xff", "/a\xc0\xafb", "/%", "/%a", "/%zz", "/a?x=%", "/a?x=%1", "/a?x=%g0", "/a?\t", "/a?\\", "/a?x=\u2028",
	"/" + strings.Repeat("a", 100<<10),
	// The login itself would loop, however it is spelled.
	"/auth/login", "/auth/login/", "/auth/login?return_to=/auth/login", "/auth/callback", "/auth/callback?code=x&state=y",
	"/AUTH/Login", "/auth/%6cogin", "/%61uth/login?x", "/auth/login%2f",
}

// harmless are local addresses that people do return to.
var harmless = []string{
	"/", "/a", "/a/", "/a/b.html", "/a?b=c", "/?", "/a?b=c&d=e;f", "/a?next=//e", "/a?next=https://e", `/a?next=%5C%5Ce`,
	"/a?x=%0d%0a", "/a?x=%2e%2e", "/a?x=../..", "/a?x=%00", "/a?x=?y", "/;@e", "/@e", "/a:b", "/a;v=1/b", "/a,b", "/a'b", "/a(b)*!$&+=~_-.",
	"/%61", "/a%20b", "/a%C3%A9", "/a%22b", "/a%3Fb", "/a%23b", "/.well-known/x", "/..a", "/...", "/a..", "/%2e%2ea", "/auth", "/auth/loginx",
	"/auth/logout", "/x/auth/login", "/100%25", "/100%25%20off", "/auth/login/more",
	"/" + strings.Repeat("a", returnto.MaxLength-1),
}

func TestParse(t *testing.T) {
	for _, raw := range hostile {
		t.Run("refuses_"+name(raw), func(t *testing.T) {
			a, err := policy.Parse(raw)
			if err != returnto.ErrUnsafe || !a.IsZero() || a.String() != "" {
				t.Errorf("%q: got %q, error %v", raw, a, err)
			}
		})
	}
	for _, raw := range harmless {
		t.Run("accepts_"+name(raw), func(t *testing.T) {
			a, err := policy.Parse(raw)
			if err != nil || a.String() != raw || a.IsZero() {
				t.Errorf("%q: got %q, error %v, want it byte for byte", raw, a, err)
			}
		})
	}
	t.Run("refuses_one_byte_over_the_limit", func(t *testing.T) {
		if _, err := policy.Parse("/" + strings.Repeat("a", returnto.MaxLength)); err == nil {
			t.Error("accepted")
		}
	})
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
				// Behind a slash it is a local path; what must not get in are escapes
				// that a later hop might decode to an authority.
				a, err := policy.Parse("/" + escaped)
				if decoded := decodeFully("/" + escaped); err == nil && (strings.HasPrefix(decoded, "//") || strings.HasPrefix(decoded, `/\`)) {
					t.Errorf("%q is accepted and reads as %q once decoded", a, decoded)
				}
			}
		}
	})
	t.Run("without_origins_no_absolute_address_is_accepted", func(t *testing.T) {
		for _, raw := range []string{app, app + "/x", own, "http://localhost:5173/x"} {
			if a, err := (returnto.Policy{}).Parse(raw); err == nil {
				t.Errorf("%q is accepted", a)
			}
		}
	})
}

func TestParseConfiguredOrigin(t *testing.T) {
	for raw, want := range map[string]bool{
		app:                              true,
		app + "/":                        true,
		app + "/x":                       true,
		app + "/x?y=//e":                 true,
		app + "/auth/logout":             true,
		"http://localhost:5173/x":        true,
		"http://localhost:5173":          true,
		"http://localhost/x":             false,
		"http://localhost:51730/x":       false,
		"http://localhost:5173@evil/x":   false,
		"http://localhost:5173.evil/x":   false,
		"https://localhost:5173/x":       false,
		"http://app.example/x":           false,
		"HTTPS://app.example/x":          false,
		"https://APP.example/x":          false,
		app + "?x":                       false,
		app + "#x":                       false,
		app + "#/x":                      false,
		app + "@evil.example":            false,
		app + "@evil.example/":           false,
		app + ":x@evil.example/":         false,
		app + ".evil":                    false,
		app + ".evil/x":                  false,
		app + "./x":                      false,
		app + "x/":                       false,
		app + ":444/":                    false,
		app + ":443/":                    false,
		app + ":/":                       false,
		app + "\\@evil.example":          false,
		app + `\x`:                       false,
		app + "\t/x":                     false,
		app + "\n.evil/x":                false,
		" " + app + "/x":                 false,
		app + "//x":                      false,
		app + "/../x":                    false,
		app + "/%2e%2e/x":                false,
		app + "/\\x":                     false,
		app + "/x#y":                     false,
		app + "/x y":                     false,
		app + "%2fx":                     false,
		app + "/%2fx":                    false,
		app + app:                        false,
		"//app.example/x":                false,
		"app.example/x":                  false,
		"https:app.example/x":            false,
		"https:/app.example/x":           false,
		"https:///app.example/x":         false,
		"https://user@app.example/x":     false,
		"https://app.example%2e/x":       false,
		"https://sub.app.example/x":      false,
		own + "/x":                       false,
		app + strings.Repeat("/x", 1024): false,
	} {
		t.Run(name(raw), func(t *testing.T) {
			a, err := policy.Parse(raw)
			if got := err == nil; got != want || want != (a.String() == raw) {
				t.Errorf("%q: got %q, error %v, want accepted %v", raw, a, err, want)
			}
		})
	}
}

func TestRequest(t *testing.T) {
	for target, want := range map[string]string{
		"/":                  "/",
		"/a?b=c":             "/a?b=c",
		"/a?b=c&d=e%20f+g;h": "/a?b=c&d=e%20f+g;h",
		"/a[1]?b[]=c":        "/a%5B1%5D?b%5B%5D=c",
		`/a"b?c="d"`:         "/a%22b?c=%22d%22",
		"/a b":               "/a%20b", // never sent so, but a router may have decoded it
		"/a%20b?c=d%20e":     "/a%20b?c=d%20e",
		"/naïve?q=žluťoučký": "/na%C3%AFve?q=%C5%BElu%C5%A5ou%C4%8Dk%C3%BD",
		"/na%C3%AFve":        "/na%C3%AFve",
		"/100%25?off=100%25": "/100%25?off=100%25",
		"/a?off=100%":        "/a?off=100%25", // browsers send a lone % as it is
		"/a?off=%zz%4":       "/a?off=%25zz%254",
		"/a?x={y}|^`<>\\":    "/a?x=%7By%7D%7C%5E%60%3C%3E%5C",
		"/a?next=//e":        "/a?next=//e",
		"/a?#":               "/a", // a fragment never belongs to the target
		"/auth/login?x":      "",
		"/auth/%6Cogin":      "",
		"//e":                "",
		`/\e`:                "",
		"/a/../b":            "",
		"/a%2Fb":             "",
		"/%09/e":             "",
		"*":                  "",
		"/" + strings.Repeat("a", returnto.MaxLength): "",
		"/a?" + strings.Repeat("ž", 500):              "", // its escapes are over the limit
	} {
		t.Run(name(target), func(t *testing.T) {
			u, err := url.ParseRequestURI(target)
			if err != nil { // what Go's server refuses, a router may still hand down
				path, query, _ := strings.Cut(target, "?")
				u = &url.URL{Path: path, RawQuery: query}
			}
			u.RawQuery, _, _ = strings.Cut(u.RawQuery, "#")
			a := policy.Request(u.EscapedPath(), u.RawQuery)
			if a.String() != want || a.IsZero() != (want == "") {
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
	for {
		next, err := url.PathUnescape(s)
		if err != nil || next == s {
			return s
		}
		s = next
	}
}
