package oauth

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/oauth2"

	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// Binding is the secret that ties logins to one browser. The browser keeps it
// in a cookie; state, nonce and verifier all hang on it. It does not print.
type Binding [32]byte

// NewBinding returns a random binding.
func NewBinding() Binding {
	var b Binding
	_, _ = rand.Read(b[:]) // never fails (crypto/rand, Go 1.24)
	return b
}

// IsZero reports, in constant time, whether there is no binding.
func (b Binding) IsZero() bool { return subtle.ConstantTimeCompare(b[:], make([]byte, len(b))) == 1 }

// Format implements [fmt.Formatter]: a binding shows nothing of itself.
func (b Binding) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[binding]") }

// MarshalText implements [encoding.TextMarshaler] the same way.
func (b Binding) MarshalText() ([]byte, error) { return []byte("[binding]"), nil }

// LogValue implements [slog.LogValuer] the same way.
func (b Binding) LogValue() slog.Value { return slog.StringValue("[binding]") }

// Params are what a caller may add to the authorization request. Everything
// else in it comes from [Options]; nothing here can repeat or replace that.
type Params struct {
	Provider      string // identity_provider (Cognito)
	IdPIdentifier string // idp_identifier (Cognito)
	LoginHint     string // login_hint
	Lang          string // lang (Cognito)
	Prompt        string // prompt
	Signup        bool   // go to the sign-up page instead, where there is one
	// MaxAge is how long ago the user may have signed in at most, in whole seconds; zero:
	// whenever. Unless Prompt says otherwise the user is asked to sign in again, as that is
	// all that Cognito may do about it (max_age, OpenID Connect Core §3.1.2.1).
	MaxAge time.Duration
}

// maxParam bounds each parameter, in bytes. An e-mail address has 254 at most.
const maxParam = 255

// Silent reports whether the user pool is to ask nothing: it answers with a code, or
// says that it would have to ask (OpenID Connect Core §3.1.2.1).
func (p *Params) Silent() bool { return p.Prompt == promptNone }

const (
	promptNone  = "none"
	promptLogin = "login"
)

func (p *Params) check() error {
	for _, v := range p.values() {
		bad := func(r rune) bool { return r < ' ' || r == 0x7f }
		if len(v.value) > maxParam || !utf8.ValidString(v.value) || strings.ContainsFunc(v.value, bad) {
			return fmt.Errorf("%s: %w", v.name, ErrParameter)
		}
	}
	return nil
}

type param struct{ name, value string }

// values lists the parameters in the order in which the state holds them.
func (p *Params) values() []param {
	return []param{
		{"identity_provider", p.Provider},
		{"idp_identifier", p.IdPIdentifier},
		{"login_hint", p.LoginHint},
		{"lang", p.Lang},
		{"prompt", p.Prompt},
	}
}

// Request describes a login to start.
type Request struct {
	// ReturnTo is where the browser goes afterwards: a normalised address, already
	// judged by the caller.
	ReturnTo string
	Binding  Binding
	// Restarts counts how often this login was silently started over; at most 3.
	Restarts int
	Params   Params
}

// Authorization is a login started.
type Authorization struct {
	// URL is the address of the authorization request.
	URL string
	// Key names this login, and is no secret.
	Key string
	// Rest is the end of the return-to that did not fit the state. The caller
	// keeps it, under Key.
	Rest string
}

// Start makes a new authorization request with its own state, nonce and code
// challenge. Nothing of it is stored: what the callback needs travels in the
// state. It answers [ErrParameter] where a parameter is too long or not text.
func (c *Client) Start(r Request) (Authorization, error) {
	if r.Binding.IsZero() {
		return Authorization{}, fmt.Errorf("start login: %w: no binding", ErrStateUnbound)
	}
	if err := r.Params.check(); err != nil {
		return Authorization{}, fmt.Errorf("start login: %w", err)
	}
	if r.Params.MaxAge > 0 && r.Params.Prompt == "" {
		r.Params.Prompt = promptLogin
	}
	state, a, kept, err := c.sealState(r, time.Now())
	if err != nil {
		return Authorization{}, fmt.Errorf("start login: %w", err)
	}
	opts := []oauth2.AuthCodeOption{
		oauth2.SetAuthURLParam("nonce", a.nonce(r.Binding)),
		oauth2.S256ChallengeOption(a.verifier(r.Binding)),
	}
	for _, p := range r.Params.values() {
		if p.value != "" {
			opts = append(opts, oauth2.SetAuthURLParam(p.name, p.value))
		}
	}
	if r.Params.MaxAge > 0 {
		opts = append(opts, oauth2.SetAuthURLParam("max_age", strconv.Itoa(int(r.Params.MaxAge/time.Second))))
	}
	conf := c.config()
	if r.Params.Signup && c.opts.SignupURL != "" {
		conf.Endpoint.AuthURL = c.opts.SignupURL // takes the same query
	}
	return Authorization{URL: conf.AuthCodeURL(state, opts...), Key: a.key(), Rest: r.ReturnTo[kept:]}, nil
}

// attempt is the random part of one login, the nonce of its state's seal. Nonce
// and verifier are derived from it and the browser's binding: neither is stored
// nor sent ahead, and whoever reads the state alone, or the binding alone, has
// neither.
type attempt [secret.NonceSize]byte

func (a attempt) key() string               { return base64.RawURLEncoding.EncodeToString(a[:]) }
func (a attempt) nonce(b Binding) string    { return a.derive(b, "login nonce") }
func (a attempt) verifier(b Binding) string { return a.derive(b, "login verifier") } // 43 characters, RFC 7636 §4.1

func (a attempt) derive(b Binding, label string) string {
	return base64.RawURLEncoding.EncodeToString(secret.MAC(b[:], label, a[:]))
}

// fingerprintSize is enough to tell one browser's states from another's. A guess of
// 64 bits would still fail at the provider, because the verifier is missing.
const fingerprintSize = 8

func (b Binding) fingerprint() []byte {
	return secret.MAC(b[:], "login binding", nil)[:fingerprintSize]
}
