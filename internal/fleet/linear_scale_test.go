//go:build !soak

package fleet

import (
	"testing"
	"time"
)

// underLoad is how long TestHistories keeps each topology under load and faults.
// The long form is behind the build tag soak.
func underLoad(testing.TB) time.Duration { return 12 * time.Second }
