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

// formTokens guards the forms of the hosted pages against other sites. A token is
// bound to the browser's XSRF cookie and carries the moment its page was made; the
// cookie stays the same, so that several tabs can be open at once.
type formTokens struct{ key []byte }

func newFormTokens() *formTokens { return &formTokens{key: randomBytes(32)} }

func (f *formTokens) mint(browser string, now time.Time) string {
	made := strconv.FormatInt(now.Unix(), 10)
	return made + "." + f.mac(browser, made)
}

func (f *formTokens) mac(browser, made string) string {
	h := hmac.New(sha256.New, f.key)
	h.Write([]byte(made + "\x00" + browser))
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

func (f *formTokens) valid(token, browser string, now time.Time) bool {
	made, mac, _ := strings.Cut(token, ".")
	if browser == "" || !hmac.Equal([]byte(mac), []byte(f.mac(browser, made))) {
		return false
	}
	seconds, err := strconv.ParseInt(made, 10, 64)
	return err == nil && now.Sub(time.Unix(seconds, 0)) <= pageTTL
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
	if _, err := readForm(w, r); err == nil &&
		e.forms.valid(r.PostForm.Get(xsrfField), cookieValue(r, xsrfCookie), e.clock.now()) {
		return true
	}
	e.renderError(w, http.StatusBadRequest, errorView{
		Heading: "This page has expired",
		Text:    "It was open for more than five minutes, or was not opened in this browser.",
		Retry:   r.URL.RequestURI(),
	})
	return false
}

func cookieValue(r *http.Request, name string) string {
	cookie, err := r.Cookie(name)
	if err != nil {
		return ""
	}
	return cookie.Value
}
