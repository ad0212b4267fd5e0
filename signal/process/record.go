//go:build linux

package process

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/skycoin/viscript/signal"
)

// Suffixes of the files of one id in the run folder.
const (
	lockExt   = ".lock" // held by the keeper while it lives
	socketExt = ".sock"
	recordExt = ".json" // Record
	endingExt = ".exit" // Ending
	// keeperLog takes what keepers print: nothing, unless one of them breaks.
	keeperLog = "keeper.log"
)

// maxRecord bounds a record and an ending, in bytes: a start request fits a frame of the
// signal protocol, and is in it twice at most.
const maxRecord = 4 << 20

// Identity names one process until the next boot: a pid is used again, with another start time.
type Identity struct {
	Pid   int    `json:"pid"`
	Start uint64 `json:"start"` // clock ticks after boot
}

// Want is the state that somebody asked for.
type Want string

// The wanted states. Down: it was stopped by request and stays so until it is started by request.
// Again: it is being stopped in order to be started again; a keeper of before there was one refuses it.
const (
	Up    Want = "up"
	Down  Want = "down"
	Again Want = "again"
)

// Record says what runs as an id, and since when. Its keeper writes it; when that is gone,
// whoever holds the lock.
type Record struct {
	ID      uint64          `json:"id"`
	Boot    string          `json:"boot"` // of the kernel, so that pids of another boot are not believed
	Keeper  Identity        `json:"keeper"`
	App     Identity        `json:"app"`
	Started time.Time       `json:"started"`
	Want    Want            `json:"want"`
	Log     string          `json:"log"`
	Mark    string          `json:"mark"`
	Pty     bool            `json:"pty,omitempty"`
	Pipe    string          `json:"pipe,omitempty"` // of the output, as /proc shows it
	Caps    signal.LogCaps  `json:"caps,omitzero"`
	Request json.RawMessage `json:"request,omitempty"` // Spec.Request
}

// Ending says how the run of a record ended. App tells it from one of an earlier run.
type Ending struct {
	App  Identity `json:"app"`
	Boot string   `json:"boot"`
	Exit Exit     `json:"exit"`
	// Stopped: somebody asked for the end; Report then tells of it, once the tree was empty.
	Stopped bool    `json:"stopped,omitempty"`
	Report  *Report `json:"report,omitempty"`
}

// place is where the files of one id are.
type place struct {
	run string
	id  uint64
}

func (p place) path(ext string) string {
	return filepath.Join(p.run, strconv.FormatUint(p.id, 10)+ext)
}

// IDs lists, in no order, the ids that have files of a keeper in the run folder.
func IDs(run string) ([]uint64, error) {
	entries, err := os.ReadDir(run)
	if err != nil {
		return nil, fmt.Errorf("process: reading %s: %w", run, err)
	}
	seen := make(map[uint64]bool)
	var ids []uint64
	for _, e := range entries {
		name, ext, _ := strings.Cut(e.Name(), ".")
		id, err := strconv.ParseUint(name, 10, 64)
		if err != nil || id == 0 || seen[id] {
			continue
		}
		switch "." + ext {
		case lockExt, socketExt, recordExt, endingExt:
			seen[id] = true
			ids = append(ids, id)
		}
	}
	return ids, nil
}

// Forget removes what is kept of an id that has ended: its record, its ending and the files
// of its log. ErrHeld when its keeper lives.
func Forget(run string, id uint64, log string) error {
	at := place{run, id}
	lock, err := at.lock(0)
	if err != nil {
		return err
	}
	defer lock.Close()
	for _, ext := range []string{recordExt, endingExt, socketExt, lockExt} {
		err = errors.Join(err, remove(at.path(ext)))
	}
	for _, path := range LogFiles(log) {
		err = errors.Join(err, remove(path))
	}
	return err
}

func remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func (p place) readRecord() (Record, error) {
	var r Record
	if err := readJSON(p.path(recordExt), &r); err != nil {
		return r, err
	}
	if r.ID != p.id {
		return r, fmt.Errorf("%s: is of id %d", p.path(recordExt), r.ID)
	}
	return r, nil
}

// writeRecord need not reach the disk: it is worthless after the next boot, but for what
// the caller does not mind to lose.
func (p place) writeRecord(r Record) error { return writeJSON(p.path(recordExt), r, false) }

// readEnding returns the ending of the run of r, if it was written.
func (p place) readEnding(r Record) (Ending, bool) {
	var e Ending
	if err := readJSON(p.path(endingExt), &e); err != nil {
		return e, false
	}
	return e, e.App == r.App && e.Boot == r.Boot
}

func (p place) writeEnding(e Ending) error { return writeJSON(p.path(endingExt), e, true) }

func readJSON(path string, v any) error {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxRecord+1))
	if err != nil {
		return err
	}
	if len(text) > maxRecord {
		return fmt.Errorf("%s: longer than %d bytes", path, maxRecord)
	}
	if err := json.Unmarshal(text, v); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// writeJSON replaces the file at once: a reader sees the old one or the new one.
func writeJSON(path string, v any, sync bool) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	tmp := path + ".new"
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(append(text, '\n'))
	if err == nil && sync {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(tmp, path)
	}
	if err != nil {
		_ = os.Remove(tmp)
	}
	return err
}

// bootID names this boot of the kernel.
func bootID() (string, error) {
	text, err := readSmall("/proc/sys/kernel/random/boot_id", 64)
	if err != nil {
		return "", fmt.Errorf("process: which boot this is: %w", err)
	}
	return string(bytes.TrimSpace(text)), nil
}
