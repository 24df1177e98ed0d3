//go:build soak

package fleet

import "time"

// The long form, on a machine that has nothing else to do.
const (
	soak = true

	cycles    = 1_000
	logouts   = 1_000
	replays   = 10_000
	failovers = 5
	forgeries = 100_000
	logins    = 1_000_000

	// outage is how long a user pool is away for many.
	outage = 30 * time.Second

	recovery = 2 * time.Second
)
