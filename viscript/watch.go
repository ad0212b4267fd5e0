package viscript

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/skycoin/viscript/signal"
	"github.com/skycoin/viscript/viscript/term"
)

const (
	// watchQuiet is how long nothing may happen in the folder before the file is looked at: an editor
	// writes in several steps.
	watchQuiet = 200 * time.Millisecond
	// watchLatest is when it is looked at although something goes on happening.
	watchLatest = 2 * time.Second
)

// fileWatch calls changed when the file has changed. The folder is watched, since editors
// put a new file in the place of the old one, and so is that of a symbolic link's target; what
// counts is the file's state, not which event came. It is a command.FileWatch.
type fileWatch struct {
	file     func() string // absolute path
	changed  func(ctx context.Context)
	failed   func(err error) // the watch broke and is off
	switches chan watchSwitch
	on       atomic.Bool
}

type watchSwitch struct {
	on     bool
	answer chan<- error
}

func newFileWatch(file func() string, changed func(context.Context), failed func(error)) *fileWatch {
	return &fileWatch{file: file, changed: changed, failed: failed, switches: make(chan watchSwitch)}
}

// Watching says whether it is on.
func (w *fileWatch) Watching() bool { return w.on.Load() }

// Set switches it on or off. It blocks until run has done so.
func (w *fileWatch) Set(ctx context.Context, on bool) error {
	answer := make(chan error, 1)
	select {
	case w.switches <- watchSwitch{on, answer}:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-answer:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// run serves Set until ctx ends, and watches in between.
func (w *fileWatch) run(ctx context.Context) {
	defer w.on.Store(false)
	for {
		select {
		case <-ctx.Done():
			return
		case s := <-w.switches:
			if !s.on {
				s.answer <- nil
				continue
			}
			if err := w.watch(ctx, s.answer); err != nil {
				w.failed(err)
			}
		}
	}
}

// watch watches until it is switched off; answer is told when it has begun, or why not.
func (w *fileWatch) watch(ctx context.Context, answer chan<- error) error {
	folders, err := fsnotify.NewWatcher()
	if err != nil {
		answer <- err
		return nil
	}
	defer folders.Close()
	file := w.file()
	last := look(file)
	if err := addFolders(folders, file); err != nil {
		answer <- err
		return nil
	}
	w.on.Store(true)
	defer w.on.Store(false)
	answer <- nil
	quiet := time.NewTimer(0)
	<-quiet.C
	defer quiet.Stop()
	var first time.Time // of the events since the last look; zero: none
	for {
		select {
		case <-ctx.Done():
			return nil
		case s := <-w.switches:
			w.on.Store(s.on) // before the answer: whoever asked may look at once
			s.answer <- nil
			if !s.on {
				return nil
			}
		case err, ok := <-folders.Errors:
			if !ok {
				return nil
			}
			return err
		case _, ok := <-folders.Events:
			if !ok {
				return fmt.Errorf("watching %s has ended", file)
			}
			if first.IsZero() {
				first = time.Now()
			}
			quiet.Reset(min(watchQuiet, time.Until(first.Add(watchLatest))))
		case <-quiet.C:
			first = time.Time{}
			now := look(file)
			if now == last {
				continue
			}
			last = now
			_ = addFolders(folders, file) // a link may lead elsewhere now
			w.changed(ctx)
		}
	}
}

// addFolders watches the folder of the file, and that of what it links to.
func addFolders(to *fsnotify.Watcher, file string) error {
	places := []string{filepath.Dir(file)}
	if target, err := filepath.EvalSymlinks(file); err == nil {
		places = append(places, filepath.Dir(target))
	}
	have := to.WatchList()
	for _, p := range places {
		if slices.Contains(have, p) {
			continue
		}
		if err := to.Add(p); err != nil {
			return err
		}
	}
	return nil
}

// fileState tells one content of a file from another without reading it.
type fileState struct {
	there bool
	size  int64
	time  int64 // of the last change, Unix nanoseconds
	inode uint64
	mode  fs.FileMode
}

func look(file string) fileState {
	info, err := os.Stat(file)
	if err != nil {
		return fileState{}
	}
	return fileState{true, info.Size(), info.ModTime().UnixNano(), inode(info), info.Mode()}
}

// fileChanged reloads, as the command does, and tells what came of it.
func (c *Console) fileChanged(ctx context.Context) {
	var text bytes.Buffer
	c.exec(ctx, signal.ExecRequest{Args: []string{"reload"}}, &text, &text, origin{via: "watch"})
	c.notices.Line(term.Clean(c.Config().File) + " has changed:")
	for line := range bytes.Lines(text.Bytes()) {
		c.notices.Line("  " + string(bytes.TrimRight(line, "\n")))
	}
}

func (c *Console) watchFailed(err error) {
	c.log.Warn("the configuration is no longer watched", "err", err)
}
