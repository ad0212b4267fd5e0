//go:build unix

package secure

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func TestPinsFileRefused(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "pins")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for mode, ok := range map[fs.FileMode]bool{0o600: true, 0o644: true, 0o400: true, 0o620: false, 0o602: false, 0o666: false} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenPins(path); (err == nil) != ok {
			t.Errorf("mode %04o: %v, want ok %v", mode, err, ok)
		}
	}
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, odd := range []string{dir, fifo} {
		if _, err := OpenPins(odd); err == nil {
			t.Errorf("%s was taken for a file of pins", odd)
		}
	}
}
