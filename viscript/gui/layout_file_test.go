package gui

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/skycoin/viscript/viscript/desktop"
)

func TestLayoutIsRemembered(t *testing.T) {
	file := filepath.Join(t.TempDir(), "window", "layout.json")
	l := layout{file: file}
	d := desktop.New(desktop.Config{})
	d.OpenPanel(desktop.MeshContent, 0)
	l.touch(desktop.Input{Kind: desktop.Release, At: time.Second})
	if at, due := l.due(); !due || at != time.Second+saveAfter {
		t.Errorf("due at %v, %v", at, due)
	}
	if err := l.save(d); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v, %v", info, err)
	}
	if _, due := l.due(); due {
		t.Error("it is due again")
	}
	other := desktop.New(desktop.Config{})
	(&layout{file: file}).restore(other, "light")
	if got := other.Layout(); bytes.Equal(got, d.Layout()) || other.Theme().Name != "light" {
		t.Error("the theme asked for does not count")
	}
	(&layout{file: file}).restore(other, "")
	if got := other.Layout(); !bytes.Equal(got, d.Layout()) {
		t.Errorf("restored as %s", got)
	}
	left, _ := os.ReadDir(filepath.Dir(file))
	if len(left) != 1 {
		t.Errorf("left behind: %v", left)
	}
}

func TestBrokenLayoutCountsAsNone(t *testing.T) {
	file := filepath.Join(t.TempDir(), "layout.json")
	for _, text := range []string{"", "{", `{"version":99}`, string(make([]byte, 2*maxLayout))} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		d := desktop.New(desktop.Config{})
		want := d.Layout()
		(&layout{file: file}).restore(d, "")
		if got := d.Layout(); !bytes.Equal(got, want) {
			t.Errorf("%.20q changed it: %s", text, got)
		}
	}
}
