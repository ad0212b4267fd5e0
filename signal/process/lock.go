//go:build linux

package process

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
)

// ErrHeld is in the chain of the error when the keeper of an id lives.
var ErrHeld = errors.New("process: its keeper is there")

// lockLook is how often a lock is tried again.
const lockLook = 5 * time.Millisecond

// lock takes the lock of the id, waiting as long as patience for another holder to end. The
// lock belongs to the open file: a keeper that inherits it holds it until its own end.
func (p place) lock(patience time.Duration) (*os.File, error) {
	for end := time.Now().Add(patience); ; time.Sleep(lockLook) {
		f, err := p.tryLock()
		if err == nil || !errors.Is(err, ErrHeld) || time.Now().After(end) {
			return f, err
		}
	}
}

// tryLock takes the lock at once or not at all. A keeper that ends removes the file: one that
// was opened before and locked after is nobody's lock any more.
func (p place) tryLock() (*os.File, error) {
	for {
		f, err := os.OpenFile(p.path(lockExt), os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
		if err != nil {
			return nil, fmt.Errorf("process: opening the lock: %w", err)
		}
		err = flock(f)
		if err == nil && p.isLock(f) {
			return f, nil
		}
		f.Close()
		switch {
		case err == syscall.EWOULDBLOCK:
			return nil, fmt.Errorf("%w: id %d", ErrHeld, p.id)
		case err != nil:
			return nil, fmt.Errorf("process: locking %s: %w", p.path(lockExt), err)
		}
	}
}

func flock(f *os.File) error {
	for {
		if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != syscall.EINTR {
			return err
		}
	}
}

// isLock tells whether f is what the path names now.
func (p place) isLock(f *os.File) bool {
	ours, err := f.Stat()
	if err != nil {
		return false
	}
	there, err := os.Lstat(p.path(lockExt))
	return err == nil && os.SameFile(ours, there)
}

// held tells whether the keeper of the id lives. It makes no lock file.
func (p place) held() bool {
	f, err := os.OpenFile(p.path(lockExt), os.O_RDWR|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return false
	}
	defer f.Close()
	return flock(f) == syscall.EWOULDBLOCK
}
