//go:build linux

package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestDaemonAtTerminal sits at the daemon's own prompt.
func TestDaemonAtTerminal(t *testing.T) {
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip("no pseudo terminals here:", err)
	}
	var number int
	err = unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0)
	if err == nil {
		number, err = unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	}
	if err != nil {
		t.Fatal(err)
	}
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	config := filepath.Join(dir, "config.yaml")
	text := "apps: { sleeper: { path: sleep, default_args: [600] } }\ngroups: { demo: [ { app: sleeper } ] }\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	state := filepath.Join(dir, "state")
	cmd := exec.Cmd{
		Path: self, Args: []string{"viscript", "--state", state, "--signal", "none", "--config", config, "--up", "demo"},
		Stdin: slave, Stdout: slave, Stderr: slave, SysProcAttr: &syscall.SysProcAttr{Setsid: true, Setctty: true},
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	slave.Close()
	screen := make(chan []byte, 1024)
	go func() {
		defer close(screen)
		for {
			buf := make([]byte, 4096)
			n, err := master.Read(buf)
			if err != nil {
				return
			}
			screen <- buf[:n]
		}
	}()
	var seen bytes.Buffer
	sees := func(want string) {
		t.Helper()
		late := time.After(patience)
		for {
			if _, after, ok := strings.Cut(seen.String(), want); ok {
				seen.Reset()
				seen.WriteString(after)
				return
			}
			select {
			case p, ok := <-screen:
				if seen.Write(p); !ok {
					t.Fatalf("the daemon ended before %q; at last %q", want, &seen)
				}
			case <-late:
				t.Fatalf("%q does not appear; at last %q", want, &seen)
			}
		}
	}
	types := func(keys string) { master.WriteString(keys) }

	sees("sleeper  ID 1     ready")
	sees("viscript> ")
	types("\x03la\r") // Ctrl-C ends the line, not the daemon
	sees(" 1  sleeper  running  ")
	lock, err := os.ReadFile(filepath.Join(state, "daemon.lock"))
	if err != nil {
		t.Fatal(err)
	}
	keeper := childOf(t, strings.TrimSpace(string(lock)))
	pid := childOf(t, strconv.Itoa(keeper))
	types("half a line")
	sees("half a line")
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	sees("app 1 (sleeper) failed: ")
	sees("(see: why 1)")
	sees("viscript> half a line") // what was typed is still there
	types("\x15start sleeper 601\r")
	sees("Added external app (ID: 2, Command: ")
	types("\x04")
	sees("stopping 1 app...")
	if err := cmd.Wait(); err != nil {
		t.Errorf("the daemon ended with: %v", err)
	}
	master.Close()
}

// childOf returns the pid of the one child of a process.
func childOf(t *testing.T, parent string) (pid int) {
	t.Helper()
	files, err := filepath.Glob("/proc/" + parent + "/task/*/children")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		text, _ := os.ReadFile(f)
		fmt.Sscan(string(text), &pid)
		if pid != 0 {
			return pid
		}
	}
	t.Fatalf("process %s has no child", parent)
	return 0
}
