// Package memlimit keeps a process within the memory that it is given: it sets Go's
// soft limit below the container's, and bounds in bytes how much garbage piles up
// before it is collected.
//
// It owns these two settings of the whole process, and leaves to others what the
// memory is used for. The one invariant: what the operator says by GOMEMLIMIT or
// GOGC (package runtime, "Environment Variables") stands.
package memlimit

import (
	"io/fs"
	"math"
	"os"
	"runtime/debug"
)

// Settings are what holds for a process, and who said so.
type Settings struct {
	// Limit is Go's soft memory limit in bytes; 0: there is none.
	Limit int64
	// LimitFrom is GOMEMLIMIT or the file that the container's limit is in, of which
	// nine tenths are taken; "no limit" where there is neither.
	LimitFrom string
	// CollectBy is GOGC, or "heap size" where it is not set.
	CollectBy string
}

// Apply sets both, and returns what holds from now on. Call it once, at the start of
// the process; lookup is [os.LookupEnv].
func Apply(lookup func(string) (string, bool)) Settings {
	return apply(os.DirFS("/"), lookup)
}

func apply(root fs.FS, lookup func(string) (string, bool)) Settings {
	s := Settings{LimitFrom: "no limit", CollectBy: "GOGC"}
	limit, file := containerLimit(root)
	switch _, set := lookup("GOMEMLIMIT"); {
	case set:
		s.LimitFrom = "GOMEMLIMIT"
	case limit > 0:
		debug.SetMemoryLimit(limit - limit/10) // a tenth for what the runtime does not count
		s.LimitFrom = file
	}
	if limit := debug.SetMemoryLimit(-1); limit != math.MaxInt64 {
		s.Limit = limit
	}
	if _, set := lookup("GOGC"); !set {
		s.CollectBy = "heap size"
		pace()
	}
	return s
}
