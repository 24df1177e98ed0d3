package sessionstore_test

import (
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/sessionstore"
	"github.com/gatehouse-auth/gatehouse/internal/sessionstore/storetest"
)

func openMemory(_ *testing.T, idle time.Duration) session.Store {
	return sessionstore.NewMemory(sessionstore.MemoryOptions{IdleTimeout: idle})
}

func TestMemory(t *testing.T) {
	storetest.Run(t, openMemory)
}
