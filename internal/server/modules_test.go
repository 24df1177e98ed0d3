package server_test

import (
	"io/fs"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/web"
)

var versioned = regexp.MustCompile(`^import '\./[0-9a-f]{16}/served\.js';\nexport \* from '\./([0-9a-f]{16})/index\.js';\n$`)

// moduleVersion is what the entry of the client leads on to.
func (b *browser) moduleVersion() string {
	b.t.Helper()
	res, body := b.fetch("GET", "/auth/sdk/index.js", "")
	m := versioned.FindStringSubmatch(body)
	if res.StatusCode != http.StatusOK || m == nil {
		b.t.Fatalf("the entry answered %d %q", res.StatusCode, body)
	}
	return m[1]
}

func TestModulesAreServedAsTheyAre(t *testing.T) {
	b := newRig(t).browser()
	version := b.moduleVersion()
	names, err := fs.Glob(web.Modules, "*.js")
	if err != nil || len(names) == 0 {
		t.Fatalf("%q, %v", names, err)
	}
	for _, name := range names {
		want, err := fs.ReadFile(web.Modules, name)
		if err != nil {
			t.Fatal(err)
		}
		res, body := b.fetch("GET", "/auth/sdk/"+version+"/"+name, "")
		if res.StatusCode != http.StatusOK || body != string(want) {
			t.Errorf("%s: status %d, %d bytes instead of %d", name, res.StatusCode, len(body), len(want))
		}
		if kind := res.Header.Get("Content-Type"); kind != "text/javascript; charset=utf-8" {
			t.Errorf("%s is %s, which browsers run no module of", name, kind)
		}
	}
	for _, path := range []string{
		"/auth/sdk/" + version + "/gone.js", "/auth/sdk/0000000000000000/index.js", "/auth/sdk/popup.js", "/auth/sdk/hub.js",
		"/auth/sdk/", "/auth/sdk/" + version + "/", "/auth/sdk/" + version + "/popup.html",
	} {
		if res, body := b.fetch("GET", path, ""); res.StatusCode != http.StatusNotFound || problemCode(t, res, body) != "not_found" {
			t.Errorf("%s answered %d", path, res.StatusCode)
		}
	}
}

// A module's script element cannot send csrf_header, and a page of any site may embed
// what is the same for everyone.
func TestModulesAreServedToAnybody(t *testing.T) {
	r := newRig(t, configured(t, "{csrf_header: X-CSRF, allowed_origins: ['https://shop.example.com']}"))
	b := r.browser()
	b.signIn("alice@example.com", "/")
	version := b.moduleVersion()
	for _, path := range []string{"/auth/sdk/index.js", "/auth/sdk/" + version + "/index.js", "/auth/sdk/popup.html"} {
		for _, site := range []string{"same-origin", "same-site", "cross-site"} {
			res, _ := b.fetchFrom(site, "GET", path, "")
			if res.StatusCode != http.StatusOK || len(res.Header["Set-Cookie"]) > 0 || res.Header.Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("%s from %s: %d %v", path, site, res.StatusCode, res.Header)
			}
		}
		res, _ := b.fetchFrom("cross-site", "GET", path, "", "Origin", "https://shop.example.com")
		if res.StatusCode != http.StatusOK || res.Header.Get("Access-Control-Allow-Origin") != "https://shop.example.com" {
			t.Errorf("%s from an allowed origin: %d %v", path, res.StatusCode, res.Header)
		}
	}
	// What stands beside them is guarded as ever.
	for _, path := range []string{"/auth/session", "/auth/config", "/auth/sdk", "/auth/gone"} {
		if res, body := b.fetchFrom("cross-site", "GET", path, ""); problemCode(t, res, body) != "cross_origin" {
			t.Errorf("%s from elsewhere answered %d", path, res.StatusCode)
		}
	}
}

func TestModulesAreAskedForOnlyOnce(t *testing.T) {
	b := newRig(t).browser()
	version := b.moduleVersion()
	for tag, want := range map[string]int{
		`"` + version + `"`: 304, `W/"` + version + `"`: 304, `"x", "` + version + `"`: 304, `"0000000000000000"`: 200, version: 200,
	} {
		res, body := b.fetch("GET", "/auth/sdk/index.js", "", "If-None-Match", tag)
		if res.StatusCode != want || (body == "") != (want == 304) || res.Header.Get("Etag") != `"`+version+`"` {
			t.Errorf("If-None-Match %s: %d %q", tag, res.StatusCode, body)
		}
	}
	if other := newRig(t).browser().moduleVersion(); other != version {
		t.Errorf("two instances of one build have versions %s and %s", version, other)
	}
}

func TestModulesBelowANestedMount(t *testing.T) {
	r := newRig(t, configured(t, "{mount: /team/auth}"))
	p := r.browser().open(r.url + "/team/auth/sdk/popup.html")
	if script := `<script type="module" src="/team/auth/sdk/`; p.status != http.StatusOK || !strings.Contains(p.body, script) {
		t.Errorf("status %d, no %s in\n%s", p.status, script, p.body)
	}
	if policy := p.header.Get("Cross-Origin-Opener-Policy"); policy != "unsafe-none" {
		t.Errorf("the page that opened the window is cut off: %s", policy)
	}
}
