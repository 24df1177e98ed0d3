package cognitoemu

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	callbackURL = "http://localhost:8080/auth/callback"
	logoutURL   = "http://localhost:8080/auth/signed-out"
	verifier    = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
)

// start is the moment at which every emulator of these tests begins.
var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// sharedKeys saves every fixture the making of its own.
var sharedKeys = sync.OnceValues(NewKeys)

// fixture is an emulator behind a real listener, and one browser.
type fixture struct {
	*testing.T
	emulator *Emulator
	server   *httptest.Server
	pages    string // domain host
	idp      string // IdP host
	browser  *http.Client
}

func newFixture(t *testing.T, change ...func(*Options)) *fixture {
	t.Helper()
	server := httptest.NewUnstartedServer(nil)
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	keys, err := sharedKeys()
	if err != nil {
		t.Fatal(err)
	}
	opts := Options{
		Keys:     keys,
		PagesURL: "http://127.0.0.1:" + port,
		APIURL:   "http://localhost:" + port,
		Seed:     DefaultSeed([]string{callbackURL}, []string{logoutURL}),
		Now:      func() time.Time { return start },
	}
	for _, f := range change {
		f(&opts)
	}
	emulator, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	server.Config.Handler = emulator
	server.Start()
	t.Cleanup(server.Close)
	return &fixture{T: t, emulator: emulator, server: server, pages: opts.PagesURL, idp: opts.APIURL, browser: newBrowser(t)}
}

// newBrowser keeps cookies and shows redirects instead of following them.
func newBrowser(t *testing.T) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &http.Client{
		Jar:           jar,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

type answer struct {
	status int
	header http.Header
	body   string
}

func (a answer) location() string { return a.header.Get("Location") }

// callback is the query that the answer sends to the callback.
func (a answer) callback(t *testing.T) url.Values {
	t.Helper()
	raw, ok := strings.CutPrefix(a.location(), callbackURL+"?")
	if !ok {
		t.Fatalf("status %d to %q, want the callback\n%s", a.status, a.location(), a.body)
	}
	query, err := url.ParseQuery(raw)
	if err != nil {
		t.Fatal(err)
	}
	return query
}

func (f *fixture) do(r *http.Request) answer {
	f.Helper()
	response, err := f.browser.Do(r)
	if err != nil {
		f.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		f.Fatal(err)
	}
	return answer{response.StatusCode, response.Header, string(body)}
}

func (f *fixture) absolute(address string) string {
	if strings.HasPrefix(address, "/") {
		return f.pages + address
	}
	return address
}

func (f *fixture) get(address string) answer {
	f.Helper()
	r, err := http.NewRequest(http.MethodGet, f.absolute(address), nil)
	if err != nil {
		f.Fatal(err)
	}
	return f.do(r)
}

func (f *fixture) post(address string, form url.Values, header ...string) answer {
	f.Helper()
	r, err := http.NewRequest(http.MethodPost, f.absolute(address), strings.NewReader(form.Encode()))
	if err != nil {
		f.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return f.do(r)
}

func challengeOf(verifier string) string {
	digest := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(digest[:])
}

// request is a good authorization request; pairs change it, and an empty value
// takes a parameter out.
func request(pairs ...string) url.Values {
	query := url.Values{
		"response_type": {"code"}, "client_id": {DefaultClientID}, "redirect_uri": {callbackURL},
		"scope": {"openid email profile aws.cognito.signin.user.admin"}, "state": {"st4te"}, "nonce": {"n0nce"},
		"code_challenge": {challengeOf(verifier)}, "code_challenge_method": {"S256"},
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		query.Set(pairs[i], pairs[i+1])
		if pairs[i+1] == "" {
			query.Del(pairs[i])
		}
	}
	return query
}

func authorizePath(pairs ...string) string { return "/oauth2/authorize?" + request(pairs...).Encode() }

var hiddenField = regexp.MustCompile(`name="_csrf" value="([^"]+)"`)

// submit opens a page and posts its form back, as a person would.
func (f *fixture) submit(page string, fields ...string) answer {
	f.Helper()
	opened := f.get(page)
	match := hiddenField.FindStringSubmatch(opened.body)
	if opened.status != http.StatusOK || match == nil {
		f.Fatalf("%s: status %d, no form\n%s", page, opened.status, opened.body)
	}
	form := url.Values{"_csrf": {match[1]}}
	for i := 0; i+1 < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
	return f.post(page, form)
}

// signIn goes from the authorization request to a code by alice's password.
func (f *fixture) signIn(pairs ...string) (code string) {
	f.Helper()
	return f.signInAs("alice@example.com", pairs...)
}

func (f *fixture) signInAs(email string, pairs ...string) (code string) {
	f.Helper()
	sent := f.get(authorizePath(pairs...))
	back := sent
	if strings.HasPrefix(sent.location(), "/login?") { // else signed in already
		back = f.submit(sent.location(), "username", email, "password", DefaultPassword)
	}
	code = back.callback(f.T).Get("code")
	if code == "" {
		f.Fatalf("no code in %q", back.location())
	}
	return code
}

// exchange is a good code exchange of the public client; pairs change it.
func (f *fixture) exchange(code string, pairs ...string) answer {
	f.Helper()
	form := url.Values{
		"grant_type": {"authorization_code"}, "client_id": {DefaultClientID}, "code": {code},
		"redirect_uri": {callbackURL}, "code_verifier": {verifier},
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
		if pairs[i+1] == "" {
			form.Del(pairs[i])
		}
	}
	return f.post("/oauth2/token", form)
}

func (f *fixture) refresh(token string) answer {
	f.Helper()
	return f.post("/oauth2/token", url.Values{
		"grant_type": {"refresh_token"}, "client_id": {DefaultClientID}, "refresh_token": {token}})
}

// tokens reads a good answer of the token endpoint.
func (f *fixture) tokens(a answer) tokenSet {
	f.Helper()
	if a.status != http.StatusOK {
		f.Fatalf("token endpoint: status %d %s", a.status, a.body)
	}
	var set tokenSet
	if err := json.Unmarshal([]byte(a.body), &set); err != nil {
		f.Fatal(err)
	}
	return set
}

func (f *fixture) freshTokens(pairs ...string) tokenSet {
	f.Helper()
	return f.tokens(f.exchange(f.signIn(pairs...)))
}

// refused fails unless the answer is the OAuth error with this status.
func refused(t *testing.T, a answer, status int, code string) {
	t.Helper()
	want := fmt.Sprintf("%d {\"error\":%q}", status, code)
	if got := fmt.Sprintf("%d %s", a.status, strings.TrimSpace(a.body)); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// claimsOf reads a token's payload without verifying anything.
func claimsOf(t *testing.T, token string) map[string]any {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("%d parts, want a JWT", len(parts))
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	var claims map[string]any
	if err := json.Unmarshal(raw, &claims); err != nil {
		t.Fatal(err)
	}
	return claims
}
