package static_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/problem"
	"github.com/gatehouse-auth/gatehouse/internal/static"
	"github.com/gatehouse-auth/gatehouse/internal/urlpath"
)

// write makes a file below dir, and the directories to it.
func write(t testing.TB, dir, name, content string) {
	t.Helper()
	path := filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// site is a directory with what a site has, and with what it should not serve.
func site(t testing.TB) string {
	t.Helper()
	parent := t.TempDir()
	dir := filepath.Join(parent, "dist")
	write(t, parent, "secret.txt", "secret")
	for _, name := range []string{
		"index.html", "assets/app.js", "assets/style.css", "logo.svg", "docs/index.html", "docs/deep/page.html", "empty/x/y.txt",
		".well-known/security.txt", ".env", ".git/config", "docs/.htpasswd", ".well-known/.hidden", "..x/y", "..2026_11_26/config.txt", "a b/ü.txt", "LICENSE", "noindex/z.txt", "page.unheard-of",
	} {
		write(t, dir, name, "content of "+name)
	}
	if runtime.GOOS != "windows" {
		for link, target := range map[string]string{
			"out.txt": "../secret.txt", "abs.txt": filepath.Join(parent, "secret.txt"), "up": "..", "in.txt": "LICENSE",
			"env.txt": ".env", "repo": ".git", "again.txt": "env.txt", "docs/passwords.txt": "../docs/.htpasswd", "round.txt": "docs/../.env",
			"loop.txt": "loop.txt", "deep": "docs/deep", "docs/here": ".", "docs/top": "..", "..x/out": "../LICENSE", "far.txt": "..x/out", "config.txt": "..data/config.txt", "..data": "..2026_11_26/",
		} {
			if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
				t.Fatal(err)
			}
		}
	}
	return dir
}

// serving serves a directory that is there.
func serving(t testing.TB, dir, fallback string) *static.Files {
	t.Helper()
	files, err := static.New(dir, fallback)
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// ask asks for one file, without a server between.
func ask(t testing.TB, files *static.Files, method, target string, h http.Header) (*httptest.ResponseRecorder, error) {
	t.Helper()
	r := httptest.NewRequest(method, target, nil)
	for name, values := range h {
		r.Header[name] = values
	}
	w := httptest.NewRecorder()
	err := files.Serve(w, r, targetOf(t, target))
	if err != nil && (w.Body.Len() > 0 || len(w.Header()) > 0) {
		t.Errorf("%s: an error, and yet something is written: %v", target, w.Header())
	}
	return w, err
}

// targetOf is what a request for the address asks of a directory at the root.
func targetOf(t testing.TB, address string) static.Target {
	t.Helper()
	path, _, _ := strings.Cut(address, "?")
	p, err := urlpath.Parse(path)
	if err != nil {
		t.Fatalf("%s: %v", address, err)
	}
	return static.Target{Name: strings.TrimPrefix(p.Literal(), "/"), Path: p.Escaped(), CacheControl: "no-cache"}
}

// checkProblem fails unless err is a problem of that status and code, and
// returns the headers that go with it.
func checkProblem(t testing.TB, err error, status int, code string) http.Header {
	t.Helper()
	var p *problem.Error
	if !errors.As(err, &p) {
		t.Fatalf("error is %v, want the problem %d %s", err, status, code)
	}
	if p.Status != status || string(p.Code) != code {
		t.Errorf("problem is %d %s (%v), want %d %s", p.Status, p.Code, p.Err, status, code)
	}
	return p.Header
}

var navigation = http.Header{"Sec-Fetch-Mode": {"navigate"}, "Sec-Fetch-Dest": {"document"}}

func TestFiles_serves_regular_files(t *testing.T) {
	files := serving(t, site(t), "")
	for target, want := range map[string]struct{ content, contentType string }{
		"/":                         {"index.html", "text/html; charset=utf-8"},
		"/index.html":               {"index.html", "text/html; charset=utf-8"},
		"/assets/app.js":            {"assets/app.js", "text/javascript; charset=utf-8"},
		"/assets/style.css":         {"assets/style.css", "text/css; charset=utf-8"},
		"/logo.svg":                 {"logo.svg", "image/svg+xml"},
		"/docs/":                    {"docs/index.html", "text/html; charset=utf-8"},
		"/docs/deep/page.html?x=..": {"docs/deep/page.html", "text/html; charset=utf-8"},
		"/.well-known/security.txt": {".well-known/security.txt", "text/plain; charset=utf-8"},
		"/a%20b/%C3%BC.txt":         {"a b/ü.txt", "text/plain; charset=utf-8"},
		"/LICENSE":                  {"LICENSE", "application/octet-stream"},
		"/page.unheard-of":          {"page.unheard-of", "application/octet-stream"},
	} {
		for _, method := range []string{"GET", "HEAD"} {
			w, err := ask(t, files, method, target, nil)
			if err != nil {
				t.Errorf("%s %s: %v", method, target, err)
				continue
			}
			if method == "GET" && w.Body.String() != "content of "+want.content {
				t.Errorf("%s: %q", target, w.Body)
			}
			h := w.Header()
			if h.Get("Content-Type") != want.contentType || h.Get("X-Content-Type-Options") != "nosniff" ||
				h.Get("Cache-Control") != "no-cache" || h.Get("Etag") == "" || h.Get("Last-Modified") == "" {
				t.Errorf("%s: %v", target, h)
			}
		}
	}
}

func TestFiles_serves_nothing_else(t *testing.T) {
	dir := site(t)
	targets := []string{
		"/nothing", "/nothing.html", "/docs/nothing/", "/empty/", "/empty", "/noindex/", "/noindex", "/LICENSE/", "/index.html/x",
		"/.env", "/.git/config", "/.git/", "/.git", "/docs/.htpasswd", "/.well-known/.hidden", "/..x/y", "/.well-known/", "/.well-knownx",
		"/env.txt", "/repo/config", "/again.txt", "/docs/passwords.txt", "/round.txt", "/loop.txt", "/..data/config.txt",
		"/out.txt", "/abs.txt", "/up/secret.txt", "/up/dist/index.html", "/assets%2Fapp.js", "/C:/x",
	}
	if pipe(t, filepath.Join(dir, "pipe.txt")) {
		targets = append(targets, "/pipe.txt")
	}
	for _, fallback := range []string{"", "index.html"} {
		files := serving(t, dir, fallback)
		for _, target := range targets {
			// No navigation, so no fallback either.
			w, err := ask(t, files, "GET", target, nil)
			if err == nil {
				t.Errorf("%s: %d %q", target, w.Code, w.Body)
				continue
			}
			checkProblem(t, err, http.StatusNotFound, "not_found")
		}
	}
}

func TestFiles_answers_get_and_head_only(t *testing.T) {
	files := serving(t, site(t), "")
	for _, method := range []string{"POST", "PUT", "DELETE", "OPTIONS", "PATCH", "PROPFIND", "get"} {
		_, err := ask(t, files, method, "/", nil)
		if h := checkProblem(t, err, http.StatusMethodNotAllowed, "method_not_allowed"); h.Get("Allow") != "GET, HEAD" {
			t.Errorf("%s: Allow: %s", method, h.Get("Allow"))
		}
	}
}

func TestFiles_falls_back_for_navigations_but_not_for_assets(t *testing.T) {
	files := serving(t, site(t), "index.html")
	for _, test := range []struct {
		target string
		h      http.Header
		want   bool
	}{
		{"/orders/7", navigation, true},
		{"/orders/", navigation, true},
		{"/empty", navigation, true},
		{"/v1.2/orders", navigation, true},
		{"/v1.2", navigation, true},
		{"/users/ada@example.com", navigation, true},
		{"/users/john.doe", navigation, true},
		{"/@scope/package.name", navigation, true},
		{"/orders/7", http.Header{"Accept": {"text/html"}}, true},
		{"/users/john.doe", http.Header{"Accept": {"text/html"}}, true},
		{"/orders/7", http.Header{"Sec-Fetch-Mode": {"cors"}}, false},
		{"/users/john.doe", http.Header{"Sec-Fetch-Mode": {"cors"}}, false},
		{"/orders/7", nil, false},
		{"/app.js", navigation, false},
		{"/APP.JS", navigation, false},
		{"/assets/logo.png", navigation, false},
		{"/fonts/a.woff2", navigation, false},
		{"/legacy/page.html", navigation, false},
		{"/page2.unheard-of", navigation, false}, // there is another one
		{"/.git/x", navigation, false},
		{"/.env", navigation, false},
		{"/users/.hidden", navigation, false},
	} {
		w, err := ask(t, files, "GET", test.target, test.h)
		if got := err == nil && w.Body.String() == "content of index.html"; got != test.want {
			t.Errorf("%s with %v: fallback is %v: %v", test.target, test.h, got, err)
		}
	}
}

// A deployment brings the first file of a kind. What the directory held before
// is forgotten in seconds; where another one takes its place, at once.
func TestFiles_learns_of_new_kinds_of_files(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		parent := t.TempDir()
		dir := filepath.Join(parent, "dist")
		write(t, dir, "index.html", "app")
		files := serving(t, dir, "index.html")
		falls := func(target string) bool {
			w, err := ask(t, files, "GET", target, navigation)
			return err == nil && w.Body.String() == "app"
		}
		if !falls("/models/of.glb") {
			t.Error("no fallback, with no file of the kind")
		}
		write(t, dir, "deep/er/chair.glb", "")
		time.Sleep(time.Minute)
		if falls("/models/of.glb") {
			t.Error("the fallback, a minute after a file of the kind came")
		}
		write(t, parent, "next/index.html", "app")
		write(t, parent, "next/.hidden/a.stl", "")
		for _, step := range []error{os.Rename(dir, filepath.Join(parent, "before")), os.Rename(filepath.Join(parent, "next"), dir)} {
			if step != nil {
				t.Fatal(step)
			}
		}
		if !falls("/models/of.glb") || !falls("/models/of.stl") {
			t.Error("no fallback, right after another directory took the place")
		}
	})
}

func TestFiles_needs_its_directory_and_its_fallback_at_the_start(t *testing.T) {
	dir := site(t)
	for name, args := range map[string][2]string{
		"no directory": {filepath.Join(dir, "none"), ""}, "a file": {filepath.Join(dir, "index.html"), ""},
		"no fallback": {dir, "none.html"}, "a directory": {dir, "docs"}, "a link to a hidden file": {dir, "env.txt"}, "a link out": {dir, "out.txt"},
	} {
		if _, err := static.New(args[0], args[1]); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestFiles_is_unavailable_while_its_files_are_away(t *testing.T) {
	dir := site(t)
	files := serving(t, dir, "index.html")
	check := func(target string, want int, code string) {
		t.Helper()
		_, err := ask(t, files, "GET", target, navigation)
		checkProblem(t, err, want, code)
	}
	if err := os.Remove(filepath.Join(dir, "index.html")); err != nil {
		t.Fatal(err)
	}
	check("/orders/7", http.StatusServiceUnavailable, "files_unavailable")
	check("/app.js", http.StatusNotFound, "not_found")
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	check("/app.js", http.StatusServiceUnavailable, "files_unavailable")
}

func TestFiles_redirects_to_the_slash_of_a_directory(t *testing.T) {
	files := serving(t, site(t), "index.html")
	targets := []string{"/docs"}
	if runtime.GOOS != "windows" {
		targets = append(targets, "/docs/here")
	}
	for _, target := range targets {
		w, err := ask(t, files, "GET", target+"?a=b", navigation)
		if err != nil || w.Code != http.StatusFound || w.Header().Get("Location") != target+"/?a=b" {
			t.Errorf("%s: %d %v: %v", target, w.Code, w.Header(), err)
		}
	}
}

func TestFiles_follows_links_that_stay_in_the_open(t *testing.T) {
	if runtime.GOOS == "windows" {
		return // links take a privilege there
	}
	files := serving(t, site(t), "")
	for target, want := range map[string]string{
		"/in.txt":         "LICENSE",
		"/deep/page.html": "docs/deep/page.html",
		"/config.txt":     "..2026_11_26/config.txt", // a Kubernetes volume
		"/far.txt":        "LICENSE",
		"/docs/here/":     "docs/index.html",
		"/docs/top/docs/": "docs/index.html",
	} {
		w, err := ask(t, files, "GET", target, nil)
		if err != nil || w.Body.String() != "content of "+want {
			t.Errorf("%s: %q, %v", target, w.Body, err)
		}
	}
}

func TestFiles_goes_on_when_the_directory_is_replaced(t *testing.T) {
	parent := t.TempDir()
	dir := filepath.Join(parent, "dist")
	write(t, dir, "index.html", "first")
	files := serving(t, dir, "")
	for _, release := range []string{"one", "two"} {
		write(t, parent, release+"/index.html", release)
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(parent, release), dir); err != nil {
			t.Fatal(err)
		}
		w, err := ask(t, files, "GET", "/", nil)
		if err != nil || w.Body.String() != release {
			t.Errorf("release %s: %q, %v", release, w.Body, err)
		}
	}
}

func TestFiles_leaves_no_file_open(t *testing.T) {
	files := serving(t, site(t), "index.html")
	before, ok := openFiles()
	if !ok {
		t.Log("this system does not list open files; the paths are walked all the same")
	}
	for range 50 {
		for _, target := range []string{"/", "/docs", "/nothing", "/.env", "/empty/", "/logo.svg"} {
			_, _ = ask(t, files, "GET", target, nil)
		}
	}
	if after, _ := openFiles(); after > before+10 {
		t.Errorf("%d files open, %d before", after, before)
	}
}

func openFiles() (int, bool) {
	entries, err := os.ReadDir("/proc/self/fd")
	return len(entries), err == nil
}
