//go:build unix

package redistest

import "syscall"

// Pause stops the server's process (SIGSTOP): connections stand and nothing
// answers, as when a machine hangs.
func (s *Server) Pause() {
	s.signal(syscall.SIGSTOP)
	s.paused = true
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
