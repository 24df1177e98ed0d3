//go:build !unix

package static_test

import "testing"

// pipe reports that there are no named pipes among this system's files.
func pipe(testing.TB, string) bool { return false }
