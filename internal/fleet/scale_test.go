//go:build !soak

package fleet

import "time"

// The short form, for every run of the tests on whatever machine.
const (
	soak = false

	cycles    = 60
	logouts   = 100
	replays   = 500
	failovers = 1
	forgeries = 5_000
	logins    = 5_000

	// recovery is what the fleet may take after an outage: its promise is two
	// seconds, the third is for a machine that does something else meanwhile.
	recovery = 3 * time.Second
)
