package server_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/routing"
)

// TestForwardAuthPaths sends paths that readers take for different ones through real
// fronts, by HTTP/1.1 and, where the page has it, by HTTP/2. What the gateway was asked
// about must be what the API is asked for: the same path on the same route.
func TestForwardAuthPaths(t *testing.T) {
	prefixes := []string{"/", "/api/", "/open/", "/admin/", "/slash/"}
	var rows []routing.Route
	routes := make([]any, len(prefixes))
	for i, p := range prefixes {
		rows = append(rows, routing.Route{Path: p, AllowEncodedSlash: p == "/slash/", Access: routing.Access{Auth: routing.AuthNone, Navigations: true}})
		routes[i] = map[string]any{"path": p, "auth": "none", "upstream": "", "allow_encoded_slash": p == "/slash/"}
	}
	table, err := routing.NewTable(rows, "/auth")
	if err != nil {
		t.Fatal(err)
	}
	for name, start := range askingFronts {
		t.Run(name, func(t *testing.T) {
			var asked questions
			f := start(t, asked.overhear(t), func(doc map[string]any) {
				upstream := doc["routes"].([]any)[0].(map[string]any)["upstream"]
				for _, r := range routes {
					r.(map[string]any)["upstream"] = upstream
				}
				doc["routes"] = routes
			})
			by := map[string]func(t testing.TB, f *fronted) client{"HTTP/1.1": newLineClient}
			if name != "nginx" {
				by["HTTP/2"] = newFrameClient
			}
			for protocol, newClient := range by {
				c := &paths{t: t, f: f, table: table, asked: &asked, client: newClient(t, f)}
				for _, target := range targets(host(f.url)) {
					c.send(target)
				}
				t.Logf("by %s: %d sent; %d refused by the front alone, %d by the gateway; %d reached the API; %d disagreements",
					protocol, c.sent, c.unasked, c.refused, c.reached, c.differ)
				if c.reached < c.sent/10 || c.refused < c.sent/10 {
					t.Errorf("by %s: that is no test of both", protocol)
				}
			}
		})
	}
}

// client sends requests with a target as it is, and returns the status of the answer; 0 is
// for a front that gives none.
type client interface{ get(target string) int }

// paths sends targets and compares.
type paths struct {
	t      *testing.T
	f      *fronted
	table  *routing.Table
	asked  *questions
	client client

	sent, unasked, refused, reached, differ int
}

func (c *paths) send(target string) {
	before := c.f.seen.count()
	c.asked.take()
	c.sent++
	status := c.client.get(target)
	asked, reached := c.asked.take(), c.f.seen.count()-before
	switch {
	case reached == 0 && len(asked) == 0:
		c.unasked++
		return
	case reached == 0:
		c.refused++
		return
	case reached > 1 || len(asked) != 1:
		c.differ++
		c.t.Errorf("%q: answered %d; %d requests for %d questions", target, status, reached, len(asked))
		return
	}
	c.reached++
	seen := c.f.seen.last(c.t)
	path, query, _ := strings.Cut(asked[0], "?")
	judged := routing.Target{Method: seen.Method, Host: seen.Host, Path: path, Query: query}
	if fault := c.compare(judged, routing.TargetOf(seen, seen.Host)); fault != "" || seen.Host != host(c.f.url) {
		c.differ++
		c.t.Errorf("%q: judged as %q, and the API was asked for %q of %s: %s", target, asked[0], seen.RequestURI, seen.Host, fault)
	}
}

// compare says what is wrong with a target that was judged and the one that the API got.
func (c *paths) compare(judged, got routing.Target) string {
	route, path, err := c.table.Judge(judged)
	if err != nil {
		return "the gateway refuses it: " + err.Error()
	}
	gotRoute, gotPath, err := c.table.Judge(got)
	switch {
	case err != nil:
		return "the gateway would refuse what the API got: " + err.Error()
	case gotRoute != route:
		return "the API got it on the route " + gotRoute.Path
	case gotPath.Escaped() != path.Escaped() || got.Query != judged.Query:
		return "the API got " + gotPath.Escaped() + "?" + got.Query
	}
	return ""
}

// targets are request targets that somebody reads otherwise than somebody else, and the
// same at each run.
func targets(host string) []string {
	all := []string{
		"/", "/api/x", "/api", "//x", "/./x", "/a/../x", "/api/..;/x", "/api/%2e%2e/x", "/api/.%2e/x", "/api/%2e%2e%2fx", "/api/..%2fx", "/api/..%5cx", `/api/..\x`,
		"/api/%252e%252e/x", "/%61dmin", "/ADMIN", "/admin;", "/admin;a=b/x", "/admin%3b", "/admin%00", "/admin%00.css", "/admin%20", "/admin%09", "/admin.",
		"/admin/.", "/admin%2f", "/admin%23", "/admin#", "/admin?", "/admin%3f", "/admin/..%00/", "/%ef%bc%8e%ef%bc%8e/", "/%c0%ae%c0%ae/", "/%u002e%u002e/",
		"/a//..//x", "/a/...//x", "/~/", "/*", "*", "http://evil.test/x", "//evil.test/x", `/\evil.test/x`, "/x:80", "/@evil.test", "/api/x.css", "/api;x.css",
		"/slash/a%2Fb", "/slash/a%2fb", "/slash/%2e%2e%2Fapi", "/slash/..%2Fapi", "/open/é", "/open/%C3%A9", "/open/%ff", "/open/x?a=/../b%2f?c#d", "/open/x?%zz", "/open/x??", "/open/x?",
		"/open/%zz", "/open/a|b", "/open/a{b}", `/open/a"b`, "/open/a'b", "/open/a^b`c", "/open/[a]", "/open/a%7Cb", "/open/a+b", "/open/a%2Bb", "/open/%7e", "/open/~",
		"http://" + host + "/api/x", "https://" + host + "/api/x?y", "HTTP://" + host + "/open/%61", "http://" + host, "http://" + host + "?/api/", "https://evil.test/admin/x",
		"/auth/../api/x", "/api/../auth/session", "/%61uth/session", "/auth%2fsession", "/AUTH/session", "/.gatehouse", "/.gatehouse/", "/%2egatehouse", "/auth/verify", "/open/../.gatehouse",
		"/open/a b", "/open/a\tb", "/open/x HTTP/1.1", "/open/x?a b", "/open/x?a\tb", // which only HTTP/2 can send
	}
	random := rand.New(rand.NewPCG(1, 2))
	segments := []string{
		"api", "API", "open", "admin", "slash", "x", "x.css", "..", ".", "%2e%2e", ".%2e", "%2E.", "%252e%252e", "..;", "..;a", "x;b=c", ";", "%3b", "x%2Fy", "%2f", "%2F..%2F",
		"%5c", `\`, `..\`, "%00", "%20", "x%20", "x.", "%09", "é", "%C3%A9", "%e9", "%61pi", "%61%64min", "~", "%7E", "*", "a%3Fb", "%23", "#", "a:b", "@", "a,b", "a%2Cb", "a=b&c", "%", "%4", "", "",
	}
	queries := []string{"", "", "", "?", "?a=b", "?/../admin/x", "?a%2fb", "?a?b", "?é"}
	for range 500 {
		var b strings.Builder
		for range 1 + random.IntN(4) {
			b.WriteString("/" + segments[random.IntN(len(segments))])
		}
		all = append(all, b.String()+queries[random.IntN(len(queries))])
	}
	// Most of them have two readings; these have one, in many spellings.
	once := []string{"x", "x-y", "é", "%C3%A9", "%61", "%7E", "a:b", "a,b", "a%2Cb", "a=b&c", "%E2%82%AC", "x.css", "a+b", "%20x", "a%20b", "(", "%28", "!", "$"}
	for range 200 {
		path := []string{"/api", "/open", "/%61dmin", "/slash", ""}[random.IntN(5)]
		for range 1 + random.IntN(3) {
			path += "/" + once[random.IntN(len(once))]
		}
		all = append(all, path+queries[random.IntN(len(queries))])
	}
	return all
}
