package storetest_test

import (
	"testing"

	"github.com/gatehouse-auth/gatehouse"
	"github.com/gatehouse-auth/gatehouse/internal/sessionstore/entrytest"
	"github.com/gatehouse-auth/gatehouse/storetest"
)

// TestRun: what the test demands can be had.
func TestRun(t *testing.T) {
	storetest.Run(t, func(*testing.T) gatehouse.Store { return entrytest.New() })
}
