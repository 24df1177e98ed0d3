package sessionstore

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"runtime"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/storeurl"
)

// RedisOptions of a [Redis] store.
type RedisOptions struct {
	// Address is where to go, and as whom. Required.
	Address storeurl.Address
	// Ring seals what of a record is read without its handle. Required.
	Ring *secret.Ring
	// Audience is whose sessions these are. To a store of another audience they are
	// absent, though it has the same keys and the same Redis. Required.
	Audience session.Audience
	// IdleTimeout is the sessions' idle timeout. Required.
	IdleTimeout time.Duration

	// WaitReplicas is how many replicas are to have a session's end before it is
	// answered (redis_delete.go). 0: none. A cluster cannot wait.
	WaitReplicas int
	// Logger is told of ends that too few replicas have. nil: silent.
	Logger *slog.Logger

	// Timeout bounds a call, connecting and retries included. Default 1.8 s.
	Timeout time.Duration
	// PoolSize is how many connections there are at most, in a cluster to each
	// node. Default 10 for each processor, at least 32.
	PoolSize int
	// TLS is for addresses with TLS only. Default: the system's roots, TLS 1.2 or
	// later, and what the address says.
	TLS *tls.Config
	// Observe is told of each call: under which context it was made, its name, how
	// long it took, its error after sorting. The context may have ended. Default: none.
	Observe func(ctx context.Context, op string, took time.Duration, err error)

	// dial opens connections for tests whose time is not the world's. Default:
	// [net.Dialer]. TLS is not for them.
	dial func(ctx context.Context, network, addr string) (net.Conn, error)
}

// NewRedis returns a store. It connects at the first call, not here.
func NewRedis(o RedisOptions) (*Redis, error) {
	if o.Ring == nil || o.Audience.IsZero() || o.IdleTimeout <= 0 {
		return nil, errors.New("redis session store: key ring, audience and idle timeout are required")
	}
	if o.Timeout <= 0 {
		o.Timeout = defaultTimeout
	}
	if o.PoolSize <= 0 {
		o.PoolSize = max(32, 10*runtime.GOMAXPROCS(0))
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if len(o.Address.Hosts) == 0 {
		return nil, fmt.Errorf("redis session store: %q is no Redis", o.Address)
	}
	client, err := newTopology(o)
	if err != nil {
		return nil, fmt.Errorf("redis session store: %w", err)
	}
	if _, cluster := client.(*redis.ClusterClient); cluster && o.WaitReplicas > 0 {
		return nil, errors.Join(errors.New("redis session store: a cluster cannot wait for replicas"), client.Close())
	}
	return &Redis{
		client: client, gatherer: gatherer{client: client, timeout: o.Timeout}, codec: session.NewCodec(o.Ring, o.Audience), audience: o.Audience.String(),
		moves: o.Address.Scheme == storeurl.Sentinel || o.Address.Scheme == storeurl.Cluster,
		idle:  o.IdleTimeout, calls: calls{where: "redis", timeout: o.Timeout, observe: o.Observe},
		replicas: o.WaitReplicas, log: o.Logger, counting: make(chan struct{}, 1),
	}, nil
}
