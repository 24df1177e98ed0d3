//go:build !soak

package fleet

import "time"

// The short form, for every run of the tests on whatever machine.
const (
	soak = false

	cycles    = 60
	logouts   = 40
	replays   = 500
	failovers = 1
	forgeries = 5_000
	logins    = 5_000

	// outage is how long a user pool is away for many.
	outage = 6 * time.Second

	// recovery is what the fleet may take after an outage. It promises two seconds,
	// to which the long form and the tests on virtual time hold it; the rest is for a
	// machine that does something else meanwhile.
	recovery = time.Minute
)
