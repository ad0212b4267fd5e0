// Package journal keeps a list of changes on the disk, so that they can be undone by a process that comes later.
package journal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// FileName is the journal's name in a state folder.
const FileName = "hostnet.json"

// maxBytes bounds a journal: thousands of routes and a large resolv.conf fit.
const maxBytes = 4 << 20

// version of the file's form.
const version = 1

// Journal is what was, or was about to be, done to a host. E is a change.
type Journal[E any] struct {
	Boot  string // identity of the boot: what the kernel had is gone after another one
	Space uint64 // identity of the network namespace; 0: unknown
	Done  []E    // in the order of doing
}

type file[E any] struct {
	Version int    `json:"version"`
	Boot    string `json:"boot"`
	Space   uint64 `json:"netns"`
	Done    []E    `json:"done"`
}

// Parse reads a journal's bytes.
func Parse[E any](b []byte) (j Journal[E], err error) {
	if len(b) > maxBytes {
		return j, fmt.Errorf("journal of %d bytes: %d at most", len(b), maxBytes)
	}
	var f file[E]
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&f); err != nil {
		return j, fmt.Errorf("journal: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return j, errors.New("journal: something follows its end")
	}
	if f.Version != version {
		return j, fmt.Errorf("journal of version %d: this program knows %d", f.Version, version)
	}
	return Journal[E]{Boot: f.Boot, Space: f.Space, Done: f.Done}, nil
}

// Append adds the journal's bytes to b.
func (j Journal[E]) Append(b []byte) ([]byte, error) {
	out, err := json.MarshalIndent(file[E]{Version: version, Boot: j.Boot, Space: j.Space, Done: j.Done}, "", " ")
	if err != nil {
		return b, fmt.Errorf("journal: %w", err)
	}
	if len(out) >= maxBytes {
		return b, fmt.Errorf("journal of %d bytes: %d at most", len(out), maxBytes)
	}
	return append(append(b, out...), '\n'), nil
}

// Read reads the journal of a state folder; there is false where there is none.
func Read[E any](dir string) (j Journal[E], there bool, err error) {
	f, err := os.Open(filepath.Join(dir, FileName))
	if errors.Is(err, fs.ErrNotExist) {
		return j, false, nil
	}
	if err != nil {
		return j, false, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxBytes+1))
	if err == nil {
		j, err = Parse[E](b)
	}
	if err != nil {
		return j, true, fmt.Errorf("%s: %w", f.Name(), err)
	}
	return j, true, nil
}

// Write puts the journal into a state folder in place of the one there, at once and on the disk when it returns.
// Without changes there is no file.
func Write[E any](dir string, j Journal[E]) error {
	path := filepath.Join(dir, FileName)
	if len(j.Done) == 0 {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return syncDir(dir)
	}
	b, err := j.Append(nil)
	if err != nil {
		return err
	}
	next := path + ".new"
	if err := os.Remove(next); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(next, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(next, path); err != nil {
		return err
	}
	return syncDir(dir)
}

// syncDir makes a change of names last. Some file systems cannot: then they do without.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	_ = d.Sync()
	return d.Close()
}
