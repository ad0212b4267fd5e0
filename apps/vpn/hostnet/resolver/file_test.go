package resolver

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var servers = []netip.Addr{netip.MustParseAddr("10.99.0.1"), netip.MustParseAddr("fd99::1")}

func TestContent(t *testing.T) {
	before := "# from DHCP\nsearch a.example b.example\r\nnameserver 192.0.2.1\n  options ndots:2\nsortlist x"
	want := Heading + "nameserver 10.99.0.1\nnameserver fd99::1\nsearch a.example b.example\n  options ndots:2\n#before nameserver 192.0.2.1\n"
	if got := string(Content(servers, []byte(before))); got != want {
		t.Errorf("got %q", got)
	}
	if got := Servers([]byte(want)); len(got) != 2 || got[0] != servers[0] {
		t.Errorf("servers %v", got)
	}
}

// Whatever a write that was cut short leaves is taken for ours; what somebody else wrote is not.
func TestTornWrites(t *testing.T) {
	path := filepath.Join(t.TempDir(), "resolv.conf")
	for _, before := range []string{"", "nameserver 192.0.2.1\n", strings.Repeat("# a long one\n", 100)} {
		write := func(text string) {
			t.Helper()
			if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		write(before)
		c, err := Plan(path, servers)
		if err != nil {
			t.Fatal(err)
		}
		ours := string(c.Ours)
		states := []string{"", ours, before, ours[:len(ours)/2], before[:len(before)/2]}
		if len(before) > len(ours) {
			states = append(states, ours+before[len(ours):])
		} else {
			states = append(states, before+ours[len(before):])
		}
		for _, state := range states {
			write(state)
			left, err := c.Undo()
			if b, _ := os.ReadFile(path); left != "" || err != nil || string(b) != before {
				t.Errorf("from %q: %q, %v, %q", state, left, err, b)
			}
		}
		write(ours + "nameserver 8.8.8.8\n")
		if left, err := c.Undo(); left == "" || err != nil {
			t.Errorf("somebody else's: %q, %v", left, err)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if left, err := c.Undo(); left == "" || err != nil {
			t.Errorf("removed by somebody else: %q, %v", left, err)
		}
	}
}

func TestStrangeFilesAreRefused(t *testing.T) {
	dir := t.TempDir()
	if _, err := Plan(dir, servers); err == nil {
		t.Error("a folder is taken")
	}
	path := filepath.Join(dir, "resolv.conf")
	if err := os.WriteFile(path, make([]byte, maxBytes+1), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Plan(path, servers); err == nil {
		t.Error("a huge file is taken")
	}
}
