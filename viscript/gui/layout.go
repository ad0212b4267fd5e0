package gui

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/skycoin/viscript/viscript/desktop"
	"github.com/skycoin/viscript/viscript/desktop/scene"
)

const (
	// saveAfter is how long after the last change a layout is saved.
	saveAfter = 2 * time.Second
	// maxLayout is how much of a file is read; what is longer is no layout.
	maxLayout = 1 << 20
)

// A layout is the file that remembers where everything stands.
type layout struct {
	file  string // "": nothing is remembered
	saved []byte
	next  time.Duration // when to look whether something has changed, 0: nothing has happened
}

// restore puts everything where the file has it. One that cannot be read counts as none. A theme that was
// asked for counts more than the one of the file.
func (l *layout) restore(d *desktop.Desktop, theme string) {
	if l.file == "" {
		return
	}
	f, err := os.Open(l.file)
	if err != nil {
		return
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxLayout))
	if err == nil && d.Restore(text) == nil {
		l.saved = text
	}
	if theme != "" {
		d.SetTheme(scene.Named(theme))
	}
}

// touch notes that an input may have changed something.
func (l *layout) touch(in desktop.Input) {
	switch in.Kind {
	case desktop.Motion, desktop.Tick, desktop.Leave, desktop.FocusIn, desktop.Char:
	default:
		l.next = in.At + saveAfter
	}
}

// due is when to look whether there is something to save.
func (l *layout) due() (at time.Duration, ok bool) { return l.next, l.next != 0 && l.file != "" }

// save writes the file if something is elsewhere now.
func (l *layout) save(d *desktop.Desktop) error {
	l.next = 0
	text := d.Layout()
	if l.file == "" || bytes.Equal(text, l.saved) {
		return nil
	}
	if err := replace(l.file, text); err != nil {
		return fmt.Errorf("remembering the layout: %w", err)
	}
	l.saved = text
	return nil
}

// replace puts a file, mode 0600, in the place of another at once.
func replace(name string, text []byte) error {
	if err := os.Mkdir(filepath.Dir(name), 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(name), ".new-*") // mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}
