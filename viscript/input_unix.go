//go:build unix

package viscript

import (
	"errors"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// readTerminal reads f in the background: input carries what was typed and is closed when the
// terminal is gone. stop ends the reading, at once, and waits until it has ended; a plain
// Read could not be interrupted, and O_NONBLOCK would change f for all who share it.
func readTerminal(f *os.File) (input <-chan []byte, stop func(), err error) {
	wakeRead, wakeWrite, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	typed, quit := make(chan []byte), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		defer close(typed)
		buf := make([]byte, 4096)
		for waitReadable(int(f.Fd()), int(wakeRead.Fd())) {
			n, err := f.Read(buf)
			if n == 0 || err != nil {
				return
			}
			select {
			case typed <- append([]byte(nil), buf[:n]...):
			case <-quit:
				return
			}
		}
	})
	var once sync.Once
	stop = func() {
		once.Do(func() {
			close(quit)
			wakeWrite.Close()
			wg.Wait()
			wakeRead.Close()
		})
	}
	return typed, stop, nil
}

// waitReadable blocks until fd can be read (or has hung up), and returns false when wake
// becomes readable first.
func waitReadable(fd, wake int) bool {
	for {
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}, {Fd: int32(wake), Events: unix.POLLIN}}
		_, err := unix.Poll(fds, -1)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		return err == nil && fds[1].Revents == 0 && fds[0].Revents != 0
	}
}
