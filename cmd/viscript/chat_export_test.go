//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestChatExport: contacts and history leave a role that runs and one that does not, and come in again; the passphrase is in no argument.
func TestChatExport(t *testing.T) {
	d := startPeople(t)
	ann, ben := d.one(t, "chat ann"), d.one(t, "chat ben")
	annKey, benKey := strings.TrimSpace(d.ok(t, "tell", ann, "key")), strings.TrimSpace(d.ok(t, "tell", ben, "key"))
	d.ok(t, "tell", ann, "add", benKey, "Ben")
	d.ok(t, "tell", ben, "add", annKey, "Ann")
	d.ok(t, "tell", ann, "group", "Walks")
	d.ok(t, "tell", ann, "invite", "Walks", "Ben")
	d.ok(t, "tell", ann, "msg", "Ben", "hello", "Ben")
	d.texts(t, ben, "Ann", "hello Ben")
	secret := filepath.Join(d.dir, "passphrase")
	if err := os.WriteFile(secret, []byte("correct horse\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	do := func(args ...string) (string, error) {
		out, err := d.product(context.Background(), append([]string{"chat"}, args...)...).CombinedOutput()
		return string(out), err
	}
	dirOf := func(name string) string { return filepath.Join(d.state, "chat", name) }
	file := filepath.Join(d.dir, "ann.export")
	if out, err := do("export", "ann", file, "--key", "--passphrase-file", secret, "--state", dirOf("ann")); err != nil {
		t.Fatalf("through the running role: %s%v", out, err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	if out, err := do("export", "ann", file, "--passphrase-file", secret, "--state", dirOf("ann")); err == nil {
		t.Errorf("a file that is there was replaced: %s", out)
	}
	open := filepath.Join(d.dir, "open")
	if err := errors.Join(os.WriteFile(open, []byte("correct horse\n"), 0o600), os.Chmod(open, 0o644)); err != nil { // whatever the umask is
		t.Fatal(err)
	}
	if out, err := do("export", "ann", file+"2", "--passphrase-file", open, "--state", dirOf("ann")); err == nil || !strings.Contains(out, "chmod 600") {
		t.Errorf("a passphrase that others may read: %s%v", out, err)
	}
	if out, err := do("export", "ann", file+"2", "--state", dirOf("ann")); err == nil || !strings.Contains(out, "passphrase") {
		t.Errorf("without a passphrase: %s%v", out, err)
	}

	// Another device of hers, where nobody runs.
	second := dirOf("ann-second")
	if out, err := do("import", "ann-second", file, "--passphrase-file", secret, "--state", second); err != nil || !strings.Contains(out, "messages are new") {
		t.Fatalf("another device: %s%v", out, err)
	}
	if out, err := do("import", "ann-second", file, "--passphrase-file", secret, "--state", second); err != nil || !strings.Contains(out, "0 messages are new") {
		t.Errorf("twice: %s%v", out, err)
	}
	if out, err := do("export", "ann-second", file+"3", "--passphrase-file", secret, "--state", second); err != nil {
		t.Errorf("from a role that does not run: %s%v", out, err)
	}
	if out, err := do("import", "ben", file, "--passphrase-file", secret, "--state", dirOf("ben")); err == nil || !strings.Contains(out, "somebody else") {
		t.Errorf("the export of somebody else: %s%v", out, err)
	}
	if out, err := do("import", "carl", file+"3", "--passphrase-file", secret, "--state", dirOf("carl")); err == nil || !strings.Contains(out, "key") {
		t.Errorf("an export without the key for somebody new: %s%v", out, err)
	}
	show, err := d.product(context.Background(), "key", "show", "--state", second).CombinedOutput()
	if err != nil || strings.TrimSpace(string(show)) != annKey {
		t.Errorf("the key of the other device: %s%v", show, err)
	}
	b, err := os.ReadFile(file)
	if err != nil || strings.Contains(string(b), "hello Ben") { // fewer bytes stand in what is sealed by chance
		t.Errorf("the export shows text, %v", err)
	}
	err = filepath.WalkDir(d.state, func(path string, entry os.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() {
			if b, err := os.ReadFile(path); err == nil && strings.Contains(string(b), "correct horse") {
				return fmt.Errorf("%s holds the passphrase", path)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
