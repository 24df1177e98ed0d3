package fleet

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
)

// Claims are what the API says of the token that it got.
type Claims struct {
	Subject string `json:"sub"`
	ID      string `json:"jti"`
	Expires int64  `json:"exp"`
}

// claimsOf reads them from an Authorization header. That the signature is
// Cognito's is other tests' subject.
func claimsOf(header string) (c Claims, ok bool) {
	parts := strings.Split(strings.TrimPrefix(header, "Bearer "), ".")
	if len(parts) != 3 {
		return c, false
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	return c, err == nil && json.Unmarshal(text, &c) == nil && c.ID != ""
}

// Browser is one user agent with one cookie jar. Safe for concurrent use, as
// many tabs are.
type Browser struct {
	t     testing.TB
	fleet *Fleet
	jar   http.CookieJar

	mu      sync.Mutex
	clients map[int]*http.Client // by instance
}

// NewBrowser opens a browser without cookies.
func (f *Fleet) NewBrowser() *Browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		f.t.Fatal(err)
	}
	return &Browser{t: f.t, fleet: f, jar: jar, clients: map[int]*http.Client{}}
}

// SignIn returns a browser that signed in at an instance. It fails the test if
// it cannot; [Browser.SignIn] reports that.
func (f *Fleet) SignIn(instance int) *Browser {
	f.t.Helper()
	var b *Browser
	waitFor(f.t, "a sign-in", func() bool {
		b = f.NewBrowser()
		err := b.SignIn(instance, "alice@example.com")
		if err != nil && !errors.Is(err, errUnavailable) {
			f.t.Fatalf("sign in: %v", err)
		}
		return err == nil
	})
	return b
}

// errUnavailable is an answer that asks to try again. What a sign-in needs has its limits,
// of two seconds for a store, which a machine that is busy with other things may exceed.
var errUnavailable = errors.New("503")

// at is the client that takes requests of the public address to an instance.
func (b *Browser) at(instance int) *http.Client {
	b.mu.Lock()
	defer b.mu.Unlock()
	if c, ok := b.clients[instance]; ok {
		return c
	}
	c := &http.Client{Jar: b.jar, Transport: b.fleet.ways[instance],
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	b.clients[instance] = c
	return c
}

// wayTo dials addr for whatever is asked of the public address.
func wayTo(t testing.TB, addr string) *http.Transport {
	public := strings.TrimPrefix(PublicURL, "http://")
	way := &http.Transport{
		DialContext: func(ctx context.Context, network, to string) (net.Conn, error) {
			if to == public {
				to = addr
			}
			return new(net.Dialer).DialContext(ctx, network, to)
		},
		MaxIdleConnsPerHost: 64,
	}
	t.Cleanup(way.CloseIdleConnections)
	return way
}

// fixedJar holds one pair of a Cookie header, whatever it is answered.
type fixedJar []*http.Cookie

// SetCookies implements http.CookieJar.
func (fixedJar) SetCookies(*url.URL, []*http.Cookie) {}

// Cookies implements http.CookieJar.
func (j fixedJar) Cookies(*url.URL) []*http.Cookie { return j }

// With opens a browser that always sends one cookie and keeps no other: a
// replay, or a forgery.
func (f *Fleet) With(cookie string) *Browser {
	name, value, _ := strings.Cut(cookie, "=")
	return &Browser{t: f.t, fleet: f, jar: fixedJar{{Name: name, Value: value}}, clients: map[int]*http.Client{}}
}

// Answer is an answer read to its end.
type Answer struct {
	Status int
	Header http.Header
	Body   string
}

// Claims are the API's word on the token, where it answered.
func (a Answer) Claims() (c Claims) {
	_ = json.Unmarshal([]byte(a.Body), &c)
	return c
}

// Get is a fetch by a page of the public address, through an instance. An error
// means that the instance's connection broke.
func (b *Browser) Get(ctx context.Context, instance int, path string) (Answer, error) {
	return b.fetch(ctx, instance, http.MethodGet, path, "")
}

// Post is a fetch with a JSON body.
func (b *Browser) Post(ctx context.Context, instance int, path, body string) (Answer, error) {
	return b.fetch(ctx, instance, http.MethodPost, path, body)
}

func (b *Browser) fetch(ctx context.Context, instance int, method, path, body string) (Answer, error) {
	r, err := http.NewRequestWithContext(ctx, method, PublicURL+path, strings.NewReader(body))
	if err != nil {
		return Answer{}, err
	}
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.Header.Set("Sec-Fetch-Mode", "cors")
	r.Header.Set("Sec-Fetch-Dest", "empty")
	if method != http.MethodGet {
		r.Header.Set("Origin", PublicURL)
		r.Header.Set("Content-Type", "application/json")
	}
	return b.do(instance, r)
}

func (b *Browser) do(instance int, r *http.Request) (Answer, error) {
	res, err := b.at(instance).Do(r)
	if err != nil {
		return Answer{}, err
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	return Answer{Status: res.StatusCode, Header: res.Header, Body: string(text)}, err
}

// SignedIn reports whether the browser holds a session cookie.
func (b *Browser) SignedIn() bool { return b.Cookie() != "" }

// Cookie is the Cookie header's pair of the session, "" if there is none.
func (b *Browser) Cookie() string {
	u, _ := url.Parse(PublicURL)
	for _, c := range b.jar.Cookies(u) {
		if c.Name == "gatehouse" {
			return c.Name + "=" + c.Value
		}
	}
	return ""
}

var (
	formRE  = regexp.MustCompile(`(?s)<form[^>]*action="([^"]*)"[^>]*>(.*?)</form>`)
	inputRE = regexp.MustCompile(`<input[^>]*name="([^"]*)"[^>]*>`)
	valueRE = regexp.MustCompile(`value="([^"]*)"`)
)

// SignIn signs a ready-made user in at an instance, through the hosted pages.
func (b *Browser) SignIn(instance int, user string) error {
	at, page, err := b.navigate(instance, http.MethodGet, PublicURL+"/auth/login?return_to=%2Fapi%2F", nil)
	if err != nil {
		return err
	}
	for _, form := range formRE.FindAllStringSubmatch(page.Body, -1) {
		fields := url.Values{}
		for _, input := range inputRE.FindAllStringSubmatch(form[2], -1) {
			if v := valueRE.FindStringSubmatch(input[0]); v != nil {
				fields.Set(input[1], html.UnescapeString(v[1]))
			} else {
				fields.Set(input[1], "")
			}
		}
		if !fields.Has("password") {
			continue
		}
		fields.Set("username", user)
		fields.Set("password", "Passw0rd!")
		action, err := at.Parse(html.UnescapeString(form[1]))
		if err != nil {
			return err
		}
		if _, page, err = b.navigate(instance, http.MethodPost, action.String(), fields); err != nil {
			return err
		}
		break
	}
	if !b.SignedIn() && page.Status == http.StatusServiceUnavailable {
		return fmt.Errorf("no session after the login: %w: %.200s", errUnavailable, page.Body)
	}
	if !b.SignedIn() {
		return fmt.Errorf("no session after the login, but %d: %.200s", page.Status, page.Body)
	}
	return nil
}

// navigate loads a document, following redirects as a browser does.
func (b *Browser) navigate(instance int, method, address string, form url.Values) (*url.URL, Answer, error) {
	for range 20 {
		r, err := http.NewRequest(method, address, strings.NewReader(form.Encode()))
		if err != nil {
			return nil, Answer{}, err
		}
		r.Header.Set("Accept", "text/html")
		r.Header.Set("Sec-Fetch-Mode", "navigate")
		r.Header.Set("Sec-Fetch-Dest", "document")
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		if method == http.MethodPost {
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Header.Set("Sec-Fetch-Site", "same-origin")
			r.Header.Set("Origin", r.URL.Scheme+"://"+r.URL.Host)
		}
		a, err := b.do(instance, r)
		if err != nil {
			return nil, a, err
		}
		location := a.Header.Get("Location")
		if location == "" {
			return r.URL, a, nil
		}
		next, err := r.URL.Parse(location)
		if err != nil {
			return nil, a, err
		}
		address, method, form = next.String(), http.MethodGet, nil
	}
	return nil, Answer{}, fmt.Errorf("redirected 20 times, last to %s", address)
}
