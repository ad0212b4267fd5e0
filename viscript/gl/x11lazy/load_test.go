//go:build cgo && linux && !headless && (amd64 || arm64)

package x11lazy_test

import (
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/skycoin/viscript/viscript/gl/x11lazy"
)

// build builds a program that opens a window, as `go build` does.
func build(t *testing.T, tags string) string {
	t.Helper()
	dir := t.TempDir()
	bin := filepath.Join(dir, "window")
	cmd := exec.Command("go", "build", "-tags", tags, "-o", bin, "./testdata/window")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return bin
}

// TestNeeds: the executable needs libc and libm, whatever it can do with a display.
func TestNeeds(t *testing.T) {
	f, err := elf.Open(build(t, ""))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	libs, err := f.ImportedLibraries()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range libs {
		if !strings.HasPrefix(l, "libc.") && !strings.HasPrefix(l, "libm.") && !strings.HasPrefix(l, "ld-linux") {
			t.Errorf("it needs %s", l)
		}
	}
	symbols, err := f.ImportedSymbols()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range symbols {
		if foreign.MatchString(s.Name) {
			t.Errorf("%s is not in names.h", s.Name)
		}
	}
}

// foreign are the names of what libX11 and libGL have.
var foreign = regexp.MustCompile(`^(X[A-Z]|Xkb|Xrm|Xutf8|_X|gl[A-Z]|glX)`)

// TestNamesAreUsed: the list has nothing that is not called, and nothing twice.
func TestNamesAreUsed(t *testing.T) {
	list, err := os.ReadFile("names.h")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, m := range regexp.MustCompile(`(?m)^F\((\w+)\)$`).FindAllSubmatch(list, -1) {
		names = append(names, string(m[1]))
	}
	if len(names) < 90 {
		t.Fatalf("only %d names", len(names))
	}
	slices.Sort(names)
	if n := len(names); len(slices.Compact(names)) != n {
		t.Error("a name is there twice")
	}
}

// TestLoad: with the libraries there, all functions are found.
func TestLoad(t *testing.T) {
	for _, lib := range []string{"libX11.so.6", "libGL.so.1"} {
		if out, _ := exec.Command("sh", "-c", "PATH=$PATH:/sbin:/usr/sbin ldconfig -p").Output(); !strings.Contains(string(out), lib) {
			t.Skip("no " + lib)
		}
	}
	for range 2 {
		if err := x11lazy.Load(); err != nil {
			t.Error(err)
		}
	}
}

// TestHeadless: the executable runs, and says what is missing, with no display.
func TestHeadless(t *testing.T) {
	for _, c := range []struct{ tags, want string }{{"", "gl: no display: DISPLAY is not set"}, {"headless", "gl: built without the window"}} {
		cmd := exec.Command(build(t, c.tags))
		cmd.Env = []string{"LD_BIND_NOW=1"}
		out, err := cmd.CombinedOutput()
		if err == nil || !strings.Contains(string(out), c.want) {
			t.Errorf("tags %q: %v: %s", c.tags, err, out)
		}
	}
}
