package identity

import (
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func TestLoadOrCreate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "node", "node0", FileName)
	k, err := LoadOrCreate(path)
	if err != nil {
		t.Fatal(err)
	}
	again, err := LoadOrCreate(path)
	if err != nil || again.Public() != k.Public() {
		t.Fatalf("the second time: %v, %v, want %v", again, err, k)
	}
	for _, p := range []struct {
		path string
		mode fs.FileMode
	}{{path, 0o600}, {filepath.Dir(path), 0o700}, {filepath.Dir(filepath.Dir(path)), 0o700}} {
		info, err := os.Stat(p.path)
		if err != nil || info.Mode().Perm() != p.mode {
			t.Errorf("%s: mode %v, %v, want %v", p.path, info.Mode().Perm(), err, p.mode)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".identity-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestLoadOrCreateAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), FileName)
	keys := make([]PubKey, 8)
	var wg sync.WaitGroup
	for i := range keys {
		wg.Go(func() {
			k, err := LoadOrCreate(path)
			if err != nil {
				t.Error(err)
				return
			}
			keys[i] = k.Public()
		})
	}
	wg.Wait()
	for _, k := range keys {
		if k != keys[0] {
			t.Fatalf("two keys from one file: %v and %v", keys[0], k)
		}
	}
}

func TestSaveNeverOverwrites(t *testing.T) {
	path := filepath.Join(t.TempDir(), FileName)
	first := generate(t)
	if err := first.Save(path); err != nil {
		t.Fatal(err)
	}
	if err := generate(t).Save(path); !errors.Is(err, fs.ErrExist) {
		t.Fatalf("saving over a key: %v, want fs.ErrExist", err)
	}
	if k, err := Load(path); err != nil || k.Public() != first.Public() {
		t.Fatalf("Load = %v, %v, want %v", k, err, first)
	}
}

func TestLoadOrCreateUnwritable(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root writes anywhere")
	}
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	if k, err := LoadOrCreate(filepath.Join(dir, FileName)); err == nil || k != nil {
		t.Fatalf("LoadOrCreate in a folder without write permission = %v, %v", k, err)
	}
}

func TestLoadRefuses(t *testing.T) {
	good := hex.EncodeToString(generate(t).sec.Serialize())
	tests := []struct {
		name, text string
		mode       fs.FileMode
		want       string // in the error; empty: it loads
	}{
		{"as saved", good + "\n", 0o600, ""},
		{"no newline", good, 0o400, ""},
		{"upper case, spaces", "  " + strings.ToUpper(good) + "\r\n", 0o600, ""},
		{"group may read", good, 0o640, "mode 0640"},
		{"all may read", good, 0o604, "mode 0604"},
		{"empty", "", 0o600, "not a secret key"},
		{"short", good[:62], 0o600, "not a secret key"},
		{"long", good + "00", 0o600, "not a secret key"},
		{"no digits", strings.Repeat("z", 64), 0o600, "not a secret key"},
		{"zero", strings.Repeat("0", 64), 0o600, "not a secret key"},
		{"beyond the order", strings.Repeat("f", 64), 0o600, "not a secret key"},
		{"huge", strings.Repeat("1", 1<<20), 0o600, "not a secret key"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), FileName)
			if err := os.WriteFile(path, []byte(tt.text), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(path, tt.mode); err != nil {
				t.Fatal(err)
			}
			_, err := LoadOrCreate(path)
			if tt.want == "" && err != nil {
				t.Fatal(err)
			}
			if tt.want == "" {
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), path) {
				t.Fatalf("error %v, want the path and %q", err, tt.want)
			}
			if strings.Contains(err.Error(), good[:16]) {
				t.Fatalf("the error tells the key: %v", err)
			}
		})
	}
}
