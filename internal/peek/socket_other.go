//go:build !unix

package peek

import (
	"errors"
	"syscall"
)

// socket cannot be looked at here without waiting for what has not come. So no
// connection is quiet, and none is used again.
type socket struct{ raw syscall.RawConn }

func (*socket) look() sight { return ended }

func (*socket) wait() error { return nil }

func (*socket) peek([]byte) (int, error) { return 0, errors.ErrUnsupported }

func (*socket) read([]byte) (int, error) { return 0, errors.ErrUnsupported }
