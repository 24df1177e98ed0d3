package sessionstore

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/storeurl"
)

// newTopology returns the client for the servers at o.Address. It reads the
// files that the address names and connects to nothing. Behind a
// [redis.ClusterClient] there is a cluster: keys of different slots then have
// nothing in common, and pub/sub is to be sharded.
func newTopology(o RedisOptions) (client redis.UniversalClient, err error) {
	a, u := o.Address, tuned(o)
	u.Addrs, u.Username, u.Password, u.DB = a.Hosts, a.Username, a.Password.Reveal(), a.Database
	if u.TLSConfig, err = tlsConfig(a, o.TLS); err != nil {
		return nil, err
	}
	switch a.Scheme {
	case storeurl.Sentinel:
		u.MasterName, u.SentinelUsername = a.Primary, a.SentinelUser
		if u.SentinelPassword, err = sentinelPassword(a.SentinelPasswordFile); err != nil {
			return nil, err
		}
		return newFailoverClient(u, o.Timeout), nil
	case storeurl.Cluster:
		return newClusterClient(u, o.Timeout), nil
	}
	return redis.NewClient(u.Simple()), nil
}

// sentinelPassword is what the file holds, and empty where there is none.
func sentinelPassword(file string) (string, error) {
	if file == "" {
		return "", nil
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("read sentinel_password_file: %w", err)
	}
	password, err := secret.FromFile(b)
	if err != nil {
		return "", fmt.Errorf("read sentinel_password_file: want a file %w", err)
	}
	return password, nil
}

// tuned sets the driver up for a caller who waits two seconds at most.
func tuned(o RedisOptions) *redis.UniversalOptions {
	return &redis.UniversalOptions{
		Dialer:                o.dial,
		ContextTimeoutEnabled: true,
		// Half the time for each try: a connection that died silently (a failover, a
		// firewall) costs one try, and the next one has a connection of its own.
		DialTimeout: o.Timeout / 2, ReadTimeout: o.Timeout / 2, WriteTimeout: o.Timeout / 2,
		PoolTimeout: o.Timeout / 2, DialerRetries: 1,
		// Every command here may be carried out twice (see replaceScript).
		MaxRetries: 3, MinRetryBackoff: 20 * time.Millisecond, MaxRetryBackoff: 200 * time.Millisecond,
		PoolSize:         o.PoolSize,
		PipelinePoolSize: -1, // lists are rare: no connections of their own
		ReadBufferSize:   16 << 10, WriteBufferSize: 16 << 10,
		// Nothing is sent at connecting that a restricted user may not do.
		DisableIdentity:          true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}
}

// newClusterClient: the client of a cluster tries one node twice before it looks
// for another, so that a try has a quarter of the time.
func newClusterClient(u *redis.UniversalOptions, timeout time.Duration) *redis.ClusterClient {
	c := u.Cluster()
	c.MaxRedirects, c.MaxRetries = u.MaxRetries, -1
	c.DialTimeout, c.ReadTimeout, c.WriteTimeout = timeout/4, timeout/4, timeout/4
	// The routing by policy needs a description of all commands, which it fetches
	// before the first, and before each for as long as it is refused.
	c.DisableRoutingPolicies = true
	client := redis.NewClusterClient(c)
	client.OnNewNode(func(node *redis.Client) { node.AddHook(lookAround{client}) })
	return client
}

// lookAround makes a cluster's client ask for the slots' new owners as soon as a
// node fails it. By itself it asks when another node says MOVED, and none does
// where the owner is dead: it would knock at that door for another minute.
type lookAround struct{ cluster *redis.ClusterClient }

func (l lookAround) after(ctx context.Context, err error) error {
	if fails(err) {
		l.cluster.ReloadState(ctx) // in the background, at most five times a second
	}
	return err
}

// fails tells a node that is away or has lost its cluster from one that answers,
// and from a caller that left.
func fails(err error) bool {
	var answer redis.Error
	switch {
	case err == nil, errors.Is(err, context.Canceled):
		return false
	case errors.As(err, &answer):
		return redis.IsClusterDownError(err)
	}
	return true
}

// DialHook implements [redis.Hook]. Subscriptions pass here alone.
func (l lookAround) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := next(ctx, network, addr)
		return conn, l.after(ctx, err)
	}
}

// ProcessHook implements [redis.Hook].
func (l lookAround) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error { return l.after(ctx, next(ctx, cmd)) }
}

// ProcessPipelineHook implements [redis.Hook].
func (l lookAround) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error { return l.after(ctx, next(ctx, cmds)) }
}

// newFailoverClient: the client asks a sentinel for the primary at each new
// connection.
func newFailoverClient(u *redis.UniversalOptions, timeout time.Duration) *redis.Client {
	d := &sentinelDialer{
		open: u.Dialer,
		// Four tries, the driver's pauses between them included, fit into the half
		// of the time that is for dialling.
		answer: timeout / 16,
	}
	dialer := &net.Dialer{Timeout: u.DialTimeout}
	switch {
	case u.TLSConfig != nil:
		d.open = (&tls.Dialer{NetDialer: dialer, Config: u.TLSConfig}).DialContext
	case d.open == nil:
		d.open = dialer.DialContext
	}
	u.Dialer = d.dial
	client := redis.NewFailoverClient(u.Failover())
	client.AddHook(markData{})
	return client
}

// sentinelDialer dials sentinels and the servers they name, and waits less for
// an answer of the former. The driver stays with one sentinel, whose time limits
// are the servers' own: it would spend each call on one that hangs and never
// come to ask the next.
type sentinelDialer struct {
	open   func(ctx context.Context, network, addr string) (net.Conn, error)
	answer time.Duration
}

func (d *sentinelDialer) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := d.open(ctx, network, addr)
	if err == nil && ctx.Value(dataKey{}) == nil {
		conn = hasty{Conn: conn, answer: d.answer}
	}
	return conn, err
}

// markData tells the dialer which connections are to hold data: those that the
// client itself dials. An address does not tell, for sentinels name one another
// by other addresses than they were configured with.
type markData struct{}

type dataKey struct{}

// DialHook implements [redis.Hook].
func (markData) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		return next(context.WithValue(ctx, dataKey{}, true), network, addr)
	}
}

// ProcessHook implements [redis.Hook].
func (markData) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }

// ProcessPipelineHook implements [redis.Hook].
func (markData) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// hasty cuts the deadlines of a connection short. What has none, a subscription,
// keeps none.
type hasty struct {
	net.Conn
	answer time.Duration
}

func (c hasty) SetReadDeadline(t time.Time) error {
	if soonest := time.Now().Add(c.answer); t.After(soonest) {
		t = soonest
	}
	return c.Conn.SetReadDeadline(t)
}
