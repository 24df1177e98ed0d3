package config

import (
	"net/url"
	"strings"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// storeURL fills the Store and StorePassword of a *Session. The password is kept
// apart, so that the address may be logged.
type storeURL struct{}

func (storeURL) want() string {
	return `"memory:" (in quotes), redis://HOST:PORT/DB or rediss://USER:PASSWORD@HOST:PORT/DB`
}

func (k storeURL) parse(field any, s string) error {
	if s == "memory:" || s == "memory" { // without quotes, YAML takes the colon for its own
		field.(*Session).Store = &url.URL{Scheme: "memory"}
		return nil
	}
	scheme, _, _ := strings.Cut(s, ":")
	switch scheme {
	case "cookie", "redis-sentinel", "redis-cluster":
		return curef("%s; %s: is not built yet", k.want(), scheme)
	}
	u, err := url.Parse(s)
	if err != nil || !printable(s) || u.Scheme != "redis" && u.Scheme != "rediss" || strings.ContainsAny(s, "?#") {
		return cure(k.want())
	}
	u.Host = strings.ToLower(u.Host)
	if _, _, ok := splitHost(u.Host); !ok || !validDatabase(u.Path) {
		return cure(k.want())
	}
	k.keep(field.(*Session), u)
	return nil
}

// validDatabase accepts "", "/" and "/0" to "/9999".
func validDatabase(path string) bool {
	path = strings.TrimPrefix(path, "/")
	n, ok := digits(path)
	return path == "" || ok && n <= 9999
}

func (storeURL) keep(s *Session, u *url.URL) {
	if u.User != nil {
		password, _ := u.User.Password()
		s.StorePassword = secret.NewText(password)
		name := u.User.Username()
		u.User = nil
		if name != "" {
			u.User = url.User(name)
		}
	}
	s.Store = u
}

func (storeURL) format(field any) []string {
	s := field.(*Session)
	if s.Store == nil {
		return []string{""}
	}
	u := *s.Store
	if !s.StorePassword.Empty() {
		u.User = url.UserPassword(u.User.Username(), "xxxxx") // as url.URL.Redacted has it
	}
	return []string{u.String()}
}

func (storeURL) schema() *jsonschema.Schema {
	return orVariable(&jsonschema.Schema{Type: "string", Pattern: `^(memory:?|rediss?://.+)$`})
}
