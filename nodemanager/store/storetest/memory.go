package storetest

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/skycoin/viscript/nodemanager/store"
)

// Memory is a store that lasts as long as its process: the twin of the real ones for tests.
type Memory struct {
	mu     sync.Mutex // guards the following
	m      map[string][]byte
	closed bool
	fail   error
}

var _ store.Store = (*Memory)(nil)

// NewMemory makes an empty store.
func NewMemory() *Memory { return &Memory{m: make(map[string][]byte)} }

// Fail makes every later change return err, as a full disk does; nil ends that.
func (s *Memory) Fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = err
}

// Get implements store.Store.
func (s *Memory) Get(ctx context.Context, key string) ([]byte, error) {
	if err := errors.Join(ctx.Err(), store.CheckKey(key)); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, store.ErrClosed
	}
	v, ok := s.m[key]
	if !ok {
		return nil, store.ErrNotFound
	}
	return append([]byte{}, v...), nil
}

// Put implements store.Store.
func (s *Memory) Put(ctx context.Context, key string, value []byte) error {
	return s.Batch(ctx, []store.Op{{Key: key, Value: append([]byte{}, value...)}})
}

// Delete implements store.Store.
func (s *Memory) Delete(ctx context.Context, key string) error {
	return s.Batch(ctx, []store.Op{{Key: key}})
}

// Batch implements store.Store.
func (s *Memory) Batch(ctx context.Context, ops []store.Op) error {
	if err := errors.Join(ctx.Err(), store.CheckOps(ops)); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return store.ErrClosed
	}
	if s.fail != nil {
		return s.fail
	}
	for _, op := range ops {
		if op.Value == nil {
			delete(s.m, op.Key)
			continue
		}
		s.m[op.Key] = append([]byte{}, op.Value...)
	}
	return nil
}

// List implements store.Store.
func (s *Memory) List(ctx context.Context, prefix string, fn func(string, []byte) error) error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return store.ErrClosed
	}
	state := maps.Clone(s.m) // values are replaced, never changed
	s.mu.Unlock()
	for _, k := range slices.Sorted(maps.Keys(state)) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if !strings.HasPrefix(k, prefix) {
			continue
		}
		if err := fn(k, slices.Clone(state[k])); err != nil {
			return err
		}
	}
	return nil
}

// Close implements store.Store.
func (s *Memory) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	return nil
}
