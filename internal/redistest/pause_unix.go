//go:build unix

package redistest

import (
	"errors"
	"syscall"
)

// Pause stops the server's process (SIGSTOP) and returns when it stands still:
// connections stay and nothing answers, as when a machine hangs.
func (s *Server) Pause() {
	s.t.Helper()
	if s.paused {
		return // and would not be told to stand still a second time
	}
	s.signal(syscall.SIGSTOP)
	s.paused = true
	var status syscall.WaitStatus
	for !status.Stopped() {
		if _, err := syscall.Wait4(s.process.Process.Pid, &status, syscall.WUNTRACED, nil); err != nil && !errors.Is(err, syscall.EINTR) {
			s.t.Fatalf("wait for redis-server to stand still: %v", err)
		}
	}
}

// Continue lets a paused server go on.
func (s *Server) Continue() {
	s.signal(syscall.SIGCONT)
	s.paused = false
}

func (s *Server) signal(sig syscall.Signal) {
	s.t.Helper()
	if err := s.process.Process.Signal(sig); err != nil {
		s.t.Fatalf("signal redis-server: %v", err)
	}
}
