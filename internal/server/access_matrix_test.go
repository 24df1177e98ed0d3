package server_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/cognitoemu"
)

// accessCell is one request of the matrix.
type accessCell struct {
	kind   string // of route: own, static, proxied
	auth   string // of the route
	method string
	page   bool   // a navigation; otherwise a call
	site   string // Sec-Fetch-Site; "" for none, as of an old browser or a program
	origin string // "", own, foreign, null, allowed
	cookie string // none, live, dead, garbage
	bearer string // none, good, bad, wrong client, two, Basic
}

// accessOutcome is what becomes of a request.
type accessOutcome struct {
	status int
	code   string // of the refusal
	by     string // who is served: nobody, session, bearer; "" where nobody is
}

// judged is the contract's words about a accessCell, written a second time: nothing here asks
// the product.
func (c accessCell) judged() accessOutcome {
	switch c.auth {
	case "none":
		return c.served("nobody")
	case "bearer":
		return c.byBearer()
	case "either":
		if c.bearer != "none" {
			return c.byBearer()
		}
	}
	opens := c.cookie == "live" || c.cookie == "dead"
	switch {
	case opens && !c.sameOrigin() && c.auth == "optional":
		return c.served("nobody")
	case opens && !c.sameOrigin():
		return accessOutcome{status: 403, code: "cross_origin"}
	case c.kind == "own" && c.method != "GET" && c.method != "HEAD":
		return accessOutcome{status: 405, code: "method_not_allowed"}
	case c.cookie == "live":
		return c.served("session")
	case c.auth == "optional":
		return c.served("nobody")
	case c.kind != "own" && c.page && c.method == "GET":
		return accessOutcome{status: 302}
	}
	return accessOutcome{status: 401, code: "unauthenticated"}
}

func (c accessCell) byBearer() accessOutcome {
	switch c.bearer {
	case "good":
		return c.served("bearer")
	case "none", "Basic":
		return accessOutcome{status: 401, code: "unauthenticated"}
	}
	return accessOutcome{status: 401, code: "invalid_token"}
}

// served passes all that is asked of who may come; files are not written to.
func (c accessCell) served(by string) accessOutcome {
	if c.kind == "static" && c.method != "GET" && c.method != "HEAD" {
		return accessOutcome{status: 405, code: "method_not_allowed", by: by}
	}
	return accessOutcome{status: 200, by: by}
}

// sameOrigin is the rule (a) to (e), a line each.
func (c accessCell) sameOrigin() bool {
	return (c.site == "same-origin" || c.site == "none") && c.origin != "foreign" && c.origin != "allowed" ||
		c.page && c.method == "GET" ||
		c.origin == "allowed" ||
		c.site == "" && c.origin == "own" ||
		c.site == "" && c.origin == "" && (c.method == "GET" || c.method == "HEAD")
}

// proved reports whether the request brings what its route asks for.
func (c accessCell) proved() bool {
	bySession, byBearer := c.cookie == "live" && c.sameOrigin(), c.bearer == "good"
	switch c.auth {
	case "session":
		return bySession
	case "bearer":
		return byBearer
	case "either":
		return byBearer || bySession && c.bearer == "none"
	}
	return true
}

func accessMatrix() (cells []accessCell) {
	for _, route := range [][2]string{
		{"own", "session"},
		{"static", "session"}, {"static", "bearer"}, {"static", "either"}, {"static", "optional"}, {"static", "none"},
		{"proxied", "session"}, {"proxied", "bearer"}, {"proxied", "either"}, {"proxied", "optional"}, {"proxied", "none"},
	} {
		for _, method := range []string{"GET", "HEAD", "POST", "DELETE"} {
			for _, page := range []bool{false, true} {
				for _, site := range []string{"", "same-origin", "same-site", "cross-site", "none", "same-planet"} {
					for _, origin := range []string{"", "own", "foreign", "null", "allowed"} {
						for _, cookie := range []string{"none", "live", "dead", "garbage"} {
							for _, bearer := range []string{"none", "good", "bad", "wrong client", "two", "Basic"} {
								if page && site == "" && method != "GET" && method != "HEAD" {
									continue // nothing says that it is one
								}
								cells = append(cells, accessCell{route[0], route[1], method, page, site, origin, cookie, bearer})
							}
						}
					}
				}
			}
		}
	}
	return cells
}

// TestAccessMatrix sends every accessCell through the gateway, and holds what becomes of it
// against the words of the contract.
func TestAccessMatrix(t *testing.T) {
	const allowed = "https://spa.example.net"
	files := t.TempDir()
	if err := os.WriteFile(filepath.Join(files, "file"), []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := newRig(t, func(doc map[string]any) {
		upstream := doc["routes"].([]any)[0].(map[string]any)["upstream"]
		var routes []any
		for _, auth := range []string{"session", "bearer", "either", "optional", "none"} {
			routes = append(routes,
				map[string]any{"path": "/proxied/" + auth + "/", "upstream": upstream, "auth": auth},
				map[string]any{"path": "/static/" + auth + "/", "static": files, "auth": auth, "strip_prefix": true})
		}
		doc["routes"] = routes
		doc["bearer_clients"] = []string{cognitoemu.DefaultMachineClientID}
		doc["allowed_origins"] = []string{allowed}
		doc["log"] = map[string]any{"level": "error"}
	})
	live, dead := r.browser(), r.browser()
	live.signIn("alice@example.com", "/proxied/session/x")
	dead.signIn("bob@example.com", "/proxied/session/x")
	cookies := map[string]string{"live": live.cookieHeader(r.url), "dead": dead.cookieHeader(r.url)}
	name, value, _ := strings.Cut(cookies["live"], "=")
	cookies["garbage"] = name + "=" + strings.Repeat("A", len(value))
	dead.fetch("POST", "/auth/logout", "{}")
	_, body := live.fetch("GET", "/proxied/session/x", "")
	if !strings.Contains(body, "path") {
		t.Fatal(body)
	}
	session := r.seen.last(t).Header.Get("Authorization")

	good := "Bearer " + r.machineToken()
	bearers := map[string][]string{
		"good": {good}, "bad": {good[:len(good)-4] + "AAAA"}, "wrong client": {"Bearer " + r.userTokens("bob@example.com")["AccessToken"].(string)},
		"two": {good, good}, "Basic": {"Basic YTpi"},
	}
	origins := map[string]string{"own": r.url, "foreign": "https://evil.example", "null": "null", "allowed": allowed}

	handler := r.server.Handler()
	counts := map[string]int{}
	wrong := 0
	cells := accessMatrix()
	for _, c := range cells {
		path := "/" + c.kind + "/" + c.auth + "/file"
		if c.kind == "own" {
			path = "/auth/user"
		}
		req := httptest.NewRequest(c.method, r.url+path, nil)
		set := func(name, value string) {
			if value != "" {
				req.Header.Set(name, value)
			}
		}
		set("Cookie", cookies[c.cookie])
		set("Origin", origins[c.origin])
		set("Sec-Fetch-Site", c.site)
		switch {
		case c.page && c.site == "":
			set("Accept", "text/html")
		case c.page:
			set("Sec-Fetch-Mode", "navigate")
			set("Sec-Fetch-Dest", "document")
		case c.site != "":
			set("Sec-Fetch-Mode", "cors")
			set("Sec-Fetch-Dest", "empty")
		}
		if sent := bearers[c.bearer]; sent != nil {
			req.Header["Authorization"] = sent
		}
		before := r.seen.count()
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, req)
		reached := r.seen.count() > before
		want := c.judged()

		got := accessOutcome{status: w.Code}
		got.code = codeOf(w)
		if w.Code == 200 || c.kind == "static" && w.Code == 405 {
			got.by = want.by // who it was shows below
		}
		complain := func(format string, args ...any) {
			if wrong++; wrong <= 20 {
				t.Errorf("%+v: %s", c, fmt.Sprintf(format, args...))
			}
		}
		if got.status != want.status || want.code != "" && c.method != "HEAD" && !strings.Contains(w.Body.String(), want.code) {
			complain("%d %s, want %+v", got.status, got.code, want)
		}
		if reached != (c.kind == "proxied" && want.by != "") {
			complain("reached the API: %v", reached)
		}
		if reached && !c.proved() {
			counts["reached without proof"]++
		}
		if reached {
			sent := r.seen.last(t).Header["Authorization"]
			switch {
			case want.by == "session" && !slices.Equal(sent, []string{session}),
				want.by == "bearer" && !slices.Equal(sent, []string{good}),
				want.by == "nobody" && c.auth == "none" && !slices.Equal(sent, bearers[c.bearer]),
				want.by == "nobody" && c.auth != "none" && sent != nil:
				complain("the API saw Authorization %.40q", sent)
			}
			if cookie := r.seen.last(t).Header.Get("Cookie"); cookie != "" {
				complain("the API saw the cookie")
			}
		}
		private := strings.Contains(w.Header().Get("Cache-Control"), "private") || strings.Contains(w.Header().Get("Cache-Control"), "no-store")
		if (want.by == "session" || want.by == "bearer") && !private {
			complain("Cache-Control %q", w.Header().Get("Cache-Control"))
		}
		if w.Header()["Set-Cookie"] != nil {
			complain("a cookie is given")
		}
		counts[fmt.Sprintf("%s/%s", c.kind, c.auth)]++
		counts[fmt.Sprintf("served to %s", want.by)]++
	}
	if wrong > 0 || counts["reached without proof"] > 0 {
		t.Errorf("%d cells of %d are wrong, %d reached the API without proof", wrong, len(cells), counts["reached without proof"])
	}
	t.Logf("%d cells, %d reached the API without proof: %v", len(cells), counts["reached without proof"], counts)
}

// codeOf is the code of a problem, whatever its form.
func codeOf(w *httptest.ResponseRecorder) string {
	_, rest, _ := strings.Cut(w.Body.String(), `"code":"`)
	code, _, _ := strings.Cut(rest, `"`)
	return code
}

// cookieHeader is what the browser sends to an address.
func (b *browser) cookieHeader(address string) string {
	b.t.Helper()
	req, err := http.NewRequest("GET", address+"/", nil)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, c := range b.http.Jar.Cookies(req.URL) {
		if strings.HasSuffix(c.Name, "gatehouse") {
			return c.Name + "=" + c.Value
		}
	}
	b.t.Fatal("the browser has no session cookie")
	return ""
}
