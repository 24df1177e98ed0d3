package server_test

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/cognitoemu"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

const sessionCookie = "__Host-Http-gatehouse"

// stateless is a gateway with the store cookie:, before a pool whose token calls
// are counted and whose tokens last as long as is said.
type stateless struct {
	*rig
	settings []settings
	calls    atomic.Int64 // of the token endpoint that refreshed
	lastFor  atomic.Int64 // seconds that the tokens of a login last; 0: as the pool has it
	revoked  atomic.Int64 // calls of the revocation endpoint, answered
}

func newStateless(t *testing.T, change ...settings) *stateless {
	t.Helper()
	return newStatelessBefore(t, nil, change...)
}

func newStatelessBefore(t *testing.T, emulate func(*cognitoemu.Options), change ...settings) *stateless {
	t.Helper()
	st := &stateless{settings: append([]settings{
		section("session", map[string]any{"store": "cookie:", "keys": []string{secret.NewKey()}}),
	}, change...)}
	st.rig = newRigBehind(t, func(r *rig) { r.emulate, r.around = emulate, st.count }, st.settings...)
	return st
}

// count stands before the pool.
func (st *stateless) count(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/oauth2/token" {
			next.ServeHTTP(w, r)
			if r.URL.Path == "/oauth2/revoke" {
				st.revoked.Add(1)
			}
			return
		}
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		refresh := strings.Contains(string(body), "grant_type=refresh_token")
		if refresh {
			st.calls.Add(1)
		}
		rec := httptest.NewRecorder()
		next.ServeHTTP(rec, r)
		var answer map[string]any
		text := rec.Body.Bytes()
		if seconds := st.lastFor.Load(); seconds > 0 && !refresh && json.Unmarshal(text, &answer) == nil {
			answer["expires_in"] = seconds
			text, _ = json.Marshal(answer)
		}
		maps.Copy(w.Header(), rec.Header())
		w.Header().Del("Content-Length")
		w.WriteHeader(rec.Code)
		_, _ = w.Write(text)
	})
}

// signedInBriefly is a browser whose first tokens last for six seconds, and are due
// from the third on; a refresh brings tokens that last. On a machine so busy that
// they were refreshed during the login, it signs in again, for longer.
func (st *stateless) signedInBriefly(user string) (b *browser, due, end time.Time) {
	st.t.Helper()
	for seconds := int64(6); ; seconds *= 2 {
		st.lastFor.Store(seconds)
		st.calls.Store(0)
		b = st.signedIn(user)
		end = time.Unix(b.session().AccessExpiresAt, 0)
		if st.calls.Load() == 0 {
			return b, end.Add(-time.Duration(seconds/2) * time.Second), end
		}
	}
}

// another is one more instance with the same keys.
func (st *stateless) another() instance { return st.instance(st.settings...) }

// at is the same browser, connected to another instance.
func (st *stateless) at(in instance, b *browser) *browser {
	other := st.balanced([]instance{in})
	other.http.Jar = b.http.Jar
	return other
}

// chunks are the session's cookies that a browser has, by name.
func (b *browser) chunks() map[string]string {
	b.t.Helper()
	public, err := url.Parse(b.rig.url)
	if err != nil {
		b.t.Fatal(err)
	}
	chunks := map[string]string{}
	for _, c := range b.http.Jar.Cookies(public) {
		if rest, ok := strings.CutPrefix(c.Name, sessionCookie); ok && !strings.HasPrefix(rest, "-login") {
			chunks[c.Name] = c.Value
		}
	}
	return chunks
}

// copied is another browser with the same session cookies, as a thief has them.
func (b *browser) copied() *browser {
	b.t.Helper()
	return b.rig.holding(b.chunks())
}

// holding is a browser with these cookies.
func (r *rig) holding(chunks map[string]string) *browser {
	r.t.Helper()
	b := r.browser()
	public, err := url.Parse(r.url)
	if err != nil {
		r.t.Fatal(err)
	}
	var cookies []*http.Cookie
	for name, value := range chunks {
		cookies = append(cookies, &http.Cookie{Name: name, Value: value, Path: "/", Secure: true})
	}
	b.http.Jar.SetCookies(public, cookies)
	return b
}

// setsChunks returns the Set-Cookie lines of an answer that are the session's.
func setsChunks(res *http.Response) []string {
	var lines []string
	for _, line := range res.Header["Set-Cookie"] {
		if strings.HasPrefix(line, sessionCookie) && !strings.HasPrefix(line, sessionCookie+"-login=") {
			lines = append(lines, line)
		}
	}
	return lines
}

// sent asks with a Cookie header of one's own making.
func (r *rig) sent(t *testing.T, site, cookie string) (*http.Response, string) {
	t.Helper()
	return r.browser().fetchFrom(site, "GET", "/api/x", "", "Cookie", cookie)
}

func header(chunks map[string]string) string {
	var pairs []string
	for name, value := range chunks {
		pairs = append(pairs, name+"="+value)
	}
	return strings.Join(pairs, "; ")
}

// wants asks for a path, and expects a status.
func (b *browser) wants(status int, path string) *http.Response {
	b.t.Helper()
	res, body := b.fetch("GET", path, "")
	if res.StatusCode != status {
		b.t.Fatalf("%s: %d %s, want %d", path, res.StatusCode, body, status)
	}
	return res
}

func describe(chunks map[string]string) string {
	var parts []string
	for name, value := range chunks {
		parts = append(parts, fmt.Sprintf("%s (%d)", name, len(value)))
	}
	return strings.Join(parts, ", ")
}
