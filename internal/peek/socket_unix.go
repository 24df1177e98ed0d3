//go:build unix

package peek

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
)

// socket takes what has come on a socket, or looks at it. It waits neither for bytes
// nor for somebody who reads, and has no deadline.
type socket struct {
	raw  syscall.RawConn       // nil: nobody knows
	call func(fd uintptr)      // receive, made once so that a look allocates nothing
	came func(fd uintptr) bool // likewise

	// What receive is called with, and returns.
	into  []byte
	flags int
	n     int
	err   error

	one [1]byte
}

// look leaves all that has come.
func (s *socket) look() sight {
	n, err := s.peek(s.one[:])
	switch {
	case errors.Is(err, syscall.EAGAIN):
		return nothing
	case n > 0:
		return something
	}
	return ended
}

// wait waits until there is something, and leaves it, but for an error of the connection,
// which no look can leave. It returns at once where nobody knows.
func (s *socket) wait() error {
	if s.raw == nil {
		return nil
	}
	if s.came == nil {
		s.came = func(fd uintptr) bool {
			s.into, s.flags = s.one[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT
			s.receive(fd)
			return !errors.Is(s.err, syscall.EAGAIN)
		}
	}
	if s.raw.Read(s.came) != nil {
		return nil // a deadline, or closed here: the next read is told the same
	}
	return s.err
}

// peek shows what is there, and leaves it.
func (s *socket) peek(into []byte) (int, error) { return s.recv(into, syscall.MSG_PEEK) }

// read takes what is there. Where nothing is, the error is that of a deadline that has
// passed: after any other, TLS reads no more.
func (s *socket) read(into []byte) (int, error) {
	n, err := s.recv(into, 0)
	switch {
	case errors.Is(err, syscall.EAGAIN):
		return 0, os.ErrDeadlineExceeded
	case err == nil && n == 0 && len(into) > 0:
		return 0, io.EOF
	}
	return n, err
}

func (s *socket) recv(into []byte, flags int) (int, error) {
	if s.raw == nil {
		return 0, net.ErrClosed
	}
	if s.call == nil {
		s.call = s.receive
	}
	s.into, s.flags = into, flags|syscall.MSG_DONTWAIT
	if err := s.raw.Control(s.call); err != nil {
		return 0, err
	}
	return s.n, s.err
}

func (s *socket) receive(fd uintptr) {
	s.n, s.err = 0, syscall.EINTR
	for errors.Is(s.err, syscall.EINTR) {
		s.n, _, s.err = syscall.Recvfrom(int(fd), s.into, s.flags)
	}
	s.n, s.into = max(0, s.n), nil
}
