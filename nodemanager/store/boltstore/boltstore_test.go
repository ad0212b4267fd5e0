package boltstore_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/skycoin/viscript/nodemanager/store"
	"github.com/skycoin/viscript/nodemanager/store/boltstore"
	"github.com/skycoin/viscript/nodemanager/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t *testing.T, path string) store.Store {
	t.Helper()
	s, err := boltstore.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSuite(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store { return open(t, filepath.Join(t.TempDir(), "x.db")) })
}

func TestReopen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	storetest.Reopen(t, func(t *testing.T) store.Store { return open(t, path) })
}

func TestModes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "made", "x.db")
	wantMode := func(path string, want fs.FileMode) {
		t.Helper()
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != want {
			t.Fatalf("%s: mode %v, %v; want %v", path, info.Mode().Perm(), err, want)
		}
	}
	open(t, path).Close()
	wantMode(path, 0o600)
	wantMode(filepath.Dir(path), 0o700)
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	open(t, path).Close()
	wantMode(path, 0o600)
}

func TestSecondHolder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	defer open(t, path).Close()
	_, err := boltstore.Open(path)
	if !errors.Is(err, boltstore.ErrLocked) || !strings.Contains(err.Error(), path) {
		t.Fatalf("second Open = %v", err)
	}
}

func TestNotAStore(t *testing.T) {
	dir := t.TempDir()
	garbage := filepath.Join(dir, "garbage")
	if err := os.WriteFile(garbage, []byte(strings.Repeat("no database ", 2000)), 0o600); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink(garbage, link); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{garbage, link, dir, filepath.Join(garbage, "below")} {
		if s, err := boltstore.Open(path); err == nil {
			s.Close()
			t.Errorf("Open(%s) succeeded", path)
		}
	}
}
