// Package store says what the node manager and the tracker need of a database: a sorted
// map from short keys to small values whose changes last. Backends are in folders of their
// own, and storetest holds what all of them must do.
//
//	err := s.Put(ctx, "name/node0", key)
//	err = s.List(ctx, "name/", func(key string, value []byte) error { ... })
package store

import (
	"context"
	"errors"
	"fmt"
)

// Limits in bytes.
const (
	MaxKey   = 512
	MaxValue = 64 << 10
)

// MaxBatch is the number of changes in one batch.
const MaxBatch = 1024

// Errors of every backend.
var (
	ErrNotFound = errors.New("store: no such key")
	ErrClosed   = errors.New("store: closed")
	ErrLimit    = errors.New("store: key or value beyond its limits")
)

// Op is one change of a batch: Value replaces what Key has, nil deletes it.
type Op struct {
	Key   string
	Value []byte
}

// Store is safe for concurrent use. A change that returned nil survives the process and
// the machine. Values given are copied, values returned belong to the caller.
type Store interface {
	// Get returns the value of key, or ErrNotFound.
	Get(ctx context.Context, key string) ([]byte, error)
	// Put sets the value of key; an empty value is a value.
	Put(ctx context.Context, key string, value []byte) error
	// Delete removes key; a key that is not there is no error.
	Delete(ctx context.Context, key string) error
	// List calls fn for every key with the prefix, in the order of their bytes, on one
	// state of the store. value is valid during the call only; fn must not use the store.
	// fn's error ends the list and is returned.
	List(ctx context.Context, prefix string, fn func(key string, value []byte) error) error
	// Batch makes all changes or none; of two changes to one key the later counts.
	Batch(ctx context.Context, ops []Op) error
	// Close releases the store; later calls return ErrClosed. Idempotent.
	Close() error
}

// CheckKey is for backends. Errors: ErrLimit.
func CheckKey(key string) error {
	if key == "" || len(key) > MaxKey {
		return fmt.Errorf("%w: a key of %d bytes, want 1 to %d", ErrLimit, len(key), MaxKey)
	}
	return nil
}

// CheckOps is for backends. Errors: ErrLimit.
func CheckOps(ops []Op) error {
	if len(ops) > MaxBatch {
		return fmt.Errorf("%w: %d changes, want at most %d", ErrLimit, len(ops), MaxBatch)
	}
	for _, op := range ops {
		if err := CheckKey(op.Key); err != nil {
			return err
		}
		if len(op.Value) > MaxValue {
			return fmt.Errorf("%w: a value of %d bytes, want at most %d", ErrLimit, len(op.Value), MaxValue)
		}
	}
	return nil
}
