package urlpath_test

import (
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/urlpath"
)

func TestPlain(t *testing.T) {
	for p, want := range map[string]bool{
		"/": true, "/api": true, "/api/": true, "/a b/": true, "/API/v1.2/": true, "/ünï/ß/ı": true, "/a..b/.c/": true, "/*": true,
		"": false, "api/": false, "//": false, "/a//b": false, "/a/": true, "/./": false, "/a/../b": false, "/a./b": false, "/a /b": false,
		"/a;v=1/": false, "/a?b": false, "/a#b": false, "/%61/": false, "/a%": false, `/a\b`: false, "/a\x00": false, "/a\xff": false,
	} {
		if got := urlpath.Plain(p); got != want {
			t.Errorf("Plain(%q) is %v", p, got)
		}
	}
}

func TestFold_reads_any_text_as_the_most_tolerant_router(t *testing.T) {
	for p, want := range map[string]string{
		"": "/", "/": "/", "/auth/login": "/auth/login", "/AUTH//Login/": "/auth/login", `\auth\login`: "/auth/login",
		"/auth/login;x=1": "/auth/login", "/auth/login%3Fx": "/auth/login", "/auth/%256cogin. .": "/auth/login",
		"/%61%75th%2flogin": "/auth/login", "/auth/login%zz": "/auth/login%zz", "/%25%36%31": "/a", "/auſh": "/aush",
	} {
		if got := urlpath.Fold(p); got != want {
			t.Errorf("Fold(%q) is %q, want %q", p, got, want)
		}
	}
}

// FuzzPlain holds what a configuration may say against what the proxy judges: a
// plain path is canonical as it stands.
func FuzzPlain(f *testing.F) {
	for _, seed := range []string{"/", "/api/", "/a b/c", "/a./b", "/a;b", "/%61", "/é/", "/a\\b", "/．", "//"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		if p, err := urlpath.Parse(raw); urlpath.Plain(raw) && (err != nil || p.Literal() != raw) {
			t.Errorf("%q is plain, and canonical as %q: %v", raw, p.Literal(), err)
		}
	})
}
