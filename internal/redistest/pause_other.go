//go:build !unix

package redistest

// Pause fails the test: there is no such thing on this system.
func (s *Server) Pause() { s.t.Fatal("a process can't be paused on this system") }

// Continue fails the test.
func (s *Server) Continue() { s.t.Fatal("a process can't be continued on this system") }
