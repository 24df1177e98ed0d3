//go:build !soak

package session_test

const (
	simulations     = 60
	simulationsAnew = false // the same seeds each time
)
