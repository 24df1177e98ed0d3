//go:build !race

package server_test

// lostToPools is nothing without the race detector.
const lostToPools = 0
