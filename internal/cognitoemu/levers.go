package cognitoemu

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Endpoint names what a fault strikes and what is counted: a path of the imitated
// surface, or an operation of the JSON API such as Endpoint("GetUser").
type Endpoint string

// The endpoints of the domain host, and the documents of the IdP host.
const (
	EndpointAuthorize Endpoint = "/oauth2/authorize"
	EndpointToken     Endpoint = "/oauth2/token"
	EndpointRevoke    Endpoint = "/oauth2/revoke"
	EndpointUserInfo  Endpoint = "/oauth2/userInfo"
	EndpointLogin     Endpoint = "/login"
	EndpointLogout    Endpoint = "/logout"
	EndpointDiscovery Endpoint = "/.well-known/openid-configuration"
	EndpointJWKS      Endpoint = "/.well-known/jwks.json"
)

// endpointOf drops the pool from the path of a well-known document.
func endpointOf(r *http.Request) Endpoint {
	if operation := operationOf(r); operation != "" {
		return Endpoint(operation)
	}
	if i := strings.Index(r.URL.Path, "/.well-known/"); i >= 0 {
		return Endpoint(r.URL.Path[i:])
	}
	return Endpoint(r.URL.Path)
}

// Levers change the emulator from outside the imitated surface. All are safe for
// concurrent use and take effect at once.
type Levers struct {
	emulator *Emulator

	mu     sync.Mutex
	faults map[Endpoint][]*Fault
	calls  map[Endpoint]int
	grants map[string]int
}

// Advance moves the emulator's clock, and only that: cookies and tokens age.
func (l *Levers) Advance(d time.Duration) { l.emulator.clock.advance(d) }

// SetClock makes it t now; the clock runs on from there.
func (l *Levers) SetClock(t time.Time) { l.emulator.clock.set(t) }

// Now is the emulator's clock.
func (l *Levers) Now() time.Time { return l.emulator.clock.now() }

// RotateKeys replaces both signing keys. The old ones stay in the JWKS, so that
// older tokens go on verifying, until DropRetiredKeys.
func (l *Levers) RotateKeys() error { return l.emulator.keys.rotate() }

// DropRetiredKeys removes all but the current signing keys.
func (l *Levers) DropRetiredKeys() { l.emulator.keys.dropRetired() }

// Sign returns a token with any claims, by the key of access tokens: one that the
// pool itself would not give.
func (l *Levers) Sign(claims map[string]any) (string, error) {
	return l.emulator.keys.current().access.sign(claims)
}

// DisableUser is AdminDisableUser: the user, named by address, username or
// subject, cannot sign in and every token is revoked.
func (l *Levers) DisableUser(name string) error {
	sub, err := l.emulator.users.setDisabled(name, true)
	if err != nil {
		return fmt.Errorf("disable user %s: %w", name, err)
	}
	l.emulator.grants.revokeUser(sub)
	return nil
}

// SetGroups puts a user into these groups, and out of all others. Tokens that are out
// say what they said.
func (l *Levers) SetGroups(name string, groups ...string) error {
	if err := l.emulator.users.setGroups(name, groups); err != nil {
		return fmt.Errorf("set the groups of %s: %w", name, err)
	}
	return nil
}

// EnableUser lets a disabled user sign in again; revoked tokens stay revoked.
func (l *Levers) EnableUser(name string) error {
	if _, err := l.emulator.users.setDisabled(name, false); err != nil {
		return fmt.Errorf("enable user %s: %w", name, err)
	}
	return nil
}

// SignOutUser is AdminUserGlobalSignOut: every token of the user is revoked.
func (l *Levers) SignOutUser(name string) error {
	user, ok := l.emulator.users.lookup(name)
	if !ok {
		return fmt.Errorf("sign out user %s: %w", name, errUserNotFound)
	}
	l.emulator.grants.revokeUser(user.sub)
	return nil
}

// Code is the code that was sent last to an address and waits to be typed in, "" if
// there is none.
func (l *Levers) Code(address string) string {
	for _, v := range l.emulator.verifications.all(l.Now()) {
		if strings.EqualFold(v.to, address) {
			return v.code
		}
	}
	return ""
}

// Fail adds a fault to an endpoint. Faults strike in the order they were added; one
// with Times 0 stays until Heal.
func (l *Levers) Fail(endpoint Endpoint, fault Fault) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.faults[endpoint] = append(l.faults[endpoint], &fault)
}

// Heal removes every fault of an endpoint.
func (l *Levers) Heal(endpoint Endpoint) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.faults, endpoint)
}

// take returns the fault that strikes this request, if any.
func (l *Levers) take(endpoint Endpoint) (Fault, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	queue := l.faults[endpoint]
	if len(queue) == 0 {
		return Fault{}, false
	}
	fault := *queue[0]
	if queue[0].Times > 0 {
		if queue[0].Times--; queue[0].Times == 0 {
			l.faults[endpoint] = queue[1:]
		}
	}
	return fault, true
}

// Calls is how many requests an endpoint got, faulted ones included.
func (l *Levers) Calls(endpoint Endpoint) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.calls[endpoint]
}

// TokenCalls is how many requests of a grant type the token endpoint got, faulted
// ones included.
func (l *Levers) TokenCalls(grantType string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.grants[grantType]
}

// count sees each request before any fault does.
func (l *Levers) count(endpoint Endpoint, w http.ResponseWriter, r *http.Request) {
	var grantType string
	if endpoint == EndpointToken && r.Method == http.MethodPost {
		if form, err := readForm(w, r); err == nil {
			grantType = form.Get("grant_type")
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls[endpoint]++
	if grantType != "" {
		l.grants[grantType]++
	}
}
