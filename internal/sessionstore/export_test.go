package sessionstore

import (
	"context"
	"net"

	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/storeurl"
)

// MostExchanges is how many reads are under way at a time.
const MostExchanges = mostExchanges

// Over lets a store open its connections with dial.
func (o RedisOptions) Over(dial func(ctx context.Context, network, addr string) (net.Conn, error)) RedisOptions {
	o.dial = dial
	return o
}

// Recount forgets a count and counts again.
func Recount(ctx context.Context, r *Redis) (session.Count, error) {
	r.counted.Store(nil)
	return r.Count(ctx)
}

// WarnOfLoss looks at the settings of Redis, as a subscription does, and reports
// whether they are known.
func WarnOfLoss(ctx context.Context, r *Redis) bool {
	r.warnOfLoss(ctx)
	return r.settingsKnown.Load()
}

// ReplaceRecord runs the script of Replace with a sealed record, as the driver
// does when it sends the command again.
func ReplaceRecord(ctx context.Context, r *Redis, id string, expected uint64, record []byte) error {
	_, err := r.replace(ctx, session.Change{ID: id, Generation: expected + 1}, record)
	return err
}

// SentinelPassword is the password that a store of this URL shows to sentinels.
func SentinelPassword(url string) (string, error) {
	a, err := storeurl.Parse(url)
	if err != nil {
		return "", err
	}
	return sentinelPassword(a.SentinelPasswordFile)
}
