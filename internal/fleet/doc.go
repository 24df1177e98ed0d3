// Package fleet runs several gateways as processes of their own, as operators
// do: one Redis of whatever topology, one user pool, one API, and browsers that
// reach each instance under the one public address. What lies between them can
// be cut, slowed and swallowed, and every process can be killed or stopped.
//
// It owns the processes and the user pool in front of the emulator; Redis
// servers are redistest's. What a fleet promises is in the tests. The one
// invariant: every schedule comes from a seed that is printed, and whatever is
// started ends with its test.
package fleet
