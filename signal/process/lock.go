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
	f, err := os.OpenFile(p.path(lockExt), os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("process: opening the lock: %w", err)
	}
	for end := time.Now().Add(patience); ; time.Sleep(lockLook) {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err != syscall.EWOULDBLOCK && err != syscall.EINTR || time.Now().After(end) {
			break
		}
	}
	switch {
	case err == nil:
		return f, nil
	case err == syscall.EWOULDBLOCK:
		err = fmt.Errorf("%w: id %d", ErrHeld, p.id)
	default:
		err = fmt.Errorf("process: locking %s: %w", p.path(lockExt), err)
	}
	f.Close()
	return nil, err
}

// held tells whether the keeper of the id lives. It makes no lock file.
func (p place) held() bool {
	f, err := os.OpenFile(p.path(lockExt), os.O_RDWR|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return false
	}
	defer f.Close()
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == syscall.EWOULDBLOCK
}
