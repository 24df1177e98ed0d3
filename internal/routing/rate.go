package routing

import "github.com/gatehouse-auth/gatehouse/internal/ratelimit"

// Rate says how often a route is used. The zero value is no limit.
type Rate struct {
	ratelimit.Limit
	By RateBy
}

// RateBy says whose requests are counted together.
type RateBy string

const (
	// ByAddress counts by the caller's address, of IPv6 by its /64.
	ByAddress RateBy = "address"
	// ByUser counts by the user, and by the address where nobody is signed in.
	ByUser RateBy = "user"
	// ByRoute counts everybody's together.
	ByRoute RateBy = "route"
)
