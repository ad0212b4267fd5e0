//go:build linux

package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/skycoin/viscript/signal"
	"github.com/skycoin/viscript/signal/process"
)

const (
	tailPiece  = 32 << 10               // bytes read at a time
	followLook = 200 * time.Millisecond // how often a followed log is looked at
)

// Logs writes the last lines of an app's log to w, and with Follow what comes after until
// ctx ends, which is then the error, or the app has ended. Older files of the log count too.
func (s *Server) Logs(ctx context.Context, id signal.ID, r signal.LogsRequest, w io.Writer) error {
	_, v, err := s.find(id)
	if err != nil {
		return err
	}
	if r.Lines < 0 {
		return signal.Errorf(signal.CodeParams, "lines must be 0 (all) or more")
	}
	log, err := openLog(v.Log)
	if err != nil {
		return fmt.Errorf("reading the log of app %d: %w", id, err)
	}
	defer log.close()
	if len(log.files) == 0 {
		return signal.Errorf(signal.CodeUnavailable, "the log of app %d is gone: %s", id, v.Log)
	}
	at, err := lastLines(ctx, log, log.size, r.Lines)
	if err == nil {
		at, err = copyLog(ctx, w, log, at, log.size)
	}
	if err != nil || !r.Follow {
		return err
	}
	last := log.keepLast() // follow closes it
	return s.follow(ctx, id, w, v.Log, last.file, at-last.begins)
}

// rotatedLog is a log as one range of bytes, the oldest file first.
type rotatedLog struct {
	files []logPart
	size  int64
}

type logPart struct {
	file   *os.File
	begins int64 // in the range
	size   int64
}

// openLog opens all files of a log. They may be moved on meanwhile: it is tried again until
// what was opened is what is there.
func openLog(path string) (*rotatedLog, error) {
	for range 20 {
		l := &rotatedLog{}
		names := process.LogFiles(path)
		for _, name := range names {
			if err := l.add(name); err != nil && !errors.Is(err, os.ErrNotExist) {
				l.close()
				return nil, err
			}
		}
		if l.stillAre(names) {
			return l, nil
		}
		l.close()
	}
	return nil, errors.New("it is rotated faster than it can be read; try again")
}

func (l *rotatedLog) add(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return err
	}
	l.files = append(l.files, logPart{f, l.size, info.Size()})
	l.size += info.Size()
	return nil
}

func (l *rotatedLog) stillAre(names []string) bool {
	if len(names) != len(l.files) {
		return false
	}
	for i, name := range names {
		if !isFile(l.files[i].file, name) {
			return false
		}
	}
	return true
}

// isFile tells whether name is the name of f now.
func isFile(f *os.File, name string) bool {
	ours, err := f.Stat()
	if err != nil {
		return false
	}
	there, err := os.Lstat(name)
	return err == nil && os.SameFile(ours, there)
}

// ReadAt reads up to the end of a file at a time; like any reader's, its callers go on.
func (l *rotatedLog) ReadAt(p []byte, at int64) (n int, err error) {
	for _, part := range l.files {
		for len(p) > n && at >= part.begins && at < part.begins+part.size {
			limit := min(int64(len(p)-n), part.begins+part.size-at)
			m, err := part.file.ReadAt(p[n:n+int(limit)], at-part.begins)
			n, at = n+m, at+int64(m)
			if err != nil {
				return n, err
			}
		}
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (l *rotatedLog) close() {
	for _, part := range l.files {
		part.file.Close()
	}
	l.files = nil
}

// keepLast closes all but the current file.
func (l *rotatedLog) keepLast() logPart {
	last := l.files[len(l.files)-1]
	l.files = l.files[:len(l.files)-1]
	return last
}

// lastLines finds where the last n lines of the first size bytes begin; n of 0 is all.
func lastLines(ctx context.Context, f io.ReaderAt, size int64, n int) (int64, error) {
	if n == 0 {
		return 0, nil
	}
	buf := make([]byte, tailPiece)
	for end := size; end > 0 && ctx.Err() == nil; {
		piece := buf[:min(end, tailPiece)]
		start := end - int64(len(piece))
		if _, err := f.ReadAt(piece, start); err != nil && err != io.EOF {
			return 0, err
		}
		for i := len(piece) - 1; i >= 0; i-- {
			if piece[i] != '\n' || start+int64(i) == size-1 {
				continue // the newline at the very end begins no line
			}
			if n--; n == 0 {
				return start + int64(i) + 1, nil
			}
		}
		end = start
	}
	return 0, ctx.Err()
}

// copyLog writes the bytes from at to end and returns where it came to.
func copyLog(ctx context.Context, w io.Writer, f io.ReaderAt, at, end int64) (int64, error) {
	buf := make([]byte, tailPiece)
	for at < end {
		if err := ctx.Err(); err != nil {
			return at, err
		}
		n, err := f.ReadAt(buf[:min(end-at, tailPiece)], at)
		if n > 0 {
			if _, err := w.Write(buf[:n]); err != nil {
				return at, err
			}
			at += int64(n)
		}
		if err == io.EOF {
			return at, nil
		}
		if err != nil {
			return at, err
		}
	}
	return at, nil
}

// follow looks for more now and then: the keeper writes the file, and moves it on when it is
// full. Only whole lines go out until the app has ended, so that its lines and others' do
// not mix on a screen.
func (s *Server) follow(ctx context.Context, id signal.ID, w io.Writer, path string, f *os.File, at int64) error {
	look := time.NewTicker(followLook)
	defer look.Stop()
	defer func() { f.Close() }()
	for {
		_, v, err := s.find(id)
		running := err == nil && v.Pid != 0
		for {
			newer, err := newerFile(f, path)
			if err != nil {
				return err
			}
			whole := running && newer == nil
			if at, err = copyNew(ctx, w, f, at, whole); err != nil {
				if newer != nil {
					newer.Close()
				}
				return err
			}
			if newer == nil {
				break
			}
			f.Close()
			f, at = newer, 0
		}
		if !running {
			return nil
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			return ctx.Err()
		case <-s.over:
			return nil
		}
	}
}

// copyNew copies what f holds beyond at.
func copyNew(ctx context.Context, w io.Writer, f *os.File, at int64, whole bool) (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return at, err
	}
	end := info.Size()
	if end < at {
		at = 0 // somebody emptied it
	}
	if whole {
		end = wholeLines(f, at, end)
	}
	return copyLog(ctx, w, f, at, end)
}

// newerFile opens the file of the log that comes after f; nil when f is the current one. When
// f is not among them any more, the oldest comes next: what was between is lost.
func newerFile(f *os.File, path string) (*os.File, error) {
	if isFile(f, path) {
		return nil, nil
	}
	names := process.LogFiles(path)
	next := 0
	for i, name := range names {
		if isFile(f, name) {
			next = i + 1
		}
	}
	if next >= len(names) { // it is just being moved, or all of it is gone
		return nil, nil
	}
	newer, err := os.Open(names[next])
	if errors.Is(err, os.ErrNotExist) || err == nil && isSame(newer, f) {
		if err == nil {
			newer.Close()
		}
		return nil, nil
	}
	return newer, err
}

func isSame(a, b *os.File) bool {
	x, err := a.Stat()
	if err != nil {
		return false
	}
	y, err := b.Stat()
	return err == nil && os.SameFile(x, y)
}

// wholeLines cuts the range after its last newline. A line longer than a piece goes out in parts.
func wholeLines(f io.ReaderAt, at, end int64) int64 {
	buf := make([]byte, min(end-at, tailPiece))
	n, _ := f.ReadAt(buf, end-int64(len(buf)))
	if i := bytes.LastIndexByte(buf[:n], '\n'); i >= 0 {
		return end - int64(len(buf)) + int64(i) + 1
	}
	if len(buf) == tailPiece {
		return end
	}
	return at
}
