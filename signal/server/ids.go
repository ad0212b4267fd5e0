//go:build linux

package server

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"github.com/skycoin/viscript/signal"
	"github.com/skycoin/viscript/signal/process"
)

// idLine is the fixed length of the ids file: twenty digits and a newline, so that a new
// number overwrites the old one within one disk sector.
const idLine = 21

// counter gives out ids. A number is on the disk before it is used, so that no crash,
// not even of the machine, lets it be given out again.
type counter struct {
	file *os.File

	mu   sync.Mutex // guards last
	last uint64

	writing sync.Mutex // keeps the writes in order and guards written
	written uint64
}

// openCounter goes on from the file. Where that is damaged it goes on well above the highest id that
// known finds, which may have missed some, and says so.
func openCounter(dir string, log *slog.Logger, known func() uint64) (*counter, error) {
	path := filepath.Join(dir, idsName)
	f, err := os.OpenFile(path, os.O_RDWR|syscall.O_NOFOLLOW, 0)
	if errors.Is(err, fs.ErrNotExist) {
		f, err = createCounter(dir, path, 0)
	}
	if err != nil {
		return nil, fmt.Errorf("opening the id counter: %w", err)
	}
	line, err := io.ReadAll(io.LimitReader(f, idLine+1))
	if err == nil {
		var last uint64
		if last, err = parseID(line); err == nil {
			return &counter{file: f, last: last, written: last}, nil
		}
	}
	f.Close()
	last := known() + idMargin
	log.Warn("the id counter is damaged: ids go on above all that are known", "path", path, "last", last, "err", err)
	if f, err = createCounter(dir, path, last); err != nil {
		return nil, fmt.Errorf("replacing the damaged id counter: %w", err)
	}
	return &counter{file: f, last: last, written: last}, nil
}

// idMargin is for ids of which nothing is left but that somebody may remember.
const idMargin = 1000

// knownIDs is the highest id that events, records or logs tell of.
func (s *Server) knownIDs() (highest uint64) {
	for id := range s.events.lastKinds() {
		highest = max(highest, uint64(id))
	}
	ids, _ := process.IDs(filepath.Join(s.cfg.Dir, runName))
	for _, id := range ids {
		highest = max(highest, id)
	}
	logs, _ := os.ReadDir(filepath.Join(s.cfg.Dir, logsName))
	for _, e := range logs {
		number, _, _ := strings.Cut(e.Name(), "-")
		if id, err := strconv.ParseUint(number, 10, 62); err == nil {
			highest = max(highest, id)
		}
	}
	return min(highest, maxKnown)
}

// maxKnown keeps a name that somebody made up from using up the numbers.
const maxKnown = 1 << 52

// createCounter makes the file complete or not at all: an empty one would count from 1 again.
func createCounter(dir, path string, last uint64) (*os.File, error) {
	tmp, err := os.CreateTemp(dir, ".ids-*")
	if err != nil {
		return nil, err
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(appendID(nil, last))
	err = errors.Join(err, tmp.Sync(), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err == nil {
		err = syncFolder(dir)
	}
	if err != nil {
		return nil, err
	}
	return os.OpenFile(path, os.O_RDWR|syscall.O_NOFOLLOW, 0)
}

func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// take reserves an id that was never reserved before in this state folder. It may be used once
// secure has returned.
func (c *counter) take() signal.ID {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last++
	return signal.ID(c.last)
}

// secure sees to it that no crash lets an id be given out again. Those who ask at once share
// one write.
func (c *counter) secure(id signal.ID) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	if c.written >= uint64(id) {
		return nil
	}
	c.mu.Lock()
	last := c.last
	c.mu.Unlock()
	_, err := c.file.WriteAt(appendID(nil, last), 0)
	if err == nil {
		err = c.file.Sync()
	}
	if err != nil {
		return fmt.Errorf("writing the id counter: %w", err)
	}
	c.written = last
	return nil
}

// atLeast makes the next id higher than one that is known to have been given out.
func (c *counter) atLeast(id uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last = max(c.last, id)
}

func (c *counter) close() error { return c.file.Close() }

func appendID(b []byte, id uint64) []byte { return fmt.Appendf(b, "%020d\n", id) }

// parseID reads a number alone on its line; written by hand it may be shorter.
func parseID(line []byte) (uint64, error) {
	n, err := strconv.ParseUint(string(bytes.TrimSpace(line)), 10, 63)
	if err != nil || len(line) > idLine {
		return 0, errors.New("does not hold a number")
	}
	return n, nil
}
