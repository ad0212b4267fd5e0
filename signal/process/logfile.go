//go:build linux

package process

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/skycoin/viscript/signal"
)

const (
	// lineSlack is how far a file may grow above its cap to end with a whole line.
	lineSlack = 256 << 10
	// logLook is how often a log that is written to is compared with its path: somebody may
	// have moved or removed it.
	logLook = time.Second
	// logRetry is how long a log that failed is left alone.
	logRetry = time.Second
)

// LogFiles lists the files of a log that exist, the oldest first, the current one last.
func LogFiles(path string) []string {
	if path == "" {
		return nil
	}
	var files []string
	for i := signal.MaxLogCount; i >= 0; i-- {
		if _, err := os.Lstat(older(path, i)); err == nil {
			files = append(files, older(path, i))
		}
	}
	return files
}

// older is the name of the i-th older file of a log; the current one for 0.
func older(path string, i int) string {
	if i == 0 {
		return path
	}
	return path + "." + strconv.Itoa(i)
}

// logFile is a log that rotates: path, path.1 before it, and so on. It belongs to one goroutine.
type logFile struct {
	path string
	caps signal.LogCaps

	file   *os.File // nil after a failure
	size   int64
	mid    bool // the last byte was no newline
	looked time.Time
	failed time.Time // when it failed last
	cause  error     // why, nil while it works
	lost   uint64    // bytes that are to be told of
}

// openLogFile opens a log for appending, so that a new run goes on below the old one's. A
// link in its place is refused.
func openLogFile(path string, caps signal.LogCaps) (*logFile, error) {
	l := &logFile{path: path, caps: caps.OrDefault()}
	if path == "" {
		l.path = os.DevNull
	}
	if err := l.open(); err != nil || !l.endsMidLine() {
		return l, err
	}
	_, err := l.append([]byte{'\n'})
	return l, err
}

func (l *logFile) endsMidLine() bool {
	if l.size == 0 {
		return false
	}
	f, err := os.Open(l.path)
	if err != nil {
		return false
	}
	defer f.Close()
	last := make([]byte, 1)
	_, err = f.ReadAt(last, l.size-1)
	return err == nil && last[0] != '\n'
}

func (l *logFile) open() error {
	f, err := os.OpenFile(l.path, os.O_WRONLY|os.O_APPEND|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return fmt.Errorf("process: opening the log: %w", err)
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return fmt.Errorf("process: opening the log: %w", err)
	}
	l.file, l.size, l.looked = f, info.Size(), time.Now()
	if !info.Mode().IsRegular() {
		l.caps.Size = 1 << 62
	}
	return nil
}

func (l *logFile) close() {
	if l.file != nil {
		l.file.Close()
		l.file = nil
	}
}

// miss notes bytes that never reached the log; the next write tells of them.
func (l *logFile) miss(n uint64) { l.lost += n }

// write appends p and returns how many of its bytes are lost. A line is cut only where it
// is longer than lineSlack.
func (l *logFile) write(p []byte) (lost int) {
	if !l.works() {
		l.lost += uint64(len(p))
		return len(p)
	}
	if l.lost > 0 && l.tell() != nil {
		l.lost += uint64(len(p))
		return len(p)
	}
	for len(p) > 0 {
		done := 0
		err := l.rotateFor(p)
		if err == nil {
			done, err = l.append(p[:l.fits(p)])
		}
		p = p[done:]
		if err != nil {
			l.fail(err)
			l.lost += uint64(len(p))
			return len(p)
		}
	}
	return 0
}

// rotateFor begins a new file when the next line of p would grow this one above its cap, or
// when a line without end already has.
func (l *logFile) rotateFor(p []byte) error {
	line := bytes.IndexByte(p, '\n') + 1
	if line == 0 {
		line = len(p)
	}
	due := uint64(l.size)+uint64(line) > l.caps.Size
	if l.mid {
		due = uint64(l.size) >= l.caps.Size+lineSlack
	}
	if !due || l.size == 0 {
		return nil
	}
	return l.rotate()
}

// fits is how much of p goes into this file: whole lines up to the cap, and at least one.
func (l *logFile) fits(p []byte) int {
	room := l.caps.Size - min(l.caps.Size, uint64(l.size))
	if uint64(len(p)) <= room {
		return len(p)
	}
	if n := bytes.LastIndexByte(p[:room], '\n') + 1; n > 0 {
		return n
	}
	if n := bytes.IndexByte(p, '\n') + 1; n > 0 {
		return n
	}
	return min(len(p), lineSlack)
}

// append takes what a failed write left of its last line back out: no line is cut.
func (l *logFile) append(p []byte) (int, error) {
	n, err := l.file.Write(p)
	if err != nil {
		whole := bytes.LastIndexByte(p[:max(n, 0)], '\n') + 1
		if !l.mid || whole > 0 {
			if l.file.Truncate(l.size+int64(whole)) == nil {
				n = whole
			}
		}
	}
	if n > 0 {
		l.size += int64(n)
		l.mid = p[n-1] != '\n'
	}
	return n, err
}

// works opens the log again after a failure, and when its path has become another file or none.
func (l *logFile) works() bool {
	now := time.Now()
	if l.cause != nil {
		if now.Sub(l.failed) < logRetry {
			return false
		}
		l.close()
	}
	if l.file != nil && now.Sub(l.looked) >= logLook {
		l.looked = now
		if !l.inPlace() {
			l.close()
		}
	}
	if l.file == nil {
		if err := l.reopen(); err != nil {
			l.fail(err)
			return false
		}
	}
	return true
}

func (l *logFile) inPlace() bool {
	here, err := os.Lstat(l.path)
	if err != nil {
		return false
	}
	ours, err := l.file.Stat()
	return err == nil && os.SameFile(here, ours)
}

// reopen makes the folder too: it may have been removed with the log.
func (l *logFile) reopen() error {
	err := l.open()
	if errors.Is(err, fs.ErrNotExist) && os.Mkdir(filepath.Dir(l.path), 0o700) == nil {
		err = l.open()
	}
	if err == nil {
		l.mid = false
	}
	return err
}

// tell writes a line about what was lost. It counts as told once it is written.
func (l *logFile) tell() error {
	text := fmt.Sprintf("[viscript: %d bytes of output are missing here: the log was too slow]\n", l.lost)
	if l.cause != nil {
		text = fmt.Sprintf("[viscript: %d bytes of output are missing here: %v]\n", l.lost, l.cause)
	}
	if l.mid {
		text = "\n" + text
	}
	if _, err := l.append([]byte(text)); err != nil {
		l.fail(err)
		return err
	}
	l.lost, l.cause = 0, nil
	return nil
}

func (l *logFile) fail(err error) {
	l.cause, l.failed = err, time.Now()
}

// rotate moves every file one further and drops the oldest.
func (l *logFile) rotate() error {
	l.close()
	for i := l.caps.Count; ; i++ { // the cap may have been higher before
		err := os.Remove(older(l.path, i))
		if errors.Is(err, fs.ErrNotExist) {
			break
		}
		if err != nil {
			return fmt.Errorf("rotating the log: %w", err)
		}
	}
	if l.caps.Count == 1 {
		if err := remove(l.path); err != nil {
			return fmt.Errorf("rotating the log: %w", err)
		}
	}
	for i := l.caps.Count - 1; i > 0; i-- {
		err := os.Rename(older(l.path, i-1), older(l.path, i))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("rotating the log: %w", err)
		}
	}
	return l.open()
}
