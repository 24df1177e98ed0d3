//go:build !production

package command

import (
	"context"
	"fmt"

	"github.com/gatehouse-auth/gatehouse/internal/server"
	"github.com/gatehouse-auth/gatehouse/web"
)

const begin = `Begin with "gateway dev": everything on this computer, nothing to set up. For a real user pool write`

// leftOut are the commands that only other builds have.
var leftOut []string

// development holds the commands that a production build leaves out.
type development struct {
	Dev     devCmd     `cmd:"" help:"Run everything on this computer: gateway, Cognito emulator, sample API, demo page."`
	Cognito cognitoCmd `cmd:"" help:"Run the Cognito emulator alone."`
	Sample  sampleCmd  `cmd:"" help:"Run the sample API and the demo page alone, to have something behind a gateway."`
}

type sampleCmd struct {
	Listen string `help:"Address to listen on." default:"127.0.0.1:9000"`
}

// Run serves the sample until the process is told to stop.
func (c *sampleCmd) Run(ctx context.Context, p process) error {
	if err := wantListen("--listen", c.Listen); err != nil {
		return err
	}
	l, err := server.Listen(c.Listen, "flag --listen")
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintf(p.stdout, "sample API and demo page on http://%s; they trust whoever calls\n", l.Addr())
	return serveUntil(ctx, l, newSample(web.Demo))
}
