package sessionstore

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/ratelimit"
)

var _ ratelimit.Store = (*Redis)(nil)

// rateKey names a count without showing whose it is. Gateways of other clients have
// counts of their own.
func (r *Redis) rateKey(key string) string {
	sum := sha256.Sum256([]byte(r.audience + "\x00" + key))
	return "gatehouse:r:{" + base64.RawURLEncoding.EncodeToString(sum[:]) + "}"
}

// TakeRate implements [ratelimit.Store], in one round trip. A command whose answer was
// lost is sent again, and counts twice then.
func (r *Redis) TakeRate(ctx context.Context, key string, interval, depth time.Duration) (ahead time.Duration, counted bool, err error) {
	err = r.call(ctx, "rate", func(ctx context.Context) error {
		answer, err := rateScript.Run(ctx, r.client, []string{r.rateKey(key)}, interval.Microseconds(), depth.Microseconds()).Int64Slice()
		switch {
		case err != nil:
			return err
		case len(answer) != 2:
			return fmt.Errorf("%d numbers, want 2", len(answer))
		}
		ahead, counted = time.Duration(answer[0])*time.Microsecond, answer[1] == 1
		return nil
	})
	return ahead, counted, err
}
