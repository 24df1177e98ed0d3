package proxy

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/gatehouse-auth/gatehouse/internal/backoff"
)

// watch checks the upstream's health until ctx ends. The gaps are shortened by chance, so
// that instances do not all ask at once.
func (w *ways) watch(ctx context.Context) {
	for ok := true; ok; ok = backoff.Pause(ctx, w.key.check.Interval) {
		if err := w.check(ctx); ctx.Err() == nil && !errors.Is(err, errCrowded) {
			w.health.checked(err)
		}
	}
}

// check asks once, over a connection of its own: so it finds out, too, whether one can be
// made. It says who it is, and nothing of any user.
func (w *ways) check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, w.key.check.Timeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, w.checkURL(), nil)
	if err != nil {
		return err
	}
	r.Header.Set("User-Agent", "Gatehouse-Health-Check")
	res, err := w.transports().fresh.RoundTrip(r)
	if err != nil {
		return err
	}
	_ = res.Body.Close()
	if res.StatusCode < 200 || res.StatusCode > 399 {
		return fault(fmt.Sprintf("it answers with the status %d", res.StatusCode))
	}
	return nil
}

func (w *ways) checkURL() string {
	scheme := w.key.scheme
	if scheme == "h2c" {
		scheme = "http"
	}
	return scheme + "://" + w.key.host + w.key.check.Path
}
