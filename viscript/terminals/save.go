package terminals

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"github.com/skycoin/viscript/signal"
)

// kept is what the daemon after this one is told: which prompts there were. Programs do not outlive
// the daemon that owns their terminal.
type kept struct {
	Version int          `json:"version"`
	Last    int          `json:"last"` // number of the last id
	Prompts []keptPrompt `json:"prompts"`
}

type keptPrompt struct {
	ID    string `json:"id"`
	Cols  int    `json:"cols"`
	Rows  int    `json:"rows"`
	Fixed bool   `json:"fixed,omitempty"`
}

const (
	keptVersion = 1
	maxKept     = 64 << 10 // bytes of the file
	maxLastID   = 1 << 40
)

// save writes the file anew, if the terminals are not being closed.
func (a *Terminals) save() {
	if a.cfg.File == "" {
		return
	}
	a.saving.Lock()
	defer a.saving.Unlock()
	a.mu.Lock()
	closed, all := a.closed, append([]*terminal(nil), a.all...)
	k := kept{Version: keptVersion, Last: a.last, Prompts: []keptPrompt{}}
	a.mu.Unlock()
	if closed || k.Last == 0 {
		return
	}
	for _, t := range all {
		if t.holds == signal.TermPrompt {
			cols, rows := t.vt.Size()
			k.Prompts = append(k.Prompts, keptPrompt{t.id, cols, rows, t.fixed})
		}
	}
	p, err := json.Marshal(k)
	if err == nil {
		err = os.WriteFile(a.cfg.File+".new", append(p, '\n'), 0o600)
	}
	if err == nil {
		err = os.Rename(a.cfg.File+".new", a.cfg.File)
	}
	if err != nil {
		a.cfg.Log.Warn("noting the terminals", "err", err)
	}
}

// Restore opens the prompts that the daemon before this one had, empty, with their ids and sizes.
func (a *Terminals) Restore() {
	k, err := readKept(a.cfg.File)
	if err != nil {
		a.cfg.Log.Warn("reading which terminals there were", "err", err)
		return
	}
	for _, p := range k.Prompts[:min(len(k.Prompts), signal.MaxTerms)] {
		id, ok := number(p.ID)
		if !ok || a.get(p.ID) != nil || p.Cols < 1 || p.Cols > signal.MaxTermCols || p.Rows < 1 || p.Rows > signal.MaxTermRows {
			continue
		}
		if _, err := a.add(signal.TermNew{Cols: p.Cols, Rows: p.Rows, Fixed: p.Fixed}, nil, id); err != nil {
			a.cfg.Log.Warn("opening a terminal again", "err", err)
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if k.Last > a.last && k.Last < maxLastID {
		a.last = k.Last
	}
}

// number is that of an id.
func number(id string) (int, bool) {
	digits, ok := strings.CutPrefix(id, "t")
	n, err := strconv.Atoi(digits)
	return n, ok && err == nil && n > 0 && n < maxLastID && "t"+strconv.Itoa(n) == id
}

func readKept(path string) (k kept, err error) {
	if path == "" {
		return k, nil
	}
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return k, nil
	}
	if err == nil && info.Size() > maxKept {
		err = errors.New("the file is too large")
	}
	if err != nil {
		return k, err
	}
	p, err := os.ReadFile(path)
	if err != nil {
		return k, err
	}
	err = json.Unmarshal(p, &k)
	if err == nil && k.Version != keptVersion {
		err = errors.New("the file is of another version")
	}
	return k, err
}
