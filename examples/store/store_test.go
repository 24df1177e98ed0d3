package main

import (
	"net/url"
	"path/filepath"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/gatehouse-auth/gatehouse"
	"github.com/gatehouse-auth/gatehouse/storetest"
)

func opened(t *testing.T, path string) gatehouse.Store {
	t.Helper()
	s, err := open(&url.URL{Scheme: "bolt", Path: path})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) gatehouse.Store {
		return opened(t, filepath.Join(t.TempDir(), "sessions.db"))
	})
}

func TestStoreKeepsWhatItHas(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sessions.db")
	s := opened(t, path)
	if ok, err := s.Swap(t.Context(), "s/0", nil, []byte("a"), time.Now().Add(time.Hour)); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if _, err := open(&url.URL{Scheme: "bolt", Path: path}); err == nil || err.Error() != "another process has the file open" {
		t.Errorf("opened twice: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = opened(t, path)
	defer func() { _ = s.Close() }()
	if value, err := s.Get(t.Context(), "s/0"); string(value) != "a" || err != nil {
		t.Errorf("%q, %v", value, err)
	}
}

func TestStoreForgetsWhatIsOver(t *testing.T) {
	s := opened(t, filepath.Join(t.TempDir(), "sessions.db")).(*store)
	defer func() { _ = s.Close() }()
	const many = 5
	for i := range many {
		key := "s/" + string(rune('0'+i))
		if ok, err := s.Swap(t.Context(), key, nil, []byte("a"), time.Now().Add(-time.Second)); !ok || err != nil {
			t.Fatal(ok, err)
		}
	}
	if ok, err := s.Swap(t.Context(), "s/a", nil, []byte("a"), time.Now().Add(time.Hour)); !ok || err != nil {
		t.Fatal(ok, err)
	}
	err := s.db.View(func(tx *bbolt.Tx) error {
		for _, bucket := range [][]byte{valuesBucket, endsBucket} {
			if n := tx.Bucket(bucket).Stats().KeyN; n != 1 {
				t.Errorf("%d keys in %s, want 1", n, bucket)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestOpenSaysWhatItWants(t *testing.T) {
	for _, address := range []string{"bolt:", "bolt://host/x.db"} {
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := open(u); err == nil || err.Error() != "want bolt:/PATH/OF/A/FILE" {
			t.Errorf("%s: %v", address, err)
		}
	}
}
