// Package cookie owns the two cookies of the gateway: the session cookie, which
// carries a handle, and the login cookie, which binds a browser while it logs
// in or out. It knows names, attributes, sealing and clearing; what a handle
// means is the store's business, and so is its sealing where the handle is the
// session itself (chunks.go). The one invariant: a cookie that does not open
// counts as absent, and so do several of one name that open with different contents.
package cookie

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/gorilla/securecookie"

	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// maxSize is what browsers keep of a cookie, name and value together
// (RFC 6265bis §5.6).
const maxSize = 4096

// Options shape the cookies.
type Options struct {
	Name     string // replaces "gatehouse"
	Domain   string // of the session cookie; empty: host-only
	SameSite string // lax (default), strict, none
	// Secure is set on https. Without it, which is for loopback, the names carry
	// no prefix.
	Secure bool
	// Persistent makes the session cookie survive the browser's end.
	Persistent bool
	// MaxAge is the longest life of a session cookie: the absolute timeout.
	MaxAge time.Duration
	Ring   *secret.Ring

	// Opens, if set, says that handles are sealed already, and which of them
	// open. They are written as they are, in chunks.
	Opens func(handle secret.Text) bool
	// Bytes is what a request may carry of cookies; it bounds the chunks.
	Bytes int
}

// Jar writes and reads the cookies. Safe for concurrent use.
type Jar struct {
	opts    Options
	session string
	names   []string // of the session cookie and of its chunks
	login   string
	codecs  atomic.Pointer[jarCodecs]
}

// jarCodecs seal and open the session cookie; made of the ring's keys at a time.
type jarCodecs struct {
	session []securecookie.Codec
	recent  recent // what these keys opened lately, and goes with them
}

// New builds a Jar.
func New(o Options) (*Jar, error) {
	if o.Ring == nil {
		return nil, fmt.Errorf("cookie: no key ring")
	}
	j := &Jar{opts: o, session: fullName(o, o.Domain), login: fullName(o, "") + "-login"}
	j.names = []string{j.session}
	if o.Opens != nil {
		j.names = o.chunkNames()
	}
	j.Rekey()
	return j, nil
}

func (o *Options) sameSite() http.SameSite {
	switch o.SameSite {
	case "strict":
		return http.SameSiteStrictMode
	case "none":
		return http.SameSiteNoneMode
	}
	return http.SameSiteLaxMode
}

// Rekey takes over the keys that the ring has now. Call it after
// [secret.Ring.Replace].
func (j *Jar) Rekey() {
	j.codecs.Store(&jarCodecs{
		session: codecs(j.opts.Ring, "session cookie", j.session, int(j.opts.MaxAge/time.Second)),
	})
}

// fullName puts the prefix before the name that makes browsers refuse the
// cookie from anyone but this host over https: __Host-Http- (RFC 10017
// §6.1.3.2), or __Secure- where a domain rules that out. The login cookie has no
// domain, and so the stronger prefix always.
func fullName(o Options, domain string) string {
	name := o.Name
	if name == "" {
		name = "gatehouse"
	}
	switch {
	case !o.Secure:
		return name
	case domain != "":
		return "__Secure-" + name
	default:
		return "__Host-Http-" + name
	}
}

// codecs makes one codec for each key of the ring, in ring order: the first
// seals, all open.
func codecs(ring *secret.Ring, label, name string, maxAge int) []securecookie.Codec {
	macs, blocks := ring.Derive(label+" mac", 32), ring.Derive(label+" encryption", 32)
	out := make([]securecookie.Codec, len(macs))
	for i := range macs {
		out[i] = securecookie.New(macs[i], blocks[i]).
			SetSerializer(securecookie.NopEncoder{}).MaxAge(maxAge).MaxLength(maxSize - len(name))
	}
	return out
}

// Names are the cookies' names, which never reach an upstream nor come from one.
func (j *Jar) Names() []string { return []string{j.session, j.login} }

// Strict reports whether the session cookie is SameSite=Strict, so that it is
// missing on the way back from the user pool.
func (j *Jar) Strict() bool { return j.opts.sameSite() == http.SameSiteStrictMode }

// Session returns the handle that the request carries; the empty one if none
// that opens came, or several that open with different ones.
func (j *Jar) Session(r *http.Request) secret.Text {
	value, more := first(r, j.session)
	switch {
	case value == "":
		return secret.Text{}
	case !more && j.opts.Opens == nil: // as is usual, and costs no allocation
		return j.open(value)
	}
	if opened := j.handles(r); len(opened) == 1 {
		return opened[0]
	}
	return secret.Text{}
}

// open returns the handle that a cookie's value holds; the empty one if it does
// not open.
func (j *Jar) open(value string) secret.Text {
	now, keys := time.Now(), j.codecs.Load()
	if handle, ok := keys.recent.get(value, now); ok {
		return handle
	}
	var plain []byte
	if err := securecookie.DecodeMulti(j.session, value, &plain, keys.session...); err != nil {
		return secret.Text{}
	}
	handle := secret.NewText(string(plain))
	keys.recent.put(value, handle, now, sealedAt(value).Add(j.opts.MaxAge))
	return handle
}

// SetSession gives the browser a handle.
func (j *Jar) SetSession(w http.ResponseWriter, handle secret.Text) error {
	if j.opts.Opens != nil {
		return j.setChunks(w, handle)
	}
	value, err := securecookie.EncodeMulti(j.session, []byte(handle.Reveal()), j.codecs.Load().session...)
	if err != nil {
		return fmt.Errorf("seal session cookie: %w", err)
	}
	http.SetCookie(w, j.opts.persisted(j.opts.sessionCookie(j.session, value)))
	return nil
}

// ClearSession takes the session cookie away, and every chunk it may have. Only
// a sign-out calls it: a stale cookie is harmless, and clearing it races with a
// login in another tab.
func (j *Jar) ClearSession(w http.ResponseWriter) {
	for _, name := range j.names {
		c := j.opts.sessionCookie(name, "")
		c.MaxAge = -1
		http.SetCookie(w, c)
	}
}

// persisted makes a cookie survive the browser, where that is configured.
func (o *Options) persisted(c *http.Cookie) *http.Cookie {
	if o.Persistent {
		c.MaxAge = int(o.MaxAge / time.Second)
	}
	return c
}

func (o *Options) sessionCookie(name, value string) *http.Cookie {
	return &http.Cookie{
		Name: name, Value: value, Path: "/", Domain: o.Domain,
		Secure: o.Secure, HttpOnly: true, SameSite: o.sameSite(),
	}
}
