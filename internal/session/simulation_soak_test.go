//go:build soak

package session_test

const (
	simulations     = 5000
	simulationsAnew = true // seeds of its own each time
)
