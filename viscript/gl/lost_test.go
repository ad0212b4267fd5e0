//go:build cgo && linux && !headless

package gl

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestOpenWithoutDisplay(t *testing.T) {
	for _, display := range []string{"", ":54321", "no display"} {
		t.Setenv("DISPLAY", display)
		if w, err := Open(Config{}); !errors.Is(err, ErrNoDisplay) || w != nil {
			t.Errorf("%q: %v", display, err)
		}
	}
}

// TestOpenRefused: a server that takes the connection and then refuses it.
func TestOpenRefused(t *testing.T) {
	startX(t, "320x200x24")
	display := os.Getenv("DISPLAY")
	auth := filepath.Join(t.TempDir(), "auth")
	if out, err := exec.Command("xauth", "-f", auth, "add", display, ".", strings.Repeat("ab", 16)).CombinedOutput(); err != nil {
		t.Skipf("xauth: %v: %s", err, out)
	}
	t.Setenv("DISPLAY", "")
	startXWith(t, "320x200x24", "-auth", auth)
	t.Setenv("XAUTHORITY", filepath.Join(t.TempDir(), "none"))
	if w, err := Open(Config{}); !errors.Is(err, ErrNoDisplay) || w != nil {
		t.Errorf("%v", err)
	}
}

// TestOpenWithoutGL: a server without GLX, and a driver that is too old.
func TestOpenWithoutGL(t *testing.T) {
	startXWith(t, "320x200x24", "-extension", "GLX")
	if w, err := Open(Config{}); !errors.Is(err, ErrNoGL) || w != nil {
		t.Errorf("without GLX: %v", err)
	} else {
		t.Log(err)
	}
	startX(t, "320x200x24")
	t.Setenv("MESA_GL_VERSION_OVERRIDE", "3.0")
	if w, err := Open(Config{}); !errors.Is(err, ErrNoGL) || w != nil {
		t.Errorf("GL 3.0: %v", err)
	} else {
		t.Log(err)
	}
}

// TestOpenAgain: windows one after the other.
func TestOpenAgain(t *testing.T) {
	startX(t, "320x200x24")
	for range 3 {
		w, err := Open(Config{Width: 300, Height: 200})
		if err != nil {
			t.Fatal(err)
		}
		app := &still{}
		runUntil(t, w, app, func() bool { return app.drawn > 0 })
		w.Close()
		w.Close()
		if w.Post(func() {}) {
			t.Error("something was posted to a closed window")
		}
	}
}

// TestDisplayLost: the process ends as it should when the X server dies.
func TestDisplayLost(t *testing.T) {
	if os.Getenv("GL_TEST_LOST") != "" {
		w, err := Open(Config{Lost: func() {
			fmt.Println("cleaned up")
			if os.Getenv("GL_TEST_LOST") == "exit" {
				os.Exit(7)
			}
		}})
		if err != nil {
			t.Fatal(err)
		}
		app := &still{}
		w.Post(func() { fmt.Println("running") })
		t.Error("it went on: ", w.Run(t.Context(), app))
		return
	}
	for how, code := range map[string]int{"return": ExitLost, "exit": 7} {
		server := startX(t, "320x200x24")
		cmd := exec.Command(os.Args[0], "-test.run", "^TestDisplayLost$", "-test.timeout", fmt.Sprint(2*patience))
		cmd.Env = append(os.Environ(), "GL_TEST_LOST="+how)
		var out lines
		cmd.Stdout = &out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		for end := time.Now().Add(patience); !strings.Contains(out.String(), "running") && time.Now().Before(end); {
			time.Sleep(10 * time.Millisecond)
		}
		_ = server.Process.Kill()
		_ = cmd.Wait()
		if got := cmd.ProcessState.ExitCode(); got != code || !strings.Contains(out.String(), "cleaned up") {
			t.Errorf("%s: exit code %d, want %d; %q", how, got, code, out.String())
		}
	}
}
