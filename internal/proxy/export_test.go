package proxy

import "github.com/gatehouse-auth/gatehouse/internal/headers"

// SetHeaders gives a relay that serves nothing yet another table of headers.
func (disp *Dispatcher) SetHeaders(t *headers.Table) { disp.reverse.headers.known = t }
