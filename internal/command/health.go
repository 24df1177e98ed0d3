package command

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"
)

type healthCmd struct {
	URL     string        `help:"Address to ask, such as http://127.0.0.1:9090/healthz." required:"" placeholder:"URL"`
	Timeout time.Duration `help:"How long to wait for the answer." default:"3s"`
}

// Help implements kong.HelpProvider.
func (healthCmd) Help() string {
	return `The health check of a container that has no shell and no curl. /healthz of the admin listener says that ` +
		`the process lives, /readyz that logins work.`
}

// Run asks once.
func (c *healthCmd) Run(ctx context.Context, p process) error {
	if err := wantURL("--url", c.URL); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.URL, nil)
	if err != nil {
		return usagef("--url: %w", err)
	}
	res, err := direct.RoundTrip(req) // no redirects: the address itself must answer 200
	if err != nil {
		return fmt.Errorf("not healthy: %w", err)
	}
	defer func() { _ = res.Body.Close() }()
	body, _ := io.ReadAll(io.LimitReader(res.Body, 200)) // for the message only
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("not healthy: %s: %q", res.Status, body)
	}
	_, err = fmt.Fprintln(p.stdout, "healthy")
	return err
}
