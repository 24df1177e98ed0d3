package sessionstore

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/url"
	"runtime"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/session"
)

// defaultTimeout leaves a caller time to word the answer within
// [session.StoreTimeout].
const defaultTimeout = session.StoreTimeout - 200*time.Millisecond

// RedisOptions of a [Redis] store.
type RedisOptions struct {
	// URL is redis://[user[:password]@]host[:port][/database], or rediss:// for TLS.
	URL string
	// Password replaces the URL's, so that it may come from a file.
	Password secret.Text
	// Ring seals the listing parts of records. Required.
	Ring *secret.Ring
	// IdleTimeout is the sessions' idle timeout. Required.
	IdleTimeout time.Duration

	// Timeout bounds a call, connecting and retries included. Default 1.8 s.
	Timeout time.Duration
	// PoolSize is how many connections there are at most. Default 10 for each
	// processor, at least 32.
	PoolSize int
	// TLS is for rediss:// only. Default: the system's roots, TLS 1.2 or later.
	TLS *tls.Config
	// Observe is told of each call: its name, how long it took, its error after
	// sorting. Default: none.
	Observe func(op string, took time.Duration, err error)
}

// NewRedis returns a store. It connects at the first call, not here.
func NewRedis(o RedisOptions) (*Redis, error) {
	if o.Ring == nil || o.IdleTimeout <= 0 {
		return nil, errors.New("redis session store: key ring and idle timeout are required")
	}
	if o.Timeout <= 0 {
		o.Timeout = defaultTimeout
	}
	if o.PoolSize <= 0 {
		o.PoolSize = max(32, 10*runtime.GOMAXPROCS(0))
	}
	client, err := newClient(o)
	if err != nil {
		return nil, fmt.Errorf("redis session store: %w", err)
	}
	return &Redis{
		client: client, codec: session.NewCodec(o.Ring),
		idle: o.IdleTimeout, timeout: o.Timeout, observe: o.Observe,
	}, nil
}

// errURL stands for every fault of a URL: the parser's own words repeat it, the
// password included.
var errURL = errors.New("the URL must be redis://[user[:password]@]host[:port][/database] or rediss://…")

// newClient is where another layout of Redis comes in: what it returns is all
// that the store knows.
func newClient(o RedisOptions) (redis.UniversalClient, error) {
	u, err := url.Parse(o.URL)
	if err != nil || (u.Scheme != "redis" && u.Scheme != "rediss") || u.RawQuery != "" || u.Fragment != "" {
		return nil, errURL
	}
	c, err := redis.ParseURL(o.URL)
	if err != nil {
		return nil, errURL
	}
	if !o.Password.Empty() {
		c.Password = o.Password.Reveal()
	}
	if o.TLS != nil {
		if u.Scheme != "rediss" {
			return nil, errors.New("TLS options are for rediss:// only")
		}
		name := c.TLSConfig.ServerName
		c.TLSConfig = o.TLS.Clone()
		if c.TLSConfig.ServerName == "" {
			c.TLSConfig.ServerName = name
		}
	}
	tune(c, o)
	return redis.NewClient(c), nil
}

// tune sets the driver up for a caller who waits two seconds at most.
func tune(c *redis.Options, o RedisOptions) {
	c.ContextTimeoutEnabled = true
	// Half the time for each try: a connection that died silently (a failover, a
	// firewall) costs one try, and the next one has a connection of its own.
	c.DialTimeout, c.ReadTimeout, c.WriteTimeout = o.Timeout/2, o.Timeout/2, o.Timeout/2
	c.PoolTimeout = o.Timeout / 2
	c.DialerRetries = 1
	// Every command here may be carried out twice (see replaceScript).
	c.MaxRetries, c.MinRetryBackoff, c.MaxRetryBackoff = 3, 20*time.Millisecond, 200*time.Millisecond
	c.PoolSize = o.PoolSize
	c.PipelinePoolSize = -1 // lists are rare: no connections of their own
	c.ReadBufferSize, c.WriteBufferSize = 16<<10, 16<<10
	// Nothing is sent at connecting that a restricted user may not do.
	c.DisableIdentity = true
	c.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
}
