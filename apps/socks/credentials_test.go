package socks

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestLoadCredentials(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for name, text := range map[string]string{"plain": "bob:se:cret", "line": "bob:se:cret\n", "dos": "bob:se:cret\r\n"} {
		c, err := LoadCredentials(write(name, text, 0o600))
		if err != nil || c.User != "bob" || c.Password != "se:cret" {
			t.Errorf("%s: %v, %v", name, c, err)
		}
	}
	for name, path := range map[string]string{
		"readable by others": write("open", "bob:secret\n", 0o644),
		"no colon":           write("nocolon", "bob\n", 0o600),
		"no user":            write("nouser", ":secret\n", 0o600),
		"no password":        write("nopassword", "bob:\n", 0o600),
		"two lines":          write("two", "bob:secret\nann:secret\n", 0o600),
		"too long":           write("long", "bob:"+strings.Repeat("x", 256), 0o600),
		"far too long":       write("huge", strings.Repeat("b:", 10_000), 0o600),
		"a folder":           dir,
		"missing":            filepath.Join(dir, "missing"),
	} {
		if c, err := LoadCredentials(path); err == nil {
			t.Errorf("%s: %v", name, c)
		}
	}
}
