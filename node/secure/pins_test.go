package secure

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/skycoin/viscript/node/identity"
)

func openPins(t testing.TB, path string) *Pins {
	t.Helper()
	p, err := OpenPins(path)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPins(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state", "pins")
	a, b := keyOf(t, 1).Public(), keyOf(t, 2).Public()
	p := openPins(t, path)
	if _, ok := p.Lookup("host:1"); ok {
		t.Error("a pin out of nothing")
	}
	for name, k := range map[string]identity.PubKey{"host:1": a, "node0:exit": b, "[::1]:80": b} {
		if err := p.Pin(name, k); err != nil {
			t.Fatal(err)
		}
		if err := p.Pin(name, k); err != nil {
			t.Errorf("the same pin again: %v", err)
		}
	}
	var changed *PinChanged
	if err := p.Pin("host:1", b); !errors.As(err, &changed) || changed.Pinned != a || changed.Offered != b || changed.Name != "host:1" {
		t.Fatalf("another key: %v, want *PinChanged", err)
	}
	for _, want := range []string{"host:1", a.String(), b.String() + "@host:1", "delete the line", path} {
		if !strings.Contains(changed.Error(), want) {
			t.Errorf("%q does not tell %q", changed, want)
		}
	}
	for _, p := range []*Pins{p, openPins(t, path)} {
		for name, want := range map[string]identity.PubKey{"host:1": a, "node0:exit": b, "[::1]:80": b} {
			if k, ok := p.Lookup(name); !ok || k != want {
				t.Errorf("Lookup(%s) = %v, %v, want %v", name, k, ok, want)
			}
		}
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v, want 0600", info.Mode().Perm(), err)
	}
	text, _ := os.ReadFile(path)
	want := pinsHeader + "[::1]:80 " + b.String() + "\nhost:1 " + a.String() + "\nnode0:exit " + b.String() + "\n"
	if string(text) != want {
		t.Errorf("file\n%s, want\n%s", text, want)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".pins-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// A person deletes a line, or the file, while we run.
func TestPinsEdited(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pins")
	a, b := keyOf(t, 1).Public(), keyOf(t, 2).Public()
	p := openPins(t, path)
	for _, name := range []string{"host:1", "host:2"} {
		if err := p.Pin(name, a); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(path, []byte("# mine\n\n  host:2   "+a.String()+"  \r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := p.Pin("host:1", b); err != nil {
		t.Fatalf("after the line was deleted: %v", err)
	}
	if k, ok := p.Lookup("host:2"); !ok || k != a {
		t.Errorf("the line that stayed: %v, %v", k, ok)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, ok := p.Lookup("host:1"); ok {
		t.Error("a pin survived its file")
	}
	if err := p.Pin("host:1", a); err != nil {
		t.Error(err)
	}
}

// The file system's clock may show the same time for two states of the file, of one length.
func TestPinsEditedWithinATick(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pins")
	a, b := keyOf(t, 1).Public(), keyOf(t, 2).Public()
	p := openPins(t, path)
	if err := p.Pin("host:1", a); err != nil {
		t.Fatal(err)
	}
	tick := time.Now().Add(time.Hour) // it stays the present
	for _, want := range []identity.PubKey{a, b} {
		if err := os.WriteFile(path, []byte("host:1 "+want.String()+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, tick, tick); err != nil {
			t.Fatal(err)
		}
		if k, _ := p.Lookup("host:1"); k != want {
			t.Errorf("found %v, want %v", k, want)
		}
	}
}

func TestPinsDamaged(t *testing.T) {
	a, b := keyOf(t, 1).Public(), keyOf(t, 2).Public()
	good := "host:1 " + a.String() + "\n"
	tests := map[string]string{
		"no key":      "host:1\n",
		"bad key":     "host:1 " + panicking.String() + "\n",
		"short key":   "host:1 " + a.String()[:60] + "\n",
		"third word":  "host:1 " + a.String() + " x\n",
		"twice":       good + "host:1 " + b.String() + "\n",
		"binary":      "\x00\xff\n",
		"odd name":    "h\x7fst " + a.String() + "\n",
		"long line":   strings.Repeat("x", 100_000) + "\n",
		"huge file":   strings.Repeat("#\n", maxPinFile/2+2),
		"cut in half": good[:len(good)/2],
	}
	for name, text := range tests {
		path := filepath.Join(t.TempDir(), "pins")
		if err := os.WriteFile(path, []byte(good), 0o600); err != nil {
			t.Fatal(err)
		}
		p := openPins(t, path)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenPins(path); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: OpenPins: %v, want an error with the path", name, err)
		}
		if k, ok := p.Lookup("host:1"); !ok || k != a {
			t.Errorf("%s: what was known before is gone: %v, %v", name, k, ok)
		}
		if err := p.Pin("host:9", b); err == nil {
			t.Errorf("%s: pinned into a damaged file", name)
		}
		if after, _ := os.ReadFile(path); string(after) != text {
			t.Errorf("%s: the damaged file was written over", name)
		}
	}
}

func TestPinRefusesNames(t *testing.T) {
	p := openPins(t, filepath.Join(t.TempDir(), "pins"))
	k := keyOf(t, 1).Public()
	for _, name := range []string{"", "#x", "a b", "a\nb", "a\tb", "ä", "\x00", strings.Repeat("x", maxPinName+1)} {
		if err := p.Pin(name, k); err == nil {
			t.Errorf("pinned %q", name)
		}
	}
	for _, k := range []identity.PubKey{{}, panicking} {
		if err := p.Pin("host:1", k); !errors.Is(err, identity.ErrPubKey) {
			t.Errorf("pinned %v: %v", k, err)
		}
	}
	if err := p.Pin(strings.Repeat("x", maxPinName), k); err != nil {
		t.Error(err)
	}
}

func TestPinUnwritable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file", "pins")
	if err := os.WriteFile(filepath.Dir(path), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenPins(path); err == nil {
		t.Error("a folder that is a file was taken")
	}
	path = filepath.Join(t.TempDir(), "gone", "pins")
	p := openPins(t, path)
	if err := os.WriteFile(filepath.Dir(path), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := p.Pin("host:1", keyOf(t, 1).Public()); err == nil {
		t.Error("a pin that could not be written went well")
	}
	if _, ok := p.Lookup("host:1"); ok {
		t.Error("a pin that could not be written is there")
	}
}

func TestPinsConcurrent(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pins")
	p := openPins(t, path)
	k := keyOf(t, 1).Public()
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for n := range 5 {
				if err := p.Pin(fmt.Sprintf("host-%d:%d", w, n+1), k); err != nil {
					t.Error(err)
				}
				p.Lookup("host-0:1")
			}
		})
	}
	wg.Wait()
	p = openPins(t, path)
	if len(p.keys) != 20 {
		t.Errorf("%d pins in the file, want 20", len(p.keys))
	}
}

func TestPinsFull(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pins")
	p := openPins(t, path)
	k := keyOf(t, 1).Public()
	if err := p.Pin("host:1", k); err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(-time.Hour) // so it is not read again
	if err := os.Chtimes(path, old, old); err != nil {
		t.Fatal(err)
	}
	p.Lookup("host:1")
	for n := range maxPins - 1 {
		p.keys[fmt.Sprintf("x-%d", n)] = k
	}
	if err := p.Pin("one:2", k); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("one pin too many: %v", err)
	}
	if err := p.Pin("host:1", k); err != nil {
		t.Errorf("a pin that is there already: %v", err)
	}
}
