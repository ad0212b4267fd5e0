//go:build unix

package process

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

func TestReadEnvFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "env")
	if _, err := ReadEnvFile(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("missing: %v", err)
	}
	if err := os.WriteFile(path, []byte("A=1\nB='2'\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := ReadEnvFile(path); err != nil || !slices.Equal(got, []string{"A=1", "B=2"}) {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := ReadEnvFile(dir); err == nil {
		t.Error("a folder was read")
	}
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadEnvFile(pipe); err == nil || !strings.Contains(err.Error(), "not a plain file") {
		t.Errorf("a named pipe: %v", err)
	}
}
