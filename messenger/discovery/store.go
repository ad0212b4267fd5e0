package discovery

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/skycoin/viscript/node/identity"
)

// Writing.
const (
	lockTimeout = 2 * time.Second
	gather      = 200 * time.Millisecond // changes that come together go to the disk together
	fileMode    = 0o600
	stampLen    = 8
)

// bucket holds key → when it was taken (u64 ms) ‖ record.
func bucket() []byte { return []byte("presence") }

// store is the book's file. What was taken in the last fifth of a second may be lost with the machine: its owners publish
// again when they reconnect.
type store struct {
	db   *bbolt.DB
	wake chan struct{} // holds one

	mu      sync.Mutex                 // guards the following
	pending map[identity.PubKey][]byte // nil value: delete; bounded by the book's records
	closed  bool
}

func openStore(path string) (*store, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("making the folder of the records: %w", err)
	}
	if info, err := os.Lstat(path); err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("opening the records: %s is not a regular file", path)
	}
	db, err := bbolt.Open(path, fileMode, &bbolt.Options{Timeout: lockTimeout, FreelistType: bbolt.FreelistMapType})
	if errors.Is(err, bolterrors.ErrTimeout) {
		return nil, fmt.Errorf("opening the records %s: another process has them", path)
	}
	if err != nil {
		return nil, fmt.Errorf("opening the records %s: %w", path, err)
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		_, err := tx.CreateBucketIfNotExists(bucket())
		return err
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("opening the records %s: %w", path, err), db.Close())
	}
	return &store{db: db, wake: make(chan struct{}, 1), pending: map[identity.PubKey][]byte{}}, nil
}

// read gives every record to take, and deletes those that it does not keep.
func (s *store) read(take func(raw []byte, at time.Time) (keep bool)) error {
	return s.db.Update(func(tx *bbolt.Tx) error {
		b := tx.Bucket(bucket())
		var bad [][]byte
		err := b.ForEach(func(k, v []byte) error {
			if len(v) < stampLen || !take(v[stampLen:], time.UnixMilli(int64(binary.BigEndian.Uint64(v)))) {
				bad = append(bad, append([]byte(nil), k...))
			}
			return nil
		})
		for _, k := range bad {
			err = errors.Join(err, b.Delete(k))
		}
		return err
	})
}

func (s *store) put(rec Record, at time.Time) {
	raw := rec.Append(binary.BigEndian.AppendUint64(nil, uint64(at.UnixMilli())))
	s.mu.Lock()
	s.pending[rec.Key] = raw
	s.mu.Unlock()
	s.rouse()
}

func (s *store) drop(keys []identity.PubKey) {
	s.mu.Lock()
	for _, k := range keys {
		s.pending[k] = nil
	}
	s.mu.Unlock()
	s.rouse()
}

func (s *store) rouse() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// run writes changes until ctx ends, and then what is left.
func (s *store) run(ctx context.Context, log *slog.Logger) {
	for {
		select {
		case <-s.wake:
		case <-ctx.Done():
			return // close writes the rest
		}
		if err := s.flush(); err != nil {
			log.Error("writing records", "err", err)
		}
		select {
		case <-time.After(gather):
		case <-ctx.Done():
		}
	}
}

func (s *store) flush() error {
	s.mu.Lock()
	changes := s.pending
	s.pending = map[identity.PubKey][]byte{}
	s.mu.Unlock()
	if len(changes) == 0 {
		return nil
	}
	err := s.write(changes)
	if err != nil {
		s.mu.Lock()
		for k, v := range changes {
			if _, newer := s.pending[k]; !newer {
				s.pending[k] = v // with the next change
			}
		}
		s.mu.Unlock()
	}
	return err
}

func (s *store) write(changes map[identity.PubKey][]byte) error {
	return s.db.Update(func(tx *bbolt.Tx) error {
		b := tx.Bucket(bucket())
		for k, v := range changes {
			var err error
			if v == nil {
				err = b.Delete(k[:])
			} else {
				err = b.Put(k[:], v)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *store) close() error {
	s.mu.Lock()
	closed := s.closed
	s.closed = true
	s.mu.Unlock()
	if closed {
		return nil
	}
	return errors.Join(s.flush(), s.db.Close())
}
