package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/url"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/gatehouse-auth/gatehouse"
)

// The file has two buckets: the values by key, each behind the time at which it may
// be forgotten, and an index by that time. Times are 8 bytes of Unix milliseconds.
var (
	valuesBucket = []byte("values")
	endsBucket   = []byte("ends") // time and key → nothing
)

const timeSize = 8

// lockTimeout is how long a start waits for another process to let go of the file.
const lockTimeout = time.Second

// store keeps values in a file. bbolt takes one writer at a time, and has each write
// on the disk before it goes on; it cannot be told to give up, so that a disk which
// hangs holds up whoever calls.
type store struct{ db *bbolt.DB }

// open opens the file that bolt:/PATH names, or bolt:PATH in the working directory.
func open(address *url.URL) (gatehouse.Store, error) {
	path := cmp.Or(address.Path, address.Opaque)
	if address.Host != "" || path == "" {
		return nil, errors.New("want bolt:/PATH/OF/A/FILE")
	}
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: lockTimeout})
	if errors.Is(err, bolterrors.ErrTimeout) {
		return nil, errors.New("another process has the file open")
	}
	if err != nil {
		return nil, err
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		for _, name := range [][]byte{valuesBucket, endsBucket} {
			if _, err := tx.CreateBucketIfNotExists(name); err != nil {
				return fmt.Errorf("prepare the file: %w", err)
			}
		}
		return nil
	})
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return &store{db}, nil
}

// Get implements gatehouse.Store.
func (s *store) Get(ctx context.Context, key string) (value []byte, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	err = s.db.View(func(tx *bbolt.Tx) error {
		stored := tx.Bucket(valuesBucket).Get([]byte(key))
		if stored == nil {
			return gatehouse.ErrNotFound
		}
		value = bytes.Clone(stored[timeSize:]) // which is the file's own memory
		return nil
	})
	return value, err
}

// Swap implements gatehouse.Store.
func (s *store) Swap(ctx context.Context, key string, old, new []byte, expires time.Time) (done bool, err error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	err = s.db.Update(func(tx *bbolt.Tx) error {
		values, ends := tx.Bucket(valuesBucket), tx.Bucket(endsBucket)
		stored := values.Get([]byte(key))
		if done = stored == nil && old == nil || stored != nil && old != nil && bytes.Equal(stored[timeSize:], old); !done {
			return nil
		}
		if stored != nil {
			if err := remove(values, ends, stored[:timeSize], []byte(key)); err != nil {
				return err
			}
		}
		if new != nil {
			if err := put(values, ends, expires, []byte(key), new); err != nil {
				return err
			}
		}
		return forget(values, ends, time.Now())
	})
	return done && err == nil, err
}

func put(values, ends *bbolt.Bucket, expires time.Time, key, value []byte) error {
	end := binary.BigEndian.AppendUint64(nil, uint64(expires.UnixMilli()))
	if err := ends.Put(bytes.Join([][]byte{end, key}, nil), nil); err != nil {
		return err
	}
	return values.Put(key, bytes.Join([][]byte{end, value}, nil))
}

func remove(values, ends *bbolt.Bucket, end, key []byte) error {
	if err := ends.Delete(bytes.Join([][]byte{end, key}, nil)); err != nil {
		return err
	}
	return values.Delete(key)
}

// forgotten is how many values each write forgets that are over: more than it adds,
// so that none pile up, and not so many that somebody waits for it.
const forgotten = 10

func forget(values, ends *bbolt.Bucket, now time.Time) error {
	var over [][]byte
	cursor := ends.Cursor()
	for k, _ := cursor.First(); k != nil && len(over) < forgotten; k, _ = cursor.Next() {
		if now.UnixMilli() < int64(binary.BigEndian.Uint64(k)) {
			break
		}
		over = append(over, bytes.Clone(k))
	}
	for _, k := range over {
		if err := remove(values, ends, k[:timeSize], k[timeSize:]); err != nil {
			return err
		}
	}
	return nil
}

// Keys implements gatehouse.Store.
func (s *store) Keys(ctx context.Context, prefix, after string, limit int) (keys []string, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	err = s.db.View(func(tx *bbolt.Tx) error {
		cursor := tx.Bucket(valuesBucket).Cursor()
		for k, _ := cursor.Seek([]byte(max(prefix, after))); bytes.HasPrefix(k, []byte(prefix)) && len(keys) < limit; k, _ = cursor.Next() {
			if key := string(k); key > after {
				keys = append(keys, key)
			}
		}
		return nil
	})
	return keys, err
}

// Close implements gatehouse.Store.
func (s *store) Close() error { return s.db.Close() }
