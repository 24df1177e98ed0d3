package command

import (
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"github.com/gatehouse-auth/gatehouse/internal/config"
	"github.com/gatehouse-auth/gatehouse/internal/server"
)

// reloadOnHangup reads the configuration again at each SIGHUP, until stop is
// called. Signals that come during a reload are one more reload: what is on disk
// after the last of them is what is taken.
func (c *serveCmd) reloadOnHangup(s *server.Server, p process) (stop func()) {
	quiet := p
	quiet.stderr = io.Discard // what there is to warn of was said at the start
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	done := make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() {
		for {
			select {
			case <-hangups:
				_ = s.Reload(func() (*config.Config, error) { return load(c.Config, quiet) }) // it logs its outcome
			case <-done:
				return
			}
		}
	})
	return func() {
		signal.Stop(hangups)
		close(done)
		running.Wait()
	}
}
