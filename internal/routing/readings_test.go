package routing_test

import (
	"errors"
	"net/http"
	"net/url"
	"path"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/problem"
	"github.com/gatehouse-auth/gatehouse/internal/routing"
)

// A loose route beside stricter ones: what evades them ends on "/".
var loose = []routing.Route{
	{Path: "/", Access: routing.Access{Auth: routing.AuthNone}, AllowEncodedSlash: true},
	{Path: "/api/", AllowEncodedSlash: true},
	{Path: "/api/open/", Access: routing.Access{Auth: routing.AuthNone}, AllowEncodedSlash: true},
	{Path: "/x/api/", AllowEncodedSlash: true},
	{Path: "/a/", Host: "admin.example", AllowEncodedSlash: true},
	{Path: "/cut/", Access: routing.Access{Auth: routing.AuthNone}, AllowEncodedSlash: true, StripPrefix: true},
	{Path: "/cut/api/", AllowEncodedSlash: true, StripPrefix: true},
}

func TestJudge_refuses_what_an_upstream_reads_as_another_route(t *testing.T) {
	routes := table(t, loose...)
	for name, paths := range map[string][]string{
		"slashes merged":           {"/%2Fapi/x", "/%2fapi%2fx", "/%2F%2Fapi", "/%2Fapi", "/x/%2Fapi/y", "/x%2F%2Fapi", "/api%2F", "/api/%2Fopen/y", "/api%2F%2Fopen"},
		"the gateway's own":        {"/%2Fauth/login", "/auth%2Flogin", "/%2F%2Fauth", "/%2Fauth%2Fsession"},
		"parameters cut first":     {"/x;b%2Fc/api", "/x;%2Fy/api/z", "/;%2Fx/api", "/x%3Bb%2Fc/api", "/api/x;y%2F../open"},
		"parameters cut last":      {"/x;b%2Fapi", "/%2F;a/api"},
		"a host in the path":       {"/%2Fevil/api/x", "/%2F%2Fevil/api", "/x%2F%2Fevil/api", "/%2Fevil;a%2Fb/api", "/%2Fevil%2Fauth/login"},
		"behind a prefix cut off":  {"/cut/%2Fapi/x", "/cut/%2Fevil/api/x", "/cut/%2F%2Fevil/api"},
		"fullwidth forms":          {"/%EF%BD%81%EF%BD%90%EF%BD%89/x", "/%EF%BC%8Fapi", "/%EF%BC%852561pi"},
		"what nobody sees":         {"/a%E2%80%8Bpi/x", "/%EF%BB%BFapi", "/x/%E2%80%8D/api"},
		"escapes of other kinds":   {"/%25u0061pi/x", "/%25U0061pi"},
		"slashes and letter cases": {"/%2FAPI/x", "/%2Fapi./x", "/%2Fapi%20/x", "/%2Fapi;x/y"},
	} {
		for _, p := range paths {
			route, _, err := routes.Judge(routing.Target{Method: "GET", Host: "app.example", Path: p})
			if err == nil {
				t.Errorf("%s: %s falls on %s", name, p, route.Path)
				continue
			}
			checkProblem(t, err, http.StatusBadRequest, "ambiguous_path")
		}
	}
}

func TestJudge_takes_encoded_slashes_that_change_nothing(t *testing.T) {
	routes := table(t, loose...)
	for p, want := range map[string]string{
		"/%2Fother/y": "/", "/p/https%3A%2F%2Fe": "/", "/a%2F/b": "/", "/api/queues/%2F/name": "/api/", "/api/a;b%2Fc/d": "/api/",
		"/api/group%2Fproject": "/api/", "/%2F": "/", "/x%2Fy": "/", "/api/open/%2F%2Fz": "/api/open/", "/%2Fa/y": "/",
	} {
		route, err := match(t, routes, "app.example", p, "GET")
		if err != nil || route.Path != want {
			t.Errorf("%s falls on %v (%v), want %s", p, route, err, want)
		}
	}
	if _, err := match(t, routes, "admin.example", "/%2Fa/y", "GET"); err == nil {
		t.Error("on the host that has a stricter route it falls on the loose one")
	}
}

// readers are what upstreams and what stands before them make of a path, each
// in the part that matters here.
var readers = map[string]func(string) string{
	"nginx":          func(p string) string { return resolve(merge(decoded(p))) },
	"nginx_unmerged": func(p string) string { return resolve(decoded(p)) },
	"node_url": func(p string) string {
		p = strings.ReplaceAll(query(p), `\`, "/")
		if strings.HasPrefix(p, "//") {
			_, rest, _ := strings.Cut(strings.TrimLeft(p, "/"), "/")
			p = "/" + rest
		}
		return resolve(strings.NewReplacer("%2e", ".", "%2E", ".").Replace(p))
	},
	"unquote":    decoded,
	"path_clean": path.Clean,
	"go_mux": func(p string) string {
		if u, err := url.ParseRequestURI(p); err == nil {
			return path.Clean(u.Path)
		}
		return p
	},
	"tomcat": func(p string) string { return path.Clean(decoded(each(p, parameters))) },
	"jetty":  func(p string) string { return path.Clean(each(decoded(p), parameters)) },
	"iis": func(p string) string {
		p = strings.ReplaceAll(decoded(p), `\`, "/")
		return strings.ToLower(path.Clean(each(merge(p), func(s string) string {
			if s == "." || s == ".." {
				return s
			}
			return strings.TrimRight(s, ". ")
		})))
	},
}

// decoded is a path decoded once, its bad escapes left as they are.
func decoded(p string) string {
	var b strings.Builder
	for i := 0; i < len(p); i++ {
		if i+2 < len(p) {
			if s, err := url.PathUnescape(p[i : i+3]); err == nil && p[i] == '%' {
				b.WriteString(s)
				i += 2
				continue
			}
		}
		b.WriteByte(p[i])
	}
	return b.String()
}

func merge(p string) string {
	for strings.Contains(p, "//") {
		p = strings.ReplaceAll(p, "//", "/")
	}
	return p
}

// resolve resolves dot segments and leaves empty ones alone (RFC 3986 §5.2.4).
func resolve(p string) string {
	var out []string
	for _, s := range strings.Split(p, "/")[1:] {
		switch s {
		case ".":
		case "..":
			out = out[:max(len(out)-1, 0)]
		default:
			out = append(out, s)
		}
	}
	return "/" + strings.Join(out, "/")
}

func each(p string, edit func(string) string) string {
	segments := strings.Split(p, "/")
	for i, s := range segments {
		segments[i] = edit(s)
	}
	return strings.Join(segments, "/")
}

func parameters(segment string) string {
	name, _, _ := strings.Cut(segment, ";")
	return name
}

func query(p string) string {
	if i := strings.IndexAny(p, "?#"); i >= 0 {
		p = p[:i]
	}
	return "/" + strings.TrimPrefix(p, "/")
}

// routeOf is the path of the route that a reading falls on, by the letter.
func routeOf(routes []*routing.Route, reading string) string {
	best := ""
	reading = strings.ToLower(strings.TrimSuffix(reading, "/")) + "/"
	for _, r := range routes {
		if prefix := strings.TrimSuffix(r.Path, "/") + "/"; r.Host == "" && strings.HasPrefix(reading, prefix) && len(r.Path) > len(best) {
			best = r.Path
		}
	}
	return best
}

// checkReadings fails if some readers, one behind the other, find another route
// than the one the path was judged by.
func checkReadings(t *testing.T, routes *routing.Table, raw string, deep int) (accepted bool) {
	t.Helper()
	route, p, err := routes.Judge(routing.Target{Method: "GET", Host: "app.example", Path: raw})
	if err != nil {
		var e *problem.Error
		return errors.As(err, &e) && e.Status != http.StatusBadRequest
	}
	// By how many readers, and each reading once: chains meet again and again.
	chains := map[string]string{p.Escaped(): "nobody"}
	for frontier := []string{p.Escaped()}; ; deep-- {
		for _, reading := range frontier {
			if got := routeOf(routes.Routes(), reading); got != route.Path {
				t.Errorf("%s, judged as %s: %s read %q, which is %s", raw, route.Path, chains[reading], reading, got)
			}
		}
		if deep == 0 || t.Failed() {
			return true
		}
		var further []string
		for _, reading := range frontier {
			for name, read := range readers {
				next := read(reading)
				if _, met := chains[next]; !met {
					chains[next] = chains[reading] + ", " + name
					further = append(further, next)
				}
			}
		}
		frontier = further
	}
}

func TestJudge_looks_at_every_reading(t *testing.T) {
	routes := table(t, loose...)
	alphabet := []string{"/", "%2F", "api", "x", ";", "%3B", ".", "%20", "%25", "2F", "%3F", "%5C", "open", "A"}
	accepted := 0
	var walk func(prefix string, depth int)
	walk = func(prefix string, depth int) {
		if checkReadings(t, routes, prefix, 3) {
			accepted++
		}
		if depth == 0 || t.Failed() {
			return
		}
		for _, s := range alphabet {
			walk(prefix+s, depth-1)
		}
	}
	walk("/", 4)
	if accepted < 1000 {
		t.Errorf("%d paths accepted only: this shows nothing", accepted)
	}
}

func FuzzJudge_looks_at_every_reading(f *testing.F) {
	for _, seed := range []string{"/%2Fapi/x", "/x;b%2Fc/api", "/%2Fevil/api", "/api/open/%2F%2Fz", "/%2F;x%2F%2Fapi%2F;%2Fopen", "/%25%32%46api"} {
		f.Add(seed)
	}
	routes := table(f, loose...)
	f.Fuzz(func(t *testing.T, raw string) { checkReadings(t, routes, raw, 3) })
}
