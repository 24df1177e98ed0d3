package amplify

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/middleware"
	"github.com/gatehouse-auth/gatehouse/internal/problem"
	"github.com/gatehouse-auth/gatehouse/internal/ratelimit"
)

// How many operations that take a password, or a code in its place, pass within a
// minute at an instance. A sign-in with a second factor takes three. The user pool has
// limits of its own, which count wrong passwords and codes.
const (
	operationsPerUser    = 20
	operationsPerAddress = 100
)

// attempts limits the guessing of passwords and codes.
type attempts struct {
	users, addresses *ratelimit.Limiter
}

func newAttempts() attempts {
	return attempts{users: ratelimit.New(ratelimit.PerMinute(operationsPerUser)), addresses: ratelimit.New(ratelimit.PerMinute(operationsPerAddress))}
}

// take counts one attempt to be the user of these names, of each name once.
func (a attempts) take(x *middleware.Exchange, names ...string) error {
	now := time.Now()
	wait := a.addresses.Take(ratelimit.Network(x.Decision.Client), now).Wait
	for i := range names {
		names[i] = userKey(names[i])
		if wait == 0 && names[i] != "" && !slices.Contains(names[:i], names[i]) {
			wait = a.users.Take(names[i], now).Wait
		}
	}
	if wait == 0 {
		return nil
	}
	return &problem.Error{Status: http.StatusTooManyRequests, Code: "too_many_sign_ins", RetryAfter: wait,
		Public: "Attempt limit exceeded, please try after some time."}
}

// userKey is the name as the pool may take it, whatever its case, and bounded: a copy,
// as a part of a string keeps all of it in memory.
func userKey(name string) string {
	const most = 128
	name = strings.ToLower(strings.TrimSpace(name))
	return strings.Clone(name[:min(len(name), most)])
}
