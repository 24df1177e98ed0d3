package examples

import (
	"encoding/json"
	"html"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/cognitoemu"
	"github.com/gatehouse-auth/gatehouse/internal/freeport"
)

// browser visits a `gateway dev`.
type browser struct {
	t   *testing.T
	url string // the gateway's
	http.Client
}

// browse starts `gateway dev` in front of an API, with its user pool at poolAddr, and
// opens a browser without cookies.
func browse(t *testing.T, binary string, a *api, poolAddr string) *browser {
	t.Helper()
	addr := freeport.Addr(t)
	run(t, ".", addr, []string{binary, "dev", "--listen", addr, "--cognito-listen", poolAddr, "--api", a.origin})
	return newBrowser(t, "http://localhost:"+portOf(t, addr))
}

// newBrowser is a browser without cookies, for the gateway at a URL.
func newBrowser(t *testing.T, url string) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &browser{t, url, http.Client{Jar: jar}}
}

// devIssuer is the issuer of a `gateway dev` whose user pool is at addr.
func devIssuer(t *testing.T, addr string) string {
	t.Helper()
	return "http://localhost:" + portOf(t, addr) + "/" + cognitoemu.DefaultPoolID
}

func portOf(t *testing.T, addr string) string {
	t.Helper()
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	return port
}

var (
	formAction = regexp.MustCompile(`<form method="post" action="([^"]+)">`)
	formCSRF   = regexp.MustCompile(`name="_csrf" value="([^"]+)"`)
)

// signIn signs Alice in through the hosted pages, and returns her subject.
func (b *browser) signIn() string {
	b.t.Helper()
	res, page := b.get("/auth/login?return_to=/auth/session", "Accept", "text/html")
	action, csrf := formAction.FindStringSubmatch(page), formCSRF.FindStringSubmatch(page)
	if action == nil || csrf == nil {
		b.t.Fatalf("the login leads to %s: %s\n%.500s", res.Request.URL, res.Status, page)
	}
	to, err := res.Request.URL.Parse(html.UnescapeString(action[1]))
	if err != nil {
		b.t.Fatal(err)
	}
	form := url.Values{"_csrf": {html.UnescapeString(csrf[1])}, "username": {"alice@example.com"}, "password": {cognitoemu.DefaultPassword}}
	res, err = b.PostForm(to.String(), form)
	if err != nil {
		b.t.Fatal(err)
	}
	session := b.read(res)
	var signedIn struct{ UserSub string }
	if err := json.Unmarshal([]byte(session), &signedIn); err != nil || signedIn.UserSub == "" {
		b.t.Fatalf("the sign-in ends at %s: %s\n%.500s", res.Request.URL, res.Status, session)
	}
	return signedIn.UserSub
}

// get asks the gateway, with a header besides.
func (b *browser) get(path, header, value string) (*http.Response, string) {
	b.t.Helper()
	return b.send(http.MethodGet, path, header, value)
}

func (b *browser) send(method, path, header, value string) (*http.Response, string) {
	b.t.Helper()
	r, err := http.NewRequest(method, b.url+path, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header.Set(header, value)
	res, err := b.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	return res, b.read(res)
}

func (b *browser) read(res *http.Response) string {
	b.t.Helper()
	defer func() { _ = res.Body.Close() }()
	var text strings.Builder
	if _, err := io.Copy(&text, res.Body); err != nil {
		b.t.Fatal(err)
	}
	return text.String()
}
