package tunnel

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/skycoin/viscript/node/direct"
)

var errNoTUN = errors.New("tunnel: the descriptor is no TUN with the header of package packet")

// file is a TUN of Linux.
type file struct {
	f   *os.File
	raw syscall.RawConn

	// Of the reading goroutine: one attempt, made once, so that it costs no allocation.
	tryRead func(fd uintptr) bool
	in      []byte
	wait    bool
	n       int
	err     error

	mu       sync.Mutex // guards the following
	tryWrite func(fd uintptr) bool
	out      []byte
	outErr   error
}

// OpenFile makes a Device of a TUN that does not block; it is closed with the Device, or at once if it is no TUN with
// little-endian headers of ten bytes.
func OpenFile(f *os.File) (Device, error) {
	d := &file{f: f, raw: direct.Of(f)}
	if err := d.check(); err != nil {
		f.Close()
		return nil, err
	}
	d.tryRead, d.tryWrite = d.readOnce, d.writeOnce
	return d, nil
}

// check asks the kernel what the descriptor is (ioctl numbers of linux/if_tun.h).
func (d *file) check() error {
	if d.raw == nil {
		return errNoTUN
	}
	ifr, err := unix.NewIfreq("")
	if err != nil {
		return fmt.Errorf("tunnel: %w", err)
	}
	var little int
	var askErr error
	err = d.raw.Control(func(fd uintptr) {
		if askErr = unix.IoctlIfreq(int(fd), unix.TUNGETIFF, ifr); askErr == nil {
			little, askErr = unix.IoctlGetInt(int(fd), unix.TUNGETVNETLE)
		}
	})
	if err = errors.Join(err, askErr); err != nil {
		return fmt.Errorf("%w: %w", errNoTUN, err)
	}
	flags := ifr.Uint16()
	if flags&unix.IFF_TUN == 0 || flags&unix.IFF_NO_PI == 0 || flags&unix.IFF_VNET_HDR == 0 || little&1 == 0 {
		return errNoTUN
	}
	return nil
}

// Read implements Device.
func (d *file) Read(p []byte, wait bool) (int, error) {
	d.in, d.wait = p, wait
	if err := d.raw.Read(d.tryRead); err != nil {
		return 0, err
	}
	if d.err == syscall.EAGAIN {
		return 0, nil
	}
	if d.err == nil && d.n == 0 {
		return 0, io.EOF
	}
	return d.n, d.err
}

func (d *file) readOnce(fd uintptr) bool {
	for {
		d.n, d.err = direct.Read(fd, d.in)
		if d.err != syscall.EINTR {
			return d.err != syscall.EAGAIN || !d.wait
		}
	}
}

// Write implements Device.
func (d *file) Write(frame []byte) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.out = frame
	if err := d.raw.Write(d.tryWrite); err != nil {
		return err
	}
	d.out = nil
	return d.outErr
}

func (d *file) writeOnce(fd uintptr) bool {
	for {
		_, d.outErr = direct.Write(fd, d.out)
		if d.outErr != syscall.EINTR {
			return true
		}
	}
}

// Close implements Device.
func (d *file) Close() error { return d.f.Close() }
