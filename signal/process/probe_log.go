//go:build linux

package process

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"syscall"
)

// maxProbeLine bounds the part of a line that the expression sees, in bytes.
const maxProbeLine = 64 << 10

// logProbe looks for a line in what is added to a log from some point on, also when the log
// is rotated or made anew meanwhile: it reads the old file to its end, then the new one. Of files
// that came and went between two looks it sees nothing.
type logProbe struct {
	pattern *regexp.Regexp
	path    string
	file    *os.File // nil before the log is there
	from    int64    // where to begin in the first file
	line    []byte   // the beginning of a line whose end was not read yet; what is above the bound is dropped
	found   bool
}

var errNoLine = errors.New("no such line yet")

// newLogProbe opens the log now, if it is there, so that a rotation loses nothing.
func newLogProbe(pattern, path string, from int64) (*logProbe, error) {
	re, err := regexp.Compile(pattern)
	if err != nil {
		return nil, fmt.Errorf("process: probe: %w", err)
	}
	l := &logProbe{pattern: re, path: path, from: max(0, from)}
	return l, l.open()
}

// open is no error while the log is not there.
func (l *logProbe) open() error {
	f, err := os.OpenFile(l.path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("process: probe: %w", err)
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("the log is no plain file")
	}
	if err == nil && l.from <= info.Size() { // otherwise it was made anew
		_, err = f.Seek(l.from, io.SeekStart)
	}
	if err != nil {
		f.Close()
		return fmt.Errorf("process: probe: %w", err)
	}
	l.file, l.from = f, 0
	return nil
}

func (l *logProbe) close() {
	if l.file != nil {
		l.file.Close()
		l.file = nil
	}
}

// look reads what is new. Once the line was found it stays found.
func (l *logProbe) look(ctx context.Context) error {
	for !l.found {
		if l.file == nil {
			if err := l.open(); err != nil {
				return err
			}
			if l.file == nil {
				return errNoLine
			}
		}
		replaced := l.replaced() // before the reading: what is written meanwhile is not lost
		if err := l.read(ctx); err != nil {
			return err
		}
		if l.found {
			break
		}
		if !replaced {
			return errNoLine
		}
		if len(l.line) > 0 {
			l.endLine()
		}
		l.close()
	}
	return nil
}

// replaced says whether the open file is no longer the log, or was cut short.
func (l *logProbe) replaced() bool {
	mine, err := l.file.Stat()
	if err != nil {
		return true
	}
	at, err := l.file.Seek(0, io.SeekCurrent)
	if err != nil || at > mine.Size() {
		return true
	}
	now, err := os.Lstat(l.path)
	return err == nil && !os.SameFile(mine, now)
}

// read goes to the end of the file, or to the line.
func (l *logProbe) read(ctx context.Context) error {
	buf := make([]byte, maxProbeLine)
	for ctx.Err() == nil {
		n, err := l.file.Read(buf)
		if l.take(buf[:n]); l.found || errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return ctx.Err()
}

func (l *logProbe) take(p []byte) {
	for len(p) > 0 && !l.found {
		part, rest, whole := bytes.Cut(p, []byte("\n"))
		room := maxProbeLine - len(l.line)
		l.line = append(l.line, part[:min(len(part), room)]...)
		if p = rest; whole {
			l.endLine()
		}
	}
}

func (l *logProbe) endLine() {
	l.found = l.found || l.pattern.Match(bytes.TrimSuffix(l.line, []byte("\r")))
	l.line = l.line[:0]
}
