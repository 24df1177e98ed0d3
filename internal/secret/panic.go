package secret

import (
	"fmt"
	"runtime"
)

// OfPanic says what the log may tell of a recovered panic: a runtime error's text
// is Go's own, any other may quote a token or what somebody sent, so that only
// its type is told. The stack says where it was.
func OfPanic(v any) string {
	if err, ok := v.(runtime.Error); ok {
		return err.Error()
	}
	return fmt.Sprintf("%T", v)
}
