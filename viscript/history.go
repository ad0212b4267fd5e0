package viscript

import (
	"bufio"
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/skycoin/viscript/viscript/term"
)

const (
	maxHistory     = 1000     // lines kept
	maxHistoryLine = 8 << 10  // bytes of a line that is kept
	maxHistoryFile = 16 << 20 // bytes read of the file; a longer one loses its beginning
)

// History is the lines that were typed, the oldest first. Not safe for concurrent use.
type History struct {
	lines []string
	path  string // "" keeps nothing
}

// OpenHistory reads the history kept at path; a file that is not there is empty. The file is
// a line for each entry, mode 0600. "" gives a history that lives in memory only.
func OpenHistory(path string) (*History, error) {
	h := &History{path: path}
	if path == "" {
		return h, nil
	}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return h, nil
	}
	if err != nil {
		return h, err
	}
	defer f.Close()
	n, err := h.read(f)
	if err != nil {
		return h, err
	}
	if n > 2*maxHistory {
		return h, h.rewrite()
	}
	return h, nil
}

// read takes the last lines of f and says how many there were.
func (h *History) read(f *os.File) (n int, err error) {
	if info, err := f.Stat(); err == nil && info.Size() > maxHistoryFile {
		if _, err := f.Seek(-maxHistoryFile, io.SeekEnd); err != nil {
			return 0, err
		}
		n = 2 * maxHistory // it is long: write it anew
	}
	s := bufio.NewScanner(f)
	s.Buffer(nil, maxHistoryFile+1)
	for s.Scan() {
		n++
		h.add(s.Text())
	}
	return n, s.Err()
}

// add keeps line in memory and says whether it did: not the empty one, not one like the one
// before, none that begins with a space (so that a secret can be kept out), none with
// control characters.
func (h *History) add(line string) bool {
	if line == "" || line[0] == ' ' || len(line) > maxHistoryLine || !utf8.ValidString(line) || term.Clean(line) != line {
		return false
	}
	if n := len(h.lines); n > 0 && h.lines[n-1] == line {
		return false
	}
	h.lines = append(h.lines, line)
	if len(h.lines) > maxHistory {
		h.lines = h.lines[len(h.lines)-maxHistory:]
	}
	return true
}

// Add keeps line, in the file too if it is to last.
func (h *History) Add(line string, lasting bool) error {
	if !h.add(line) || h.path == "" || !lasting {
		return nil
	}
	f, err := os.OpenFile(h.path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(line + "\n")
	return errors.Join(err, f.Close())
}

// rewrite replaces the file by what is in memory.
func (h *History) rewrite() error {
	tmp := h.path + ".new"
	if err := os.WriteFile(tmp, []byte(strings.Join(h.lines, "\n")+"\n"), 0o600); err != nil {
		return err
	}
	return os.Rename(tmp, h.path)
}

// search returns the position of the last line before from that holds text, or -1.
func (h *History) search(text string, from int) int {
	for i := min(from, len(h.lines)) - 1; i >= 0; i-- {
		if strings.Contains(h.lines[i], text) {
			return i
		}
	}
	return -1
}
