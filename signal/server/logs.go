package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/skycoin/viscript/signal"
)

const (
	tailPiece  = 32 << 10               // bytes read at a time
	followLook = 200 * time.Millisecond // how often a followed log is looked at
)

// Logs writes the last lines of an app's log to w, and with Follow what comes after until
// ctx ends, which is then the error, or the app has ended.
func (s *Server) Logs(ctx context.Context, id signal.ID, r signal.LogsRequest, w io.Writer) error {
	_, v, err := s.find(id)
	if err != nil {
		return err
	}
	if r.Lines < 0 {
		return signal.Errorf(signal.CodeParams, "lines must be 0 (all) or more")
	}
	f, err := os.Open(v.Log)
	if errors.Is(err, fs.ErrNotExist) {
		return signal.Errorf(signal.CodeUnavailable, "the log of app %d is gone: %s", id, v.Log)
	}
	if err != nil {
		return fmt.Errorf("reading the log of app %d: %w", id, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("reading the log of app %d: %w", id, err)
	}
	at, err := lastLines(ctx, f, info.Size(), r.Lines)
	if err == nil {
		at, err = copyLog(ctx, w, f, at, info.Size())
	}
	if err != nil || !r.Follow {
		return err
	}
	return s.follow(ctx, id, w, f, at)
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

// follow looks for more now and then: other processes write the file. Only whole lines go
// out until the app has ended, so that its lines and others' do not mix on a screen.
func (s *Server) follow(ctx context.Context, id signal.ID, w io.Writer, f *os.File, at int64) error {
	look := time.NewTicker(followLook)
	defer look.Stop()
	for {
		_, v, err := s.find(id)
		running := err == nil && v.Pid != 0
		info, err := f.Stat()
		if err != nil {
			return err
		}
		if info.Size() < at {
			at = 0 // somebody emptied it
		}
		end := info.Size()
		if running {
			end = wholeLines(f, at, end)
		}
		if at, err = copyLog(ctx, w, f, at, end); err != nil || !running {
			return err
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
