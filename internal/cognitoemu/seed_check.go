package cognitoemu

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

const maxGroups = 100 // quota of the real service: groups per user

var (
	poolIDPattern     = regexp.MustCompile(`^[\w-]+_[0-9a-zA-Z]{1,50}$`)
	clientIDPattern   = regexp.MustCompile(`^[\w+-]{1,128}$`)
	deviceKeyPattern  = regexp.MustCompile(`^[\w-]+_[0-9a-f-]{1,54}$`)
	providerPattern   = regexp.MustCompile(`^[\p{L}\p{N}][\p{L}\p{N}._-]{0,31}$`)
	customNamePattern = regexp.MustCompile(`^[a-z_]+$|^custom:[\w:-]{1,100}$`)
)

// seedFault is one thing wrong with a seed. Path holds keys (string) and indices
// (int) that lead to it, so that a file's line can be found.
type seedFault struct {
	path    []any
	message string
}

func (f seedFault) location() string {
	var b strings.Builder
	for _, step := range f.path {
		switch step := step.(type) {
		case int:
			fmt.Fprintf(&b, "[%d]", step)
		case string:
			if b.Len() > 0 {
				b.WriteByte('.')
			}
			b.WriteString(step)
		}
	}
	return b.String()
}

func (f seedFault) Error() string { return f.location() + ": " + f.message }

// seedChecker gathers the faults of one seed.
type seedChecker struct {
	seed   Seed
	faults []seedFault
}

func (c *seedChecker) add(path []any, format string, args ...any) {
	c.faults = append(c.faults, seedFault{path, fmt.Sprintf(format, args...)})
}

// check reports everything that the real service, too, would refuse to register.
func (s Seed) check() []seedFault {
	c := &seedChecker{seed: s}
	if s.PoolID != "" && !poolIDPattern.MatchString(s.PoolID) {
		c.add([]any{"pool_id"}, "%q must look like eu-west-1_AbCdEf123", s.PoolID)
	}
	if s.ManagedLoginVersion < 0 || s.ManagedLoginVersion > 2 {
		c.add([]any{"managed_login_version"}, "must be 1 or 2")
	}
	if s.Devices != "" && s.Devices != DevicesAlways && s.Devices != DevicesOptIn {
		c.add([]any{"devices"}, "%q must be %s or %s", s.Devices, DevicesAlways, DevicesOptIn)
	}
	if len(s.Clients) == 0 {
		c.add([]any{"clients"}, "at least one client is needed")
	}
	for i, client := range s.Clients {
		c.checkClient([]any{"clients", i}, i, client)
	}
	for i, user := range s.Users {
		c.checkUser([]any{"users", i}, i, user)
	}
	for i, provider := range s.Providers {
		c.checkProvider([]any{"providers", i}, i, provider)
	}
	return c.faults
}

func (c *seedChecker) checkClient(at []any, index int, client Client) {
	if !clientIDPattern.MatchString(client.ID) {
		c.add(under(at, "id"), "%q must be letters, digits, +, - or _", client.ID)
	}
	if slices.ContainsFunc(c.seed.Clients[:index], func(other Client) bool { return other.ID == client.ID }) {
		c.add(under(at, "id"), "%q is used twice", client.ID)
	}
	if client.ClientCredentials {
		c.checkMachine(at, client)
	} else if len(client.CallbackURLs) == 0 {
		c.add(under(at, "callback_urls"), "at least one is needed")
	}
	c.checkURLs(under(at, "callback_urls"), client.CallbackURLs)
	c.checkURLs(under(at, "logout_urls"), client.LogoutURLs)
	for i, name := range client.Providers {
		if !slices.Contains(c.seed.allProviders(), name) {
			c.add(under(at, "providers", i), "%q is no provider of this pool", name)
		}
	}
	c.checkDurations(at, client)
}

func (c *seedChecker) checkURLs(at []any, urls []string) {
	for i, raw := range urls {
		if problem := redirectURLProblem(raw); problem != "" {
			c.add(under(at, i), "%q %s", raw, problem)
		}
	}
}

func (c *seedChecker) checkDurations(at []any, client Client) {
	if ttl := client.TokenTTL; ttl != 0 && (ttl < time.Second || ttl > 24*time.Hour) {
		c.add(under(at, "token_ttl"), "%v must lie between 1s and 24h", ttl)
	}
	if ttl := client.RefreshTTL; ttl != 0 && (ttl < time.Minute || ttl > 3650*24*time.Hour) {
		c.add(under(at, "refresh_ttl"), "%v must lie between 1m and 87600h", ttl)
	}
	if grace := client.RotationGrace; grace < 0 || grace > maxRotationGrace {
		c.add(under(at, "rotation_grace"), "%v must lie between 0s and 60s", grace)
	}
}

func (c *seedChecker) checkUser(at []any, index int, user User) {
	if !looksLikeEmail(user.Email) {
		c.add(under(at, "email"), "%q must be an e-mail address", user.Email)
	}
	for _, other := range c.seed.Users[:index] {
		if strings.EqualFold(other.Email, user.Email) {
			c.add(under(at, "email"), "%q is used twice", user.Email)
		}
		if user.Sub != "" && other.Sub == user.Sub {
			c.add(under(at, "sub"), "%q is used twice", user.Sub)
		}
	}
	if user.Password == "" {
		c.add(under(at, "password"), "is missing")
	}
	if user.TOTPSecret != "" && totpSecret(user.TOTPSecret) == nil {
		c.add(under(at, "totp_secret"), "must be base32 without padding, such as JBSWY3DPEHPK3PXP")
	}
	for i, device := range user.Devices {
		if !deviceKeyPattern.MatchString(device.Key) {
			c.add(under(at, "devices", i, "key"), "%q must look like eu-west-1_0c1d2e3f-4a5b-4c6d-8e7f-9a0b1c2d3e4f", device.Key)
		}
	}
	c.checkPerson(at, user.Groups, user.Attributes)
}

func (c *seedChecker) checkPerson(at []any, groups []string, attributes map[string]string) {
	if len(groups) > maxGroups {
		c.add(under(at, "groups"), "%d groups; a user has at most %d", len(groups), maxGroups)
	}
	for name := range attributes {
		if !customNamePattern.MatchString(name) {
			c.add(under(at, "attributes", name), "must be a standard attribute or begin with custom:")
		}
		if slices.Contains([]string{"sub", "email", "email_verified", "name", "identities"}, name) {
			c.add(under(at, "attributes", name), "has a key of its own or is the pool's to set")
		}
	}
}

func (c *seedChecker) checkProvider(at []any, index int, provider Provider) {
	if !providerPattern.MatchString(provider.Name) || provider.Name == cognitoProvider {
		c.add(under(at, "name"), "%q must be 1 to 32 letters, digits, dots or dashes, and not COGNITO", provider.Name)
	}
	if slices.ContainsFunc(c.seed.Providers[:index], func(other Provider) bool { return other.Name == provider.Name }) {
		c.add(under(at, "name"), "%q is used twice", provider.Name)
	}
	if !slices.Contains([]ProviderType{ProviderGoogle, ProviderOIDC, ProviderSAML}, provider.Type) {
		c.add(under(at, "type"), "%q must be Google, OIDC or SAML", provider.Type)
	}
	if len(provider.Users) == 0 {
		c.add(under(at, "users"), "at least one is needed")
	}
	for i, person := range provider.Users {
		if person.ID == "" {
			c.add(under(at, "users", i, "id"), "is missing")
		}
		c.checkPerson(under(at, "users", i), person.Groups, person.Attributes)
	}
}

// redirectURLProblem applies the rule for callback and sign-out addresses: https
// or an app's own scheme, http on loopback only, and no fragment.
func redirectURLProblem(raw string) string {
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Scheme == "":
		return "must be an absolute URL"
	case u.Fragment != "" || strings.Contains(raw, "#"):
		return "must have no fragment"
	case (u.Scheme == "http" || u.Scheme == "https") && u.Host == "":
		return "must name a host"
	case u.Scheme == "http" && !isLoopback(u.Hostname()):
		return "must be https: http is for loopback only"
	}
	return ""
}

func looksLikeEmail(s string) bool {
	local, domain, found := strings.Cut(s, "@")
	return found && local != "" && domain != "" && !strings.ContainsAny(s, " \t\r\n") && !strings.Contains(domain, "@")
}

// under appends to a path without touching the caller's.
func under(path []any, steps ...any) []any { return append(slices.Clone(path), steps...) }

func joinFaults(faults []seedFault) error {
	joined := make([]error, len(faults))
	for i, fault := range faults {
		joined[i] = fault
	}
	return errors.Join(joined...)
}
