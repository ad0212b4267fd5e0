package socks

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/skycoin/viscript/node/identity"
)

func TestLoadUsers(t *testing.T) {
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
		c, err := LoadUsers(write(name, text, 0o600))
		if err != nil || len(c) != 1 || c[0] != (User{Name: "bob", Password: "se:cret"}) {
			t.Errorf("%s: %v, %v", name, c, err)
		}
	}
	want := []User{{"ann", "a b ", Allowance{Rate: 2 << 20, Conns: 64}}, {Name: "bob", Password: "x"}, {"cy", "y", Allowance{Rate: 500_000}}}
	all, err := LoadUsers(write("many", "# people\nann:a b \n  rate 2MiB\n\tconnections 64\n\nbob:x\r\ncy:y\n rate 500KB/s\n", 0o600))
	if err != nil || !slices.Equal(all, want) {
		t.Errorf("got %v, %v", all, err)
	}
	for name, path := range map[string]string{
		"readable by others": write("open", "bob:secret\n", 0o644),
		"no colon":           write("nocolon", "bob\n", 0o600),
		"no user":            write("nouser", ":secret\n", 0o600),
		"no password":        write("nopassword", "bob:\n", 0o600),
		"twice":              write("two", "bob:secret\nbob:other\n", 0o600),
		"nothing":            write("empty", "# nobody\n\n", 0o600),
		"option first":       write("first", "  rate 1MB\nbob:secret\n", 0o600),
		"odd option":         write("odd", "bob:secret\n  speed 1MB\n", 0o600),
		"odd rate":           write("rate", "bob:secret\n  rate fast\n", 0o600),
		"slow rate":          write("slow", "bob:secret\n  rate 1023\n", 0o600),
		"huge rate":          write("hugerate", "bob:secret\n  rate 99999999999GB\n", 0o600),
		"no connections":     write("conns", "bob:secret\n  connections 0\n", 0o600),
		"too long":           write("long", "bob:"+strings.Repeat("x", 256), 0o600),
		"far too long":       write("huge", strings.Repeat("b:", 10_000), 0o600),
		"a folder":           dir,
		"missing":            filepath.Join(dir, "missing"),
	} {
		if c, err := LoadUsers(path); err == nil {
			t.Errorf("%s: %v", name, c)
		}
	}
}

func TestLoadKeys(t *testing.T) {
	dir := t.TempDir()
	load := func(text string) (map[identity.PubKey]Allowance, error) {
		path := filepath.Join(dir, "keys")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return LoadKeys(path)
	}
	a, b := testKey(t), testKey(t)
	got, err := load(a.String() + "\n  rate 1MB\n" + b.String() + "\n")
	if err != nil || len(got) != 2 || got[a] != (Allowance{Rate: 1_000_000}) || got[b] != (Allowance{}) {
		t.Errorf("got %v, %v", got, err)
	}
	for _, bad := range []string{"", "# none\n", "02\n", a.String() + "\n" + a.String() + "\n", strings.Repeat("f", 66)} {
		if got, err := load(bad); err == nil {
			t.Errorf("%q: %v", bad, got)
		}
	}
}

func FuzzAccess(f *testing.F) {
	f.Add("ann:a\n  rate 2MiB\n\tconnections 64\n\nbob:x\r\n")
	f.Add("# a\n rate 1\n")
	f.Fuzz(func(t *testing.T, text string) {
		entries, err := parseAccess(text)
		if err != nil {
			return
		}
		for _, e := range entries {
			if e.text == "" || e.line < 1 || e.Rate < 0 || e.Conns < 0 {
				t.Fatalf("%+v", e)
			}
		}
	})
}
