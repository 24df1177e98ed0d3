package sessionstore

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/storeurl"
)

// OpenEntries opens what an address of an own scheme leads to.
type OpenEntries = func(address *url.URL) (Entries, error)

// Options say which store to open, and what stores need. Each takes what it has a
// use for.
type Options struct {
	// Address is which store, and where it is. Required.
	Address storeurl.Address
	// Own are the stores of schemes that are none of Gatehouse's, by scheme.
	Own map[string]OpenEntries
	// Ring seals what a store keeps elsewhere. Required.
	Ring *secret.Ring
	// Audience is whose sessions these are, as [RedisOptions] have it. Required.
	Audience session.Audience
	// IdleTimeout is the sessions' idle timeout. Required.
	IdleTimeout time.Duration
	// MaxHandle is how long a handle may be in bytes, where it is the session itself
	// (cookie:). Required.
	MaxHandle int
	// WaitReplicas is how many replicas are to have a session's end before it is
	// answered, where there are any.
	WaitReplicas int
	// Logger is told what an operator should know. nil: silent.
	Logger *slog.Logger
	// Observe is told of each call of a server, as [RedisOptions] have it.
	Observe func(ctx context.Context, op string, took time.Duration, err error)
}

// Open returns the store at an address. It reads the files that the address names,
// and connects to nothing before the first call; what an own store does is its own
// business.
func Open(o Options) (session.Store, error) {
	switch o.Address.Scheme {
	case storeurl.Memory:
		return NewMemory(MemoryOptions{IdleTimeout: o.IdleTimeout}), nil
	case storeurl.Cookie:
		return opened(NewCookie(CookieOptions{
			Codec: session.NewPortableCodec(o.Ring, o.Audience), IdleTimeout: o.IdleTimeout, MaxHandle: o.MaxHandle,
		}))
	}
	if open := o.Own[o.Address.Scheme]; open != nil {
		return openOwn(open, o)
	}
	return opened(NewRedis(RedisOptions{
		Address: o.Address, Ring: o.Ring, Audience: o.Audience, IdleTimeout: o.IdleTimeout,
		WaitReplicas: o.WaitReplicas, Logger: o.Logger, Observe: o.Observe,
	}))
}

func openOwn(open OpenEntries, o Options) (session.Store, error) {
	entries, err := open(o.Address.URL())
	switch {
	case err != nil:
		return nil, fmt.Errorf("open session.store %s: %w", o.Address, err)
	case entries == nil:
		return nil, fmt.Errorf("open session.store %s: neither a store nor an error", o.Address)
	}
	return opened(NewKeyed(KeyedOptions{
		Entries: entries, Ring: o.Ring, Audience: o.Audience, IdleTimeout: o.IdleTimeout, Logger: o.Logger, Observe: o.Observe,
	}))
}

// opened keeps a failed constructor's nil pointer from becoming a store that is
// not nil.
func opened[S session.Store](store S, err error) (session.Store, error) {
	if err != nil {
		return nil, err
	}
	return store, nil
}
