package server_test

import (
	"crypto/rand"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/redistest"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/server"
	"github.com/gatehouse-auth/gatehouse/internal/sessionstore"
	"github.com/gatehouse-auth/gatehouse/internal/sessionstore/entrytest"
)

// ownStores are what every gateway here has besides the stores of Gatehouse: values
// in memory, shared by all who name the same host.
var ownStores = map[string]sessionstore.OpenEntries{"own": func(address *url.URL) (sessionstore.Entries, error) {
	switch address.Host {
	case "locked":
		return nil, errors.New("another process has it")
	case "forgotten":
		return nil, nil
	}
	shared, _ := ownValues.LoadOrStore(address.Host, entrytest.New())
	return shared.(*entrytest.Entries), nil
}}

var ownValues sync.Map // by host

// ownStore is the address of an own store without values.
func ownStore() string { return "own://" + strings.ToLower(rand.Text()) }

func TestOwnStoreThatDoesNotOpen(t *testing.T) {
	for host, want := range map[string]string{
		"locked":    "open session.store own://u@locked: another process has it",
		"forgotten": "open session.store own://forgotten: neither a store nor an error",
	} {
		t.Run(host, func(t *testing.T) {
			r := newRig(t)
			store := "own://" + host
			if strings.Contains(want, "u@") {
				store = "own://u:p@" + host
			}
			_, err := server.New(r.config([]settings{section("session", map[string]any{"store": store})}), server.Options{
				Stores: ownStores, Logs: r.logs,
			})
			if err == nil || err.Error() != want {
				t.Errorf("%v, want %s", err, want)
			}
		})
	}
}

// TestStorePassword keeps sessions behind a user and a password that no address
// takes as they are.
func TestStorePassword(t *testing.T) {
	const password = "a#/?%41@ü"
	redis := redistest.Start(t, redistest.Options{User: "gate%house", Password: password})
	r := newRig(t, section("session", map[string]any{
		"store": "redis://" + redis.Addr, "store_username": "gate%house", "store_password": password, "keys": []string{secret.NewKey()},
	}))
	b := r.browser()
	b.signIn("alice@example.com", "/api/x")
	if res, body := b.fetch("GET", "/api/x", ""); res.StatusCode != http.StatusOK {
		t.Errorf("signed in: %d %s", res.StatusCode, body)
	}
}
