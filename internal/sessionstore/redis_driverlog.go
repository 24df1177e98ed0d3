package sessionstore

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/redis/go-redis/v9"
)

// LogDriver sends what the Redis driver has to say to log, at debug level: it
// writes a line to standard error for each failed connection otherwise, beside
// the outage that the store reports anyway. The driver has one logger for the whole
// process, so whoever runs the process calls this, once and before the first call of
// a store.
func LogDriver(log *slog.Logger) { redis.SetLogger(driverLog{log}) }

type driverLog struct{ log *slog.Logger }

// Printf is the driver's interface.
func (d driverLog) Printf(ctx context.Context, format string, v ...any) {
	if d.log.Enabled(ctx, slog.LevelDebug) {
		d.log.DebugContext(ctx, "redis driver", "message", fmt.Sprintf(format, v...))
	}
}
