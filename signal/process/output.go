//go:build linux

package process

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"

	"github.com/skycoin/viscript/signal"
)

const (
	pumpPiece = 64 << 10 // bytes read and logged at a time; what a pipe holds
	// partTime is how long a line without its end waits for it before it is logged as it is.
	partTime = 200 * time.Millisecond
	// drainTime is how long the end of an app may wait for its last output, which others
	// that hold the same pipe can go on writing to, and flushTime for the log to take it.
	drainTime = time.Second
	flushTime = 2 * time.Second
	drainLook = time.Millisecond
	// maxSaid bounds the lines that wait for the end of the app's own line.
	maxSaid = 64
)

// output carries what an app prints into a scroll and from there into its log.
//
//	app ── pipe or pty ── pump ── scroll ── record ── log
//	                                └────── viewers
type output struct {
	file   *os.File // the keeper's end
	app    *os.File // the app's end, closed once the app has it
	pty    bool
	scroll *scroll
	log    *logFile // of record alone
	lost   atomic.Uint64

	pumped   chan struct{} // closed when there is no more to read
	recorded chan struct{} // closed when the log has all
	missed   chan struct{} // lost has grown; capacity 1

	mu   sync.Mutex // held while bytes are between the pipe and the scroll; guards the following
	mid  bool       // the last byte was no newline
	said [][]byte   // lines that wait for it
	wait *time.Timer
}

func newOutput(log *logFile) *output {
	return &output{
		log: log, scroll: newScroll(),
		pumped: make(chan struct{}), recorded: make(chan struct{}), missed: make(chan struct{}, 1),
	}
}

// openOutput makes the pipe, or the terminal of the given size, and opens the log.
func openOutput(log string, caps signal.LogCaps, terminal bool, size signal.WindowSize) (*output, error) {
	file, err := openLogFile(log, caps)
	if err != nil {
		return nil, err
	}
	o := newOutput(file)
	if terminal {
		o.pty = true
		if o.file, o.app, err = pty.Open(); err == nil {
			err = o.resize(size)
		}
	} else {
		o.file, o.app, err = openPipe()
	}
	if err != nil {
		o.close()
		return nil, fmt.Errorf("process: opening the output: %w", err)
	}
	return o, nil
}

// openPipe makes a pipe whose other end can be read too: whoever has it open keeps the pipe
// alive. When the keeper is killed its app is not, by SIGPIPE, at the next line it prints:
// it goes on until the pipe is full, and a daemon can find the pipe and read on.
func openPipe() (ours, theirs *os.File, err error) {
	ours, w, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	defer w.Close()
	// Not by os.OpenFile: that would make it non-blocking, for the app too.
	fd, err := syscall.Open(fmt.Sprintf("/proc/self/fd/%d", w.Fd()), syscall.O_RDWR|syscall.O_CLOEXEC, 0)
	if err != nil {
		return ours, nil, err
	}
	return ours, os.NewFile(uintptr(fd), "output"), nil
}

// pipeName is what /proc shows of everybody who has the pipe; empty for a terminal.
func (o *output) pipeName() string {
	if o.pty {
		return ""
	}
	name := ""
	_ = o.control(func(fd int) (err error) {
		name, err = os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd))
		return err
	})
	return name
}

func (o *output) close() {
	for _, f := range []*os.File{o.file, o.app} {
		if f != nil {
			f.Close()
		}
	}
	o.log.close()
}

// start begins to carry; the app has its end.
func (o *output) start() {
	if o.app != nil {
		o.app.Close()
	}
	go o.pump()
	go o.record()
}

// resize tells the terminal, which tells the app; without one it does nothing.
func (o *output) resize(size signal.WindowSize) error {
	if !o.pty || size.Columns == 0 || size.Rows == 0 {
		return nil
	}
	return o.control(func(fd int) error {
		return unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: size.Rows, Col: size.Columns})
	})
}

// pump reads until nobody can write any more. Reading and handing on is one step under mu,
// so that drained cannot miss bytes in between.
func (o *output) pump() {
	defer close(o.pumped)
	defer o.scroll.finish()
	raw, err := o.file.SyscallConn()
	if err != nil {
		return
	}
	buf := make([]byte, pumpPiece)
	for over := false; !over; {
		if raw.Read(func(fd uintptr) bool {
			o.mu.Lock()
			defer o.mu.Unlock()
			n, err := unix.Read(int(fd), buf)
			if n > 0 {
				o.passLocked(buf[:n])
				return true
			}
			over = err != unix.EINTR && err != unix.EAGAIN // EIO: nobody has the terminal open
			return err != unix.EAGAIN
		}) != nil {
			return
		}
	}
}

// passLocked puts lines said by others after the end of the app's own line.
func (o *output) passLocked(p []byte) {
	if len(o.said) > 0 {
		if n := bytes.IndexByte(p, '\n') + 1; n > 0 {
			o.scroll.write(p[:n])
			p = p[n:]
			o.sayAllLocked()
		}
	}
	if len(p) > 0 {
		o.mid = p[len(p)-1] != '\n'
		o.scroll.write(p)
	}
}

func (o *output) sayAllLocked() {
	for _, line := range o.said {
		o.scroll.write(line)
	}
	o.said, o.mid = nil, false
	if o.wait != nil {
		o.wait.Stop()
		o.wait = nil
	}
}

// say puts a line that did not come through the pipe among those that did.
func (o *output) say(line string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.said) >= maxSaid {
		return
	}
	o.said = append(o.said, []byte(line+"\n"))
	if !o.mid {
		o.sayAllLocked()
		return
	}
	if o.wait == nil {
		o.wait = time.AfterFunc(partTime, o.interrupt)
	}
}

// interrupt ends the app's line where it is.
func (o *output) interrupt() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.wait == nil {
		return
	}
	o.scroll.write([]byte{'\n'})
	o.sayAllLocked()
}

// record writes the log until there is no more.
func (o *output) record() {
	defer close(o.recorded)
	defer o.log.close()
	buf := make([]byte, pumpPiece)
	late := time.NewTimer(partTime)
	late.Stop()
	for part := false; ; {
		n, lost, rest, over := o.scroll.takeForLog(buf, part)
		part = false
		o.log.miss(lost)
		if n > 0 {
			lost += uint64(o.log.write(buf[:n]))
		}
		if lost > 0 {
			o.miss(lost)
		}
		switch {
		case over && n == 0:
			return
		case n > 0:
			continue
		case rest:
			late.Reset(partTime)
		}
		select {
		case <-o.scroll.log:
			late.Stop()
		case <-late.C:
			part = true
		}
	}
}

// miss counts what the log does not have and tells of it.
func (o *output) miss(n uint64) {
	o.lost.Add(n)
	poke(o.missed)
}

// drain returns when the output that an ended app left behind is in its log, or would take
// too long.
func (o *output) drain() {
	// Looks are counted, not time: a machine that stood still has not waited.
	for look := 0; look < int(drainTime/drainLook) && !o.drained(); look++ {
		select {
		case <-o.pumped:
		case <-time.After(drainLook):
		}
	}
	for look := 0; look < int(flushTime/drainLook) && !o.scroll.written(); look++ {
		select {
		case <-o.recorded:
			return
		case <-time.After(drainLook):
		}
	}
}

func (o *output) drained() bool {
	select {
	case <-o.pumped:
		return true
	default:
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	n := 0
	err := o.control(func(fd int) (err error) {
		n, err = unix.IoctlGetInt(fd, unix.TIOCINQ)
		return err
	})
	return err != nil || n == 0
}

// control acts on the descriptor without taking it from the runtime's poller, as Fd would.
func (o *output) control(act func(fd int) error) error {
	raw, err := o.file.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) { failed = act(int(fd)) })
	return errors.Join(err, failed)
}
