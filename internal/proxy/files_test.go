package proxy_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/proxy"
	"github.com/gatehouse-auth/gatehouse/internal/routing"
	"github.com/gatehouse-auth/gatehouse/internal/urlpath"
)

// site is a directory of files that hold their own names.
func site(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"index.html", "LICENSE", "docs/index.html", "docs/deep/page.html"} {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("content of "+name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// askFile asks the relay of one route for a file, without a server between.
func askFile(t testing.TB, route routing.Route, target string, private bool) (*httptest.ResponseRecorder, error) {
	t.Helper()
	routes := table(t, route)
	relay, err := proxy.NewRelay(routes, proxy.Options{})
	if err != nil {
		t.Fatal(err)
	}
	path, _, _ := strings.Cut(target, "?")
	p, err := urlpath.Parse(path)
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	return w, relay.Relay(w, httptest.NewRequest("GET", target, nil), &proxy.Decision{Route: routes.Routes()[0], Path: p, Private: private})
}

func TestFiles_lie_below_the_prefix_that_the_route_strips(t *testing.T) {
	dir := site(t)
	for _, test := range []struct {
		route  routing.Route
		target string
		want   string
	}{
		{routing.Route{Path: "/s/", StripPrefix: true}, "/s/docs/", "docs/index.html"},
		{routing.Route{Path: "/s/", StripPrefix: true}, "/s/", "index.html"},
		{routing.Route{Path: "/s/", StripPrefix: true}, "/s", "index.html"},
		{routing.Route{Path: "/%C3%BC/", StripPrefix: true}, "/%C3%BC/docs/", "docs/index.html"},
		{routing.Route{Path: "/docs/"}, "/docs/deep/page.html", "docs/deep/page.html"},
	} {
		test.route.Static = dir
		w, err := askFile(t, test.route, test.target, false)
		if err != nil || w.Body.String() != "content of "+test.want {
			t.Errorf("%s: %q, %v", test.target, w.Body, err)
		}
	}
}

func TestFiles_of_a_stripped_prefix_redirect_within_it(t *testing.T) {
	w, err := askFile(t, routing.Route{Path: "/s/", StripPrefix: true, Static: site(t)}, "/s/docs?a=b", false)
	if err != nil || w.Code != http.StatusFound || w.Header().Get("Location") != "/s/docs/?a=b" {
		t.Errorf("%d %v: %v", w.Code, w.Header(), err)
	}
}

func TestFiles_that_need_a_session_stay_out_of_caches(t *testing.T) {
	dir := site(t)
	for _, target := range []string{"/LICENSE", "/docs"} { // a file, and a redirect
		for _, test := range []struct {
			cacheUpstream, private bool
			want                   string
		}{{false, true, "private, no-store"}, {true, true, "no-cache"}, {false, false, "no-cache"}} {
			w, err := askFile(t, routing.Route{Path: "/", Static: dir, CacheUpstream: test.cacheUpstream}, target, test.private)
			if got := w.Header().Get("Cache-Control"); err != nil || got != test.want {
				t.Errorf("%s, %+v: %q, %v", target, test, got, err)
			}
		}
	}
}

func TestRelay_serves_each_route_from_where_it_says(t *testing.T) {
	up, _ := recorder(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "api") })
	f := newFront(t, proxy.Options{},
		routing.Route{Path: "/", Static: site(t), SPAFallback: "index.html", Access: routing.Access{Auth: routing.AuthNone}},
		routing.Route{Path: "/api/", Upstreams: routing.To(up)})
	for target, want := range map[string]string{"/LICENSE": "content of LICENSE", "/api/x": "api"} {
		answer := f.talk(t, request(target))
		if !strings.HasSuffix(answer, "\r\n\r\n"+want) {
			t.Errorf("%s: %s", target, answer)
		}
	}
}
