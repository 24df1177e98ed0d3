package cognitoemu

import (
	"net/http"
	"strings"
	"sync"
	"time"
)

const (
	// loginCookie is the pool's own sign-in cookie, by its real name.
	loginCookie = "cognito"
	// loginTTL runs from the interactive sign-in. Nothing slides it: not silent
	// reuse, not a refresh, not a revocation.
	loginTTL = time.Hour
)

// login is a browser that is signed in at the hosted pages.
type login struct {
	sub      string
	provider string // where the user signed in: COGNITO or an external provider
	at       time.Time
	// deviceKey is the browser, where the pool tracks devices.
	deviceKey string
}

type loginTable struct {
	mu     sync.Mutex
	logins map[string]login
}

func newLoginTable() *loginTable { return &loginTable{logins: map[string]login{}} }

func (t *loginTable) begin(l login) string {
	id := randomText(32)
	t.mu.Lock()
	defer t.mu.Unlock()
	for old, entry := range t.logins {
		if !l.at.Before(entry.at.Add(loginTTL)) {
			delete(t.logins, old)
		}
	}
	t.logins[id] = l
	return id
}

func (t *loginTable) find(id string, now time.Time) (login, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	l, ok := t.logins[id]
	return l, ok && now.Before(l.at.Add(loginTTL))
}

func (t *loginTable) end(id string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.logins, id)
}

// signedIn returns the browser's live login and its user. A disabled user has none.
func (e *Emulator) signedIn(r *http.Request) (login, account, bool) {
	cookie, err := r.Cookie(loginCookie)
	if err != nil {
		return login{}, account{}, false
	}
	l, ok := e.logins.find(cookie.Value, e.clock.now())
	if !ok {
		return login{}, account{}, false
	}
	user, ok := e.users.lookup(l.sub)
	return l, user, ok && !user.disabled
}

// signIn records an interactive sign-in and gives the browser its cookie. An older
// login of the same browser is not ended, only forgotten by the browser.
func (e *Emulator) signIn(w http.ResponseWriter, r *http.Request, user account, provider string) login {
	l := login{sub: user.sub, provider: provider, at: e.clock.now(), deviceKey: e.trackDevice(r, user.sub)}
	e.setCookie(w, loginCookie, e.logins.begin(l), loginTTL)
	return l
}

// setCookie writes a cookie of the domain host; a negative age clears it.
func (e *Emulator) setCookie(w http.ResponseWriter, name, value string, age time.Duration) {
	http.SetCookie(w, &http.Cookie{
		Name: name, Value: value, Path: "/", MaxAge: int(age / time.Second), HttpOnly: true,
		Secure: strings.HasPrefix(e.opts.PagesURL, "https:"), SameSite: http.SameSiteLaxMode,
	})
}
