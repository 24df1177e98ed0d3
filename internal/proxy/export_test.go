package proxy

import "github.com/gatehouse-auth/gatehouse/internal/headers"

// SetHeaders gives a relay that serves nothing yet another table of headers.
func (s *Dispatcher) SetHeaders(t *headers.Table) { s.reverse.headers.known = t }
