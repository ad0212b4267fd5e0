//go:build linux

package server

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
	"unicode"

	"github.com/skycoin/viscript/signal"
)

// Kinds of events.
const (
	kindStarted    = "started"
	kindRegistered = "registered"
	kindReady      = "ready"
	kindStatus     = "status"
	kindExited     = "exited"
	kindFailed     = "failed"
	kindStopped    = "stopped"
	kindRefused    = "refused"
	kindApp        = "app"
	kindFound      = "found"    // running, by a daemon that did not start it
	kindOrphaned   = "orphaned" // its keeper was killed
	kindHealthy    = "healthy"
	kindUnhealthy  = "unhealthy"
)

const (
	keptEvents   = 4096     // in memory, for those who ask
	maxEventFile = 4 << 20  // bytes; then it becomes the old one
	maxEventLine = 64 << 10 // bytes; an app's fields and text are less than half of it
	batchEvents  = 256      // copied out under the lock at a time
)

// journal is the stream of events: the newest in a ring, all in a file of bounded size.
type journal struct {
	dir string
	log *slog.Logger

	mu      sync.Mutex // guards the following, and is held for the write so that the file has their order
	file    *os.File   // nil after a write failed
	size    int64
	ring    []signal.Event // in order of Seq from first on, wrapping around
	first   int
	seq     uint64
	changed chan struct{} // closed, and replaced, when an event was added
}

// openJournal reads what earlier daemons wrote, so that Seq goes on from there. A line
// that a crash cut short is left out.
func openJournal(dir string, log *slog.Logger) (*journal, error) {
	j := &journal{dir: dir, log: log, changed: make(chan struct{})}
	for _, name := range []string{oldEvents, eventsName} {
		if err := j.load(filepath.Join(dir, name)); err != nil {
			return nil, fmt.Errorf("reading the events: %w", err)
		}
	}
	return j, j.open()
}

func (j *journal) load(path string) error {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, maxEventLine)
	for lines.Scan() {
		if e, ok := parseEvent(lines.Bytes()); ok && e.Seq > j.seq {
			j.keep(e)
		}
	}
	if err := lines.Err(); err != nil && !errors.Is(err, bufio.ErrTooLong) {
		return err
	}
	return nil
}

func parseEvent(line []byte) (signal.Event, bool) {
	var e signal.Event
	err := json.Unmarshal(line, &e)
	return e, err == nil && e.Seq > 0
}

func (j *journal) open() error {
	f, err := os.OpenFile(filepath.Join(j.dir, eventsName), os.O_RDWR|os.O_CREATE|os.O_APPEND|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return fmt.Errorf("opening the events: %w", err)
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return fmt.Errorf("opening the events: %w", err)
	}
	j.file, j.size = f, info.Size()
	last := make([]byte, 1)
	if j.size > 0 {
		if _, err := f.ReadAt(last, j.size-1); err == nil && last[0] != '\n' {
			j.write([]byte("\n")) // ends the line that a crash cut short
		}
	}
	return nil
}

// add numbers and keeps an event.
func (j *journal) add(e signal.Event) {
	j.mu.Lock()
	defer j.mu.Unlock()
	e.Seq, e.Time = j.seq+1, time.Now().Round(0)
	j.keep(e)
	if e.Kind == kindApp && strings.HasPrefix(e.Text, signal.EventNotice+": ") { // for people, not for the disk
		e.Text, e.Fields = signal.EventNotice, nil
	}
	if line, err := json.Marshal(e); err == nil {
		j.write(append(line, '\n'))
	}
	close(j.changed)
	j.changed = make(chan struct{})
}

func (j *journal) keep(e signal.Event) {
	j.seq = e.Seq
	if len(j.ring) < keptEvents {
		j.ring = append(j.ring, e)
		return
	}
	j.ring[j.first] = e
	j.first = (j.first + 1) % keptEvents
}

// write appends to the file. Events go on without it when the disk is full or gone; the
// numbers of that time may then come again after a restart.
func (j *journal) write(line []byte) {
	if j.file == nil {
		return
	}
	var err error
	if j.size > 0 && j.size+int64(len(line)) > maxEventFile {
		err = j.rotate()
	}
	if err == nil {
		_, err = j.file.Write(line)
		j.size += int64(len(line))
	}
	if err != nil {
		j.log.Warn("events are no longer written to the disk", "err", err)
		j.closeFile()
	}
}

func (j *journal) rotate() error {
	j.closeFile()
	if err := os.Rename(filepath.Join(j.dir, eventsName), filepath.Join(j.dir, oldEvents)); err != nil {
		return err
	}
	return j.open()
}

func (j *journal) closeFile() {
	if j.file != nil {
		j.file.Close()
		j.file = nil
	}
}

func (j *journal) close() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.closeFile()
}

// after returns some of the kept events above since, in order, and what is closed when
// there are more to come.
func (j *journal) after(since uint64) ([]signal.Event, <-chan struct{}) {
	j.mu.Lock()
	defer j.mu.Unlock()
	var out []signal.Event
	n := len(j.ring)
	skip := n - int(min(uint64(n), j.seq-min(since, j.seq)))
	for i := skip; i < n && len(out) < batchEvents; i++ {
		if e := j.ring[(j.first+i)%n]; e.Seq > since {
			out = append(out, e)
		}
	}
	return out, j.changed
}

// lastKinds is, for each app, the kind of its last event that tells of a start or an end.
func (j *journal) lastKinds() map[signal.ID]string {
	j.mu.Lock()
	defer j.mu.Unlock()
	last := make(map[signal.ID]string)
	for i := range j.ring {
		switch e := j.ring[(j.first+i)%len(j.ring)]; e.Kind {
		case kindStarted, kindFound, kindExited, kindFailed, kindStopped:
			last[e.ID] = e.Kind
		}
	}
	return last
}

// Events calls fn with the kept events whose Seq is above since, and with follow with
// those to come until ctx ends, which is then the error. Who falls more than 4096 events
// behind misses some, and sees it by the gap in Seq.
func (s *Server) Events(ctx context.Context, since uint64, follow bool, fn func(signal.Event) error) error {
	for {
		events, more := s.events.after(since)
		for _, e := range events {
			if err := fn(e); err != nil {
				return err
			}
			since = e.Seq
		}
		if len(events) > 0 {
			continue
		}
		if !follow {
			return nil
		}
		select {
		case <-more:
		case <-ctx.Done():
			return ctx.Err()
		case <-s.over:
			return nil
		}
	}
}

// oneLine makes text from an app fit for a line on a terminal: no control characters, at
// most limit bytes.
func oneLine(text string, limit int) string {
	out := make([]rune, 0, min(len(text), limit))
	size := 0
	for _, r := range text {
		if r == '\t' || r == '\n' {
			r = ' '
		}
		if unicode.IsControl(r) || !unicode.IsPrint(r) && r != ' ' {
			continue
		}
		if size += len(string(r)); size > limit {
			break
		}
		out = append(out, r)
	}
	return string(out)
}
