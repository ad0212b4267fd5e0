package viscript

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestHistory(t *testing.T) {
	path := filepath.Join(t.TempDir(), "history")
	h, err := OpenHistory(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"one", "one", "", " secret", "two", "a\x1bb", "bad\xff", strings.Repeat("x", maxHistoryLine+1), "日本", "one"} {
		if err := h.Add(line, true); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{"one", "two", "日本", "one"}
	if !slices.Equal(h.lines, want) {
		t.Errorf("kept %q", h.lines)
	}
	again, err := OpenHistory(path)
	if err != nil || !slices.Equal(again.lines, want) {
		t.Errorf("read %q, %v", again.lines, err)
	}
	if info, _ := os.Stat(path); info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
}

func TestHistoryBounds(t *testing.T) {
	path := filepath.Join(t.TempDir(), "history")
	var b strings.Builder
	for i := range 3 * maxHistory {
		fmt.Fprintf(&b, "line %d\n", i)
	}
	os.WriteFile(path, []byte(b.String()), 0o600)
	h, err := OpenHistory(path)
	if err != nil || len(h.lines) != maxHistory || h.lines[maxHistory-1] != fmt.Sprintf("line %d", 3*maxHistory-1) {
		t.Fatalf("%d lines, %v", len(h.lines), err)
	}
	text, _ := os.ReadFile(path)
	if n := strings.Count(string(text), "\n"); n != maxHistory {
		t.Errorf("the file keeps %d lines", n)
	}
	for i := range 3 * maxHistory {
		h.add(fmt.Sprint(i))
	}
	if len(h.lines) != maxHistory {
		t.Errorf("%d lines in memory", len(h.lines))
	}
}

func TestHistoryUnreadable(t *testing.T) {
	dir := t.TempDir()
	h, err := OpenHistory(dir)
	if err == nil || h == nil {
		t.Fatalf("a folder was read: %v", err)
	}
	h.add("works all the same")
	NewEditor(h).Key(Key{Code: KeyUp})
	if h, err := OpenHistory(""); err != nil || h.Add("x", true) != nil || len(h.lines) != 1 {
		t.Error("a history without a file does not work")
	}
}

// TestHistoryLasts: what is not to last is there for the arrow keys, and not on the disk.
func TestHistoryLasts(t *testing.T) {
	path := filepath.Join(t.TempDir(), "history")
	h, err := OpenHistory(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(h.Add("la", true), h.Add("msg Ben the secret", false), h.Add("ru 1", true)); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "la\nru 1\n" || len(h.lines) != 3 {
		t.Errorf("%q, %v; %q", text, err, h.lines)
	}
}
