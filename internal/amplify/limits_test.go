package amplify

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/middleware"
)

// TestAttemptsKeepNoMoreThanTheyCompare: names that are as long as a body may be cost
// what their keys do.
func TestAttemptsKeepNoMoreThanTheyCompare(t *testing.T) {
	const names, length = 500, 100 << 10
	a := newAttempts()
	before := heap()
	for i := range names {
		x := &middleware.Exchange{}
		x.Decision.Client = fmt.Sprintf("192.0.2.%d", i%250)
		if err := a.take(x, fmt.Sprintf("%d-%s", i, strings.Repeat("a", length))); err != nil {
			t.Fatal(err)
		}
	}
	if kept := heap() - before; kept > names*length/10 {
		t.Errorf("%d names of %d bytes keep %d bytes", names, length, kept)
	}
	runtime.KeepAlive(a)
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
