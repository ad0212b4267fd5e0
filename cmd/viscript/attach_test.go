//go:build linux

package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// seat is a person at a terminal of 70 columns, in which one program runs.
type seat struct {
	*testing.T
	master *os.File
	cmd    *exec.Cmd
	screen chan []byte
	seen   bytes.Buffer
}

// sit runs this program with arguments at a new terminal.
func sit(t *testing.T, args ...string) *seat {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip("no pseudo terminals here:", err)
	}
	number := 0
	if err = unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err == nil {
		number, err = unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	}
	if err != nil {
		t.Fatal(err)
	}
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer slave.Close()
	s := &seat{T: t, master: master, screen: make(chan []byte, 1024)}
	s.resize(70, 20)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	s.cmd = &exec.Cmd{
		Path: self, Args: append([]string{"viscript"}, args...), Stdin: slave, Stdout: slave, Stderr: slave,
		SysProcAttr: &syscall.SysProcAttr{Setsid: true, Setctty: true},
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(s.screen)
		for {
			buf := make([]byte, 4096)
			n, err := master.Read(buf)
			if err != nil {
				return
			}
			s.screen <- buf[:n]
		}
	}()
	t.Cleanup(func() {
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
		master.Close()
	})
	return s
}

func (s *seat) resize(columns, rows uint16) {
	s.Helper()
	if err := unix.IoctlSetWinsize(int(s.master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: rows, Col: columns}); err != nil {
		s.Fatal(err)
	}
}

func (s *seat) types(keys string) {
	s.Helper()
	if _, err := s.master.WriteString(keys); err != nil {
		s.Fatal(err)
	}
}

// sees waits for text behind what was waited for before.
func (s *seat) sees(want string) {
	s.Helper()
	late := time.After(patience)
	for {
		if _, after, ok := strings.Cut(s.seen.String(), want); ok {
			s.seen.Reset()
			s.seen.WriteString(after)
			return
		}
		select {
		case p, ok := <-s.screen:
			if s.seen.Write(p); !ok {
				s.Fatalf("it ended before %q; at last %q", want, &s.seen)
			}
		case <-late:
			s.Fatalf("%q does not appear; at last %q", want, &s.seen)
		}
	}
}

// asksFor types the same again and again until text appears.
func (s *seat) asksFor(keys, want string) {
	s.Helper()
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	for end := time.Now().Add(patience); !strings.Contains(s.seen.String(), want); {
		s.types(keys)
		for waiting := true; waiting; {
			select {
			case p, ok := <-s.screen:
				if s.seen.Write(p); !ok {
					s.Fatalf("it ended before %q; at last %q", want, &s.seen)
				}
			case <-again.C:
				waiting = false
			}
		}
		if time.Now().After(end) {
			s.Fatalf("%q does not appear; at last %q", want, &s.seen)
		}
	}
}

// leaves waits for the end of the program.
func (s *seat) leaves(code int) {
	s.Helper()
	done := make(chan struct{})
	go func() { defer close(done); _ = s.cmd.Wait() }()
	screen := s.screen
	for late := time.After(patience); ; {
		select {
		case _, ok := <-screen: // so that it is not held up
			if !ok {
				screen = nil
			}
			continue
		case <-done:
		case <-late:
			s.Fatal("it does not end")
		}
		break
	}
	if got := s.cmd.ProcessState.ExitCode(); got != code {
		s.Errorf("exit code %d, want %d", got, code)
	}
}

// TestAttachFromAnyTerminal runs `viscript attach` and the same from the daemon's prompt.
func TestAttachFromAnyTerminal(t *testing.T) {
	dir := t.TempDir()
	state, config := filepath.Join(dir, "state"), filepath.Join(dir, "config.yaml")
	// The shell tells its size when it is told to, and ends at a word.
	script := `echo began; while read w; do case $w in size) stty size;; end) exit 3;; *) echo "got $w";; esac; done`
	text := fmt.Sprintf("apps: { sh: { path: sh, default_args: [-c, %q], pty: true } }\n", script)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	prompt := sit(t, "--state", state, "--signal", "none", "--config", config)
	prompt.sees("viscript> ")
	prompt.types("start sh\r")
	prompt.sees("Added external app (ID: 1")

	one := sit(t, "attach", "--state", state, "1")
	one.sees("began") // what it printed before
	one.types("hello\r")
	one.sees("got hello")
	one.resize(91, 33)
	one.asksFor("size\r", "33 91") // the size travels beside the keys

	two := sit(t, "attach", "--state", state, "1") // a second viewer, with all that was printed
	two.sees("got hello")
	two.types("again\r")
	one.sees("got again")
	one.types("\x1a")
	one.sees("detached; app 1 (sh) goes on")
	one.leaves(exitOK)

	prompt.types("attach 1\r")
	prompt.sees("got again")
	prompt.types("\x1a")
	prompt.sees("detached; app 1 (sh) goes on\r\n")
	prompt.sees("viscript> ")
	two.types("end\r")
	two.sees("app 1 (sh) has ended, exit code 3")
	two.leaves(exitOK)

	prompt.sees("viscript> ")
	prompt.types("start -a sh\r")
	prompt.sees("began")
	prompt.types("typed\r")
	prompt.sees("got typed")
	prompt.types("end\r")
	prompt.sees("app 2 (sh) has ended, exit code 3")
	prompt.sees("viscript> ")
	prompt.types("top\r")
	prompt.sees("q quits")
	prompt.types("q")
	prompt.sees("viscript> ")
	prompt.types("quit\r")
	prompt.leaves(exitOK)

	late := sit(t, "attach", "--state", state, "1")
	late.leaves(exitNoDaemon)
}
