// Package oauth is the authorization code flow as values: start a login, judge
// its callback, exchange the code, verify the ID token, refresh, revoke
// (RFC 6749, RFC 7636, RFC 7009, OpenID Connect Core 1.0).
//
// It owns what is sent to the provider and what is believed of its answers. It
// knows no browser and no cookie, keeps no login anywhere, and writes no answer:
// who presents the binding, where a return address may point, and what becomes
// of a session is for its callers to decide.
//
// The one invariant: [Tokens] come out of this package only after every check on
// them passed, and an error that comes out of it quotes nothing of the provider's
// answers except a code from a known list and that code's description.
package oauth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"golang.org/x/oauth2"

	"github.com/gatehouse-auth/gatehouse/internal/loopback"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// DefaultTimeout bounds one call of the token endpoint where [Options] set no
// other. Generous, because a user pool may run Lambda triggers of seconds, and
// because a refresh given up too early may lose the only copy of a rotated
// token.
const DefaultTimeout = 10 * time.Second

// Options describe this client to the provider, and the provider to this
// client. All addresses are absolute, https but on loopback, without query.
type Options struct {
	ClientID     string
	ClientSecret secret.Text // empty: a public client

	AuthorizeURL string
	SignupURL    string // empty: no sign-up page; [Params.Signup] is ignored
	TokenURL     string
	RevokeURL    string
	JWKSURL      string
	Issuer       string // compared with iss, byte by byte
	RedirectURL  string
	Scopes       []string // must name openid

	// Settings are the operator's names for what these options come from.
	Settings Settings

	// Ring seals the state; it must be shared by all instances.
	Ring *secret.Ring
	// HTTP makes the calls; nil: [NewHTTPClient] without a proxy. Redirects are refused and
	// cookies ignored whatever it says.
	HTTP *http.Client
	// Timeout bounds one call of the token or the revocation endpoint; zero:
	// [DefaultTimeout].
	Timeout time.Duration
	// Observe is told of each call. Default: none.
	Observe Observer
}

// Observer is told of a call of the provider when it ends: under which context it
// was made, what it was for (code, refresh, revoke, jwks), how long it took, and its
// error after sorting. The context may have ended; its values are the caller's. It
// must return at once and be safe for concurrent use.
type Observer func(ctx context.Context, call string, took time.Duration, err error)

// Settings are what the text of an [ErrMisconfigured] tells an operator to look
// at; empty ones are not told.
type Settings struct {
	Issuer string // decides where the key set is, and who issues tokens
	Domain string // decides where the other endpoints are
	Client string // is what the provider knows the client by
}

// Client is one client of one provider. Safe for concurrent use.
type Client struct {
	opts Options
	http *http.Client
	keys *keySet
}

// New checks o and returns a client. It calls nobody.
func New(o Options) (*Client, error) {
	if err := o.check(); err != nil {
		return nil, fmt.Errorf("set up oauth client: %w", err)
	}
	if o.Timeout <= 0 {
		o.Timeout = DefaultTimeout
	}
	h := o.HTTP
	if h == nil {
		h = NewHTTPClient(nil)
	}
	h = plain(h)
	if o.Observe == nil {
		o.Observe = func(context.Context, string, time.Duration, error) {}
	}
	return &Client{opts: o, http: h, keys: newKeySet(o.JWKSURL, o.Settings.Issuer, h, o.Observe)}, nil
}

func (o *Options) check() error {
	if o.ClientID == "" {
		return errors.New("no client id")
	}
	if o.Issuer == "" {
		return errors.New("no issuer")
	}
	if o.Ring == nil {
		return errors.New("no key ring")
	}
	if !slices.Contains(o.Scopes, "openid") {
		return errors.New("scopes do not name openid, without which there is no ID token")
	}
	for _, e := range []struct {
		name, address string
		optional      bool
	}{
		{"authorize", o.AuthorizeURL, false},
		{"signup", o.SignupURL, true},
		{"token", o.TokenURL, false},
		{"revoke", o.RevokeURL, false},
		{"jwks", o.JWKSURL, false},
		{"redirect", o.RedirectURL, false},
	} {
		if e.address == "" && e.optional {
			continue
		}
		if err := checkAddress(e.address); err != nil {
			return fmt.Errorf("%s address: %w", e.name, err)
		}
	}
	return nil
}

// checkAddress refuses what would send codes and secrets in the clear
// (RFC 9700 §2.6), and what could add to the parameters this package sets.
func checkAddress(s string) error {
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Host == "" || u.Opaque != "":
		return errors.New("not an absolute URL")
	case u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return errors.New("has user information, a query or a fragment")
	case u.Scheme == "https", u.Scheme == "http" && loopback.Host(u.Hostname()):
		return nil
	}
	return errors.New("neither https nor http on loopback")
}

// config is made for each call, so that the secret lies in no long-lived
// string.
//
// The authentication style is always set: where it is not, x/oauth2 finds it
// out by trying, and the first try burns the code.
func (c *Client) config() *oauth2.Config {
	style := oauth2.AuthStyleInParams
	if !c.opts.ClientSecret.Empty() {
		style = oauth2.AuthStyleInHeader
	}
	return &oauth2.Config{
		ClientID:     c.opts.ClientID,
		ClientSecret: c.opts.ClientSecret.Reveal(),
		RedirectURL:  c.opts.RedirectURL,
		Scopes:       c.opts.Scopes,
		Endpoint: oauth2.Endpoint{
			AuthURL:   c.opts.AuthorizeURL,
			TokenURL:  c.opts.TokenURL,
			AuthStyle: style,
		},
	}
}
