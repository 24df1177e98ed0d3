// Package storetest is the test of session stores that programs bring along: of the
// contract of gatehouse.Store, call by call, and of a gateway's sessions in such a
// store.
//
// It owns no contract. What it demands stands at gatehouse.Store, and what it
// demands of sessions every store of Gatehouse's own passes as well.
package storetest

import (
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/sessionstore"
	"github.com/gatehouse-auth/gatehouse/internal/sessionstore/storetest"
)

// Open returns a store without values, for one test. The test closes it, once; what
// there is besides to clean up is for t.Cleanup.
type Open func(t *testing.T) gatehouse.Store

// Run tests the stores that open returns. It takes some ten thousand calls, and some
// seconds besides, in which sessions come to their end.
func Run(t *testing.T, open Open) {
	for _, group := range []struct {
		name string
		run  func(*testing.T, gatehouse.Store)
	}{
		{"Get", testGet},
		{"Swap", testSwap},
		{"values", testValues},
		{"expiry", testExpiry},
		{"Keys", testKeys},
		{"races", testRaces},
		{"contexts", testContexts},
	} {
		t.Run(group.name, func(t *testing.T) { group.run(t, opened(t, open)) })
	}
	t.Run("sessions", func(t *testing.T) {
		storetest.Run(t, func(t *testing.T, idle time.Duration) session.Store {
			return instance(t, opened(t, open), idle)
		})
	})
	t.Run("two_gateways", func(t *testing.T) {
		store := opened(t, open)
		storetest.TellsOthers(t, instance(t, store, time.Hour), instance(t, store, time.Hour))
	})
}

// opened opens a store, and closes it at the end of the test.
func opened(t *testing.T, open Open) gatehouse.Store {
	t.Helper()
	store := open(t)
	if store == nil {
		t.Fatal("open returned no store")
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return store
}

// ample is the time limit of a gateway's call here: on a busy machine a store may
// take longer than a gateway would wait.
const ample = time.Minute

// instance is a gateway's sessions in a store.
func instance(t *testing.T, store gatehouse.Store, idle time.Duration) session.Store {
	t.Helper()
	ring, err := secret.NewRing(make([]byte, secret.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	sessions, err := sessionstore.NewKeyed(sessionstore.KeyedOptions{
		Entries: store, Ring: ring, Audience: storetest.Audience, IdleTimeout: idle, Timeout: ample,
	})
	if err != nil {
		t.Fatal(err)
	}
	return sessions
}
