//go:build unix

package peek

import (
	"errors"
	"syscall"
)

// socket looks at what has come on a socket without taking it.
type socket struct {
	raw   syscall.RawConn // nil: nobody knows
	found sight
	recv  func(fd uintptr) // made once, so that a look allocates nothing
}

// look does not wait, neither for bytes nor for somebody who reads.
func (s *socket) look() sight {
	if s.raw == nil {
		return ended
	}
	if s.recv == nil {
		s.recv = s.peek
	}
	s.found = ended
	if err := s.raw.Control(s.recv); err != nil {
		return ended
	}
	return s.found
}

// peek asks for one byte.
func (s *socket) peek(fd uintptr) {
	var one [1]byte
	n, err := 0, error(syscall.EINTR)
	for errors.Is(err, syscall.EINTR) {
		n, _, err = syscall.Recvfrom(int(fd), one[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
	}
	switch {
	case errors.Is(err, syscall.EAGAIN):
		s.found = nothing
	case n > 0:
		s.found = something
	}
}
