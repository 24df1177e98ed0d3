package cookie

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/gorilla/securecookie"

	"github.com/gatehouse-auth/gatehouse/internal/oauth"
)

// Login is what the login cookie holds. It is one for all tabs, and its size
// does not grow with their number.
type Login struct {
	// Binding is the secret that ties logins to this browser.
	Binding oauth.Binding
	// Returns are the Unix times of the latest returns from the user pool since a
	// session was last seen; three within half a minute are a loop.
	Returns []int64
	// ReturnKey and ReturnTo keep the one return address that did not fit the
	// state, with the name of the attempt it belongs to.
	ReturnKey, ReturnTo string
	// SignedOutTo is where the sign-out under way ends; SignedOutAt is its Unix time.
	SignedOutTo string
	SignedOutAt int64
}

// loginRecord is the cookie's content. A cookie has room for one long address,
// so at most one of ReturnTo and SignedOutTo is written.
type loginRecord struct {
	Binding     []byte  `json:"b"`
	Returns     []int64 `json:"r,omitempty"`
	ReturnKey   string  `json:"k,omitempty"`
	ReturnTo    string  `json:"t,omitempty"`
	SignedOutTo string  `json:"s,omitempty"`
	SignedOutAt int64   `json:"a,omitempty"`
}

// Login returns what the request's login cookie holds, if one came that opens.
func (j *Jar) Login(r *http.Request) (Login, bool) {
	value, ok := only(r, j.login)
	if !ok {
		return Login{}, false
	}
	var (
		plain []byte
		rec   loginRecord
		l     Login
	)
	if err := securecookie.DecodeMulti(j.login, value, &plain, j.codecs.Load().login...); err != nil {
		return Login{}, false
	}
	if err := json.Unmarshal(plain, &rec); err != nil || len(rec.Binding) != len(l.Binding) {
		return Login{}, false
	}
	l = Login{
		Returns: rec.Returns, ReturnKey: rec.ReturnKey, ReturnTo: rec.ReturnTo,
		SignedOutTo: rec.SignedOutTo, SignedOutAt: rec.SignedOutAt,
	}
	copy(l.Binding[:], rec.Binding)
	return l, true
}

// SetLogin writes the login cookie: host-only, Lax (the way back from the user
// pool is a cross-site navigation), gone with the browser. Of two addresses the
// one of the sign-out stays.
func (j *Jar) SetLogin(w http.ResponseWriter, l Login) error {
	rec := loginRecord{
		Binding: l.Binding[:], Returns: l.Returns, ReturnKey: l.ReturnKey, ReturnTo: l.ReturnTo,
		SignedOutTo: l.SignedOutTo, SignedOutAt: l.SignedOutAt,
	}
	if rec.SignedOutTo != "" {
		rec.ReturnKey, rec.ReturnTo = "", ""
	}
	var plain bytes.Buffer
	enc := json.NewEncoder(&plain)
	enc.SetEscapeHTML(false) // "&" would take six bytes of the four kilobytes there are
	if err := enc.Encode(rec); err != nil {
		return fmt.Errorf("encode login cookie: %w", err)
	}
	value, err := securecookie.EncodeMulti(j.login, plain.Bytes(), j.codecs.Load().login...)
	if err != nil {
		return fmt.Errorf("seal login cookie: %w", err)
	}
	http.SetCookie(w, &http.Cookie{
		Name: j.login, Value: value, Path: "/",
		Secure: j.opts.Secure, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
	return nil
}
