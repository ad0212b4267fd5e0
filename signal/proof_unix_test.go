//go:build unix

package signal

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func TestReadToken(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, content []byte, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.WriteFile(path, content, mode), os.Chmod(path, mode)); err != nil { // whatever the umask
			t.Fatal(err)
		}
		return path
	}
	token := NewToken()
	if got, err := ReadToken(write("good", FormatToken(token), 0o600)); err != nil || !bytes.Equal(got, token) {
		t.Fatalf("got %x, %v", got, err)
	}
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, path := range map[string]string{
		"readable by others": write("open", FormatToken(token), 0o644),
		"long":               write("long", bytes.Repeat([]byte("0"), 1<<20), 0o600),
		"folder":             dir,
		"fifo":               fifo,
		"missing":            filepath.Join(dir, "none"),
	} {
		if _, err := ReadToken(path); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
