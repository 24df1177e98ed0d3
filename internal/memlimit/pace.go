package memlimit

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

const (
	// headroom is how much garbage may pile up, in bytes: about a second's at full
	// speed. More would save no processor time that can be measured.
	headroom = 64 << 20

	// mostPercent spares a small heap, which a gateway without load has, from being
	// collected all the time. leastPercent spares a large one: collecting takes time
	// by the size of what stays, so that must be worth it.
	mostPercent, leastPercent = 400, 50
)

// pace sets GOGC by how large the heap is, now and after each collection. GOGC is in
// per cent of what is alive, and 400 of them, right for the 10 MB of a gateway alone,
// would let a cache of 90 MB grow to 450.
func pace() {
	debug.SetGCPercent(percent(alive()))
	afterCollection(pace)
}

// percent is GOGC for that many bytes alive.
func percent(alive uint64) int {
	if alive <= headroom*100/mostPercent {
		return mostPercent
	}
	return max(leastPercent, int(headroom*100/alive))
}

// alive is what GOGC is a percentage of: what the latest collection left on the heap,
// and its roots (https://go.dev/doc/gc-guide#GOGC).
func alive() (bytes uint64) {
	parts := []metrics.Sample{
		{Name: "/gc/heap/live:bytes"}, {Name: "/gc/scan/stack:bytes"}, {Name: "/gc/scan/globals:bytes"},
	}
	metrics.Read(parts)
	for _, p := range parts {
		bytes += p.Value.Uint64()
	}
	return bytes
}

// afterCollection calls f once the next collection has found that nobody holds what
// is made here.
func afterCollection(f func()) {
	marker := &struct{ _ *byte }{} // with a pointer in it, it shares its memory with nothing
	runtime.AddCleanup(marker, func(f func()) { f() }, f)
}
