package config

import (
	"errors"
	"regexp"
	"slices"
	"strings"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/gatehouse-auth/gatehouse/internal/loopback"
	"github.com/gatehouse-auth/gatehouse/internal/storeurl"
)

// storeURL fills a *[storeurl.Address].
type storeURL struct {
	own []string // schemes that this program knows besides
}

// kindOf is the kind of a key in this program, which may have stores of its own.
func (l *loader) kindOf(k *key) kind {
	if _, ok := k.kind.(storeURL); ok {
		return storeURL{own: l.src.Stores}
	}
	return k.kind
}

func (k storeURL) want() string { return string(storeurl.FormsWith(k.own)) }

func (k storeURL) parse(field any, s string) error {
	a, err := storeurl.Parse(s, k.own...)
	var refusal storeurl.Refusal
	switch {
	case errors.As(err, &refusal) && refusal == storeurl.Unencoded:
		return cure(string(refusal) + "; or, as they are, in session.store_username and session.store_password")
	case errors.As(err, &refusal):
		return cure(string(refusal))
	}
	*field.(*storeurl.Address) = a
	return nil
}

func (storeURL) format(field any) []string {
	a := field.(*storeurl.Address)
	if a.Scheme == "" {
		return []string{""}
	}
	return []string{a.String()}
}

func (k storeURL) schema() *jsonschema.Schema {
	forms := []string{"memory:?", "cookie:?", "rediss?://.+", "redis-(sentinel|cluster)://.+"}
	for _, scheme := range k.own {
		forms = append(forms, regexp.QuoteMeta(scheme)+":.+")
	}
	return orVariable(&jsonschema.Schema{Type: "string", Pattern: "^(" + strings.Join(forms, "|") + ")$"})
}

// deriveStore puts user and password where their own keys put them, so that the
// address may be shown. What the keys hold already stays in its place.
func (l *loader) deriveStore() {
	s := &l.cfg.Session
	if s.StoreUsername == "" {
		s.StoreUsername, s.Store.Username = s.Store.Username, ""
	}
	if s.StorePassword.Empty() {
		s.StorePassword, s.Store.Password = s.Store.Password, s.StorePassword
	}
	if _, given := l.top.given["session.max_per_user"]; !given && s.Store.Scheme == storeurl.Cookie {
		s.MaxPerUser = 0 // nobody can count them there
	}
}

// checkStore applies the rules about how the gateway shows itself to the store.
func (l *loader) checkStore() {
	s, t := &l.cfg.Session, l.top
	if !t.sound("session.store", "session.store_username", "session.store_password", "session.store_password_file") {
		return
	}
	if s.Store.Username != "" {
		l.reject(t, "session.store_username", -1, cure("only one of it and a user in session.store"))
	}
	if !s.Store.Password.Empty() {
		l.reject(t, "session.store_password", -1, cure("only one of it and a password in session.store"))
	}
	if s.StoreUsername != "" && s.StorePassword.Empty() && len(s.Store.Hosts) > 0 {
		l.reject(t, "session.store_password", -1, curef("the password of the user %s: Redis is told of no user without one", show(s.StoreUsername)))
	}
}

// warnStore notes what is odd about where sessions are kept.
func (l *loader) warnStore(say func(string, ...any)) {
	s := &l.cfg.Session
	switch s.Store.Scheme {
	case storeurl.Cookie:
		say("session.store: cookie: keeps no sessions, the browser does: none can be listed, counted or ended from elsewhere; " +
			"a copy of the cookie can outlive a sign-out, at other instances and after a restart; " +
			"tokens have to fit into limits.cookie_bytes; several instances take cognito.rotation_grace " +
			"where refresh tokens rotate; see docs/sessions.md#the-cookie-store")
	case storeurl.Memory:
		if !loopback.Host(l.cfg.PublicURL.Hostname()) {
			say("session.store: memory: keeps sessions in one process; they end with it, and no second instance knows them")
		}
	default:
		if len(s.Store.Hosts) > 0 {
			l.warnRedis(say)
		}
		return
	}
	if s.StoreUsername != "" || !s.StorePassword.Empty() {
		say("session.store_username, session.store_password: a %s store takes none", s.Store.Scheme)
	}
	if s.CacheBytes > 0 {
		say("session.cache_bytes: does nothing with a %s store, which needs no cache", s.Store.Scheme)
	}
}

func (l *loader) warnRedis(say func(string, ...any)) {
	s := &l.cfg.Session
	if l.top.given["session.store"].escapes {
		say("session.store: what a variable puts into its user or password has a %% in it, which is read as percent-encoding: " +
			"%%41 is A. If it is not encoded, give it as session.store_username or session.store_password, which take it as it is")
	}
	hosts := strings.Join(s.Store.Hosts, ",")
	if !slices.ContainsFunc(s.Store.Hosts, leavesMachine) {
		return
	}
	switch {
	case s.Store.TLS:
	case s.Store.Scheme == storeurl.Redis:
		say("session.store: %s goes over the network without TLS: rediss:// encrypts", hosts)
	default:
		say("session.store: %s goes over the network without TLS: tls=true in its query encrypts", hosts)
	}
	if s.StorePassword.Empty() {
		say("session.store: %s takes no password: whoever reaches it can end sessions", hosts)
	}
}

// leavesMachine reports whether a host:port is not on loopback.
func leavesMachine(hostport string) bool {
	return !loopback.HostPort(hostport)
}
