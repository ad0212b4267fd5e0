package gl

import (
	"errors"
	"net"
	"path/filepath"
	"slices"
	"testing"
)

func TestDisplayAddrs(t *testing.T) {
	for _, c := range []struct {
		display string
		want    []displayAddr
	}{
		{":0", []displayAddr{{"unix", "@/tmp/.X11-unix/X0"}, {"unix", "/tmp/.X11-unix/X0"}}},
		{":17.2", []displayAddr{{"unix", "@/tmp/.X11-unix/X17"}, {"unix", "/tmp/.X11-unix/X17"}}},
		{"unix:1", []displayAddr{{"unix", "@/tmp/.X11-unix/X1"}, {"unix", "/tmp/.X11-unix/X1"}}},
		{"localhost:10.0", []displayAddr{{"tcp", "localhost:6010"}}},
		{"tcp/far:0", []displayAddr{{"tcp", "far:6000"}}},
		{"[::1]:2", []displayAddr{{"tcp", "[::1]:6002"}}},
		{"", nil}, {"host", nil}, {":x", nil}, {":99999", nil}, {":-1", nil}, {"::", nil},
	} {
		got, err := displayAddrs(c.display)
		if !slices.Equal(got, c.want) || (err == nil) != (c.want != nil) {
			t.Errorf("%q: %v, %v", c.display, got, err)
		}
	}
}

func FuzzDisplayAddrs(f *testing.F) {
	for _, s := range []string{":0", "host:1.0", "/tmp/launch/org.x:0", "tcp/[::1]:0", "", "::::"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if a, err := displayAddrs(s); err == nil && len(a) == 0 {
			t.Errorf("%q: nothing", s)
		}
	})
}

func TestNoDisplay(t *testing.T) {
	for _, display := range []string{"", "nonsense", ":54321"} {
		if err := checkDisplay(display); !errors.Is(err, ErrNoDisplay) {
			t.Errorf("%q: %v", display, err)
		}
	}
	path := filepath.Join(t.TempDir(), "x")
	l, err := net.Listen("unix", path+":0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := checkDisplay(path + ":0"); err != nil {
		t.Error(err)
	}
}
