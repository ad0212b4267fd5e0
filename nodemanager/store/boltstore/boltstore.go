// Package boltstore keeps a store.Store in one bbolt file, for one process at a time.
package boltstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/skycoin/viscript/nodemanager/store"
)

// lockTimeout is how long Open waits for another process to let go of the file.
const lockTimeout = 2 * time.Second

// fileMode keeps the file from other users.
const fileMode = 0o600

// ErrLocked: another process holds the file.
var ErrLocked = errors.New("boltstore: in use by another process")

// batchDelay is how long a change waits for others to share the disk's answer with.
const batchDelay = 2 * time.Millisecond

// bucket is the one bucket of the file.
func bucket() []byte { return []byte("store") }

// Store is a bbolt file. Make it with Open.
type Store struct{ db *bbolt.DB }

var _ store.Store = (*Store)(nil)

// Open opens or makes the file (mode 0600, folders 0700). While another process has it
// open, Open waits two seconds and then returns an error that wraps ErrLocked.
func Open(path string) (*Store, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("making the folder of the store: %w", err)
	}
	if err := checkFile(path); err != nil {
		return nil, err
	}
	db, err := bbolt.Open(path, fileMode, &bbolt.Options{Timeout: lockTimeout, FreelistType: bbolt.FreelistMapType})
	if errors.Is(err, bolterrors.ErrTimeout) {
		return nil, fmt.Errorf("opening the store %s: %w (another role runs on the same state folder)", path, ErrLocked)
	}
	if err != nil {
		return nil, fmt.Errorf("opening the store %s: %w", path, err)
	}
	db.MaxBatchDelay = batchDelay
	err = db.Update(func(tx *bbolt.Tx) error {
		_, err := tx.CreateBucketIfNotExists(bucket())
		return err
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("opening the store %s: %w", path, err), db.Close())
	}
	return &Store{db: db}, nil
}

// checkFile refuses what is no regular file and closes one that others may read.
func checkFile(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("opening the store: %w", err)
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("opening the store: %s is not a regular file", path)
	}
	if info.Mode().Perm()&^fileMode == 0 {
		return nil
	}
	return os.Chmod(path, fileMode)
}

// Get implements store.Store.
func (s *Store) Get(ctx context.Context, key string) (value []byte, err error) {
	if err := errors.Join(ctx.Err(), store.CheckKey(key)); err != nil {
		return nil, err
	}
	err = s.db.View(func(tx *bbolt.Tx) error {
		v := tx.Bucket(bucket()).Get([]byte(key))
		if v == nil {
			return store.ErrNotFound
		}
		value = append([]byte{}, v...)
		return nil
	})
	return value, closed(err)
}

// Put implements store.Store.
func (s *Store) Put(ctx context.Context, key string, value []byte) error {
	if value == nil {
		value = []byte{}
	}
	return s.Batch(ctx, []store.Op{{Key: key, Value: value}})
}

// Delete implements store.Store.
func (s *Store) Delete(ctx context.Context, key string) error {
	return s.Batch(ctx, []store.Op{{Key: key}})
}

// Batch implements store.Store; it waits for the disk, which batches that come together wait for together.
func (s *Store) Batch(ctx context.Context, ops []store.Op) error {
	if err := errors.Join(ctx.Err(), store.CheckOps(ops)); err != nil {
		return err
	}
	return closed(s.db.Batch(func(tx *bbolt.Tx) error {
		b := tx.Bucket(bucket())
		for _, op := range ops {
			if err := change(b, op); err != nil {
				return err
			}
		}
		return nil
	}))
}

func change(b *bbolt.Bucket, op store.Op) error {
	if op.Value == nil {
		return b.Delete([]byte(op.Key))
	}
	return b.Put([]byte(op.Key), op.Value)
}

// List implements store.Store.
func (s *Store) List(ctx context.Context, prefix string, fn func(string, []byte) error) error {
	return closed(s.db.View(func(tx *bbolt.Tx) error {
		c := tx.Bucket(bucket()).Cursor()
		for k, v := c.Seek([]byte(prefix)); k != nil && bytes.HasPrefix(k, []byte(prefix)); k, v = c.Next() {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := fn(string(k), v); err != nil {
				return err
			}
		}
		return nil
	}))
}

// closed turns bbolt's word for a closed file into ours.
func closed(err error) error {
	if errors.Is(err, bolterrors.ErrDatabaseNotOpen) {
		return store.ErrClosed
	}
	return err
}

// Close implements store.Store.
func (s *Store) Close() error { return s.db.Close() }
