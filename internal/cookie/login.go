package cookie

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/oauth"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// loginLabel is the use of the keys that seal the login cookie.
const loginLabel = "login cookie"

// Login is what the login cookie holds. It is one for all tabs, and its size is
// bounded whatever their number.
type Login struct {
	// Binding is the secret that ties logins to this browser.
	Binding oauth.Binding
	// Returns are the Unix times of the latest returns from the user pool since a
	// session was last seen; three within half a minute are a loop.
	Returns []int64
	// Unasked are those of the latest returns of silent logins that found nobody.
	Unasked []int64
	// Kept are texts under keys, oldest first: of addresses that logins and a
	// sign-out end at, what fits nowhere else.
	Kept []Kept
}

// Kept is a text that the login cookie holds for a while.
type Kept struct {
	Key   string `json:"k"`
	Text  string `json:"t"`
	Until int64  `json:"u"` // Unix time
}

// Keep holds text under key, in place of what was there, for as long as life, or
// until the cookie has no room for it beside newer ones.
func (l *Login) Keep(key, text string, life time.Duration) {
	l.Take(key)
	l.Kept = append(slices.Clip(l.Kept), Kept{Key: key, Text: text, Until: time.Now().Add(life).Unix()})
}

// Take returns what is held under key, "" if nothing is, and forgets it.
func (l *Login) Take(key string) string {
	l.forgetOld()
	i := slices.IndexFunc(l.Kept, func(k Kept) bool { return k.Key == key })
	if i < 0 {
		return ""
	}
	text := l.Kept[i].Text
	l.Kept = slices.Concat(l.Kept[:i], l.Kept[i+1:])
	return text
}

func (l *Login) forgetOld() {
	now := time.Now().Unix()
	l.Kept = slices.DeleteFunc(slices.Clone(l.Kept), func(k Kept) bool { return k.Until <= now })
}

// loginRecord is the cookie's content.
type loginRecord struct {
	Binding []byte  `json:"b"` // as bytes, because bindings do not encode
	Returns []int64 `json:"r,omitempty"`
	Unasked []int64 `json:"s,omitempty"`
	Kept    []Kept  `json:"k,omitempty"`
}

// Login returns what the request's login cookie holds, if one came that opens and
// no other that is of another binding.
func (j *Jar) Login(r *http.Request) (found Login, ok bool) {
	for value := range values(r, j.login) {
		l, opens := j.openLogin(value)
		switch {
		case !opens:
		case !ok:
			found, ok = l, true
		case found.Binding != l.Binding:
			return Login{}, false
		}
	}
	return found, ok
}

func (j *Jar) openLogin(value string) (Login, bool) {
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(value)
	if err != nil {
		return Login{}, false
	}
	plain, err := j.opts.Ring.Open(loginLabel, sealed, []byte(j.login))
	if err != nil {
		return Login{}, false
	}
	var (
		rec loginRecord
		l   Login
	)
	if err := json.Unmarshal(plain, &rec); err != nil || len(rec.Binding) != len(l.Binding) {
		return Login{}, false
	}
	l.Returns, l.Unasked, l.Kept = rec.Returns, rec.Unasked, rec.Kept
	copy(l.Binding[:], rec.Binding)
	return l, true
}

// SetLogin writes the login cookie: host-only, Lax (the way back from the user
// pool is a cross-site navigation), ending with the browser. If it would be too
// large for browsers, the oldest texts are dropped.
func (j *Jar) SetLogin(w http.ResponseWriter, l Login) error {
	l.forgetOld()
	c := &http.Cookie{
		Name: j.login, Value: "v", Path: "/",
		Secure: j.opts.Secure, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	}
	// With its attributes, as the strictest browsers count.
	room := maxSize - (len(c.String()) - len(c.Value))
	for {
		plain, err := l.encode()
		if err != nil {
			return fmt.Errorf("encode login cookie: %w", err)
		}
		if base64.RawURLEncoding.EncodedLen(len(plain)+secret.Overhead) <= room {
			c.Value = base64.RawURLEncoding.EncodeToString(j.opts.Ring.Seal(loginLabel, plain, []byte(j.login)))
			http.SetCookie(w, c)
			return nil
		}
		if len(l.Kept) == 0 {
			return errLoginTooLarge
		}
		l.Kept = l.Kept[1:]
	}
}

var errLoginTooLarge = errors.New("[unexpected] login cookie too large with no text in it")

func (l *Login) encode() ([]byte, error) {
	var plain bytes.Buffer
	enc := json.NewEncoder(&plain)
	enc.SetEscapeHTML(false) // "&" would take six bytes of the few thousand there are
	err := enc.Encode(loginRecord{Binding: l.Binding[:], Returns: l.Returns, Unasked: l.Unasked, Kept: l.Kept})
	return plain.Bytes(), err
}
