package cognitoemu

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

// Options says where the emulator is reached and how its pool behaves.
type Options struct {
	// PagesURL is the base of the domain host, which serves the hosted pages and
	// the OAuth endpoints, e.g. http://127.0.0.1:9229.
	PagesURL string
	// APIURL is the base of the IdP host, which serves the JSON API and the
	// well-known documents, e.g. http://localhost:9229. The issuer is APIURL, a
	// slash and the pool's id. May equal PagesURL; then one host serves all.
	APIURL string
	// AllowOffLoopback accepts base URLs that other machines can reach. Everyone
	// who reaches them can sign in as anyone.
	AllowOffLoopback bool
	// AllowedOrigins are the origins whose pages may call the emulator by script,
	// besides those on loopback: scheme://host[:port].
	AllowedOrigins []string

	// Seed is what the pool starts with. The zero value means [DefaultSeed] with
	// the callback and sign-out addresses of `gateway dev`.
	Seed Seed

	// TokenTTL is the validity of access and ID tokens for clients that set none;
	// 0 means one hour, as in a new app client.
	TokenTTL time.Duration
	// Rotate turns refresh token rotation on for every client.
	Rotate bool
	// RotationGrace is RetryGracePeriodSeconds, 0 to 60 s: for how long after its
	// first use a rotated token still works.
	RotationGrace time.Duration

	// InvalidClientStatus is the status of `invalid_client` at the token endpoint:
	// 400 (default) or 401. Sources disagree about the real one, so that a client
	// must be tested against both.
	InvalidClientStatus int
	// NonceOnRefresh repeats the nonce in refreshed ID tokens; whether the real
	// service does is not documented. Default: it is left out.
	NonceOnRefresh bool

	// Keys are signing keys made before, for tests that start many emulators.
	// Default: [New] makes some, in some 100 ms.
	Keys *Keys

	// Logger is told of refusals worth a developer's attention, never of a token or
	// password. Default: none.
	Logger *slog.Logger
	// Now is the clock; default [time.Now].
	Now func() time.Time
}

const maxRotationGrace = 60 * time.Second

// withDefaults fills in what was left out and reports every fault at once.
func (o Options) withDefaults() (Options, error) {
	var faults []error
	for _, base := range []struct {
		name string
		url  *string
	}{{"PagesURL", &o.PagesURL}, {"APIURL", &o.APIURL}} {
		*base.url = strings.TrimSuffix(*base.url, "/")
		if err := checkBaseURL(*base.url, o.AllowOffLoopback); err != nil {
			faults = append(faults, fmt.Errorf("%s %q: %w", base.name, *base.url, err))
		}
	}
	origins := make([]string, len(o.AllowedOrigins))
	for i, raw := range o.AllowedOrigins {
		u, err := parseOrigin(raw)
		if err != nil {
			faults = append(faults, fmt.Errorf("allowed origin %q: %w", raw, err))
			continue
		}
		origins[i] = u.String()
	}
	o.AllowedOrigins = origins
	if o.RotationGrace < 0 || o.RotationGrace > maxRotationGrace {
		faults = append(faults, fmt.Errorf("RotationGrace %v: must lie between 0 and %v", o.RotationGrace, maxRotationGrace))
	}
	if o.TokenTTL < 0 {
		faults = append(faults, fmt.Errorf("TokenTTL %v: must not be negative", o.TokenTTL))
	}
	switch o.InvalidClientStatus {
	case 0:
		o.InvalidClientStatus = http.StatusBadRequest
	case http.StatusBadRequest, http.StatusUnauthorized:
	default:
		faults = append(faults, fmt.Errorf("InvalidClientStatus %d: must be 400 or 401", o.InvalidClientStatus))
	}
	if o.TokenTTL == 0 {
		o.TokenTTL = time.Hour
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Seed.isZero() {
		o.Seed = DefaultSeed(
			[]string{"http://localhost:8080/auth/callback"},
			[]string{"http://localhost:8080/auth/signed-out"})
	}
	return o, errors.Join(faults...)
}

// checkBaseURL refuses what could not be the base of a host: the host header is
// how the two are told apart, so a path or query in it would never match.
func checkBaseURL(raw string, offLoopback bool) error {
	u, err := url.Parse(raw)
	if err != nil {
		return errors.New("not a URL")
	}
	if (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return errors.New("must begin with http:// or https:// and name a host")
	}
	if u.Path != "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return errors.New("must be scheme, host and port only")
	}
	if !offLoopback && !isLoopback(u.Hostname()) {
		return errors.New("is not a loopback address: the emulator has known passwords and signs in anyone")
	}
	return nil
}

// isLoopback reports whether host names this machine only.
func isLoopback(host string) bool {
	host = strings.ToLower(host)
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}

// canonicalHost lower-cases a host header and drops the scheme's default port, so
// that "Localhost:80" and "localhost" compare equal.
func canonicalHost(host, scheme string) string {
	host = strings.ToLower(host)
	name, port, err := net.SplitHostPort(host)
	if err != nil {
		return host
	}
	if (scheme == "http" && port == "80") || (scheme == "https" && port == "443") {
		return name
	}
	return host
}
