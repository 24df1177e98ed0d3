//go:build soak

package fleet

import (
	"os"
	"strconv"
	"testing"
	"time"
)

// underLoad is FLEET_MINUTES a topology, ten unless it says otherwise.
func underLoad(t testing.TB) time.Duration {
	text := os.Getenv("FLEET_MINUTES")
	if text == "" {
		return 10 * time.Minute
	}
	minutes, err := strconv.ParseFloat(text, 64)
	if err != nil {
		t.Fatalf("FLEET_MINUTES: %v", err)
	}
	return time.Duration(minutes * float64(time.Minute))
}
