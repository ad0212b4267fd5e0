package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// program is as much of an executable as an id needs.
func program(id string) []byte {
	b := append([]byte("\x7fELF"), make([]byte, 60)...)
	b = binary.LittleEndian.AppendUint32(b, 4)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(id)))
	return append(append(b, idNote...), id...)
}

func TestBuildID(t *testing.T) {
	whole := program("a/b/c/d")
	if id, err := buildID(bytes.NewReader(whole)); err != nil || id != "a/b/c/d" {
		t.Fatalf("got %q, %v", id, err)
	}
	for n := range whole {
		if id, err := buildID(bytes.NewReader(whole[:n])); err == nil {
			t.Errorf("of %d bytes: %q", n, id)
		}
	}
	for _, bad := range [][]byte{program(""), program(strings.Repeat("x", maxID+1)), []byte("#!/bin/sh\n" + idNote + "x"), []byte(idNote)} {
		if id, err := buildID(bytes.NewReader(bad)); err == nil {
			t.Errorf("%.20q: %q", bad, id)
		}
	}
}

func FuzzBuildID(f *testing.F) {
	f.Add(program("a/b/c/d"))
	f.Add(program(""))
	f.Fuzz(func(t *testing.T, b []byte) {
		if id, err := buildID(bytes.NewReader(b)); err == nil && (id == "" || len(id) > maxID || !bytes.Contains(b, []byte(idNote+id))) {
			t.Errorf("id %q", id)
		}
	})
}

func TestOpenBeside(t *testing.T) {
	dir := t.TempDir()
	own, slim := filepath.Join(dir, "viscript"), filepath.Join(dir, slimName)
	write := func(path, id string, mode os.FileMode) {
		t.Helper()
		_ = os.Remove(path)
		if err := os.WriteFile(path, program(id), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	write(own, "one", 0o755)
	for _, c := range []struct {
		name string
		make func()
		ok   bool
	}{
		{"none", func() {}, false},
		{"same build", func() { write(slim, "one", 0o755) }, true},
		{"another build", func() { write(slim, "two", 0o755) }, false},
		{"written by a group", func() { write(slim, "one", 0o775) }, false},
		{"written by all", func() { write(slim, "one", 0o757) }, false},
		{"not executable", func() { write(slim, "one", 0o644) }, false},
		{"set-uid", func() { write(slim, "one", 0o755|os.ModeSetuid) }, false},
		{"no program", func() { _ = os.WriteFile(slim, []byte("#!/bin/sh\n"), 0o755) }, false},
		{"link", func() {
			write(filepath.Join(dir, "other"), "one", 0o755)
			_ = os.Remove(slim)
			_ = os.Symlink("other", slim)
		}, false},
		{"pipe", func() { _ = os.Remove(slim); _ = syscall.Mkfifo(slim, 0o700) }, false},
		{"another user's", func() {
			write(slim, "one", 0o755)
			if os.Chown(slim, 65534, 65534) != nil {
				_ = os.Remove(slim)
			}
		}, false},
	} {
		c.make()
		fd, err := openBeside(slim, own)
		if (err == nil) != c.ok {
			t.Errorf("%s: %v", c.name, err)
		}
		if err == nil {
			if fd < besideFD {
				t.Errorf("%s: descriptor %d", c.name, fd)
			}
			syscall.Close(fd)
		}
	}
}

// What `make build` made: `viscript gui` becomes the window beside it, and says so when there is none of use.
func TestWindowBeside(t *testing.T) {
	bin, err := filepath.Abs("../../bin")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	own, window := filepath.Join(dir, "viscript"), filepath.Join(dir, windowName)
	for _, path := range []string{own, window} {
		if err := os.Link(filepath.Join(bin, filepath.Base(path)), path); err != nil {
			t.Skip("without `make build` with a window, and temporary files beside it: ", err)
		}
	}
	gui := func() (int, string) {
		t.Helper()
		out, err := exec.Command(own, "gui", "--state", filepath.Join(dir, "none")).CombinedOutput()
		if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		} else if err != nil {
			return exit.ExitCode(), string(out)
		}
		return exitOK, string(out)
	}
	if code, text := gui(); code != exitNoDaemon {
		t.Errorf("with its window: %d %s", code, text)
	}
	if err := os.Rename(window, window+"-not"); err != nil {
		t.Fatal(err)
	}
	if code, text := gui(); code != exitFailed || !strings.Contains(text, "there is none beside it") {
		t.Errorf("without: %d %s", code, text)
	}
	if err := os.Link(own, window); err != nil {
		t.Fatal(err)
	}
	if code, text := gui(); code != exitFailed || !strings.Contains(text, "without the window too") {
		t.Errorf("with one that has none either: %d %s", code, text)
	}
}
