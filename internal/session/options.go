package session

import (
	"errors"
	"log/slog"
	"time"
)

// Options of a [Manager]. Store, Provider and all durations are required.
type Options struct {
	Store    Store
	Provider Provider

	// IdleTimeout ends a session this long after its last use, at most a tenth
	// later: the last use is recorded no more often than that.
	IdleTimeout time.Duration
	// AbsoluteTimeout ends a session this long after the login, used or not.
	AbsoluteTimeout time.Duration

	// BeforeExpiry: an access token with less than this left, or than half its
	// lifetime if that is shorter, is refreshed while it is still in use. Up to a
	// quarter is added, differing by session.
	BeforeExpiry time.Duration
	// RefreshTimeout bounds one call of the token endpoint.
	RefreshTimeout time.Duration
	// RotationGrace is how long the provider takes a refresh token again after it
	// rotated it (Cognito: RetryGracePeriodSeconds). Within it a refresh whose
	// answer was lost is tried once more. 0: never.
	RotationGrace time.Duration
	// ForcedPerMinute is how many forced refreshes a session may have a minute.
	ForcedPerMinute int
	// MaxPerUser is how many sessions a subject may have; at a login above it the
	// oldest go. 0: no limit.
	MaxPerUser int
	// UserCheck asks about sessions that are in use. Zero: never.
	UserCheck UserCheck

	// CacheBytes is how much memory the cache of opened sessions may take, about; it
	// serves while [Manager.Run] runs. A session with Cognito's tokens takes some 6 kB.
	// 0: there is none, as with a store that needs none ([Traits.CacheAge]).
	CacheBytes int

	Observe Observer
	Logger  *slog.Logger // nil: silent
}

func (o *Options) check() error {
	switch {
	case o.Store == nil, o.Provider == nil:
		return errors.New("session manager: store and provider are required")
	case o.IdleTimeout <= 0, o.AbsoluteTimeout <= 0, o.BeforeExpiry <= 0, o.RefreshTimeout <= 0:
		return errors.New("session manager: every duration must be above zero")
	case o.RotationGrace < 0, o.CacheBytes < 0:
		return errors.New("session manager: rotation grace and the bound of the cache must not be below zero")
	case o.UserCheck.Every < 0, o.UserCheck.Every > 0 && o.UserCheck.Ask == nil:
		return errors.New("session manager: a user check must not be below zero and needs someone to ask")
	case o.ForcedPerMinute <= 0:
		return errors.New("session manager: forced refreshes a minute must be above zero")
	}
	return nil
}
