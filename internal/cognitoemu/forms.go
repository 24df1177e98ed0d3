package cognitoemu

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	xsrfCookie = "XSRF-TOKEN"
	xsrfField  = "_csrf"
	// pageTTL is how long a hosted page may stay open before its form is refused.
	pageTTL = 5 * time.Minute
)

// formTokens guards the forms of the hosted pages against other sites. A token
// carries the moment its page was made, and the browser's XSRF cookie under a MAC.
// The cookie is never replaced, so that several tabs can be open at once.
type formTokens struct{ key []byte }

func newFormTokens() *formTokens { return &formTokens{key: randomBytes(32)} }

func (f *formTokens) mint(browser string, now time.Time) string {
	claims := strconv.FormatInt(now.Unix(), 10) + "." + f.mac("browser", browser)
	return claims + "." + f.mac("token", claims)
}

func (f *formTokens) mac(label, text string) string {
	h := hmac.New(sha256.New, f.key)
	h.Write([]byte(label + "\x00" + text))
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

// open returns the browser that a token was made for, as mac names it. It fails on
// a token that is not ours or has become too old.
func (f *formTokens) open(token string, now time.Time) (browser string, ok bool) {
	made, rest, _ := strings.Cut(token, ".")
	browser, mac, _ := strings.Cut(rest, ".")
	seconds, err := strconv.ParseInt(made, 10, 64)
	if err != nil || !hmac.Equal([]byte(mac), []byte(f.mac("token", made+"."+browser))) {
		return "", false
	}
	return browser, now.Sub(time.Unix(seconds, 0)) <= pageTTL
}

// formToken makes the hidden field of a page's form and gives the browser its XSRF
// cookie if it has none.
func (e *Emulator) formToken(w http.ResponseWriter, r *http.Request) string {
	browser := cookieValue(r, xsrfCookie)
	if browser == "" {
		browser = randomText(24)
		e.setCookie(w, xsrfCookie, browser, 0)
	}
	return e.forms.mint(browser, e.clock.now())
}

// acceptForm reads the posted form and checks its token; where it does not hold it
// has answered with the error page.
func (e *Emulator) acceptForm(w http.ResponseWriter, r *http.Request) bool {
	if _, err := readForm(w, r); err == nil && e.ownForm(r) {
		return true
	}
	e.renderError(w, r, http.StatusBadRequest, errorView{
		Heading: "This page has expired",
		Text:    "It was open for more than five minutes, or was not opened in this browser.",
		Retry:   r.URL.RequestURI(),
	})
	return false
}

// ownForm reports whether a posted form was made for this browser. Tabs that open
// at once in a fresh browser each get a cookie, and the last one wins: a form of
// another tab is known by the Origin that the browser vouches for (RFC 6454 §7). A
// site that fetches a token for itself can forge neither.
func (e *Emulator) ownForm(r *http.Request) bool {
	browser, ok := e.forms.open(r.PostForm.Get(xsrfField), e.clock.now())
	if !ok {
		return false
	}
	if origin := r.Header.Get("Origin"); origin != "" {
		return origin == e.opts.PagesURL
	}
	cookie := cookieValue(r, xsrfCookie)
	return cookie != "" && hmac.Equal([]byte(browser), []byte(e.forms.mac("browser", cookie)))
}

func cookieValue(r *http.Request, name string) string {
	cookie, err := r.Cookie(name)
	if err != nil {
		return ""
	}
	return cookie.Value
}
