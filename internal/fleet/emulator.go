package fleet

import (
	"net"
	"net/http"
	"syscall"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/cognitoemu"
	"github.com/gatehouse-auth/gatehouse/internal/freeport"
)

// Emulator is `gateway cognito`, a user pool that is a process of its own: it
// can be stopped literally.
type Emulator struct {
	port    string
	process *process
}

// StartEmulator starts one that rotates, with half a minute of grace; it ends
// with the test.
func StartEmulator(t testing.TB, tokenTTL time.Duration) *Emulator {
	t.Helper()
	addr := freeport.Addr(t)
	_, port, _ := net.SplitHostPort(addr)
	e := &Emulator{port: port, process: newProcess(t, "the emulator", "cognito",
		"--listen", addr, "--gateway", PublicURL, "--token-ttl", tokenTTL.String(), "--rotate")}
	e.process.start()
	waitFor(t, "the emulator", func() bool {
		res, err := ask(e.Issuer() + "/.well-known/openid-configuration")
		return err == nil && res.Body.Close() == nil && res.StatusCode == http.StatusOK
	})
	return e
}

// Domain is the base of the hosted pages and the token endpoint.
func (e *Emulator) Domain() string { return "http://127.0.0.1:" + e.port }

// API is the base of the issuer and the JSON API.
func (e *Emulator) API() string { return "http://localhost:" + e.port }

// Issuer is the pool's.
func (e *Emulator) Issuer() string { return e.API() + "/" + cognitoemu.DefaultPoolID }

// Pause stops the process (SIGSTOP).
func (e *Emulator) Pause() { e.process.pause() }

// Continue lets a paused process go on.
func (e *Emulator) Continue() { e.process.signal(syscall.SIGCONT) }
