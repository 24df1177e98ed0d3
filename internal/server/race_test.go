//go:build race

package server_test

// lostToPools is how many more allocations a call may take under the race
// detector, where a sync.Pool drops some of what it is given on purpose.
const lostToPools = 12
